"""The one schema of event files, and the way from rows to columns and back."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from ocsf_json_schema import get_ocsf_schema

from sentinelone_collector.normalize import event_schema, iter_events, to_event
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.schema import declared, json_columns, leaf_columns
from sentinelone_collector.normalize.tables import to_table


def _row(**attributes: Any) -> Row:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    row = Row({"time": 0, "metadata.uid": "", **named})
    row.parts = ({},)
    return row


def _object_type(name: str, attribute: dict[str, Any]) -> str | None:
    return attribute.get("object_type") if attribute["type"] == "object_t" or "object_type" in attribute else None


def _unknown(spec: Any, known: dict[str, Any], objects: dict[str, Any], path: str) -> list[str]:
    found = []
    for name, inner in spec.items():
        attribute = known.get(name)
        if attribute is None:
            found.append(f"{path}{name}")
            continue
        if isinstance(inner, list) != bool(attribute.get("is_array")):
            found.append(f"{path}{name} (list or not)")
        item = inner[0] if isinstance(inner, list) else inner
        if isinstance(item, dict):
            found += _unknown(item, objects[attribute["object_type"]]["attributes"], objects, f"{path}{name}.")
    return found


def test_every_declared_attribute_is_one_of_ocsf() -> None:
    schema = get_ocsf_schema(version="1.8.0")
    attributes: dict[str, Any] = {}
    for found in schema["classes"].values():
        if found.get("uid") in {1010, 2004, 3001, 3002, 3004, 3005, 4001, 5001, 5003, 6002, 6003, 6007, 7001}:
            attributes |= found["attributes"]
    assert _unknown(declared(), attributes, schema["objects"], "") == []


def test_types_of_leaves_follow_ocsf() -> None:
    attributes = get_ocsf_schema(version="1.8.0")["dictionary"]["attributes"]
    expected = {"timestamp_t": "int64", "long_t": "int64", "integer_t": "int32", "boolean_t": "bool"}
    for name, spec in declared().items():
        if isinstance(spec, str) and name not in json_columns():
            assert spec == expected.get(attributes[name]["type"], "string"), name


def test_leaf_names_are_those_of_parquet(room: Any, many: Any) -> None:
    import pyarrow.parquet as pq

    room.normalized(many(2))
    with room.lake.local(room.key("events")) as path, pq.ParquetFile(path) as file:
        names = [file.schema.column(index).path for index in range(len(file.schema))]
    assert names == list(leaf_columns())


def test_the_parquet_footer_stays_small_beside_a_short_window(room: Any, many: Any) -> None:
    assert len(room.normalized(many(1)).events_bytes) < 80_000


def test_objects_that_hold_nothing_are_null() -> None:
    from pyarrow import compute

    table = to_table([_row(time=1, user__name="a"), _row(time=2), _row(time=3, device__os__name="x")])
    assert table.schema.equals(event_schema())
    assert table["user"].is_null().to_pylist() == [False, True, True]
    assert table["actor"].null_count == 3
    assert compute.struct_field(table["device"], ["os", "name"]).to_pylist() == [None, None, "x"]


def test_no_attribute_is_declared_twice() -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), [name for name, _ in pairs]
        return dict(pairs)

    text = files("sentinelone_collector.normalize").joinpath("event_schema.json").read_text("utf-8")
    assert json.loads(text, object_pairs_hook=once) == declared()


def test_a_row_comes_back_as_the_event_it_was() -> None:
    shared = {"class_uid": 3001, "metadata.profiles": ["host"], "severity_id": 1}
    rows = [
        _row(time=1, metadata__uid="a", unmapped='{"data":{"n":null,"big":123456789012345678901234567890}}'),
        _row(time=2, severity_id=5, observables=[{"name": "x", "type_id": 2, "type": "IP Address", "value": "1"}]),
        _row(time=3, evidences=[{"process": {"pid": 1}}, {"file": {"name": "f", "hashes": []}}], is_mfa=False),
        _row(time=4, device__groups=[{"uid": "1", "name": None}], privileges=[], observables=[]),
        _row(time=5, enrichments=[{"name": "n", "value": "v", "data": '{"a":[1]}'}], message="\x00ü\U0001f600"),
    ]
    for row in rows[:4]:
        row.parts = (shared,)
    assert list(iter_events(to_table(rows))) == [to_event(row.whole()) for row in rows]
    events = [to_event(row.whole()) for row in rows]
    assert events[0]["unmapped"]["data"] == {"n": None, "big": 123456789012345678901234567890}
    assert [event["severity_id"] for event in events[:4]] == [1, 5, 1, 1]
    assert events[2]["evidences"] == [{"process": {"pid": 1}}, {"file": {"name": "f"}}]
    assert events[3] == {
        "class_uid": 3001,
        "metadata": {"profiles": ["host"], "uid": ""},
        "severity_id": 1,
        "time": 4,
        "device": {"groups": [{"uid": "1"}]},
    }
    assert events[4]["enrichments"][0]["data"] == {"a": [1]}


@pytest.mark.parametrize("path", ["colour", "user.colour", "message.x"])
def test_an_undeclared_attribute_is_an_error_that_names_it(path: str) -> None:
    row = _row(time=1)
    row[path] = "x"
    with pytest.raises(ValueError, match=f"event_schema.json: {path}"):
        to_table([row])
