"""Records of all streams that are not as they should be: an event comes out, it is valid, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import RecordError
from sentinelone_collector.normalize.values import epoch_ms, ips

from .records import FULL, Path, drifted, full, places

STREAMS = sorted(FULL)
NO_TIME = "neither a readable time"
# Vendor words of which the event holds the id and the caption instead.
WORDS = {"desktop", "laptop", "server", "windows", "WINDOWS", "Laptop", "64 bit", "malicious", "MALICIOUS", "high"}
WORDS |= {"medium", "unresolved", "Unresolved", "undefined", "Undefined", "UNDEFINED", "NEW", "CRITICAL", "High"}
WORDS |= {"Suspicious", "OUTGOING", "Deployment"}
MARK = "mark-7c1d"


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield path, value


def _with_each(stream: str, odds: tuple[Any, ...]) -> Iterator[tuple[Path, Any, dict[str, Any]]]:
    """Give a whole record with one value in the place of another, for every place and each value."""
    record = full(stream)
    for path in places(record):
        # An alert without its main section has neither a time nor an id.
        if stream == "alerts" and path == ("alertInfo",):
            continue
        place: Any = record
        for key in path[:-1]:
            place = place[key]
        usual = place[path[-1]]
        for odd in odds:
            place[path[-1]] = odd
            yield path, odd, record
        place[path[-1]] = usual


def _told(event: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in event.items() if name != "raw_data"})


@pytest.mark.parametrize("stream", STREAMS)
def test_every_value_of_a_whole_record_is_in_the_event(stream: str, event_of: Any, problems: Any) -> None:
    event = event_of(stream, full(stream))
    assert problems(event) == []
    del event["raw_data"]
    held = [value for _, value in _leaves(event)]
    texts, numbers = {str(value) for value in held}, set(held)
    lost = [
        path
        for path, value in _leaves(full(stream))
        if value not in (None, "")
        and str(value) not in texts
        and value not in WORDS
        and epoch_ms(value) not in numbers
        and not (ips(value) and set(ips(value)) <= texts)
        and path[-1] != "licenseKey"
        and not any(str(value) in text for text in texts)
    ]
    assert lost == []


@pytest.mark.parametrize("stream", STREAMS)
def test_no_value_is_lost_whatever_it_is(stream: str, event_of: Any, problems: Any) -> None:
    for path, odd, record in _with_each(stream, (MARK, [MARK], {"x": MARK})):
        event = event_of(stream, record)
        assert problems(event) == [], (path, odd)
        assert MARK in _told(event) or "licenseKey" in path, (path, odd)


@pytest.mark.parametrize("stream", STREAMS)
def test_any_part_may_be_missing_or_empty(stream: str, event_of: Any, problems: Any) -> None:
    for path, odd, record in _with_each(stream, (None, "", [], {}, -1, 2**80, "\x00", "2185-01-01T00:00:00Z")):
        assert problems(event_of(stream, record)) == [], (path, odd)


@pytest.mark.parametrize("stream", STREAMS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drift=st.data())
def test_no_drift_of_a_record_loses_it(
    stream: str, event_of: Any, columns_of: Any, problems: Any, drift: st.DataObject
) -> None:
    line = msgspec.json.encode(drifted(drift.draw, stream))
    try:
        event = event_of(stream, line)
    except RecordError as error:
        assert NO_TIME in str(error)  # noqa: PT017  # the only reason for quarantine
        return
    assert problems(event) == []
    assert event["raw_data"].encode() == line
    assert columns_of(stream, line) == event


@pytest.mark.parametrize("stream", STREAMS)
def test_other_spellings_of_all_names_give_the_same_event(stream: str, event_of: Any) -> None:
    def spell(value: Any) -> Any:
        if isinstance(value, dict):
            return {name.upper(): spell(inner) for name, inner in value.items()}
        return [spell(item) for item in value] if isinstance(value, list) else value

    record = full(stream, {"agentDetectionInfo.cloudProviders": {}} if stream == "threats" else None)
    if stream == "agents":
        record["cloudProviders"] = {}
    usual, shouted = event_of(stream, record), event_of(stream, spell(record))
    for event in (usual, shouted):
        del event["unmapped"], event["raw_data"]
    assert shouted == usual
