"""The quick way of regular activities gives what the long way gives, and leaves to that what it does not know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import RecordError
from sentinelone_collector.normalize import Context, decode_record, iter_events
from sentinelone_collector.normalize.blocks import PlacedRow, placed
from sentinelone_collector.normalize.layouts import Layouts
from sentinelone_collector.normalize.quick import quick_reader
from sentinelone_collector.normalize.streams.activities import map_record
from sentinelone_collector.normalize.table import routes
from sentinelone_collector.normalize.tables import TableBuilder

CONTEXT = Context("console.example.com", "activities")
_quick = quick_reader(CONTEXT)


def read(line: bytes) -> PlacedRow | None:
    [row] = _quick([line])
    return row


def _event(row: PlacedRow) -> dict[str, Any]:
    builder = TableBuilder()
    builder.add([row])
    [event] = iter_events(builder.table())
    return event


def _long_way(line: bytes) -> PlacedRow:
    text, record = decode_record(line)
    [row] = placed([map_record(record, text, CONTEXT)])
    return row


def _agree(line: bytes) -> bool:
    """Compare both ways for one line; return whether the quick one knows it."""
    quick = read(line)
    if quick is None:
        return False
    long = _long_way(line)
    assert quick[:2] == long[:2]
    assert [part[quick[3]] for part in quick[2].parts] == [part for (part,) in long[2].parts]
    assert _event(quick) == _event(long)
    return True


def test_both_ways_agree_for_every_type(activity: Callable[..., dict[str, Any]]) -> None:
    data = {"username": "anna@example.com", "ipAddress": "192.0.2.7", "computerName": "pc-7", "newValue": True}
    known = [kind for kind in routes() if _agree(msgspec.json.encode(activity(kind, data, agentId="7")))]
    assert len(known) > 0.8 * len(routes())


@pytest.mark.parametrize(
    "change",
    [
        {"activityType": "27"},
        {"activityType": True},
        {"activityType": 27.0},
        {"activityType": 999_999},
        {"activityType": None},
        {"accountId": None},
        {"accountId": 7},
        {"createdAt": "2026-11-22T10:00:00Z"},
        {"createdAt": 1_795_305_643_200},
        {"createdAt": "2026-11-22 10:00:00.123456Z"},
        {"createdAt": "2026-13-22T10:00:00.123456Z"},
        {"createdAt": "1970-01-01T00:00:00.000000Z"},
        {"createdAt": None},
        {"data": None},
        {"data": []},
        {"data": {"a": {"b": 1}}},
        {"data": {"passphrase": "x"}},
        {"data": {"userName": "a", "username": "b"}},
        {"id": 7},
        {"id": ""},
        {"newField": "x"},
        {"primaryDescription": None},
        {"primaryDescription": ""},
        {"primaryDescription": "<br>"},
        {"comments": ["x"]},
    ],
)
def test_what_is_not_regular_goes_the_long_way(activity: Callable[..., dict[str, Any]], change: dict[str, Any]) -> None:
    assert _agree(msgspec.json.encode(activity(27, {"username": "anna"})))
    assert read(msgspec.json.encode(activity(27, {"username": "anna"}) | change)) is None


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    "value",
    [
        "{",
        "}",
        '{"a":[1,{}]}',
        "[",
        'C:\\"x"\\',
        "\\",
        'a":"b',
        "Zoë \u2013 札幌",
        "\x00\n\t/",
        "</a>b",
        "a&amp;",
        " x ",
        "x ",
        "null",
    ],
)
def test_both_ways_agree_on_odd_texts(
    activity: Callable[..., dict[str, Any]], value: str, separators: tuple[str, str], ascii_only: bool
) -> None:
    for place in ("secondaryDescription", "primaryDescription", "userId", "hash"):
        data = {"username": value, "computerName": value, "reason": value, "other": value, "count": -7}
        record = activity(27, data) | {place: value}
        assert _agree(json.dumps(record, separators=separators, ensure_ascii=ascii_only).encode()), (place, value)


@pytest.mark.parametrize("line", [b"", b"[]", b"7", b"null", b"{", b'{"id": NaN}', b"\xff", b'{"a": "\xff"}', b"{}"])
def test_what_is_no_activity_goes_the_long_way(line: bytes) -> None:
    assert read(line) is None


def test_broken_text_goes_the_long_way(activity: Callable[..., dict[str, Any]]) -> None:
    line = msgspec.json.encode(activity(27, {"username": "anna"}))
    assert read(line.replace(b"anna", b"\xc3\x28")) is None
    assert read(line.replace(b"anna", rb"\ud800")) is None


def test_endless_layouts_are_forgotten(activity: Callable[..., dict[str, Any]]) -> None:
    layouts = Layouts(None, most=8)
    quick = quick_reader(CONTEXT, layouts)
    lines = [msgspec.json.encode(activity(27, {"username": "anna", f"field{number}": 7})) for number in range(60)]
    for begin in range(0, 60, 3):
        for line, row in zip(lines[begin : begin + 3], quick(lines[begin : begin + 3]), strict=True):
            assert row is not None
            assert _event(row) == _event(_long_way(line))
        assert len(layouts.readings) < 12


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=12), st.sampled_from(["null", "", "true"])
)
NAMES = st.sampled_from(
    ["id", "accountId", "activityType", "createdAt", "primaryDescription", "agentId", "userId", "osFamily", "siteId"]
)
FIELDS = st.sampled_from(
    ["username", "byUser", "ipAddress", "role", "newValue", "computerName", "externalIp", "uuid", "reason", "value"]
)


@settings(max_examples=100)
@given(
    kind=st.sampled_from(sorted(routes())),
    changes=st.dictionaries(NAMES, VALUES, max_size=3),
    data=st.dictionaries(FIELDS, VALUES, max_size=6),
)
def test_both_ways_agree_on_odd_values(
    activity: Callable[..., dict[str, Any]], kind: int, changes: dict[str, Any], data: dict[str, Any]
) -> None:
    line = json.dumps(activity(kind, data) | changes, separators=(",", ":")).encode()
    try:
        _agree(line)
    except RecordError:
        assert read(line) is None
