from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.simulator.conftest import ACTIVITIES, NOW, Client, Clock, Start, ids, iso

from sentinelone_collector.simulator import Simulator
from sentinelone_collector.simulator._time import to_us
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.org import build_organisation
from sentinelone_collector.simulator.records import Draft

BOUNDED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SECONDS = st.integers(-4 * 86_400, 1_800)


def make(**options: Any) -> Simulator:
    return Simulator(**({"users": 5, "records_per_day": 2500, "days": 3, "now": Clock()} | options))


@BOUNDED
@given(seed=st.integers(0, 2**40), offset=SECONDS, length=st.integers(1, 3_600))
def test_the_same_seed_gives_the_same_bytes(seed: int, offset: int, length: int) -> None:
    start = NOW + timedelta(seconds=offset)
    end = start + timedelta(seconds=length)
    later = NOW + timedelta(days=1)
    first = make(seed=seed).truth(start, end, later)
    assert make(seed=seed).truth(start, end, later) == first
    if len(first) > 3:
        assert make(seed=seed + 1).truth(start, end, later) != first


shared = make()


@BOUNDED
@given(offset=SECONDS, cuts=st.lists(st.integers(0, 7_200_000_000), max_size=5))
def test_the_parts_of_a_range_are_the_range(offset: int, cuts: list[int]) -> None:
    start = NOW + timedelta(seconds=offset)
    points = sorted({0, 7_200_000_000, *cuts})
    parts = [
        row
        for low, high in pairwise(points)
        for row in shared.truth(start + timedelta(microseconds=low), start + timedelta(microseconds=high))
    ]
    whole = shared.truth(start, start + timedelta(hours=2))
    assert parts == whole
    times = [(json.loads(row)["createdAt"], int(json.loads(row)["id"])) for row in whole]
    assert times == sorted(times)


@BOUNDED
@given(offset=SECONDS, length=st.integers(1, 200_000), late=st.sampled_from([0.0, 0.3]))
def test_the_count_is_the_number_of_records(start: Start, offset: int, length: int, late: float) -> None:
    console = _console_of(start, late)
    begin = NOW + timedelta(seconds=offset)
    end = begin + timedelta(seconds=length)
    answer = console.get(countOnly="true", createdAt__gte=iso(begin), createdAt__lt=iso(end))
    assert answer.total == len(console.simulator.truth(begin, end))


_consoles: dict[tuple[int, float], Client] = {}


def _console_of(start: Start, late: float) -> Client:
    """One console for all examples of a test."""
    key = (id(start), late)
    if key not in _consoles:
        _consoles[key] = start(late_share=late)
    return _consoles[key]


def test_paths_of_access_agree_on_every_record(console: Client) -> None:
    query = {"createdAt__gte": iso(NOW - timedelta(hours=3)), "createdAt__lt": iso(NOW)}
    truth = dict(zip(ids(t := console.simulator.truth(NOW - timedelta(hours=3), NOW)), t, strict=True))
    for sort in ({"sortBy": "createdAt", "sortOrder": "asc"}, {"sortBy": "id", "sortOrder": "desc"}, {}):
        rows = {int(row["id"]): row for row in console.all(113, **sort, **query)}
        assert rows == {key: json.loads(body) for key, body in truth.items()}


def test_another_process_and_a_later_start_change_nothing() -> None:
    day = NOW - timedelta(days=1)
    late = make(now=Clock(NOW + timedelta(hours=30)))
    assert late.truth(day, NOW, NOW) == make().truth(day, NOW, NOW)


def test_a_story_or_late_records_leave_all_other_bytes_alone() -> None:
    plain = set(make().truth(NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)))
    told = make(scenarios=["takeover", "brute-force@2026-09-15T04:00:00Z"], late_share=0.5)
    assert plain < set(told.truth(NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)))


def test_a_page_costs_its_own_minutes_not_the_whole(start: Start) -> None:
    console = start(records_per_day=50_000, days=30)
    range_30_days = {"createdAt__gte": iso(NOW - timedelta(days=30)), "createdAt__lt": iso(NOW)}
    console.get(limit=1000, sortBy="createdAt", sortOrder="asc", **range_30_days)
    assert console.simulator.buckets_generated < 120  # 1,000 records are about 30 to 70 minutes of night
    before = console.simulator.buckets_generated
    console.get(limit=1000, sortBy="createdAt", sortOrder="asc", **range_30_days)
    assert console.simulator.buckets_generated == before
    console.get(limit=10, **range_30_days)
    assert console.simulator.buckets_generated - before < 10
    middle = {"createdAt__gte": iso(NOW - timedelta(days=9, minutes=3)), "createdAt__lt": iso(NOW - timedelta(days=4))}
    before = console.simulator.buckets_generated
    assert console.get(countOnly="true", **middle).total == 50_000
    assert console.simulator.buckets_generated - before <= 2


def test_an_id_filter_looks_into_one_minute(start: Start) -> None:
    console = start(records_per_day=50_000, days=30)
    some = console.get(limit=1, createdAt__lt=iso(NOW - timedelta(days=12)), sortBy="createdAt", sortOrder="desc")
    before = console.simulator.buckets_generated
    assert ids(console.get(ids=some.rows[0]["id"], limit=5).rows) == ids(some.rows)
    assert console.simulator.buckets_generated == before


