"""Retries, Retry-After, patience, and the token bucket that threads share."""

from __future__ import annotations

import threading
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import RetryableError
from sentinelone_collector.source.answers import retry_after_seconds
from sentinelone_collector.source.console import Stopped
from sentinelone_collector.source.endpoint import Endpoint
from sentinelone_collector.source.rate import Bucket, Limits, Patience, backoff

WALL = 1_790_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0.25", 0.25),
        (" 3 ", 3.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("999999999", 300.0),
        ("1e308", 300.0),
        ("inf", 300.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        (formatdate(WALL + 20, usegmt=True), 20.0),
        (formatdate(WALL - 3600, usegmt=True), 0.0),
        (formatdate(WALL + 86400, usegmt=True), 300.0),
        ("Fri, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(text: Any, seconds: Any) -> None:
    assert retry_after_seconds({"retry-after": text}, WALL) == seconds


def test_a_retry_date_is_measured_against_the_consoles_own_clock() -> None:
    headers = {"retry-after": formatdate(WALL + 5030, usegmt=True), "date": formatdate(WALL + 5000, usegmt=True)}
    assert retry_after_seconds(headers, WALL) == 30.0


def test_no_retry_after_is_none() -> None:
    assert retry_after_seconds({}, WALL) is None


def test_the_console_is_left_alone_for_as_long_as_it_asks(bench: Any) -> None:
    bench.answers(bench.Reply(429, b"", {"Retry-After": "45"}), bench.page([], total=1))
    bench.make(random=lambda: 0.0).count(bench.endpoint, {})
    first, second = (sent.at for sent in bench.network.sent)
    assert second - first >= 45.0


def test_throttling_without_a_wish_backs_off_from_five_seconds_and_other_faults_from_one(bench: Any) -> None:
    for status, start in ((429, 5.0), (503, 1.0)):
        bench.clock.slept.clear()
        bench.answers(*[bench.Reply(status)] * 4, bench.page([], total=1))
        bench.make().count(bench.endpoint, {})
        waits = [wait for wait in bench.clock.slept if wait >= 1.0]
        assert waits[:4] == [start, start * 2, start * 4, start * 8]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 300))
@settings(max_examples=100)
def test_waits_are_bounded_and_never_shorter_than_asked(attempt: Any, random: Any, asked: Any) -> None:
    wait = backoff(attempt, start=1.0, asked=asked, random=random)
    assert (asked or 0.0) <= wait <= max(60.0, asked or 0.0)


def test_a_long_storm_ends_with_what_the_console_asked_for(bench: Any) -> None:
    bench.answers(bench.Reply(429, b"", {"Retry-After": "200"}))
    with pytest.raises(RetryableError, match="given up after 5 attempts") as caught:
        bench.make().count(bench.endpoint, {})
    assert caught.value.retry_after == 200.0
    assert sum(bench.clock.slept) <= 900.0


def test_patience_counts_waits_of_several_threads_once() -> None:
    patience = Patience(10.0)
    assert patience.grant(0.0, 6.0)
    assert patience.grant(1.0, 5.0)  # wholly inside the first
    assert patience.grant(2.0, 7.0)  # three more
    assert not patience.grant(9.0, 1.5)
    assert patience.grant(9.0, 1.0)
    assert patience.spent == 10.0


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    bucket = Bucket(10.0, 30)
    waits = [bucket.reserve(0.0) for _ in range(50)]
    assert waits[:30] == [0.0] * 30
    assert waits[30:] == pytest.approx([0.1 * number for number in range(1, 21)])


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.floats(0.5, 20), st.integers(1, 30))
@settings(max_examples=60)
def test_no_span_of_time_sees_more_than_burst_plus_rate(gaps: Any, rate: Any, burst: Any) -> None:
    bucket, now, sent = Bucket(rate, burst), 0.0, []
    for gap in gaps:
        now += gap
        sent.append(now + bucket.reserve(now))
    sent.sort()
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + rate * (sent[last] - sent[first]) + 1 + 1e-6


def test_throttling_halves_the_rate_once_a_second_and_holds_everybody_back() -> None:
    bucket = Bucket(8.0, 1)
    bucket.throttled(0.0, 5.0)
    bucket.throttled(0.5, 5.0)
    assert bucket.rate == 4.0
    assert bucket.reserve(1.0) == pytest.approx(4.5)
    bucket.throttled(2.0, 0.0)
    assert bucket.rate == 2.0
    for _ in range(1000):
        bucket.succeeded()
    assert bucket.rate == 8.0


def test_the_rate_never_falls_to_nothing() -> None:
    bucket = Bucket(10.0, 1)
    for second in range(100):
        bucket.throttled(float(second), 0.0)
    assert bucket.rate == pytest.approx(0.1)


def test_consoles_with_one_token_share_a_bucket_and_a_share_is_a_part_of_it(bench: Any) -> None:
    limits = Limits()
    endpoint = Endpoint("/activities", "createdAt", ("createdAt",), "createdAt", "x", rate=10.0, burst=30)
    bench.answers(bench.page([], total=1))
    for share, expected in ((1.0, 73 / 9.0), (0.5, 86.5 / 4.5)):
        limits = Limits()
        started = bench.clock.now
        one, other = (bench.make(limits=limits, share=share) for _ in range(2))
        for _ in range(50):
            one.count(endpoint, {})
            other.count(endpoint, {})
        # the bucket fills up again only for what was waited
        assert bench.clock.now - started == pytest.approx(expected, abs=0.3)


def test_a_stopped_task_ends_at_once_also_in_the_middle_of_a_wait(bench: Any) -> None:
    from sentinelone_collector.source.console import Console
    from sentinelone_collector.source.transport import Transport

    bench.answers(bench.Reply(429, b"", {"Retry-After": "250"}))
    waiting = threading.Event()

    class Watched(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waiting.set()
            return super().wait(timeout)

    console = Console(
        bench.connection, transport=Transport(bench.connection, adapter=bench.network), limits=Limits(), sleep=None
    )
    console._stopped = Watched()
    seen = []

    def work() -> None:
        try:
            console.count(bench.endpoint, {})
        except Stopped as error:
            seen.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert waiting.wait(200)
    console.stop()
    thread.join(200)  # less than the wait that it is stopped in, or the end of that would pass for a stop
    assert not thread.is_alive()
    assert len(seen) == 1


def test_what_one_task_is_told_by_a_429_holds_for_all_with_that_token(bench: Any) -> None:
    limits = Limits()
    bench.answers(bench.Reply(429, b"", {"Retry-After": "30"}), bench.page([], total=1))
    with pytest.raises(RetryableError):
        bench.make(limits=limits, patience=0.0).count(bench.endpoint, {})
    bench.make(limits=limits).count(bench.endpoint, {})
    first, second = bench.network.sent
    assert second.at - first.at >= 30.0
    rate = limits.bucket(bench.console.host, bench.console._account, "/activities", rate=0.0, burst=0.0).rate
    assert 4.5 <= rate < 5.0
