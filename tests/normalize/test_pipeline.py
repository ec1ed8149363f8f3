"""The task as a whole: counts, bytes, quarantine, receipts."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from sentinelone_collector.errors import LakeError
from sentinelone_collector.normalize import event_schema, pipeline
from sentinelone_collector.normalize.table import routes

BAD_LINES = {
    b'{"id": "1", "createdAt": ': "no JSON",
    b'{"id": "1", "createdAt": "2026-11-22T10:00:00Z", "n": NaN}': "NaN",
    b'{"id": "\xff\xfe", "createdAt": "2026-11-22T10:00:00Z"}': "UTF-8",
    b'["a", "list"]': "no JSON object",
    b"": "no JSON",
    b'{"id": "7", "createdAt": "yesterday", "data": {}}': "neither",
    b'{"data": ' + b"[" * 1000 + b"]" * 1000 + b"}": "nested",
    b'{"data": ' + b"[" * 1000: "nested",
    b'{"id": "1", "n": ' + b"9" * 5000 + b"}": "no JSON",
}


@pytest.fixture(autouse=True, params=["long way", "quick way"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let windows of every size take one way."""
    monkeypatch.setattr(pipeline, "_MANY", 0 if request.param == "quick way" else 1 << 40)
    return str(request.param)


def test_conserves_every_line(room: Any, many: Any, bytes_of: Callable[..., bytes]) -> None:
    good = many(40)
    lines = [line for pair in zip(good, BAD_LINES, strict=False) for line in pair] + good[len(BAD_LINES) :]
    outcome = room.normalized(lines)
    assert outcome.result.events + outcome.result.quarantined == len(lines)
    assert outcome.result.quarantined == len(BAD_LINES)
    assert sorted(event["raw_data"].encode() for event in outcome.events) == sorted(good)
    assert [bytes_of(entry) for entry in outcome.quarantine] == list(BAD_LINES)


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.items(), ids=list(BAD_LINES.values()))
def test_quarantine_says_why(room: Any, line: bytes, reason: str) -> None:
    [entry] = room.normalized([line]).quarantine
    assert reason in entry["error"]


def test_quarantine_is_written_only_while_there_is_something_in_it(room: Any, many: Any) -> None:
    room.normalized([b"{", *many(3)])
    assert room.lake.read(room.key("quarantine")) is not None
    outcome = room.normalized(many(3))
    assert outcome.result.quarantined == 0
    assert room.lake.read(room.key("quarantine")) is None


def test_an_empty_window_gives_an_events_file_without_rows(room: Any) -> None:
    outcome = room.normalized([])
    assert (outcome.result.events, outcome.events, outcome.quarantine) == (0, [], [])


def test_result_names_the_digest_of_the_events(room: Any, many: Any) -> None:
    outcome = room.normalized(many(25))
    assert outcome.result.events_sha256 == hashlib.sha256(outcome.events_bytes).hexdigest()
    assert outcome.result.to_dict()["start"] == "2026-11-22T10:00:00Z"


def test_counts_types_without_a_row_in_the_table(room: Any, activity: Any) -> None:
    kinds = [27, 424242, 424242, "banana", None, True]
    records = [activity(kind, id=str(number)) for number, kind in enumerate(kinds)]
    outcome = room.normalized(map(msgspec.json.encode, records))
    assert outcome.result.unknown_types == {"424242": 2, "banana": 1, "none": 2}


def test_events_stand_in_order_of_time_then_uid(room: Any, many: Any) -> None:
    events = room.normalized(many(500, step_ms=0)[::-1] + many(1200)).events
    keys = [(event["time"], event["metadata"]["uid"]) for event in events]
    assert keys == sorted(keys)
    assert len(keys) == 1700


