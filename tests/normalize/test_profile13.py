"""Events as OCSF 1.3.0: valid by the packaged schema, and nothing lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sentinelone_collector.errors import RecordError
from sentinelone_collector.normalize.profile13 import LOST, to_1_3

from .freeze_profile13 import TABLE, frozen
from .records import FULL, drifted, full

HERE = Path(__file__).parent
FILES = sorted([*HERE.glob("golden/*.json"), *HERE.glob("golden_streams/*/*.json")])


@cache
def _schemas() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.3.0"))


@cache
def _validator(class_uid: int, profiles: tuple[str, ...]) -> Any:
    name = _schemas().lookup_class_name_from_uid(class_uid)
    return jsonschema_rs.validator_for(
        _schemas().get_class_schema(class_name=name, profiles=list(profiles)), validate_formats=True
    )


def _problems(event: dict[str, Any]) -> list[str]:
    check = _validator(event["class_uid"], tuple(sorted(event["metadata"]["profiles"])))
    found = [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in check.iter_errors(event)]
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        found.append("type_uid: not class_uid * 100 + activity_id")
    captions = _type_captions(event["class_uid"])
    if captions[str(event["type_uid"])]["caption"] != event["type_name"]:
        found.append(f"type_name: {event['type_name']} is not {captions[str(event['type_uid'])]['caption']}")
    return found


@cache
def _type_captions(class_uid: int) -> dict[str, Any]:
    schema = get_ocsf_schema(version="1.3.0")
    spec = schema["classes"].get(_schemas().lookup_class_name_from_uid(class_uid)) or schema["base_event"]
    captions: dict[str, Any] = spec["attributes"]["type_uid"]["enum"]
    return captions


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _event(path: Path) -> dict[str, Any]:
    golden = json.loads(path.read_text("utf-8"))
    event: dict[str, Any] = {**golden["event"], "raw_data": json.dumps(golden["record"])}
    return event


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_golden_event_is_valid_in_1_3_and_nothing_of_it_is_lost(path: Path) -> None:
    event = _event(path)
    before = copy.deepcopy(event)
    converted = to_1_3(event)
    assert event == before
    assert _problems(converted) == []
    assert converted["metadata"]["version"] == "1.3.0"
    held = {json.dumps(leaf) for leaf in _leaves(converted)}
    captions = {"type_uid", "type_name", "class_name", "category_uid", "category_name"}
    rest = {name: value for name, value in event.items() if name not in captions}
    lost = (
        {json.dumps(leaf) for leaf in _leaves(rest)} - held - {'"1.8.0"', '"incident"', '"host"', '"security_control"'}
    )
    assert lost == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_class_stays_unless_1_3_lacks_it(path: Path) -> None:
    event = _event(path)
    converted = to_1_3(event)
    if event["class_uid"] == 1010:
        assert (converted["class_uid"], converted["activity_id"]) == (6003, 99)
        assert converted["activity_name"] == event["activity_name"]
        assert converted["unmapped"][LOST]["class_uid"] == 1010
        assert converted["unmapped"][LOST]["peripheral_device"] == event["peripheral_device"]
    else:
        assert (converted["class_uid"], converted["activity_id"]) == (event["class_uid"], event["activity_id"])


@pytest.mark.parametrize("stream", sorted(FULL))
def test_whole_records_are_valid(stream: str, event_of: Any) -> None:
    assert _problems(to_1_3(event_of(stream, full(stream)))) == []


@pytest.mark.parametrize("stream", sorted(FULL))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drift=st.data())
def test_odd_records_are_valid(stream: str, event_of: Any, drift: st.DataObject) -> None:
    try:
        event = event_of(stream, drifted(drift.draw, stream))
    except RecordError:
        return
    assert _problems(to_1_3(event)) == []


def _changed(name: str, **attributes: Any) -> dict[str, Any]:
    path = next(path for path in FILES if path.stem == name)
    return {**_event(path), **attributes}


def test_an_activity_that_1_3_lacks_keeps_its_name() -> None:
    event = _changed("user-created", activity_id=12, activity_name="Unlock", type_uid=300112)
    converted = to_1_3(event)
    assert _problems(converted) == []
    assert (converted["activity_id"], converted["activity_name"]) == (99, "Unlock")
    assert converted["type_name"] == "Account Change: Other"
    assert converted["unmapped"][LOST]["activity_id"] == 12


def test_a_verdict_and_an_assignee_move_to_what_is_not_mapped(event_of: Any) -> None:
    event = event_of("unified_alerts", full("unified_alerts"))
    converted = to_1_3(event)
    assert not {"verdict_id", "assignee", "is_alert"} & converted.keys()
    assert converted["unmapped"][LOST]["assignee"] == event["assignee"]
    assert converted["unmapped"]["exclusionHash"] == event["unmapped"]["exclusionHash"]


def test_an_action_that_1_3_lacks_is_other_and_keeps_its_caption(event_of: Any) -> None:
    converted = to_1_3(event_of("alerts", full("alerts")))
    assert (converted["action_id"], converted["action"]) == (99, "Observed")


def test_a_host_name_that_1_3_refuses_becomes_the_name(event_of: Any) -> None:
    converted = to_1_3(event_of("agents", full("agents", {"computerName": "Ines' MacBook Pro"})))
    assert _problems(converted) == []
    assert "hostname" not in converted["device"]
    assert converted["device"]["name"] == "Ines' MacBook Pro"


def test_an_object_of_which_too_little_is_left_moves_whole(event_of: Any) -> None:
    event = event_of("agents", full("agents"))
    event["device"]["owner"] = {"uid_alt": "x", "display_name": "y"}
    converted = to_1_3(event)
    assert "owner" not in converted["device"]
    lost = {path: value for path, value in converted["unmapped"][LOST].items() if path.startswith("device.owner")}
    assert lost == {"device.owner": {"uid_alt": "x", "display_name": "y"}}


def test_an_action_is_always_told_where_1_3_asks_for_it(event_of: Any) -> None:
    event = event_of("alerts", full("alerts"))
    del event["action_id"], event["action"]
    converted = to_1_3(event)
    assert _problems(converted) == []
    assert converted["action_id"] == 0


def test_ids_that_both_have_mean_the_same() -> None:
    schema = get_ocsf_schema(version="1.8.0")
    newer = {str(found["uid"]): found for found in schema["classes"].values() if "uid" in found}
    pairs = [(spec, newer.get(uid)) for uid, spec in frozen()["classes"].items()]
    pairs += [(spec, schema["objects"].get(name)) for name, spec in frozen()["objects"].items()]
    other = [
        (name, number)
        for old, new in pairs
        for name, attribute in old["attributes"].items()
        for number, caption in attribute.get("enum", {}).items()
        if (found := ((new or {}).get("attributes", {}).get(name, {}).get("enum") or {}).get(number))
        and found["caption"] != caption
    ]
    assert other == [], "the converter leaves captions as they are"


def test_a_text_that_is_too_long_for_1_3_moves() -> None:
    event = _changed("login", raw_data="x" * 70_000)
    converted = to_1_3(event)
    assert "raw_data" not in converted
    assert converted["unmapped"][LOST]["raw_data"] == event["raw_data"]
    assert _problems(converted) == []


def test_without_what_its_class_requires_an_event_is_a_base_event() -> None:
    event = _changed("user-created")
    del event["user"]
    converted = to_1_3(event)
    assert _problems(converted) == []
    assert (converted["class_uid"], converted["activity_id"]) == (0, 99)
    assert converted["unmapped"][LOST]["class_uid"] == 3001
    assert converted["unmapped"][LOST]["actor"] == event["actor"]


def test_the_frozen_table_is_that_of_the_packaged_schema() -> None:
    assert json.loads(TABLE.read_text("utf-8")) == frozen(), "run `python tests/normalize/freeze_profile13.py`"
