"""Records that became visible only after their window was read: the console's count tells which windows have grown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinelone_collector.errors import RetryableError
from sentinelone_collector.fetch import Recounted, can_recount, recount
from sentinelone_collector.lake import Receipt, ReceiptWindow
from sentinelone_collector.normalize.streams import get_stream, stream_names
from sentinelone_collector.windows import Window, iso

HOURS = 8
SPAN = HOURS * 3_600_000_000


def windows_of(fake: Any) -> list[Window]:
    hour = timedelta(hours=1)
    return [Window(fake.START + number * hour, fake.START + (number + 1) * hour) for number in range(HOURS)]


def receipt(stream: Any, window: Window, count: int, **changed: Any) -> Receipt:
    """Return the receipt of a window that was collected with so many records."""
    fields = {
        "instance": "emea",
        "stream": stream.name,
        "window": ReceiptWindow(start=iso(window.start), end=iso(window.end)),
        "console": "acme.example.net",
        "collected_from": iso(window.start),
        "expected": count,
        "fetched": count,
        "duplicates": 0,
        "events": count,
        "quarantined": 0,
        "hits": 0,
        "first_time": None,
        "last_time": None,
        "raw_sha256": "",
        "events_sha256": "",
        "ruleset": "",
        "code_version": "",
        "fetched_at": "",
    }
    return Receipt(**fields | changed)


def receipts(fake: Any, source: Any, stream: Any) -> list[Receipt]:
    """Return the receipts of windows that were collected from a console as it is now."""
    return [receipt(stream, window, len(source.truth(window.start, window.end))) for window in windows_of(fake)]


moments = st.lists(st.integers(0, SPAN - 1), max_size=25, unique=True)


@given(
    before=moments,
    late=moments,
    cap=st.none() | st.integers(2, 9),
    holes=st.sets(st.integers(0, HOURS - 1)),
    gone=st.booleans(),
)
def test_just_the_windows_that_grew_or_shrank_are_found(
    fake: Any, *, before: list[int], late: list[int], cap: int | None, holes: set[int], gone: bool
) -> None:
    start = fake.us(fake.START)
    few = [fake.row(start + offset, 10**18 + number) for number, offset in enumerate(before)]
    many = few + [fake.row(start + offset, 2 * 10**18 + number) for number, offset in enumerate(late)]
    then, now = fake.FakeConsole(few, cap=cap), fake.FakeConsole(many, cap=cap)
    if gone:
        then, now = now, then
    stream = fake.stream(count_cap=cap)
    kept = [one for number, one in enumerate(receipts(fake, then, stream)) if number not in holes]
    found = recount(fake.instance(), stream, reversed(kept), console=now.console())
    counts = [Recounted(one.span, one.expected, len(now.truth(one.span.start, one.span.end))) for one in kept]
    assert found == [one for one in counts if one.counted != one.expected]
    assert {one.grown for one in found} <= {not gone}


def test_neighbours_that_did_not_change_are_counted_at_once(fake: Any) -> None:
    source = fake.FakeConsole([fake.row(fake.us(fake.START) + number * 10**9, number + 1) for number in range(28)])
    kept = receipts(fake, source, fake.stream())
    assert recount(fake.instance(), fake.stream(), kept, console=source.console()) == []
    spans = [(query["createdAt__gte"], query["createdAt__lt"]) for query in source.seen]
    assert spans == [("2026-11-22T10:00:00.000000Z", "2026-11-22T18:00:00.000000Z")]


def test_no_more_is_counted_at_once_than_the_console_counts(fake: Any) -> None:
    stream = fake.stream(count_cap=50_000)
    source = fake.FakeConsole([], recount=lambda query, *_: int(12_500 * hours_of(query)))
    large = [receipt(stream, window, 12_500) for window in windows_of(fake)]
    assert recount(fake.instance(), stream, large, console=source.console()) == []
    assert [hours_of(query) for query in source.seen] == [2.0] * 4


def test_the_first_window_is_counted_from_where_the_collection_begins(fake: Any) -> None:
    early, late = (fake.row(fake.us(fake.START) + minute * 60_000_000, minute) for minute in (10, 40))
    source = fake.FakeConsole([early, late])
    half = fake.START + timedelta(minutes=30)
    kept = receipt(fake.stream(), fake.WINDOW, 1, collected_from=iso(half))
    assert recount(fake.instance(), fake.stream(), [kept], console=source.console()) == []
    source.rows.append(fake.row(late.time + 1, 41))
    (found,) = recount(fake.instance(), fake.stream(), [kept], console=source.console())
    assert (found.window, found.expected, found.counted, found.grown) == (fake.WINDOW, 1, 2, True)
    assert str(found) == f"{fake.WINDOW}: the console counts 2 records, 1 were collected"


def test_the_count_is_that_of_the_instances_scope(fake: Any) -> None:
    source = fake.FakeConsole([])
    instance = fake.instance(scope={"site_ids": ["7"]})
    recount(instance, fake.stream(), receipts(fake, source, fake.stream()), console=source.console())
    assert {query["siteIds"] for query in source.seen} == {"7"}


def test_what_was_read_twice_instead_of_counted_is_left_out(fake: Any) -> None:
    source = fake.FakeConsole([fake.row(fake.us(fake.START), 1)])
    kept = receipt(fake.stream(), fake.WINDOW, 0, proof="read-twice")
    assert recount(fake.instance(), fake.stream(), [kept], console=source.console()) == []
    assert source.seen == []


def test_a_console_that_is_down_is_not_waited_for_as_a_window_is(fake: Any) -> None:
    source = fake.FakeConsole([], refuse=lambda *_: (503, b""))
    slept: list[float] = []
    clock = lambda: sum(slept)  # noqa: E731
    kept = receipts(fake, fake.FakeConsole([]), fake.stream())
    with pytest.raises(RetryableError):
        recount(fake.instance(), fake.stream(), kept, console=source.console(clock=clock, sleep=slept.append))
    assert 60 < sum(slept) <= 120


def test_only_records_that_stay_in_their_window_are_counted_again() -> None:
    assert {name for name in stream_names() if can_recount(get_stream(name))} == {"activities", "device_events"}


def hours_of(query: dict[str, str]) -> float:
    begin, end = (datetime.fromisoformat(query[f"createdAt__{side}"]) for side in ("gte", "lt"))
    return (end - begin) / timedelta(hours=1)
