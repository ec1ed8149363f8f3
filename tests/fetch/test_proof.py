"""When the proof fails: counts that move or lie, cursors, records out of place; each is mended or told."""

from __future__ import annotations

import itertools
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Never

import pytest

from sentinelone_collector.errors import (
    CollectorError,
    ConfigurationError,
    IncompleteWindow,
    LakeError,
    PermissionDenied,
    ProtocolError,
    RetryableError,
    TokenError,
    WindowOpen,
)
from sentinelone_collector.instances import Connection
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.rate import Limits
from sentinelone_collector.source.transport import Transport
from sentinelone_collector.windows import Window

CURSOR = b'{"errors":[{"code":4000010,"detail":"Invalid cursor value received","title":"Validation Error"}]}'


def raw_of(fake: Any, lake: Any) -> Any:
    return lake.read(object_key("raw", "emea", "activities", fake.WINDOW))


def is_count(query: Any) -> Any:
    return "countOnly" in query


def test_a_window_is_not_fetched_before_it_has_settled(fake: Any, collect: Any, lake: Any) -> None:
    source = fake.FakeConsole([])
    ready = fake.END + timedelta(minutes=5)
    with pytest.raises(WindowOpen, match="emea/activities") as caught:
        collect(source, lake, now=lambda: ready - timedelta(seconds=90))
    assert caught.value.ready_in == 90.0
    assert source.seen == []
    assert collect(source, lake, now=lambda: ready)[0].fetched_at == "2026-11-22T11:05:00Z"


def test_a_window_of_another_calendar_is_refused(fake: Any, collect: Any, lake: Any) -> None:
    lake.put(object_key("receipts", "emea", "activities", fake.WINDOW), b"{}")
    others = [("threats", fake.WINDOW), ("activities", Window(fake.END, fake.END + timedelta(hours=1)))]
    for stream, window in others:
        lake.put(object_key("receipts", "emea", stream, window), b"{}")
    source = fake.FakeConsole([])
    half = Window(fake.START, fake.START + timedelta(minutes=30))
    with pytest.raises(ConfigurationError, match="calendar was changed") as caught:
        collect(source, lake, half)
    assert source.seen == []
    assert str(fake.WINDOW) in str(caught.value)
    assert "20261122T100000Z--20261122T110000Z.json" in str(caught.value)
    collect(source, lake)  # the same window once more is welcome


