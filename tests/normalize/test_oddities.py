"""Content that is odd but can be kept: an event comes out, and it is valid."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import RecordError

LINES = {
    "a NUL": rb'{"id":"5","createdAt":"2026-11-22T10:00:00Z","activityType":27,"data":{"username":"a\u0000b"}}',
    "half a surrogate": rb'{"createdAt":"2026-11-22T10:00:00Z","activityType":27,"data":{"username":"\ud83d"}}',
    "a number beyond floats": b'{"id":"5","createdAt":"2026-11-22T10:00:00Z","activityType":27,"data":{"n":1e400}}',
    "a key twice": b'{"id":"5","id":"6","createdAt":"2026-11-22T10:00:00Z","activityType":27}',
    "deep but sane nesting": b'{"createdAt":"2026-11-22T10:00:00Z","data":{"x":' + b"[" * 90 + b"]" * 90 + b"}}",
    "brackets in a text": b'{"createdAt":"2026-11-22T10:00:00Z","comments":"' + b"[{" * 900 + b'"}',
    "data as text": b'{"createdAt":"2026-11-22T10:00:00Z","activityType":27,"data":"none"}',
    "data as list": b'{"createdAt":"2026-11-22T10:00:00Z","activityType":27,"data":[{"username":"a"}]}',
    "almost nothing": b'{"createdAt":"2026-11-22T10:00:00Z"}',
    "a type as text": b'{"createdAt":"2026-11-22T10:00:00Z","activityType":"27"}',
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_odd_content_gives_a_valid_event(room: Any, problems: Any, line: bytes) -> None:
    outcome = room.normalized([line])
    assert outcome.quarantine == []
    [event] = outcome.events
    assert problems(event) == []
    assert event["raw_data"].encode() == line


def test_half_a_surrogate_is_replaced_and_a_huge_number_kept_as_text(as_event: Any) -> None:
    assert as_event(LINES["half a surrogate"])["user"]["name"] == "\ufffd"
    assert as_event(LINES["a number beyond floats"])["unmapped"]["data"] == {"n": "1e400"}


def test_the_last_of_equal_keys_counts(as_event: Any) -> None:
    assert as_event(LINES["a key twice"])["metadata"]["original_event_uid"] == "6"


def test_a_type_as_text_is_routed_like_the_number(as_event: Any) -> None:
    assert as_event(LINES["a type as text"])["class_uid"] == 3002


def test_unreadable_data_is_kept(as_event: Any) -> None:
    assert as_event(LINES["data as text"])["unmapped"] == {"data": "none"}


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["true", "null", "192.0.2.1, x", "E_LOW", "a@example.com", "2185-01-01T00:00:00Z", "0" * 40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
KINDS = (23, 24, 27, 67, 71, 76, 102, 107, 2001, 2028, 2030, 3006, 3008, 3603, 3608, 3653, 4008, 5009, 5020, 5126, 5232)
KINDS += (16, 26, 61, 16001, 99999)
FULL = {
    "username": "ada@example.com",
    "byUser": "Grace",
    "role": "Viewer",
    "oldRole": "Admin",
    "newValue": True,
    "ipAddress": "192.0.2.1",
    "computerName": "host",
    "uuid": "u",
    "externalIp": "198.51.100.4",
    "groupName": "g",
    "siteName": "s",
    "policy": {"id": 1},
    "ruleId": 1,
    "rulename": "r",
    "alertid": 4,
    "severity": "E_LOW",
    "detectedat": 1795341600123,
    "newStatus": "Active",
    "newIncidentStatusTitle": "Resolved",
    "filePath": "C:\\a",
    "fileContentHash": "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33",
    "threatClassification": "PUA",
    "origagentosfamily": "windows",
    "origagentmachinetype": "laptop",
    "sourceprocessname": "p",
    "sourceprocesspid": 4,
    "sourceprocesskey": "k",
    "sourceprocessstarttime": 1795341600123,
    "sourceprocessfilepath": "/bin/p",
    "sourceprocessusername": "n",
    "sourceparentprocesspid": 5,
    "tgtfilepath": "/x/",
    "realUser": "r",
    "sourceType": "API",
    "tagName": "t",
    "deviceName": "stick",
    "deviceClass": "E0h",
    "uId": "S1",
    "eventType": "connected",
    "reportedRemoteHost": "203.0.113.9",
    "reportedRemotePort": "445",
    "reportedDirection": "outbound",
    "processId": 4,
    "processName": "C:\\a.exe",
    "numberOfEvents": 3,
    "newAnalystVerdictTitle": "True positive",
    "newAssignee": "ada@example.com",
    "alertName": "n",
    "agentipv4": "203.0.113.7,203.0.113.8",
    "origagentversion": "25.1",
    "changedKeys": ["a"],
    "scopeName": "s",
    "srcip": "192.0.2.3",
    "srcport": 80,
    "dstip": "192.0.2.4",
}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drift=st.data())
def test_no_drift_of_a_record_loses_it(
    activity: Any, as_event: Any, problems: Any, through_columns: Any, drift: st.DataObject
) -> None:
    kind = drift.draw(st.sampled_from(KINDS))
    record = copy.deepcopy(activity(kind, FULL, agentId="1", threatId="2", siteId="3", groupId="4", hash="ab"))
    for place in (record, record["data"]):
        names = st.sampled_from(sorted(place))
        for name in drift.draw(st.lists(names, max_size=6, unique=True)):
            how = drift.draw(st.sampled_from(["drop", "retype", "recase"]))
            value = place.pop(name)
            if how == "retype":
                place[name] = drift.draw(JUNK)
            elif how == "recase":
                place[name.swapcase()] = value
        if drift.draw(st.booleans()):
            place[drift.draw(st.text(max_size=12))] = drift.draw(JUNK)
    line = msgspec.json.encode(record)
    try:
        event = as_event(line)
    except RecordError as error:
        assert "neither a readable time" in str(error)  # noqa: PT017  # the only reason for quarantine
        return
    assert problems(event) == []
    assert event["raw_data"].encode() == line
    assert through_columns(line) == event


@settings(max_examples=25, deadline=None)
@given(line=st.binary(max_size=80) | JUNK.map(msgspec.json.encode))
def test_any_bytes_are_an_event_or_in_quarantine(new_room: Any, bytes_of: Any, line: bytes) -> None:
    line = line.replace(b"\n", b" ")
    outcome = new_room().normalized([line])
    kept = [event["raw_data"].encode() for event in outcome.events] + [bytes_of(entry) for entry in outcome.quarantine]
    assert kept == [line]