def test_files_have_the_declared_schema_and_fixed_row_groups(
    room: Any, many: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(pipeline, "_ROW_GROUP", 300)
    room.normalized(many(800))
    with room.lake.local(room.key("events")) as path, pq.ParquetFile(path) as file:
        assert file.schema_arrow.equals(event_schema())
        groups = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    assert groups == [300, 300, 200]


def test_ids_are_uuid5_of_host_stream_and_record_id(room: Any, many: Any) -> None:
    for event in room.normalized(many(20)).events:
        name = f"console.example.com/activities/{json.loads(event['raw_data'])['id']}"
        assert event["metadata"]["uid"] == str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def test_replay_writes_nothing_and_keeps_the_receipt(room: Any, many: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = room.normalized([b"{", *many(30)])
    room.lake.put(room.key("receipts"), b"{}")

    def refuse(key: str, *_: Any) -> None:
        pytest.fail(f"{key} was written or deleted")

    monkeypatch.setattr(room.lake, "put", refuse)
    monkeypatch.setattr(room.lake, "delete", refuse)
    assert room.run() == first


@pytest.mark.parametrize("change", ["events", "quarantine"])
def test_the_receipt_goes_before_anything_changes(
    room: Any, many: Any, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    room.normalized([b"{", *many(30)])
    room.put_raw([b"{", *many(31)] if change == "events" else [b"[", *many(30)])
    room.lake.put(room.key("receipts"), b"{}")

    def fail(key: str, *_: Any) -> None:
        raise LakeError(f"no space for {key}")

    monkeypatch.setattr(room.lake, "put", fail)
    with pytest.raises(LakeError, match=change):
        room.run()
    assert room.lake.read(room.key("receipts")) is None


def test_a_missing_raw_object_is_named(room: Any) -> None:
    with pytest.raises(LakeError, match=r"raw/instance=emea/.*fetch window"):
        room.run()


@pytest.mark.parametrize("cut", [5, 400, -1])
def test_a_cut_raw_object_is_no_short_window(room: Any, many: Any, cut: int) -> None:
    room.put_raw(many(2000))
    data = room.lake.read(room.key("raw"))
    room.lake.put(room.key("raw"), data[:cut])
    with pytest.raises(LakeError, match="cut off"):
        room.run()
    assert room.lake.read(room.key("events")) is None


def test_a_damaged_raw_object_is_named(room: Any, many: Any) -> None:
    room.lake.put(room.key("raw"), b"not zstd at all")
    with pytest.raises(LakeError, match="damaged"):
        room.run()


def test_reads_raw_objects_of_several_frames_and_without_a_last_line_end(room: Any, many: Any) -> None:
    lines = many(300)
    half = b"".join(line + b"\n" for line in lines[:150])
    rest = b"\n".join(lines[150:])
    room.lake.put(room.key("raw"), zstandard.compress(half) + zstandard.compress(rest))
    assert {event["raw_data"].encode() for event in room.run().events} == set(lines)


_SCRIPT = """
import sys
from datetime import datetime
from sentinelone_collector.lake import open_lake
from sentinelone_collector.normalize import normalize
from sentinelone_collector.windows import Window
start, end = (datetime.fromisoformat(text) for text in sys.argv[2:])
print(normalize("emea", "activities", Window(start, end), console="console.example.com", lake=open_lake(sys.argv[1])))
"""


def test_both_ways_give_the_same_bytes(
    new_room: Any, many: Any, activity: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"username": "Zoë", "ipAddress": "192.0.2.7", "computerName": "pc-7", "newValue": True, "reason": None}
    every = [
        activity(kind, data, id=str(kind), agentId="7", createdAt="2026-11-22T10:00:00.123456Z") for kind in routes()
    ]
    forms = [json.dumps, msgspec.json.encode, lambda record: json.dumps(record, ensure_ascii=False, indent=1)]
    told = [form(record) for form, record in zip(itertools.cycle(forms), every, strict=False)]
    lines = [line if isinstance(line, bytes) else line.replace("\n", " ").encode() for line in told]
    found = set()
    for least in (0, 1 << 40):
        monkeypatch.setattr(pipeline, "_MANY", least)
        found.add(new_room().normalized([*lines, *BAD_LINES, *many(3000)]).events_bytes)
    assert len(found) == 1


_LOADED = """
import sys
from sentinelone_collector.normalize import pipeline
pipeline._MANY = int(sys.argv.pop())
exec(sys.argv.pop(1))
print("numba" in sys.modules)
"""


@pytest.mark.parametrize(("more", "loaded"), [(-1, True), (0, True), (1, False)])
def test_small_windows_do_not_wait_for_the_compiled_loops(room: Any, many: Any, more: int, loaded: bool) -> None:
    room.put_raw(many(50))
    with room.lake.local(room.key("raw")) as path:
        least = path.stat().st_size + more
    window = ("2026-11-22T10:00:00+00:00", "2026-11-22T11:00:00+00:00")
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, _SCRIPT, room.lake.url, *window, str(least)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == str(loaded)


def test_other_processes_and_hash_seeds_give_the_same_bytes(room: Any, new_room: Any, many: Any) -> None:
    lines = [b"{", *many(600)]
    expected = room.normalized(lines)
    for seed in ("0", "4711"):
        other = new_room()
        other.put_raw(lines)
        window = ("2026-11-22T10:00:00+00:00", "2026-11-22T11:00:00+00:00")
        subprocess.run(
            [sys.executable, "-c", _SCRIPT, other.lake.url, *window],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
        assert other.lake.read(other.key("events")) == expected.events_bytes
        assert other.lake.read(other.key("quarantine")) == room.lake.read(room.key("quarantine"))


@pytest.mark.parametrize("row_group", [700, 10_000])
def test_any_order_of_the_raw_lines_gives_the_same_bytes(
    room: Any, new_room: Any, many: Any, monkeypatch: pytest.MonkeyPatch, row_group: int
) -> None:
    monkeypatch.setattr(pipeline, "_ROW_GROUP", row_group)
    lines = many(2600)
    sorted_bytes = room.normalized(lines).events_bytes
    for shuffled in (lines[::-1], lines[1200:] + lines[:1200]):
        other = new_room().normalized(shuffled)
        assert other.events_bytes == sorted_bytes
        assert other.result.unknown_types == {"424242": 260}


def test_an_unsorted_object_is_not_quarantined_twice(new_room: Any, many: Any) -> None:
    lines = many(2600)
    outcome = new_room().normalized([b"{", *lines[1300:], b"[", *lines[:1300]])
    assert Counter(entry["record"] for entry in outcome.quarantine) == {"{": 1, "[": 1}
    assert outcome.result.events == len(lines)


def test_leaves_no_files_behind(room: Any, many: Any) -> None:
    room.normalized(many(10))
    assert list(Path(room.lake.url, ".staging").iterdir()) == []
