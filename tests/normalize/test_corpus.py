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


@pytest.mark.skipif(not CORPUS.is_file(), reason="no corpus beside the repository")
def test_every_real_record_becomes_a_valid_event(room: Any, problems: Any) -> None:
    records = json.loads(CORPUS.read_text("utf-8"))
    lines = [msgspec.json.encode(record) for record in records]
    outcome = room.normalized(lines)
    assert outcome.quarantine == []
    assert sorted(event["raw_data"].encode() for event in outcome.events) == sorted(lines)
    assert [found for event in outcome.events for found in problems(event)] == []
    known = [event for event in outcome.events if event["metadata"]["event_code"] != "1234"]
    assert {event["class_uid"] for event in known} == {2004, 3001, 3002, 3004, 6002, 6003, 6007, 7001}


def _has_a_time(record: dict[str, Any]) -> bool:
    return "threatInfo" in record or record.get("id") != "abc123"  # a mock server's: no time, nor an id that holds one


@pytest.mark.skipif(not CORPUS.is_file(), reason="no corpus beside the repository")
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