def test_the_same_bytes_leave_object_and_receipt_alone(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    source = fake.FakeConsole(hour[:50])
    first, _ = collect(source, lake)
    receipt = object_key("receipts", "emea", "activities", fake.WINDOW)
    lake.put(receipt, b"{}")
    written = []

    class Watched(FolderStorage):
        def put(self, key: Any, source: Any) -> None:
            written.append(key)

        def delete(self, key: Any) -> None:
            written.append(key)

    steps = []
    again, _ = collect(source, Watched(lake._root), progress=steps.append)
    assert again.raw_sha256 == first.raw_sha256
    assert written == []
    assert lake.read(receipt) == b"{}"
    assert steps[-1] == "unchanged"


def test_other_bytes_remove_the_receipt_first(fake: Any, collect: Any, tmp_path: Any, hour: Any) -> None:
    order = []

    class Watched(FolderStorage):
        def put(self, key: Any, source: Any) -> None:
            order.append(("put", key))
            super().put(key, source)

        def delete(self, key: Any) -> None:
            order.append(("delete", key))
            super().delete(key)

    lake = Watched(tmp_path)
    collect(fake.FakeConsole(hour[:50]), lake)
    receipt, raw = (object_key(part, "emea", "activities", fake.WINDOW) for part in ("receipts", "raw"))
    lake.put(receipt, b"{}")
    order.clear()
    late = fake.row(hour[7].time, 77)  # became visible after the first run
    _, lines = collect(fake.FakeConsole([*hour[:50], late]), lake)
    assert late.body in lines
    assert order == [("delete", receipt), ("put", raw)]
    assert lake.read(receipt) is None


def test_a_record_that_shows_up_while_reading_is_counted_and_read(
    fake: Any, collect: Any, lake: Any, hour: Any
) -> None:
    source = fake.FakeConsole(hour[:30])
    source.change = lambda query, number, rows: rows if number > 3 else rows[:-1]  # the last one is late
    result, lines = collect(source, lake, stream=fake.stream(page_size=10))
    assert lines == source.truth()
    assert result.expected == 30


@pytest.mark.parametrize("wrong", [-1, 1, 1000])
def test_a_count_that_never_agrees_fails_the_task_and_stores_nothing(
    fake: Any, collect: Any, lake: Any, hour: Any, wrong: Any
) -> None:
    source = fake.FakeConsole(hour[:30], recount=lambda query, number, total: total + wrong)
    with pytest.raises(IncompleteWindow) as caught:
        collect(source, lake)
    said = str(caught.value)
    assert all(word in said for word in ["emea/activities", str(fake.WINDOW), "slice [", str(30 + wrong), " 30 "])
    assert raw_of(fake, lake) is None
    assert source.counts == 4


def test_a_count_that_moves_twice_is_waited_for(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    moving = iter([27, 33])
    source = fake.FakeConsole(hour[:30], recount=lambda query, number, total: next(moving, total))
    assert collect(source, lake)[1] == source.truth()
    assert source.counts == 3


def test_a_record_that_is_lost_at_the_cut_is_noticed(fake: Any, collect: Any, lake: Any) -> None:
    start, middle = fake.us(fake.START), fake.us(fake.START + timedelta(minutes=30))
    rows = [fake.row(start + number * 60_000_000, number) for number in range(60)]

    def off_by_one(query: Any, _: Any, found: Any) -> Any:
        return [row for row in found if not (row.time == middle and query["createdAt__gte"] == fake.stamp(middle))]

    source = fake.FakeConsole(rows, change=off_by_one)
    with pytest.raises(IncompleteWindow, match="halves"):
        collect(source, lake, stream=fake.stream(page_size=5))
    assert raw_of(fake, lake) is None


def test_a_slice_that_is_too_narrow_for_the_count_is_read_twice(fake: Any, collect: Any, lake: Any) -> None:
    tied = [fake.row(fake.us(fake.START) + 77, number) for number in range(1, 41)]
    source = fake.FakeConsole([*tied, fake.row(fake.us(fake.END) - 1, 99)], cap=20)
    stream = fake.stream(page_size=7, count_cap=20)
    result, lines = collect(source, lake, stream=stream)
    assert lines == source.truth()
    assert result.expected == 41
    first = {"createdAt__gte": fake.stamp(tied[0].time), "createdAt__lt": fake.stamp(tied[0].time + 1)}
    walks = [
        query
        for query in source.seen
        if first.items() <= query.items() and query.keys().isdisjoint({"cursor", "countOnly"})
    ]
    assert len(walks) == 2


def test_a_narrow_slice_that_reads_differently_each_time_fails(fake: Any, collect: Any, lake: Any) -> None:
    tied = [fake.row(fake.us(fake.START) + 77, number) for number in range(1, 41)]
    source = fake.FakeConsole(tied, cap=20)
    # counts of other slices run beside the readings: only what is read may decide what the next reading shows
    missing = itertools.count()
    source.change = lambda query, number, rows: rows if is_count(query) else rows[next(missing) % 20 :]
    with pytest.raises(IncompleteWindow):
        collect(source, lake, stream=fake.stream(count_cap=20))


def test_a_refused_cursor_restarts_the_slice(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    refused = iter([True])
    source = fake.FakeConsole(hour[:100])
    source.refuse = lambda query, _: (400, CURSOR) if "cursor" in query and next(refused, False) else None
    result, lines = collect(source, lake, stream=fake.stream(page_size=30))
    assert lines == source.truth()
    assert result.duplicates == 0


def test_cursors_that_are_always_refused_end_in_an_error(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    source = fake.FakeConsole(hour[:100], refuse=lambda query, _: (400, CURSOR) if "cursor" in query else None)
    with pytest.raises(ProtocolError, match="restarted 3 times") as caught:
        collect(source, lake, stream=fake.stream(page_size=30))
    assert "emea/activities" in str(caught.value)


def test_pages_without_end_are_given_up(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    source = fake.FakeConsole(hour[:20])
    number = iter(range(10**9))
    body = source._body
    source._body = lambda page, cursor, total: body(page, f"c{next(number)}" if page else None, total)
    source.refuse = lambda query, _: query.pop("cursor", None) and None
    with pytest.raises(ProtocolError, match="records came where 20 are counted"):
        collect(source, lake, stream=fake.stream(page_size=10))


@pytest.mark.parametrize("shift", [-1, 3_600_000_000, -1000])
def test_a_record_outside_of_the_slice_is_no_answer(fake: Any, collect: Any, lake: Any, shift: Any) -> None:
    stray = fake.row(fake.us(fake.START) + shift, 5)
    source = fake.FakeConsole([], change=lambda *_: [stray])
    with pytest.raises(ProtocolError, match="outside of the slice"):
        collect(source, lake)
    assert raw_of(fake, lake) is None


def test_a_time_that_is_shown_in_milliseconds_may_lie_before_the_cut(fake: Any, collect: Any, lake: Any) -> None:
    time = fake.us(fake.START) + 1_500_700
    shown = fake.row(time - 700, 5)
    source = fake.FakeConsole([fake.Row(time, 5, shown.body)])
    begin = fake.START + timedelta(microseconds=1_500_500)
    assert collect(source, lake, instance=fake.instance(collection_start=begin))[1] == [shown.body]


def test_a_record_that_moves_between_slices_is_read_again(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    """It is shown at its old and at its new time for a while; the lake holds it once, at the new one."""
    rows = sorted(hour[:40])
    moved = fake.row(fake.us(fake.START) + 3_000_000_000, rows[0].id)
    source = fake.FakeConsole([*rows, moved])
    source.change = lambda _, number, found: found if number < 60 else [row for row in found if row is not rows[0]]
    _, lines = collect(source, lake, stream=fake.stream(page_size=3))
    assert len(source.seen) > 60
    assert lines == [row.body for row in [*rows[1:], moved]]


def test_a_record_that_is_in_two_slices_for_good_fails(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    rows = sorted(hour[:40])
    source = fake.FakeConsole([*rows, fake.row(fake.us(fake.START) + 3_000_000_000, rows[0].id)])
    with pytest.raises(IncompleteWindow, match="moved from slice to slice"):
        collect(source, lake, stream=fake.stream(page_size=3))


@pytest.mark.parametrize(
    ("status", "kind"), [(401, TokenError), (403, PermissionDenied), (404, ProtocolError), (503, RetryableError)]
)
def test_the_error_of_one_slice_stops_the_others_and_names_the_window(
    fake: Any, collect: Any, *, lake: Any, hour: Any, status: Any, kind: Any
) -> None:
    source = fake.FakeConsole(hour)
    broken = hour[2500].time

    def refuse(query: Any, _: Any) -> Any:
        inside = query["createdAt__gte"] <= fake.stamp(broken) < query["createdAt__lt"]
        return (status, b"{}") if inside and not is_count(query) else None

    source.refuse = refuse
    with pytest.raises(CollectorError) as caught:
        collect(source, lake, console=source.console(patience=2.0), stream=fake.stream(page_size=100))
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"emea/activities {fake.WINDOW}: ")
    assert raw_of(fake, lake) is None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch")]


@pytest.mark.parametrize(
    ("optional", "known", "kind", "words"),
    [
        (True, True, PermissionDenied, "accepts this token elsewhere: give its role the permission Activity Page.view"),
        (True, False, TokenError, "Authentication Failed"),
        (False, True, TokenError, "Authentication Failed"),
    ],
)
def test_a_token_that_is_refused_for_one_stream_alone_lacks_a_permission(
    fake: Any, collect: Any, *, lake: Any, optional: bool, known: bool, kind: Any, words: str
) -> None:
    class Narrow(fake.FakeConsole):  # type: ignore[misc, name-defined]  # loaded by path
        def _answer(self, request: Any) -> tuple[int, bytes]:
            if known and "/system/info" in request.url:
                return 200, b'{"data":{"release":"W"}}'
            return 401, b'{"errors":[{"code":4010010,"detail":null,"title":"Authentication Failed"}]}'

    source = Narrow([])
    with pytest.raises(CollectorError) as caught:
        collect(source, lake, console=source.console(), stream=fake.stream(optional=optional))
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"emea/activities {fake.WINDOW}: ")


def test_a_record_that_moves_on_between_two_readings_is_kept_as_it_was_seen(fake: Any, collect: Any, lake: Any) -> None:
    start = fake.us(fake.START)
    rows = [fake.row(start + number, number, updatedAt=fake.stamp(start + number)) for number in range(5)]
    source = fake.FakeConsole(rows)
    source.change = lambda _, number, found: [row for row in found if number == 1 or row.id != 3]
    stream = fake.stream(record_version=("updatedAt",), counts=False)
    result, lines = collect(source, lake, console=source.console(), stream=stream)
    assert lines == [row.body for row in rows]
    assert result.proof == "read-twice"


@pytest.mark.timeout(240)
def test_other_threads_do_not_wait_out_their_backoff_when_one_fails(
    fake: Any, collect: Any, lake: Any, hour: Any
) -> None:
    """One slice is refused while another waits five minutes by the real clock, as it was told to."""
    source = fake.FakeConsole(hour, retry_after=300)
    throttled = threading.Event()

    def refuse(query: Any, _: Any) -> Any:
        if is_count(query):
            return None
        if query["createdAt__gte"] == fake.stamp(fake.us(fake.START)):
            throttled.set()
            return 503, b""
        return (403, b"{}") if throttled.is_set() else (500, b"")

    source.refuse = refuse
    connection = Connection(fake.URL, fake.TOKEN)
    transport = Transport(connection, adapter=source)
    console = Console(connection, transport=transport, limits=Limits(), patience=10_000.0)
    endpoint = {"page_size": 100, "rate": 1e6, "burst": 10**6}
    with pytest.raises(PermissionDenied):
        collect(source, lake, console=console, stream=fake.stream(**endpoint))


def test_an_interrupt_is_not_swallowed(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    def interrupt(step: Any) -> None:
        if step.startswith("counted"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(fake.FakeConsole(hour), lake, progress=interrupt)
    assert raw_of(fake, lake) is None


def test_a_full_disk_is_told_with_the_window(fake: Any, collect: Any, lake: Any, hour: Any, monkeypatch: Any) -> None:
    def full(*_: Any) -> Never:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sentinelone_collector.fetch.parts.write_part", full)
    with pytest.raises(LakeError, match=r"emea/activities .*No space left"):
        collect(fake.FakeConsole(hour[:9]), lake)


def test_the_token_is_in_nothing_that_fetch_leaves_behind(
    fake: Any, collect: Any, *, lake: Any, hour: Any, caplog: Any, tmp_path: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    source = fake.FakeConsole(hour[:200], refuse=lambda query, number: (503, b"") if number % 3 == 0 else None)
    result, _ = collect(source, lake, stream=fake.stream(page_size=20))
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert fake.TOKEN not in caplog.text + repr(result)
    assert fake.TOKEN.encode() not in stored
    assert "503" in caplog.text


def test_requests_and_time_are_told(fake: Any, collect: Any, lake: Any, hour: Any) -> None:
    source = fake.FakeConsole(hour[:10])
    result, _ = collect(source, lake, now=lambda: datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC))
    assert result.requests == 2
    assert result.fetched_at == "2026-11-23T01:02:03Z"
    assert result.console == "usea1-acme.example.net"
    assert result.window == fake.WINDOW
    assert result.raw_sha256 == lake.digest(object_key("raw", "emea", "activities", fake.WINDOW))
