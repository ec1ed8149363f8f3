"""What is left out for speed changes no hit: events by their code, columns that nothing is in, earlier windows."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from detect_world import CONSOLE, at, event, write_events

from sentinelone_collector.detect import Hit, Ruleset, load_ruleset
from sentinelone_collector.detect.correlate import detectors_of
from sentinelone_collector.detect.engine import Events, ParquetEvents, Scene, Source, find_hits, match, open_engine
from sentinelone_collector.windows import DAY, Window

START = at("2026-01-14")
WHOLE = Window(START, START + DAY)
RULE = """\
title: {name}
id: 00000000-0000-4000-8000-{number:012d}
name: {name}
logsource: {{product: sentinelone, service: console}}
detection: {detection}
level: low
x-incident:
  family: endpoint
  classification: recon
  reason: why
  recommendation: what
  tests: {{hits: [{{time: 1}}, {{time: 2}}], misses: [{{time: 3}}, {{time: 4}}]}}
"""
CODE = "metadata.event_code"
CODES: dict[str, tuple[dict[str, Any], set[str] | None]] = {
    "one": ({"s": {CODE: "27"}, "condition": "s"}, {"27"}),
    "several": ({"s": {CODE: ["27", "aB"]}, "condition": "s"}, {"27", "ab"}),
    "and_more": ({"s": {CODE: "27", "message": "x"}, "condition": "s"}, {"27"}),
    "either": ({"a": {CODE: "1"}, "b": {CODE: "2"}, "condition": "a or b"}, {"1", "2"}),
    "both": ({"a": {CODE: ["1", "2"]}, "b": {CODE: ["2", "3"]}, "condition": "a and b"}, {"2"}),
    "two_conditions": ({"a": {CODE: "1"}, "b": {CODE: "2"}, "condition": ["a", "b"]}, {"1", "2"}),
    "or_any": ({"a": {CODE: "1"}, "b": {"message": "x"}, "condition": "a or b"}, None),
    "one_condition_of_any": ({"a": {CODE: "1"}, "b": {"message": "x"}, "condition": ["a", "b"]}, None),
    "but_not": ({"a": {CODE: "1"}, "condition": "not a"}, None),
    "and_not": ({"a": {CODE: "1"}, "b": {CODE: "2"}, "condition": "a and not b"}, {"1"}),
    "begins": ({"s": {f"{CODE}|startswith": "2"}, "condition": "s"}, None),
    "begins_or_is": ({"s": {CODE: ["2*", "3"]}, "condition": "s"}, None),
    "number": ({"s": {CODE: 27}, "condition": "s"}, None),
    "listed": ({"s": {f"{CODE}|re": "^(2|23)$"}, "condition": "s"}, {"2", "23"}),
    "listed_inside": ({"s": {f"{CODE}|re": "(2|23)"}, "condition": "s"}, None),
    "listed_by_pattern": ({"s": {f"{CODE}|re": r"^(2|2\\d)$"}, "condition": "s"}, None),
    "listed_by_lines": ({"s": {f"{CODE}|re|m": "^(2|23)$"}, "condition": "s"}, None),
    "nothing": ({"s": {CODE: None}, "condition": "s"}, None),
    "other_letters": ({"s": {CODE: "É"}, "condition": "s"}, None),
    "other_field": ({"s": {"message": "27"}, "condition": "s"}, None),
}


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return _read(tmp_path_factory.mktemp("rules"), {name: detection for name, (detection, _) in CODES.items()})


def _read(folder: Path, detections: dict[str, dict[str, Any]]) -> Ruleset:
    for number, (name, detection) in enumerate(detections.items()):
        text = RULE.format(name=name, number=number, detection=json.dumps(detection))
        (folder / f"{name}.yaml").write_text(text)
    ruleset = load_ruleset(folder)
    assert [str(problem) for problem in ruleset.problems] == []
    return ruleset


@pytest.mark.parametrize("name", CODES)
def test_a_rule_knows_the_codes_outside_of_which_it_never_matches(coded: Ruleset, name: str) -> None:
    codes = coded.by_name[name].codes
    assert (None if codes is None else set(codes)) == CODES[name][1]


SPARED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "is": ({"a": {CODE: "1"}, "condition": "a"}, set()),
    "not": ({"a": {CODE: ["1", "2"]}, "condition": "not a"}, {"1", "2"}),
    "and_not": ({"a": {"message": "x"}, "b": {CODE: "aB"}, "condition": "a and not b"}, {"ab"}),
    "and_not_all": ({"a": {"message": "x"}, "b": {CODE: "2", "message": "y"}, "condition": "a and not b"}, set()),
    "not_either": ({"a": {CODE: "1"}, "b": {"message": "x"}, "condition": "not (a or b)"}, {"1"}),
    "not_both": ({"a": {CODE: ["1", "2"]}, "b": {CODE: ["2", "3"]}, "condition": "not (a and b)"}, {"2"}),
    "or_not": ({"a": {CODE: "1"}, "b": {CODE: "2"}, "condition": "a or not b"}, set()),
    "neither": ({"a": {CODE: "1"}, "b": {CODE: "2"}, "condition": "not a or not b"}, set()),
    "begins": ({"a": {f"{CODE}|startswith": "2"}, "condition": "not a"}, set()),
    "two_conditions": ({"a": {CODE: ["1", "2"]}, "b": {CODE: "2"}, "condition": ["not a", "not b"]}, {"2"}),
}


@pytest.fixture(scope="module")
def sparing(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return _read(tmp_path_factory.mktemp("sparing"), {name: detection for name, (detection, _) in SPARED.items()})


@pytest.mark.parametrize("name", SPARED)
def test_a_rule_knows_codes_with_which_it_never_matches(sparing: Ruleset, name: str) -> None:
    assert sparing.by_name[name].spared == SPARED[name][1]


def test_no_rule_matches_a_code_that_it_spares(sparing: Ruleset, tmp_path: Path) -> None:
    rows = [
        event(f"{message}{code}", START, code) | {"message": message}
        for code in ("1", "2", "3", "AB")
        for message in "xy"
    ]
    write_events(tmp_path / "e", rows)
    found = hits_of(sparing, ParquetEvents([Source(tmp_path / "e", WHOLE)]))
    assert {hit.rule_id for hit in found} == set(SPARED)
    assert not [hit for hit in found if hit.event_uids[-1][1:].lower() in sparing.by_name[hit.rule_id].spared]


def hits_of(ruleset: Ruleset, events: Events, wanted: int = 1, **more: Any) -> list[Hit]:
    detectors = detectors_of(ruleset.incident_rules)
    looked = find_hits(ruleset, detectors, events, frozenset(range(wanted)), console=CONSOLE, **more)
    return sorted((found.hit for found in looked.found), key=lambda hit: hit.order)


def without_codes(ruleset: Ruleset) -> Ruleset:
    return Ruleset(tuple(dataclasses.replace(rule, codes=None) for rule in ruleset), (), ruleset.columns)


def test_leaving_events_out_by_their_code_changes_no_hit(coded: Ruleset, tmp_path: Path) -> None:
    codes = ("27", "AB", "ab", "1", "2", "3", "23", "É", "é", "027", "27.0", "", "9")
    rows = [event(f"e{n}", START, code) | {"message": "x"} for n, code in enumerate(codes)]
    rows += [event(f"m{n}", START, code) | {"message": "27"} for n, code in enumerate(codes)]
    unknown = event("none", START, "x")
    del unknown["metadata"]["event_code"]
    write_events(tmp_path / "e", [*rows, unknown])
    events = ParquetEvents([Source(tmp_path / "e", WHOLE)])
    found = hits_of(coded, events)
    assert found == hits_of(without_codes(coded), events)
    assert {hit.rule_id for hit in found} == set(CODES)


def noise(ruleset: Ruleset, number: int, seed: int = 3) -> list[dict[str, Any]]:
    """Return events of all codes that rules ask for, dense enough for correlations to hold."""
    chance = random.Random(seed)
    codes = sorted({code for rule in ruleset for code in rule.codes or ()}) + ["133", "27", "3008"] * 60 + ["5232"]
    people = ("ann", "bob", "carol")
    return [
        event(
            f"e{n:04d}",
            START + timedelta(seconds=chance.randrange(86_400)),
            chance.choice(codes),
            actor=chance.choice(people),
            user=chance.choice(people),
            ip=chance.choice(("203.0.113.9", "198.51.100.7")),
            device=f"pc{chance.randrange(9)}",
            entity=chance.choice(("C:\\", "site", "group")),
            labels=[chance.choice(("direction:off", "direction:on", "type:unknown"))],
            data={"siteName": chance.choice(("Berlin", "Rome")), "newValue": chance.choice(("off", "on"))},
        )
        for n in range(number)
    ]


def test_built_in_rules_find_the_same_with_and_without_their_codes(built_in: Ruleset, tmp_path: Path) -> None:
    write_events(tmp_path / "e", noise(built_in, 1000))
    events = ParquetEvents([Source(tmp_path / "e", WHOLE)])
    found = hits_of(built_in, events)
    assert found == hits_of(without_codes(built_in), events)
    assert len({hit.rule_id for hit in found}) > 50


def pruned(kind: Any, rows: list[Any]) -> Any:
    """Return the type without the attributes that are null in all rows, None where nothing is left of it."""
    import pyarrow as pa

    rows = [row for row in rows if row is not None]
    if not rows:
        return None
    if pa.types.is_list(kind):
        inner = pruned(kind.value_type, [item for row in rows for item in row])
        return pa.list_(inner) if inner is not None else None
    if pa.types.is_struct(kind):
        fields = {field.name: pruned(field.type, [row.get(field.name) for row in rows]) for field in kind}
        return pa.struct([(name, inner) for name, inner in fields.items() if inner is not None]) if fields else None
    return kind


def write_pruned(path: Path, rows: list[dict[str, Any]]) -> int:
    """Write the events without any column that nothing is in, and return how many columns are left."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sentinelone_collector.normalize.schema import event_schema

    ordered = sorted(rows, key=lambda row: (row["time"], row["metadata"]["uid"]))
    kept = [(field.name, pruned(field.type, [row.get(field.name) for row in ordered])) for field in event_schema()]
    table = pa.Table.from_pylist(ordered, schema=pa.schema([(name, kind) for name, kind in kept if kind is not None]))
    pq.write_table(table, path)
    return int(pq.read_metadata(path).num_columns)


