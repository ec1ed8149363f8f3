from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("airflow.sdk")

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException

from sentinelone_collector.airflow import tasks
from sentinelone_collector.airflow.audit import triggers
from sentinelone_collector.airflow.runs import Run
from sentinelone_collector.airflow.tasks import window_of
from sentinelone_collector.errors import (
    ConfigurationError,
    DeliveryError,
    PermissionDenied,
    RetryableError,
    TokenError,
    WindowOpen,
)
from sentinelone_collector.windows import Calendar, Window

LIVE = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
CALENDAR = Calendar(LIVE, timedelta(minutes=10))
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class FakeRun:
    run_type: str = "scheduled"
    run_id: str = "run"
    logical_date: datetime | None = NOON
    data_interval_start: datetime | None = NOON
    data_interval_end: datetime | None = NOON + timedelta(minutes=10)
    run_after: datetime = NOON + timedelta(hours=1)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill", "manual"])
def test_an_interval_of_the_calendar_is_taken_as_it_is(run_type: str) -> None:
    assert window_of({"dag_run": FakeRun(run_type)}, CALENDAR) == CALENDAR.window_at(NOON)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
@pytest.mark.parametrize("end", [NOON, NOON + timedelta(minutes=7), NOON + timedelta(hours=1)])
def test_an_automated_run_with_an_interval_off_the_calendar_fails(run_type: str, end: datetime) -> None:
    """Also the zero-width interval that Airflow gives to a schedule of a bare cron string."""
    with pytest.raises(ConfigurationError, match="no window of the calendar"):
        window_of({"dag_run": FakeRun(run_type, data_interval_end=end)}, CALENDAR)


@given(st.integers(-3 * 86_400, 86_400))
def test_a_manual_run_takes_the_window_of_its_logical_date_or_the_last_ended(offset: int) -> None:
    asked = NOON + timedelta(seconds=offset)
    run = FakeRun("manual", logical_date=asked, data_interval_start=asked, data_interval_end=asked, run_after=NOON)
    assert window_of({"dag_run": run}, CALENDAR) == CALENDAR.for_manual_run(asked, NOON)


def test_a_triggered_run_takes_its_logical_date_and_not_the_interval_of_the_trigger_time() -> None:
    asked = NOON - timedelta(hours=3)
    run = FakeRun("operator_triggered", logical_date=asked)
    assert window_of({"dag_run": run}, CALENDAR) == CALENDAR.window_at(asked)


def test_a_run_without_a_logical_date_takes_the_last_window_that_had_ended_when_it_was_triggered() -> None:
    run = FakeRun("manual", "m", None, None, None, NOON + timedelta(minutes=9))
    expected = Window(NOON - timedelta(minutes=10), NOON)
    assert window_of({"dag_run": run}, CALENDAR) == expected


def test_errors_become_what_airflow_does_about_them() -> None:
    for error in (
        TokenError("token"),
        PermissionDenied("right"),
        ConfigurationError("file"),
        DeliveryError("x", retryable=False),
    ):
        with pytest.raises(AirflowFailException), tasks._in_airflow_terms():
            raise error
    for passing in (RetryableError("503"), DeliveryError("x", retryable=True)):
        with pytest.raises(type(passing)), tasks._in_airflow_terms():
            raise passing


def test_an_open_window_waits_outside_the_worker() -> None:
    with pytest.raises(AirflowRescheduleException) as caught, tasks._in_airflow_terms():
        raise WindowOpen("open", ready_in=120)
    wait = caught.value.reschedule_date - datetime.now(UTC)
    assert timedelta(seconds=100) < wait <= timedelta(seconds=120)


def test_the_audit_leaves_active_runs_alone_and_repeats_ended_ones() -> None:
    windows = list(CALENDAR.touching(NOON, NOON + timedelta(hours=1)))
    states = dict(zip(windows, [None, "queued", "running", "failed", "success", None], strict=True))

    def run_of(start: datetime) -> Run | None:
        state = states[CALENDAR.window_at(start)]
        return None if state is None else Run(f"run-{start}", state)

    chosen = triggers(reversed(windows), run_of, upcoming=None, at_most=100)
    assert [window for window, _ in chosen] == [windows[0], windows[3], windows[4], windows[5]]
    assert [run.run_id if run else None for _, run in chosen] == [
        None,
        f"run-{windows[3].start}",
        f"run-{windows[4].start}",
        None,
    ]
    first_two = triggers(windows, run_of, upcoming=None, at_most=2)
    assert [window for window, _ in first_two] == [windows[0], windows[3]]


def test_the_audit_leaves_to_the_scheduler_what_it_still_comes_to() -> None:
    windows = list(CALENDAR.touching(NOON, NOON + timedelta(hours=1)))
    failed = windows[4]

    def run_of(start: datetime) -> Run | None:
        return Run("run", "failed") if start == failed.start else None

    chosen = triggers(windows, run_of, upcoming=windows[2].start, at_most=100)
    assert [window for window, _ in chosen] == [windows[0], windows[1], failed]