def test_days_hold_what_is_ordered(start: Start) -> None:
    console = start(records_per_day=40_000, days=3)
    for day in ("2026-09-12", "2026-09-13", "2026-09-14"):
        begin = datetime.fromisoformat(day + "T00:00:00+00:00")
        query = {"createdAt__gte": iso(begin), "createdAt__lt": iso(begin + timedelta(days=1))}
        assert console.get(countOnly="true", **query).total == 40_000


def test_there_is_nothing_before_the_first_day_and_nothing_from_the_future(console: Client, clock: Clock) -> None:
    first = datetime.fromisoformat("2026-09-12T00:00:00+00:00")
    assert console.simulator.truth(first - timedelta(days=9), first, NOW + timedelta(days=1)) == []
    assert console.get(countOnly="true", createdAt__lt=iso(first)).total == 0
    assert console.get(countOnly="true", createdAt__gt=iso(NOW)).total == 0
    clock.advance(minutes=30)
    assert console.get(countOnly="true", createdAt__gt=iso(NOW)).total > 5


def test_records_appear_after_their_own_time(start: Start, clock: Clock) -> None:
    console = start(records_per_day=600_000)
    query = {"createdAt__gte": iso(NOW - timedelta(minutes=4)), "createdAt__lt": iso(NOW)}
    first = set(ids(console.all(**query)))
    clock.advance(seconds=5)
    second = set(ids(console.all(**query)))
    clock.advance(minutes=4)
    third = set(ids(console.all(**query)))
    clock.advance(hours=10)
    assert first < second < third == set(ids(console.all(**query)))
    assert third == set(ids(console.simulator.truth(NOW - timedelta(minutes=4), NOW)))


def test_a_late_share_appears_within_hours(start: Start, clock: Clock) -> None:
    console = start(late_share=0.2)
    begin = NOW - timedelta(hours=2)
    clock.advance(minutes=5)
    now, final = (
        console.simulator.truth(begin, NOW),
        console.simulator.truth(begin, NOW, NOW + timedelta(hours=7)),
    )
    assert set(now) < set(final)
    assert 0.05 < 1 - len(now) / len(final) < 0.25
    assert final == console.simulator.truth(begin, NOW, NOW + timedelta(days=30))


def test_ids_hold_the_time_and_are_unique() -> None:
    rows = [json.loads(row) for row in make(records_per_day=1_000_000).truth(NOW - timedelta(minutes=9), NOW)]
    zero = datetime.fromisoformat("2017-01-01T00:00:00+00:00")
    for row in rows:
        gap = zero + timedelta(milliseconds=int(row["id"]) >> 23) - datetime.fromisoformat(row["createdAt"])
        assert abs(gap) <= timedelta(milliseconds=2)
    assert len({row["id"] for row in rows}) == len(rows)
    by_time = [int(row["id"]) for row in rows]
    assert by_time != sorted(by_time), "the order of ids is close to that of time, not equal"


def test_some_records_share_a_microsecond_and_some_sit_on_edges() -> None:
    times = [json.loads(row)["createdAt"] for row in make(records_per_day=12_000).truth(NOW - timedelta(days=1), NOW)]
    assert max(Counter(times).values()) >= 2
    on_edge = [text for text in times if text.endswith("0:00.000000Z")]
    before_edge = [text for text in times if text.endswith("9:59.999999Z")]
    assert len(on_edge) > 40
    assert len(before_edge) > 5
    assert "2026-09-15T00:00:00.000000Z" in on_edge


@pytest.mark.parametrize(
    "options",
    [{"users": 0}, {"days": 0}, {"records_per_day": 10**9}, {"late_share": 1.5}, {"scenarios": ["heist"]}],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be between|unknown scenario"):
        make(**options)


def test_thousands_of_records_a_minute_keep_their_ids_apart() -> None:
    rows = make(records_per_day=5_000_000).truth(NOW - timedelta(minutes=2), NOW)
    assert len(rows) > 5_000
    assert len(set(ids(rows))) == len(rows)


def test_ids_of_a_story_meet_no_others() -> None:
    org = build_organisation(1, 5)
    low, high = to_us(NOW - timedelta(minutes=3)), to_us(NOW)
    options: dict[str, Any] = {"records_per_day": 1_000_000, "origin": low - low % 86_400_000_000, "late_share": 0.0}
    plain = [entry for _, entry in History(org, **options).walk(low, high, high + 10**12)]
    twins = [Draft(entry.at, entry.kind, entry.user, entry.agent) for entry in plain]
    both = [entry.id for _, entry in History(org, drafts=twins, **options).walk(low, high, high + 10**12)]
    assert len(both) == 2 * len(plain) == len(set(both))


def test_truth_is_served_as_ndjson(console: Client) -> None:
    begin = NOW - timedelta(hours=1)
    answer = console.call("GET", f"/__sim__/truth?from={iso(begin)}&to={iso(NOW)}")
    assert answer.body.splitlines() == console.simulator.truth(begin, NOW)
    future = iso(NOW + timedelta(hours=1))
    answer = console.call("GET", f"/__sim__/truth?from={iso(begin)}&to={future}&visible_at={future}")
    assert answer.body.splitlines() == console.simulator.truth(
        begin, NOW + timedelta(hours=1), NOW + timedelta(hours=1)
    )
    assert console.get(ACTIVITIES, limit=1).status == 200
