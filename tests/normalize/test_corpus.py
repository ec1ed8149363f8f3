"""Published samples of real consoles, where they are at hand beside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
CORPUS = FOLDER / "activities.json"
CLASSES = {"threats": 2004, "alerts": 2004, "unified_alerts": 2004, "agents": 5001}
# Class and activity by type; 1234 is no type but the publisher's mask.
EXPECTED = {
    "23": (3001, 1),
    "25": (3001, 6),
    "27": (3002, 1),
    "47": (3004, 7),
    "86": (6003, 2),
    "90": (6007, 1),
    "120": (6002, 6),
    "128": (6002, 7),
    "1234": (6003, 99),
    "2001": (7001, 2),
    "2004": (7001, 1),
    "3608": (2004, 1),
    "3784": (2004, 1),
    "4008": (2004, 2),
    "5009": (3004, 5),
    "5020": (3004, 1),
}
pytestmark = pytest.mark.skipif(not CORPUS.is_file(), reason="no corpus beside the repository")


def test_every_real_record_becomes_a_valid_event_of_its_class(room: Any, problems: Any) -> None:
    records = json.loads(CORPUS.read_text("utf-8"))
    lines = [msgspec.json.encode(record) for record in records]
    outcome = room.normalized(lines)
    assert outcome.quarantine == []
    assert sorted(event["raw_data"].encode() for event in outcome.events) == sorted(lines)
    assert [found for event in outcome.events for found in problems(event)] == []
    found = {(event["metadata"]["event_code"], (event["class_uid"], event["activity_id"])) for event in outcome.events}
    assert found == set(EXPECTED.items())


def test_real_records_name_who_did_what_to_whom(as_event: Any) -> None:
    records: dict[int, dict[str, Any]] = {}
    for record in json.loads(CORPUS.read_text("utf-8")):
        records.setdefault(record["activityType"], record)
    by_type = {kind: as_event(record) for kind, record in records.items()}
    data = {kind: record.get("data") or {} for kind, record in records.items()}
    assert by_type[25]["actor"]["user"]["name"] == data[25]["byUser"] != by_type[25]["user"]["name"]
    assert by_type[27]["user"]["name"] == by_type[27]["actor"]["user"]["name"]
    for kind, old, new in ((5009, "oldGroupName", "newGroupName"), (4008, "originalStatus", "newStatus")):
        assert by_type[kind]["status_detail"] == f"{data[kind][old]} -> {data[kind][new]}"
    assert by_type[120]["status_detail"] == data[120]["enabledReason"]
    assert by_type[47]["actor"] == {"app_name": "SentinelOne Agent", "app_uid": records[47]["agentId"]}
    device = by_type[3784]["device"]
    assert [agent["version"] for agent in device["agent_list"]] == [data[3784]["origagentversion"]]
    assert ",".join(found["ip"] for found in device["network_interfaces"]) == data[3784]["agentipv4"]


def _has_a_time(record: dict[str, Any]) -> bool:
    return "threatInfo" in record or record.get("id") != "abc123"  # a mock server's: no time, nor an id that holds one


@pytest.mark.parametrize("stream", CLASSES)
def test_every_real_record_of_the_other_streams_becomes_a_valid_event(
    stream: str, stream_room: Any, problems: Any, bytes_of: Any
) -> None:
    records = json.loads((FOLDER / f"{stream}.json").read_text("utf-8"))
    lines = {True: [], False: []}
    for record in records:
        lines[_has_a_time(record)].append(msgspec.json.encode(record))
    outcome = stream_room(stream).normalized(lines[True] + lines[False])
    assert sorted(map(bytes_of, outcome.quarantine)) == sorted(lines[False])
    assert sorted(event["raw_data"].encode() for event in outcome.events) == sorted(lines[True])
    assert [found for event in outcome.events for found in problems(event)] == []
    assert {event["class_uid"] for event in outcome.events} == {CLASSES[stream]}
