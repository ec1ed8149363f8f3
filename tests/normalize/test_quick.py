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
from sentinelone_collector.normalize import Context
from sentinelone_collector.normalize.layouts import Layouts
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.quick import quick_reader
from sentinelone_collector.normalize.rows import Rows
from sentinelone_collector.normalize.table import routes
from sentinelone_collector.normalize.tables import TableBuilder

from .conftest import long_way, parts_of

CONTEXT = Context("console.example.com", "activities")
_quick = quick_reader(CONTEXT)


def _known(line: bytes) -> bool:
    rows, numbers = _quick(Lines.joined([line]))
    assert len(rows) == len(numbers)
    return bool(len(rows))


def _table(rows: Rows) -> Any:
    builder = TableBuilder()
    builder.add(rows)
    return builder.table()


def _agreed(lines: Sequence[bytes]) -> list[bool]:
    """Compare both ways; return which lines the quick one knows."""
    ours, numbers = _quick(Lines.joined(lines))
    assert len(ours) == len(numbers)
    if len(ours):
        theirs = long_way([lines[number] for number in numbers], CONTEXT)
        assert list(ours.sort_keys()) == list(theirs.sort_keys())
        assert parts_of(ours) == parts_of(theirs)
        assert _table(ours).equals(_table(theirs))
    return [number in numbers for number in range(len(lines))]


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
    assert not _known(msgspec.json.encode(activity(27, {"username": "anna"}) | change))


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
        "\n\t/",
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
    assert not _known(line)


def test_control_characters_without_an_escape_of_their_own_go_the_long_way(
    activity: Callable[..., dict[str, Any]],
) -> None:
    assert not _agree(msgspec.json.encode(activity(27, {"username": "an\x00na"})))


def test_broken_text_goes_the_long_way(activity: Callable[..., dict[str, Any]]) -> None:
    line = msgspec.json.encode(activity(27, {"username": "anna"}))
    assert not _known(line.replace(b"anna", b"\xc3\x28"))
    assert not _known(line.replace(b"anna", rb"\ud800"))


@pytest.mark.parametrize("kind", [27, 90, 5126])
def test_both_ways_agree_in_any_order_of_the_fields(activity: Callable[..., dict[str, Any]], kind: int) -> None:
    record = activity(kind, {"username": "anna", "computerName": "pc-7"}, agentId="7", siteName="Berlin", userId="8")
    for names in (reversed(record), sorted(record), sorted(record, key=lambda name: name[::-1])):
        assert _agree(msgspec.json.encode({name: record[name] for name in names}))


def test_what_was_known_of_a_layout_is_not_taken_for_another(activity: Callable[..., dict[str, Any]]) -> None:
    quick = quick_reader(CONTEXT, Layouts(None, most=0))
    for names in (("username", "byUser"), ("byUser", "username")) * 2:
        lines = [msgspec.json.encode(activity(23, dict(zip(names, ("anna", "berta"), strict=True))))]
        found, _ = quick(Lines.joined(lines))
        assert _table(found).equals(_table(long_way(lines, CONTEXT)))


def test_endless_layouts_are_forgotten(activity: Callable[..., dict[str, Any]]) -> None:
    layouts = Layouts(None, most=8)
    quick = quick_reader(CONTEXT, layouts)
    lines = [msgspec.json.encode(activity(27, {"username": "anna", f"field{number}": 7})) for number in range(60)]
    for begin in range(0, 60, 3):
        some = lines[begin : begin + 3]
        found, _ = quick(Lines.joined(some))
        assert _table(found).equals(_table(long_way(some, CONTEXT)))
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
        assert not _known(line)
