"""One window read by several times, and by GraphQL: every record in one window, proven by each pass alone."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import IncompleteWindow
from sentinelone_collector.lake import FolderStorage
from sentinelone_collector.windows import Window

HOUR = 3_600_000_000
MILLISECOND = 1000
WINDOWS = 3
PHASES = (Phase.explicit, Phase.generate)  # to make an example smaller takes minutes here


def windows(fake: Any) -> list[Window]:
    starts = [fake.START + timedelta(hours=number) for number in range(WINDOWS)]
    return [Window(start, start + timedelta(hours=1)) for start in starts]


def alert(fake: Any, number: int, created: int, reported: int) -> dict[str, Any]:
    start = fake.us(fake.START)
    times = {"createdAt": fake.stamp(start + created), "reportedAt": fake.stamp(start + reported)}
    return {"alertInfo": {"alertId": str(10**18 + number), **times}, "ruleInfo": {"id": "7"}}


def unified(fake: Any, number: int, created: int, updated: int) -> dict[str, Any]:
    start = fake.us(fake.START)
    times = [(fake.stamp(start + time // MILLISECOND * MILLISECOND))[:-4] + "Z" for time in (created, updated)]
    return {"id": f"0196-{number}", "createdAt": times[0], "updatedAt": times[1], "name": "x", "assets": []}


def owner(fake: Any, record: dict[str, Any]) -> datetime:
    """Return the start of the window that should hold a record: that of its latest time."""
    info = record.get("alertInfo", record)
    return max(datetime.fromisoformat(info[name]) for name in info if name.endswith("At")).replace(
        minute=0, second=0, microsecond=0
    )


edges = st.sampled_from([0, 1, -1, MILLISECOND, -MILLISECOND, HOUR, HOUR - 1, HOUR - MILLISECOND, 2 * HOUR, 3 * HOUR])
offsets = edges | st.integers(-HOUR // 2, WINDOWS * HOUR + 1000)


@pytest.mark.parametrize("kind", ["alerts", "unified"])
@given(
    times=st.lists(
        st.tuples(offsets, st.sampled_from([0, 3000, -3000, 250_000, HOUR, 2 * HOUR]) | offsets), max_size=40
    ),
    order=st.permutations([*range(WINDOWS), *range(WINDOWS)]),
    page=st.integers(2, 9),
    ends=st.tuples(st.booleans(), st.booleans()),
)
@settings(max_examples=15, phases=PHASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_record_is_in_the_window_of_its_latest_time_and_in_no_other(
    fake: Any, living: Any, collect: Any, *, kind: str, times: Any, order: Any, page: int, ends: Any
) -> None:
    make = alert if kind == "alerts" else unified
    stream = living.ALERTS if kind == "alerts" else living.UNIFIED
    stream = replace(stream, endpoint=replace(stream.endpoint, page_size=page))
    records = [make(fake, number, first, first + shift) for number, (first, shift) in enumerate(times)]
    source = living.LivingConsole(stream, records, start_inclusive=ends[0], end_inclusive=ends[1])
    with tempfile.TemporaryDirectory() as folder:
        lake = FolderStorage(Path(folder))
        held: dict[Window, tuple[str, list[Any]]] = {}
        for number in order:
            window = windows(fake)[number]
            result, lines = collect(source, lake, window, stream=stream)
            found = [json.loads(line) for line in lines]
            assert held.setdefault(window, (result.raw_sha256, found)) == (result.raw_sha256, found)
            assert result.expected + result.kept == len(lines) == result.fetched - result.duplicates
            assert [found.by for found in result.passes] == [found.time_field for found in stream.endpoint.readings]
            assert (result.proof, result.kept) == ("counted", 0)
    for window, (_, found) in held.items():
        wanted = [record for record in records if owner(fake, record) == window.start]
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, wanted))


def test_the_counts_of_both_passes_are_explained(fake: Any, living: Any, collect: Any, lake: Any) -> None:
    records = [
        alert(fake, 1, 10, 20),  # seen by both
        alert(fake, 2, -5, 30),  # by the second alone
        alert(fake, 3, 40, HOUR + 1),  # by the first alone, belongs to the next window
        alert(fake, 4, 60, 50),  # reported before it was made
        alert(fake, 5, HOUR, HOUR),
    ]
    source = living.LivingConsole(living.ALERTS, records)
    result, lines = collect(source, lake, stream=living.ALERTS)
    assert [json.loads(line)["alertInfo"]["alertId"][-1] for line in lines] == ["1", "2", "4"]
    assert [(one.by, one.expected, one.received) for one in result.passes] == [
        ("createdAt", 3, 3),
        ("reportedAt", 3, 3),
    ]
    assert (result.expected, result.later, result.fetched, result.duplicates) == (3, 1, 5, 2)
    assert (result.first_time, result.last_time) == (
        fake.stamp(fake.us(fake.START) + 20),
        fake.stamp(fake.us(fake.START) + 60),
    )
    assert {query["sortBy"] for query in source.seen if "sortBy" in query} == {
        "alertInfoCreatedAt",
        "alertInfoReportedAt",
    }


def test_a_record_that_one_pass_does_not_get_fails_the_window(fake: Any, living: Any, collect: Any, lake: Any) -> None:
    records = [alert(fake, number, number, number) for number in range(20)]
    source = living.LivingConsole(living.ALERTS, records)
    # shown by its first time, counted but not listed by its second
    source.hide = lambda query, record: (
        record is records[7] and query.get("sortBy") == "alertInfoReportedAt" and "countOnly" not in query
    )
    with pytest.raises(IncompleteWindow, match=r"expected 20 .* 19 distinct"):
        collect(source, lake, stream=living.ALERTS)
    assert list(lake.keys("raw/")) == []


def test_a_pass_can_be_cut_into_many_more_files_than_a_process_may_open(
    fake: Any, living: Any, collect: Any, lake: Any
) -> None:
    stream = replace(living.ALERTS, endpoint=replace(living.ALERTS.endpoint, page_size=1))
    records = [alert(fake, number, number * 7_000_000, number * 7_000_000 + 3_000_000) for number in range(350)]
    source = living.LivingConsole(stream, records)
    result, lines = collect(source, lake, stream=stream)
    assert [json.loads(line)["alertInfo"]["alertId"] for line in lines] == [r["alertInfo"]["alertId"] for r in records]
    assert result.expected == 350


# a console that can't count


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("page", [3, 1000])
def test_where_the_console_can_not_count_two_readings_prove_it(
    fake: Any, living: Any, collect: Any, lake: Any, *, told: bool, page: int
) -> None:
    stream = replace(living.ALERTS, endpoint=replace(living.ALERTS.endpoint, counts=told, page_size=page))
    records = [alert(fake, number, number * 50_000_000, number * 50_000_000) for number in range(60)]
    source = living.LivingConsole(stream, records, can_count=False)
    result, lines = collect(source, lake, stream=stream)
    assert sorted(lines) == sorted(json.dumps(record).encode() for record in records)
    assert result.proof == "read-twice"
    assert [(one.expected, one.proof) for one in result.passes] == [(60, "read-twice")] * 2
    walks = Counter(
        query["createdAt__gte"]
        for query in source.seen
        if query.keys() >= {"createdAt__gte", "limit"} and "cursor" not in query
    )
    assert min(walks.values()) >= 1
    assert max(walks.values()) >= 2


def test_readings_that_never_agree_fail_the_window(fake: Any, living: Any, collect: Any, lake: Any) -> None:
    stream = replace(living.ALERTS, endpoint=replace(living.ALERTS.endpoint, counts=False))
    records = [alert(fake, number, number, number) for number in range(30)]
    source = living.LivingConsole(stream, records, can_count=False)
    source.hide = lambda _, record: record is records[len(source.seen) % 30]
    with pytest.raises(IncompleteWindow, match="readings never agreed"):
        collect(source, lake, stream=stream)
    assert list(lake.keys("raw/")) == []


def test_a_reading_that_lost_a_record_once_is_not_believed(fake: Any, living: Any, collect: Any, lake: Any) -> None:
    stream = replace(living.ALERTS, endpoint=replace(living.ALERTS.endpoint, counts=False))
    records = [alert(fake, number, number, number) for number in range(30)]
    source = living.LivingConsole(stream, records, can_count=False)
    first: dict[str, Any] = {}

    def hide(query: Any, record: Any) -> bool:
        return record is records[4] and first.setdefault(query["sortBy"], query) is query

    source.hide = hide
    result, lines = collect(source, lake, stream=stream)
    assert [one.expected for one in result.passes] == [30, 30]
    assert len(lines) == 30