def halves(rows: list[dict[str, Any]]) -> Iterator[tuple[Window, list[dict[str, Any]]]]:
    noon = START + DAY / 2
    limit = int(noon.timestamp() * 1000)
    yield Window(START, noon), [row for row in rows if row["time"] < limit]
    yield Window(noon, START + DAY), [row for row in rows if row["time"] >= limit]


def test_columns_that_nothing_is_in_may_be_missing(built_in: Ruleset, tmp_path: Path) -> None:
    rows = noise(built_in, 800)
    rows = [row | {"finding_info": {"types": ["Ransomware"]}} if row["time"] % 7 == 0 else row for row in rows]
    bare = {"user", "actor", "src_endpoint", "unmapped", "finding_info", "entity"}
    whole, narrow = [], []
    for number, (window, part) in enumerate(halves(rows)):
        # The first half lacks whole objects, the second one attributes of objects
        held = [{key: value for key, value in row.items() if number or key not in bare} for row in part]
        write_events(tmp_path / f"whole{number}", held)
        assert write_pruned(tmp_path / f"narrow{number}", held) < 20
        whole.append(Source(tmp_path / f"whole{number}", window))
        narrow.append(Source(tmp_path / f"narrow{number}", window))
    found = hits_of(built_in, ParquetEvents(narrow), 2)
    assert found == hits_of(built_in, ParquetEvents(whole), 2)
    assert {window for window, _ in halves([])} == {source.window for source in narrow}
    assert len(found) > 200


