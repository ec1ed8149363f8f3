"""What the events of states have in common: their ids, their files, what is masked, and where the time comes from."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest

from sentinelone_collector.errors import RecordError
from sentinelone_collector.normalize import Context, decode_record
from sentinelone_collector.normalize.streams import get_stream

from .records import FULL, full

CONSOLE = "console.example.com"
# Stream: the field of the record's id, and the one that moves with each change.
CHANGING = {
    "threats": ("id", "threatInfo.updatedAt"),
    "alerts": ("alertInfo.alertId", "alertInfo.updatedAt"),
    "unified_alerts": ("id", "updatedAt"),
    "agents": ("id", "updatedAt"),
}
LATER = "2026-11-22T10:59:59.123456Z"


def _at(record: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        record = record[name]
    return record


@pytest.mark.parametrize("stream", CHANGING)
def test_each_state_is_an_event_and_all_are_of_one_record(stream: str, event_of: Any) -> None:
    own, changed = CHANGING[stream]
    record, later = full(stream), full(stream, {changed: LATER})
    first, second = event_of(stream, record)["metadata"], event_of(stream, later)["metadata"]
    assert first["original_event_uid"] == second["original_event_uid"] == _at(record, own)
    for found, source in ((first, record), (second, later)):
        name = f"{CONSOLE}/{stream}/{_at(source, own)}/{_at(source, changed)}"
        assert found["uid"] == str(uuid5(NAMESPACE_URL, name))


@pytest.mark.parametrize("stream", CHANGING)
def test_a_state_that_is_read_again_is_the_same_event(stream: str, event_of: Any) -> None:
    assert event_of(stream, full(stream)) == event_of(stream, full(stream))


@pytest.mark.parametrize("stream", ["threats", "alerts", "unified_alerts"])
def test_states_of_a_finding_have_one_finding_id(stream: str, event_of: Any) -> None:
    states = [event_of(stream, record) for record in (full(stream), full(stream, {CHANGING[stream][1]: LATER}))]
    assert states[0]["finding_info"]["uid"] == states[1]["finding_info"]["uid"]


@pytest.mark.parametrize("stream", sorted(FULL))
def test_a_window_gives_the_same_bytes_each_time_in_any_order(stream: str, stream_room: Any, problems: Any) -> None:
    room = stream_room(stream)
    own, changed = CHANGING.get(stream, ("id", "eventTime"))
    lines = [
        msgspec.json.encode(
            full(stream, {own: str(2_619_000_000_000_000_000 + n), changed: f"2026-11-22T10:{n % 60:02d}:01.000Z"})
        )
        for n in range(120)
    ]
    lines.append(b'{"id":"no time","of":"any sort"}')
    first = room.normalized(lines)
    again = room.normalized(lines)
    turned = room.normalized(list(reversed(lines)))
    assert first.events_bytes == again.events_bytes == turned.events_bytes
    assert (first.result.events, first.result.quarantined) == (120, 1)
    assert sorted(event["raw_data"].encode() for event in first.events) == sorted(lines[:-1])
    assert [found for event in first.events for found in problems(event)] == []


@pytest.mark.parametrize("stream", sorted(FULL))
def test_secrets_are_masked_but_for_the_raw_record(stream: str, event_of: Any) -> None:
    secrets = {"licenseKey": "LK-7", "apiToken": "AT-7", "registrationToken": "RT-7", "recoveryCodes": ["RC-7"]}
    event = event_of(stream, full(stream) | secrets)
    raw = event.pop("raw_data")
    assert {name: event["unmapped"][name] for name in secrets} == dict.fromkeys(secrets, "***")
    for secret in ("LK-7", "AT-7", "RT-7", "RC-7"):
        assert secret in raw
        assert secret not in str(event)


@pytest.mark.parametrize(
    ("stream", "changes", "time"),
    [
        ("threats", {"threatInfo.updatedAt": None}, 1795342021250),
        ("threats", {"threatInfo": None}, 1795341600017),
        ("alerts", {"alertInfo.reportedAt": "soon"}, 1795342021040),
        ("alerts", {"alertInfo.reportedAt": None, "alertInfo.createdAt": None}, 1795342021921),
        ("unified_alerts", {"updatedAt": None}, 1795342021264),
        ("agents", {"updatedAt": None}, 1767600000519),
        ("device_events", {"eventTime": "1970-01-01T00:00:00Z"}, 1795342191500),
    ],
)
def test_where_a_time_can_not_be_read_the_next_best_is_taken(
    stream: str, changes: dict[str, Any], time: int, event_of: Any
) -> None:
    record = full(stream, changes)
    if changes == {"threatInfo": None}:
        record["id"] = str((1795341600017 - 1483228800000) << 23)
    assert event_of(stream, record)["time"] == time


@pytest.mark.parametrize("stream", sorted(FULL))
def test_a_record_without_any_time_goes_to_quarantine(stream: str) -> None:
    raw, record = decode_record(b'{"id":"abc"}')
    with pytest.raises(RecordError, match="neither a readable time"):
        get_stream(stream).map_record(record, raw, Context(CONSOLE, stream))
