from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("airflow.sdk")

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from sentinelone_collector.airflow import audit, tasks
from sentinelone_collector.airflow.audit import triggers
from sentinelone_collector.airflow.runs import Dag, Run
from sentinelone_collector.airflow.tasks import window_of
from sentinelone_collector.errors import (
    ConfigurationError,
    DeliveryError,
    NotLicensed,
    PermissionDenied,
    RetryableError,
    TokenError,
    WindowOpen,
)
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import Unavailable
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


def test_a_stream_without_a_licence_is_skipped_with_the_reason() -> None:
    with pytest.raises(AirflowSkipException, match="Custom Rules"), tasks._in_airflow_terms():
        raise NotLicensed("This scope does not have Custom Rules enabled.")


class _Site:
    """An installation that lacks two windows of each of two streams, one of which the console refuses."""

    def __init__(self, refused: dict[str, Unavailable]) -> None:
        self.refused = refused
        self.inventory = self

    def get(self, slug: str) -> Instance:
        fields = {"slug": slug, "name": "x", "connection_id": "c", "live_since": LIVE}
        return Instance(**fields, streams=("activities", "threats"))

    def still_unavailable(self, instance: Instance, stream: str) -> Unavailable | None:
        return self.refused.get(stream)

    def missing(self, instance: Instance, stream: str) -> list[Window]:
        first = CALENDAR.window_at(NOON) if stream == "activities" else CALENDAR.window_at(NOON - timedelta(hours=1))
        return [first, CALENDAR.after(first)]


def test_the_audit_does_not_run_windows_again_for_a_stream_that_the_console_does_not_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = {"since": "2026-11-22T10:00:00Z", "seen_at": "2026-11-22T10:00:00Z"}
    note = Unavailable(instance="emea", stream="threats", reason="licence", detail="no", **times)
    started: list[datetime] = []
    monkeypatch.setattr(audit.runs, "dag_of", lambda _: Dag(is_paused=False, upcoming=None))
    monkeypatch.setattr(audit.runs, "run_of", lambda *_: None)
    monkeypatch.setattr(audit.runs, "start_run", lambda _, start, **__: started.append(start) or "run")
    monkeypatch.setattr(audit, "installation", lambda: _Site({"threats": note}))
    summary = audit.audit_instance("emea")
    assert started == [NOON, NOON + timedelta(minutes=10)]
    assert (summary["missing"], summary["unavailable"]) == (2, {"threats": "licence"})
    started.clear()
    monkeypatch.setattr(audit, "installation", lambda: _Site({}))
    assert audit.audit_instance("emea")["missing"] == 4
    assert len(started) == 4


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
