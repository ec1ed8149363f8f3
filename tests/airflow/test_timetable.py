from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("airflow.timetables.base")

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from sentinelone_collector.airflow import timetable as module
from sentinelone_collector.airflow.timetable import WindowTimetable
from sentinelone_collector.windows import Calendar, Window

LIVE = datetime(2026, 11, 20, 15, 23, 7, tzinfo=UTC)
START = datetime(2026, 11, 18, 16, 0, tzinfo=UTC)
seconds = st.integers(-5 * 86_400, 5 * 86_400)
widths = st.sampled_from([300, 600, 900, 3600, 21_600, 86_400]).map(lambda s: timedelta(seconds=s))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    start = draw(st.sampled_from([None, START, LIVE]))
    return Calendar(LIVE, draw(widths), timedelta(seconds=draw(st.integers(0, 7200))), start)


def window_of(info: DagRunInfo | None) -> Window:
    assert info is not None
    assert info.data_interval is not None
    assert info.logical_date == info.data_interval.start
    return Window(info.data_interval.start, info.data_interval.end)


def walk(timetable: WindowTimetable, earliest: datetime, latest: datetime) -> list[Window]:
    """Iterate as Airflow's scheduler and its backfill do."""
    restriction = TimeRestriction(pendulum.instance(earliest), pendulum.instance(latest), catchup=True)
    found: list[Window] = []
    last: DataInterval | None = None
    while (info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)) is not None:
        found.append(window_of(info))
        last = info.data_interval
    return found


@given(calendars(), seconds, st.integers(1, 12 * 3600))
def test_a_backfill_walks_just_the_calendar_windows_that_touch_its_range(
    calendar: Calendar, offset: int, span: int
) -> None:
    start = LIVE + timedelta(seconds=offset)
    end = start + timedelta(seconds=span)
    # the end is inclusive on the window's start, as in Airflow's own backfill
    expected = list(calendar.touching(start, end + timedelta(microseconds=1)))
    assert walk(WindowTimetable(calendar), start, end) == expected


@given(calendars())
def test_the_scheduler_begins_with_the_window_that_holds_the_begin_of_the_collection(calendar: Calendar) -> None:
    info = WindowTimetable(calendar).next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(pendulum.instance(calendar.first.start), None, catchup=True),
    )
    assert window_of(info) == calendar.first
    assert info is not None
    assert info.run_after == calendar.first.end + calendar.settle


@given(calendars(), seconds)
def test_no_outage_skips_a_window(calendar: Calendar, offset: int) -> None:
    """The window after the last run comes next, however long ago that was."""
    last = calendar.window_at(LIVE + timedelta(seconds=offset))
    info = WindowTimetable(calendar).next_dagrun_info(
        last_automated_data_interval=DataInterval(pendulum.instance(last.start), pendulum.instance(last.end)),
        restriction=TimeRestriction(pendulum.instance(calendar.first.start), None, catchup=False),
    )
    assert window_of(info) == max(calendar.after(last), calendar.first)


@given(calendars(), seconds, seconds)
def test_manual_runs_take_calendar_windows(calendar: Calendar, asked: int, now: int) -> None:
    moment, present = LIVE + timedelta(seconds=asked), LIVE + timedelta(seconds=now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.timezone, "utcnow", lambda: pendulum.instance(present))
        interval = WindowTimetable(calendar).infer_manual_data_interval(run_after=pendulum.instance(moment))
    assert Window(interval.start, interval.end) == calendar.for_manual_run(moment, present)


@given(calendars())
def test_it_survives_serialization(calendar: Calendar) -> None:
    timetable = WindowTimetable(calendar)
    assert WindowTimetable.deserialize(timetable.serialize()).calendar == calendar


@given(calendars(), widths, seconds)
def test_a_changed_width_neither_repeats_nor_goes_back(calendar: Calendar, old: timedelta, offset: int) -> None:
    last = Calendar(LIVE, old).window_at(LIVE + timedelta(seconds=offset))
    info = WindowTimetable(calendar).next_dagrun_info(
        last_automated_data_interval=DataInterval(pendulum.instance(last.start), pendulum.instance(last.end)),
        restriction=TimeRestriction(None, None, catchup=True),
    )
    window = window_of(info)
    assert calendar.is_window(window)
    assert window.start > last.start
    # no moment between the old run and the new one is left out
    assert window.start <= max(last.end, calendar.window_at(last.start).end)
