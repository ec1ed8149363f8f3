"""Everything the console holds for a window, once, byte for byte, in one order: I1, I2, I4, I6."""

from __future__ import annotations

import json
import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.windows import Window

SPAN = 3_600_000_000
offsets = st.sampled_from([-1, 0, 1, 2, 1799_999_999, 1_800_000_000, SPAN - 1, SPAN, 999_999, 1_000_000]) | st.integers(
    -1000, SPAN + 1000
)
shapes = st.sampled_from([{}, {"data": {"n": 2**60, "t": "ü\u2028\n\r"}}, {"updatedAt": None}, {"comments": "x" * 300}])


@given(
    rows=st.lists(st.tuples(offsets, shapes), max_size=60),
    page=st.integers(1, 7),
    cap=st.none() | st.integers(2, 20),
    shuffle=st.booleans(),
    repeat=st.booleans(),
    begin=st.none() | st.sampled_from([1, 999_999, 1_000_001, SPAN // 2]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_lake_holds_what_the_console_holds(
    fake: Any, collect: Any, *, rows: Any, page: Any, cap: Any, shuffle: Any, repeat: Any, begin: Any
) -> None:
    start = fake.us(fake.START)
    made = [fake.row(start + offset, 10**18 + number, **shape) for number, (offset, shape) in enumerate(rows)]
    source = fake.FakeConsole(made, cap=cap, shuffle=shuffle, repeat=repeat and page > 1)
    first = fake.START + timedelta(microseconds=begin or 0)
    instance = fake.instance(collection_start=first) if begin else fake.instance()
    with tempfile.TemporaryDirectory() as folder:
        lake = FolderStorage(Path(folder))
        stream = fake.stream(page_size=page, count_cap=cap)
        result, lines = collect(source, lake, instance=instance, stream=stream)
        assert lines == source.truth(first)
        assert result.expected == len(lines) == result.fetched - result.duplicates
        assert (result.duplicates > 0) <= repeat
        again, _ = collect(fake.FakeConsole(made), FolderStorage(Path(folder) / "other"), instance=instance)
        assert again.raw_sha256 == result.raw_sha256
        assert result.collected_from == fake.stamp(fake.us(first)).replace(".000000Z", "Z")


def test_records_on_the_edges_belong_to_the_window_that_begins_there(fake: Any, collect: Any, lake: Any) -> None:
    source = fake.FakeConsole([fake.row(fake.us(moment), n) for n, moment in enumerate([fake.START, fake.END], 1)])
    following = Window(fake.END, fake.END + timedelta(hours=1))
    assert [json.loads(line)["id"] for line in collect(source, lake)[1]] == ["1"]
    assert [json.loads(line)["id"] for line in collect(source, lake, following)[1]] == ["2"]


def test_bounds_are_sent_to_the_microsecond(fake: Any, collect: Any, lake: Any) -> None:
    begin = fake.START + timedelta(milliseconds=1500)
    source = fake.FakeConsole([fake.row(fake.us(begin) + shift, 9 + shift) for shift in (-1, 0, 1, 498_999)])
    _, lines = collect(source, lake, instance=fake.instance(collection_start=begin))
    assert [json.loads(line)["id"] for line in lines] == ["9", "10", "499008"]
    assert {query["createdAt__gte"] for query in source.seen} == {"2026-11-22T10:00:01.500000Z"}


def test_2500_records_come_over_all_pages(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    source = fake.FakeConsole(hour[:2500])
    result, lines = collect(source, lake)
    assert lines == source.truth()
    assert len(lines) == result.expected == 2500
    assert sum("cursor" in query for query in source.seen) == 2


def test_ties_in_one_microsecond_go_over_page_borders(fake: Any, collect: Any, lake: Any) -> None:
    tied = [fake.row(fake.us(fake.START) + 5_000_000 + number // 50, number + 1) for number in range(100)]
    source = fake.FakeConsole(tied, shuffle=True)
    assert collect(source, lake, stream=fake.stream(page_size=7))[1] == source.truth()


def test_a_window_45_days_back_is_asked_for_as_it_is(fake: Any, collect: Any, lake: Any) -> None:
    start = fake.START - timedelta(days=45)
    window = Window(start.replace(hour=0), start.replace(hour=0) + timedelta(days=1))
    source = fake.FakeConsole([fake.row(fake.us(start), 1)])
    instance = fake.instance(collection_start=window.start)
    result, lines = collect(source, lake, window, instance=instance)
    assert lines == [source.rows[0].body]
    assert source.seen[0]["createdAt__gte"] == fake.stamp(fake.us(window.start))
    assert result.collected_from == result.start


def test_bytes_are_kept_as_they_came(fake: Any, collect: Any, lake: Any) -> None:
    time = fake.us(fake.START)
    bodies = [
        b'{ "id":"%d",\t"createdAt" : "%s","z":null,"a":[],"n":1.0,"e":1E+2,"u":"\\u00e4\xc3\xa4","d":1,"d":2}',
        b'{"createdAt":"%.0s2026-11-22T10:00:00Z","x":NaN,"id":"%d"}'.replace(b'"%.0s', b'"'),
        b'{"id":"%d","createdAt":"%s","s":"\\ud800","b":"\xff"}',
        b'{"id":"%d","createdAt":"%s","deep":' + b"[" * 1500 + b"]" * 1500 + b"}",
    ]
    rows = []
    for number, body in enumerate(bodies, 1):
        values = (number, fake.stamp(time + number).encode())
        rows.append(fake.Row(time + number, number, body % values[: body.count(b"%")]))
    source = fake.FakeConsole(rows)
    _, lines = collect(source, lake)
    assert sorted(lines) == sorted(row.body for row in rows)


def test_a_record_over_several_lines_is_one_line(fake: Any, collect: Any, lake: Any) -> None:
    body = b'{\r\n"id":"1",\n"createdAt":"2026-11-22T10:00:00.000000Z"}'
    source = fake.FakeConsole([fake.Row(fake.us(fake.START), 1, body)])
    assert collect(source, lake)[1] == [b'{  "id":"1", "createdAt":"2026-11-22T10:00:00.000000Z"}']


def test_an_empty_window_is_an_object_too(fake: Any, collect: Any, lake: Any) -> None:
    result, lines = collect(fake.FakeConsole([]), lake)
    assert lines == []
    assert (result.expected, result.fetched, result.first_time, result.last_time) == (0, 0, None, None)
    raw = lake.read(object_key("raw", "emea", "activities", fake.WINDOW))
    assert zstandard.frame_content_size(raw) == 0
    assert len(raw) == result.raw_bytes


@pytest.mark.parametrize("cap", [None, 300])
def test_large_windows_are_cut_and_still_come_whole_and_in_order(
    fake: Any, collect: Any, lake: Any, hour: Any, cap: Any
) -> None:
    source = fake.FakeConsole(hour, cap=cap)
    result, lines = collect(source, lake, stream=fake.stream(page_size=100, count_cap=cap))
    assert lines == source.truth()
    assert len(lines) == result.expected == 5000
    assert result.first_time == fake.stamp(hour[0].time)
    assert result.last_time == fake.stamp(max(row.time for row in hour))
    raw = lake.read(object_key("raw", "emea", "activities", fake.WINDOW))
    assert zstandard.frame_content_size(raw) == sum(len(line) + 1 for line in lines)
    walked = [query for query in source.seen if "countOnly" not in query]
    assert len({query["createdAt__gte"] for query in walked}) >= 10
    assert result.requests == len(source.seen)


def test_ids_are_ordered_as_numbers(fake: Any, collect: Any, lake: Any) -> None:
    time = fake.us(fake.START)
    source = fake.FakeConsole([fake.row(time, number) for number in (9, 10, 100, 11)])
    assert [json.loads(line)["id"] for line in collect(source, lake)[1]] == ["9", "10", "11", "100"]


def test_records_without_an_id_are_told_apart_by_their_bytes(fake: Any, collect: Any, lake: Any) -> None:
    time = fake.us(fake.START)
    extra = [{"id": None}, {"id": ""}, {"id": {"a": 1}}, {"id": True}, {"id": 7}, {"id": 8}]
    rows = [fake.row(time, number, n=number, **shape) for number, shape in enumerate(extra)]
    source = fake.FakeConsole(rows, repeat=True)
    result, lines = collect(source, lake, stream=fake.stream(page_size=3))
    assert sorted(lines) == sorted(row.body for row in rows)
    assert result.duplicates == result.fetched - 6 > 0


def test_records_without_a_readable_time_stand_last_in_the_order_of_their_ids(
    fake: Any, collect: Any, tmp_path: Any
) -> None:
    times = [None, "", "yesterday", 1_790_000_000_000, "9999-99-99T00:00:00Z", ["x"]]
    step, start = SPAN // 60, fake.us(fake.START)
    rows = [
        fake.row(start + number * step, 100 - number, **({"createdAt": times[number % 6]} if number % 2 else {}))
        for number in range(60)
    ]  # fmt: skip
    digests = set()
    for page in (1000, 7, 2):
        source = fake.FakeConsole(random.Random(page).sample(rows, 60))
        result, lines = collect(source, FolderStorage(tmp_path / str(page)), stream=fake.stream(page_size=page))
        ids = [int(json.loads(line)["id"]) for line in lines]
        assert ids == [*range(100, 40, -2), *range(41, 100, 2)]
        digests.add(result.raw_sha256)
    assert len(digests) == 1


def test_of_one_id_with_other_content_the_newest_stays(fake: Any, collect: Any, lake: Any) -> None:
    time = fake.us(fake.START)
    times = ["2026-11-22T10:00:09Z", "2026-11-22T11:00:00+00:00", "2026-11-22T10:00:10.5Z", None]
    versions = [fake.row(time, 5, updatedAt=changed, n=n) for n, changed in enumerate(times)]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        source = fake.FakeConsole([fake.row(time, 4)], recount=lambda *_: 2)
        source.change = lambda query, _, rows, order=order: rows + [versions[n] for n in order]
        result, lines = collect(source, lake)
        assert lines == [source.rows[0].body, versions[1].body]
        assert (result.fetched, result.duplicates) == (5, 3)


def test_the_scope_is_asked_for_with_every_request(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    source = fake.FakeConsole(hour[:30])
    ids = {"account_ids": ["100000000000000001", "100000000000000002"], "site_ids": ["200000000000000001"]}
    collect(source, lake, instance=fake.instance(scope=ids), stream=fake.stream(page_size=4))
    assert len(source.seen) > 8
    assert {query.get("accountIds") for query in source.seen} == {"100000000000000001,100000000000000002"}
    assert {query.get("siteIds") for query in source.seen} == {"200000000000000001"}


def test_nested_times_and_ids_are_read_where_the_endpoint_says(fake: Any, collect: Any, lake: Any) -> None:
    time = fake.us(fake.START)
    rows = [
        fake.Row(
            time + n, n, json.dumps({"alertInfo": {"alertId": str(n), "createdAt": fake.stamp(time + n)}}).encode()
        )
        for n in (3, 1, 2)
    ]
    stream = fake.stream(record_time=("alertInfo", "createdAt"), record_id=("alertInfo", "alertId"), page_size=2)
    source = fake.FakeConsole(rows, repeat=True)
    result, lines = collect(source, lake, stream=stream)
    assert lines == source.truth()
    assert result.first_time == fake.stamp(time + 1)
