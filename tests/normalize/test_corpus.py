"""Published samples of real consoles, where they are at hand beside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "activities.json"


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
