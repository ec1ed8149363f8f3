"""The quick way of regular activities gives what the long way gives, and leaves to that what it does not know."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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


def _events(rows: Sequence[PlacedRow]) -> list[dict[str, Any]]:
    builder = TableBuilder()
    builder.add(rows)
    return list(iter_events(builder.table()))


def _long_way(lines: Sequence[bytes]) -> list[PlacedRow]:
    return placed([map_record(record, text, CONTEXT) for text, record in map(decode_record, lines)])


def _agreed(lines: Sequence[bytes]) -> list[bool]:
    """Compare both ways; return which lines the quick one knows."""
    quick = _quick(lines)
    known = [(row, line) for row, line in zip(quick, lines, strict=True) if row is not None]
    if known:
        ours, theirs = [row for row, _ in known], _long_way([line for _, line in known])
        assert [row[:2] for row in ours] == [row[:2] for row in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert _parts(one) == _parts(other)
        assert _events(ours) == _events(theirs)
    return [row is not None for row in quick]


def _parts(row: PlacedRow) -> list[Any]:
    _, _, block, number = row
    return [part[number] for part in block.parts]


def _agree(line: bytes) -> bool:
    [known] = _agreed([line])
    return known


def test_both_ways_agree_for_every_type(activity: Callable[..., dict[str, Any]]) -> None:
    data = {"username": "anna@example.com", "ipAddress": "192.0.2.7", "computerName": "pc-7", "newValue": True}
    lines = [msgspec.json.encode(activity(kind, data, agentId="7")) for kind in routes()]
    assert sum(_agreed(lines)) > 0.8 * len(routes())


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
    data = {"username": value, "computerName": value, "reason": value, "other": value, "count": -7}
    places = ("secondaryDescription", "primaryDescription", "userId", "hash")
    records = [activity(27, data) | {place: value} for place in places]
    lines = [json.dumps(record, separators=separators, ensure_ascii=ascii_only).encode() for record in records]
    assert _agreed(lines) == [True] * len(places)


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
        some = lines[begin : begin + 3]
        found = [row for row in quick(some) if row is not None]
        assert _events(found) == _events(_long_way(some))
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
