"""What a search finds is what a plain scan finds: same events, same order, same counts."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.lake import FolderStorage
from sentinelone_collector.search import Budget, LogSearch, QueryError, Scope, ShardCache, parse_query
from sentinelone_collector.search.query import All, And, Compare, Field, Node, Not, Number, Or, Words

from .conftest import HOUR, MIDNIGHT, SOURCES, Room, event, window

NAMES = ("john", "john.doe", "doe", "svc_backup-01", "Müller", "札幌", "a", "o'hara")
ADDRESSES = ("10.0.0.1", "10.0.0.10", "110.0.0.1", "192.0.2.7")
TEXTS = (
    "The user john logged in.",
    "John; Doe",
    "doe john doe",
    "failed login from 10.0.0.1",
    "path C:\\Windows\\System32 -- x=1",
    "“quotes” and\ttabs\nlines",
    "",
    "…",
)
VENDOR: tuple[Any, ...] = (
    {"data": {"newValue": "john doe", "n": 7, "neg": -7, "f": 7.5, "on": True, "two words": "john"}},
    {"data": {"NewValue": ["john", "doe"], "n": "7", "deep": {"a=b": ["x", {"y": "doe"}]}}},
    {},
    None,
)


def _row(uid: str, chance: Random, span: Any) -> dict[str, Any]:
    def user() -> dict[str, Any] | None:
        return chance.choice([None, {"name": chance.choice(NAMES), "has_mfa": chance.choice([None, True, False])}])

    late = chance.choice([timedelta(0)] * 8 + [timedelta(days=-3), timedelta(hours=5)])
    at = span.start + late + timedelta(seconds=chance.randrange(4))  # many in one millisecond
    values = chance.sample(ADDRESSES, 2)
    return event(
        uid,
        at,
        severity_id=chance.choice([1, 2, 4, None]),
        severity=chance.choice(["High", "Low", None]),
        message=chance.choice(TEXTS),
        user=user(),
        actor={"user": user()},
        src_endpoint={"ip": chance.choice(ADDRESSES), "port": chance.choice([None, 443])},
        resources=chance.choice([None, [], [{"name": "john"}, {"name": "doe", "labels": ["x", "y"]}]]),
        observables=[{"name": "src_endpoint.ip", "value": value} for value in values],
        entity={"name": "e", "data": '{"newValue": "doe"}'},
        evidences=chance.choice([None, [{"name": "p", "data": '{"path": "john doe"}'}]]),
        metadata={"labels": chance.choice([[], ["john"], ["john", "doe"]])},
        unmapped=chance.choice(VENDOR),
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """A lake of three days, two instances and two streams."""
    folder: Path = tmp_path_factory.mktemp("full")
    lake = FolderStorage(folder / "lake")
    room = Room(lake, LogSearch(lake, ShardCache(folder / "cache", lake.url, most_bytes=1 << 30)))
    chance = Random(7)
    for hour in (0, 1, 5, 23, 24, 25, 60):
        for instance, stream in SOURCES:
            rows = [_row(f"{instance}-{stream}-{hour}-{n}", chance, window(hour)) for n in range(chance.randrange(9))]
            room.put(window(hour), rows, instance, stream)
    return room


_WORD = st.sampled_from(
    ["john", "doe", "svc", "01", "müller", "札幌", "10", "0", "1", "110", "7", "x", "o", "hara", "none"]
)
_WORDS = st.builds(Words, st.lists(_WORD, min_size=1, max_size=4).map(tuple), st.booleans())
_TEXT_FIELDS = (
    *("user", "ip", "message", "instance", "stream", "severity", "class", "actor", "resources.name"),
    *("metadata.labels", "observables.value", "user.has_mfa", "src_endpoint", "entity.data.newValue"),
    *("unmapped.data.newvalue", "unmapped.data.n", "unmapped.data.neg", "unmapped.data.f", "unmapped.data.on"),
    *("unmapped.data.two_words", "unmapped.data.deep.a_b", "unmapped.data.deep.a_b.y", "evidences.data.path"),
)
_NUMBERS = ("7", "-7", "7.5", "-7.5", "1", "2", "443", "6003", "0")
_A_NUMBER = st.sampled_from(_NUMBERS).map(Number)
_LEAVES = (
    _WORDS
    | st.builds(Field, st.sampled_from(_TEXT_FIELDS), _WORDS | _A_NUMBER | st.none())
    | st.builds(Field, st.sampled_from(["severity_id", "class", "src_endpoint.port"]), _A_NUMBER | st.none())
    | st.builds(
        Compare,
        st.sampled_from(["severity", "severity_id", "class_uid", "src_endpoint.port", "time"]),
        st.sampled_from([">", ">=", "<", "<="]),
        _A_NUMBER,
    )
    | st.just(All())
)
QUERIES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=5,
)
_EDGES = st.none() | st.integers(-1, 62 * 60).map(lambda minutes: MIDNIGHT + timedelta(minutes=minutes))
SCOPES = st.builds(
    Scope, st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3, unique=True).map(tuple), _EDGES, _EDGES
)


@given(query=QUERIES, scope=SCOPES, page=st.sampled_from([1, 7, 1000]))
@settings(max_examples=40)
def test_pages_hold_what_a_plain_scan_finds(full: Room, query: Node, scope: Scope, page: int) -> None:
    expected = full.scanned(query, scope)
    assert full.found(query, scope, page=max(page, len(expected) // 6)) == expected


@pytest.mark.parametrize("number", ["7", "-7", "7.5", "-7.5"])
@pytest.mark.parametrize("name", ["unmapped.data.n", "unmapped.data.neg"])
def test_a_number_is_none_that_has_its_digits(full: Room, name: str, number: str) -> None:
    query = Field(name, Number(number))
    assert full.found(query) == full.scanned(query, Scope(SOURCES))


@given(query=QUERIES, scope=SCOPES)
@settings(max_examples=20)
def test_counts_are_those_of_a_plain_scan(full: Room, query: Node, scope: Scope) -> None:
    expected = full.scan(query, scope)
    counts = full.search.counts(query, scope, budget=Budget(600))
    assert counts.exact
    assert counts.total == len(expected)
    over_time = Counter(one.moment // counts.width * counts.width for one in expected)
    assert {bucket.start: bucket.count for bucket in counts.buckets if bucket.count} == dict(over_time)
    starts = [bucket.start for bucket in counts.buckets]
    assert starts == [starts[0] + n * counts.width for n in range(len(starts))] if starts else not expected
    classes = Counter(one.event.get("severity", "") for one in expected)
    assert counts.facets["severity"] == dict(classes)


@pytest.mark.parametrize(
    "query",
    [
        'user:"x\' OR 1=1 --"',
        'user:"; DROP TABLE events; --"',
        'user:".*"*',
        "message:[a-z]+*",
        'unmapped.x"y:z',
        "unmapped.data.(.*):*",
        "instance:.*",
        '"\x00"',
        "user:\\*",
    ],
)
def test_a_query_is_never_a_pattern_or_a_program(full: Room, query: str) -> None:
    try:
        tree = parse_query(query)
    except QueryError:
        return
    assert full.found(tree) == full.scanned(tree)


def test_a_phrase_does_not_span_two_values(room: Room) -> None:
    room.put(
        window(0),
        [
            event("apart", MIDNIGHT, user={"name": "john"}, message="doe", metadata={"labels": ["john", "doe"]}),
            event("together", MIDNIGHT + HOUR / 2, message="john doe"),
        ],
    )
    assert room.found('"john doe"') == ["together"]
    assert room.found('metadata.labels:"john doe"') == []


def test_an_event_outside_its_window_is_found_where_its_window_is(room: Room) -> None:
    room.put(window(30), [event("late", MIDNIGHT), event("usual", MIDNIGHT + 30.5 * HOUR)])
    day = Scope(SOURCES, MIDNIGHT + 24 * HOUR, MIDNIGHT + 48 * HOUR)
    assert room.found("*", day) == ["usual", "late"]
    assert room.found("*", Scope(SOURCES, MIDNIGHT, MIDNIGHT + 24 * HOUR)) == []


def test_a_prefix_after_other_words_that_fits_too_many_says_so(room: Room) -> None:
    rows = [event(f"u{n:05}", MIDNIGHT, message=f"job a{n:05}") for n in range(17_000)]
    room.put(window(0), rows)
    assert len(room.found('"job a0123"*')) == 10
    assert len(room.found("a1*")) == 7_000
    with pytest.raises(Exception, match="write more of it"):
        room.found('"job a"*')