def test_files_without_any_event_and_with_few_columns_give_no_hits(built_in: Ruleset, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("time", pa.int64()), ("metadata", pa.struct([("uid", pa.string())]))])
    pq.write_table(schema.empty_table(), tmp_path / "e")
    assert hits_of(built_in, ParquetEvents([Source(tmp_path / "e", WHOLE)])) == []


def of_all_detectors(ruleset: Ruleset, events: Events) -> list[Hit]:
    """Return the hits of the first source, all events at hand and nothing left out."""
    connection = open_engine()
    match(connection, ruleset, events)
    scene = Scene(connection, ruleset, CONSOLE)
    detectors = detectors_of(ruleset.incident_rules)
    hits = [found.hit for detector in detectors for found in detector.find(scene, frozenset({0}))]
    connection.close()
    return sorted(hits, key=lambda hit: hit.order)


def test_earlier_events_are_read_for_what_can_still_be_completed_and_change_no_hit(
    built_in: Ruleset, tmp_path: Path
) -> None:
    sources = []
    for number, (window, part) in enumerate(halves(noise(built_in, 1000, seed=5))):
        write_events(tmp_path / str(number), part)
        sources.append(Source(tmp_path / str(number), window))
    early, late = sources
    asked: list[timedelta] = []

    def earlier(back: timedelta) -> Events:
        asked.append(back)
        return ParquetEvents([early], first=1)

    found = hits_of(built_in, ParquetEvents([late]), earlier=earlier)
    assert found == of_all_detectors(built_in, ParquetEvents([late, early]))
    assert len(asked) == 1
