from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinelone_collector.errors import UsageError
from sentinelone_collector.windows import DAY, Calendar, Window, as_utc, parse_time

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
moments = st.integers(0, 2 * 365 * 86_400_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))
divisors = st.sampled_from([s for s in range(60, 86_401, 30) if 86_400 % s == 0]).map(lambda s: timedelta(seconds=s))
settles = st.integers(0, 7200).map(lambda s: timedelta(seconds=s))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    live = draw(moments)
    start = draw(st.one_of(st.none(), st.integers(0, 30 * 86_400).map(lambda s: live - timedelta(seconds=s))))
    return Calendar(live, draw(divisors), draw(settles), start)


@given(calendars(), moments, st.integers(1, 5 * 86_400))
def test_windows_tile_time_without_gap_or_overlap(calendar: Calendar, start: datetime, seconds: int) -> None:
    end = start + timedelta(seconds=min(seconds, int(calendar.every.total_seconds()) * 300))
    windows = list(calendar.touching(start, end))
    assert start in windows[0]
    assert windows[-1].start < end <= windows[-1].end
    assert all(left.end == right.start for left, right in pairwise(windows))


@given(calendars(), moments)
def test_every_moment_lies_in_just_the_window_that_is_named(calendar: Calendar, moment: datetime) -> None:
    window = calendar.window_at(moment)
    assert moment in window
    assert calendar.window_at(window.start) == calendar.window_at(window.end - timedelta(microseconds=1)) == window
    assert calendar.after(window).start == window.end
    assert calendar.is_window(window)


@given(calendars(), moments)
def test_width_is_a_day_before_the_midnight_of_live_since_and_every_after_it(
    calendar: Calendar, moment: datetime
) -> None:
    window = calendar.window_at(moment)
    midnight = calendar.live_since.replace(hour=0, minute=0, second=0, microsecond=0)
    assert window.end - window.start == (DAY if moment < midnight else calendar.every)
    assert window.start.date() == (window.end - timedelta(microseconds=1)).date()


@given(calendars(), moments)
def test_last_ended_window_is_the_newest_that_lies_in_the_past(calendar: Calendar, now: datetime) -> None:
    window = calendar.last_ended(now)
    assert window.end <= now < calendar.after(window).end


@given(calendars(), moments, moments)
def test_manual_run_takes_the_window_of_its_date_unless_that_is_still_open(
    calendar: Calendar, asked: datetime, now: datetime
) -> None:
    window = calendar.for_manual_run(asked, now)
    assert window.end <= now
    held = calendar.window_at(asked)
    assert window == (held if held.end <= now else calendar.last_ended(now))


@given(calendars(), st.integers(0, 2 * 86_400))
def test_due_windows_are_all_that_have_settled_since_the_begin(calendar: Calendar, seconds: int) -> None:
    now = calendar.begin + timedelta(seconds=min(seconds, int(calendar.every.total_seconds()) * 300))
    due = list(calendar.due(now))
    assert all(window.end + calendar.settle <= now for window in due)
    following = calendar.after(due[-1]) if due else calendar.first
    assert following.end + calendar.settle > now
    if due:
        assert due[0] == calendar.first
        assert calendar.begin in due[0]


@given(calendars())
def test_only_the_first_window_is_collected_from_later_than_its_start(calendar: Calendar) -> None:
    first = calendar.first
    assert calendar.collected_from(first) == calendar.begin
    following = calendar.after(first)
    assert calendar.collected_from(following) == following.start


@given(moments, divisors)
def test_window_names_read_back(moment: datetime, every: timedelta) -> None:
    window = Calendar(moment, every).window_at(moment)
    assert Window.from_name(window.name) == window


def test_history_of_thirty_days_is_thirty_windows() -> None:
    live = datetime(2026, 11, 22, 16, 41, tzinfo=UTC)
    calendar = Calendar(live, collection_start=live.replace(hour=0, minute=0) - 30 * DAY)
    history = [w for w in calendar.due(live) if w.end - w.start == DAY]
    assert len(history) == 30


