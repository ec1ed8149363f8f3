"""Every activity type, in every direction that it knows: one record in, one event out, as lines that people review.

`S1C_GOLDEN=write python -m pytest tests/normalize/test_every_type.py` adds records of types that have none and writes
the events anew. Of an event the lines leave out what is the same everywhere or a copy of the record.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinelone_collector.normalize import Context, map_activity, ocsf
from sentinelone_collector.normalize.shapes import redact
from sentinelone_collector.normalize.streams import activities
from sentinelone_collector.normalize.table import _route, table_rows

from .conftest import CONSOLE, STREAM
from .samples import samples

FOLDER = Path(__file__).with_name("golden") / "activities"
TABLE = {int(row["id"]): row for row in table_rows()}
SAME = {
    "version": "1.8.0",
    "log_name": "activities",
    "log_provider": "SentinelOne",
    "product": {"name": "SentinelOne", "vendor_name": "SentinelOne"},
}
MAPPED = {"accountId", "activityType", "createdAt", "id", "primaryDescription"}


def _file_of(kind: int) -> str:
    return (TABLE[kind]["group"] if TABLE[kind]["name"] else "") or "unnamed"


def _lines_of_files() -> list[dict[str, Any]]:
    paths = sorted(FOLDER.glob("*.ndjson"))
    return [msgspec.json.decode(line) for path in paths for line in path.read_bytes().splitlines()]


def _lines() -> list[dict[str, Any]]:
    found = _lines_of_files()
    if os.environ.get("S1C_GOLDEN") == "write":
        known = {line["record"]["activityType"] for line in found}
        found += [{"record": record} for kind in TABLE if kind not in known for record in samples(TABLE[kind])]
        _write([{"record": line["record"], "event": _short(_event(line["record"]))} for line in found])
        return _lines_of_files()
    return found


def _event(record: Mapping[str, Any]) -> dict[str, Any]:
    return map_activity(record, msgspec.json.encode(record), Context(CONSOLE, STREAM))


def _short(event: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in event["metadata"].items() if name not in {*SAME, "uid"}}
    rest = {name: value for name, value in event.items() if name not in {"raw_data", "unmapped"}}
    return rest | {"metadata": metadata}


def _write(lines: list[dict[str, Any]]) -> None:
    by_file = defaultdict(list)
    for line in sorted(lines, key=lambda line: (line["record"]["activityType"], int(line["record"]["id"]))):
        by_file[_file_of(line["record"]["activityType"])].append(msgspec.json.encode(line) + b"\n")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, written in by_file.items():
        (FOLDER / f"{name}.ndjson").write_bytes(b"".join(written))


LINES = _lines()


def test_every_record_becomes_the_reviewed_event(problems: Any, through_columns: Any) -> None:
    for line in LINES:
        record, event = line["record"], _event(line["record"])
        assert problems(event) == [], record
        assert _short(event) == line["event"], record
        assert {name: event["metadata"][name] for name in SAME} == SAME
        assert event["unmapped"] == redact({name: value for name, value in record.items() if name not in MAPPED})
        assert through_columns(msgspec.json.encode(record)) == event


def test_every_type_has_a_record_and_stands_in_the_file_of_its_group() -> None:
    assert {line["record"]["activityType"] for line in LINES} == set(TABLE)
    for path in FOLDER.glob("*.ndjson"):
        for line in path.read_bytes().splitlines():
            assert _file_of(msgspec.json.decode(line)["record"]["activityType"]) == path.stem


def test_every_direction_and_every_outcome_of_a_type_has_a_record() -> None:
    labels = defaultdict(set)
    activity_ids = defaultdict(set)
    for line in LINES:
        kind = line["record"]["activityType"]
        labels[kind].update(line["event"]["metadata"].get("labels", ()))
        activity_ids[kind].add(line["event"]["activity_id"])
    for kind, row in TABLE.items():
        if row["direction"] and not row["direction"].startswith("="):
            assert labels[kind] == {"direction:on", "direction:off", "direction:unknown"}, kind
        assert {int(row[name]) for name in ("activity", "on", "off") if row[name]} <= activity_ids[kind], kind


def test_a_type_with_a_name_is_of_another_activity_only_where_its_name_tells_none() -> None:
    others = {row["name"] for row in TABLE.values() if row["class"] == "6003" and row["activity"] == "99"}
    assert others == {
        "",
        "Hyperautomation workflow execution event",
        "Ranger Deploy - Linux Enforcement",
        "Ranger Deploy - Master passphrase",
        "Ranger Deploy - PsDrive WMI Session",
        "Ranger Deploy - Trusted Hosts",
        "Ranger Self Provisioning",
    }


def _another_activity(row: Mapping[str, str], column: str) -> str:
    known = len(ocsf.ACTIVITIES[int(row["class"])])
    taken = {row["activity"], row["on"], row["off"]}
    return next(str(number) for number in (*range(1, known + 1), 99) if str(number) not in taken)


def _mutated(row: Mapping[str, str], column: str) -> dict[str, str] | None:
    if column in {"direction", "change", "status"}:
        return {**row, column: ""} if row[column] else None
    if column in {"on", "off"} and not row[column]:
        return None
    if column == "class":
        return {**row, "class": "6007" if row["class"] != "6007" else "6003", "activity": "1", "on": "", "off": ""}
    if column == "severity":
        told_by_record = row["object"] == "alert" or "newSeverity" in row["change"]
        return None if told_by_record else {**row, column: "6"}
    return {**row, column: _another_activity(row, column)}


@pytest.mark.parametrize("column", ["class", "activity", "on", "off", "direction", "change", "status", "severity"])
def test_a_change_in_any_row_is_seen(monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    """Seed the bug in all rows at once; each type must have a record whose event is no longer the reviewed one."""
    changed = {kind: mutant for kind, row in TABLE.items() if (mutant := _mutated(row, column)) is not None}
    broken = {kind: _route(mutant) for kind, mutant in changed.items()}
    monkeypatch.setattr(activities, "routes", lambda: broken)
    caught = {
        line["record"]["activityType"]
        for line in LINES
        if line["record"]["activityType"] in broken and _short(_event(line["record"])) != line["event"]
    }
    assert caught == set(changed)