def test_window_name_and_day() -> None:
    window = Window(datetime(2026, 11, 22, 10, 0, tzinfo=UTC), datetime(2026, 11, 22, 10, 10, tzinfo=UTC))
    assert window.name == "20261122T100000Z--20261122T101000Z"
    assert window.day == "2026-11-22"
    assert str(window) == "[2026-11-22T10:00:00Z, 2026-11-22T10:10:00Z)"


def test_other_zones_are_read_as_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    window = Window(datetime(2026, 11, 22, 19, 0, tzinfo=tokyo), datetime(2026, 11, 22, 19, 10, tzinfo=tokyo))
    assert window.start == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert window.start.tzinfo is UTC


def test_moments_of_other_kinds_become_plain_ones_of_utc() -> None:
    moment = pendulum.datetime(2026, 11, 22, 19, 0, tz="Asia/Tokyo")
    plain = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    calendar = Calendar(moment, collection_start=moment)
    assert calendar.collection_start is not None
    for found in (as_utc(moment), calendar.live_since, calendar.collection_start, Window(moment, moment + DAY / 2).end):
        assert type(found) is datetime
        assert found.tzinfo is UTC
    assert calendar.live_since == calendar.collection_start == plain


def test_windows_that_only_meet_do_not_overlap() -> None:
    first, second, third = Calendar(EPOCH).touching(EPOCH, EPOCH + timedelta(minutes=30))
    whole = Window(first.start, third.end)
    for left, right in ((first, second), (second, first), (first, third)):
        assert not left.overlaps(right)
    for left, right in ((first, first), (whole, second), (second, whole), (whole, third), (first, whole)):
        assert left.overlaps(right)


def test_a_calendar_has_ten_minutes_and_settles_for_five() -> None:
    calendar = Calendar(EPOCH)
    window = calendar.window_at(EPOCH)
    assert window == Window(EPOCH, EPOCH + timedelta(minutes=10))
    assert calendar.ready_at(window) == EPOCH + timedelta(minutes=15)


def test_a_settle_time_below_zero_is_refused() -> None:
    assert Calendar(EPOCH, settle=timedelta(0)).settle == timedelta(0)
    with pytest.raises(UsageError, match="negative"):
        Calendar(EPOCH, settle=timedelta(seconds=-1))


@pytest.mark.parametrize("width", [timedelta(0), timedelta(minutes=-10)])
def test_a_range_without_time_is_refused(width: timedelta) -> None:
    with pytest.raises(UsageError, match="is empty"):
        list(Calendar(EPOCH).touching(EPOCH, EPOCH + width))


@pytest.mark.parametrize("width", [timedelta(0), timedelta(minutes=-10)])
def test_window_without_time_is_refused(width: timedelta) -> None:
    start = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    with pytest.raises(UsageError, match="holds no time"):
        Window(start, start + width)


def test_window_across_midnight_is_refused() -> None:
    start = datetime(2026, 11, 22, 23, 55, tzinfo=UTC)
    with pytest.raises(UsageError, match="midnight"):
        Window(start, start + timedelta(minutes=10))


@pytest.mark.parametrize("every", [timedelta(0), timedelta(minutes=7), timedelta(days=2), timedelta(minutes=-10)])
def test_width_that_does_not_divide_a_day_is_refused(every: timedelta) -> None:
    with pytest.raises(UsageError, match="divide a day"):
        Calendar(datetime(2026, 11, 22, tzinfo=UTC), every)


def test_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        Calendar(datetime(2026, 11, 22))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T10:00:00+02:00", datetime(2026, 11, 22, 8, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_utc(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


def test_text_that_is_no_time_is_refused() -> None:
    with pytest.raises(UsageError, match="yesterday"):
        parse_time("yesterday")
