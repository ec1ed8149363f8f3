from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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
    CollectorError,
    ConfigurationError,
    DeliveryError,
    NotLicensed,
    PermissionDenied,
    RetryableError,
    TokenError,
    WindowOpen,
)
from sentinelone_collector.fetch import Recounted
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import Unavailable
from sentinelone_collector.windows import DAY, Calendar, Window

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

    def __init__(self, refused: dict[str, Unavailable], counts: list[Recounted] | CollectorError | None = None) -> None:
        self.refused = refused
        self.counts = counts or []
        self.inventory = self

    def get(self, slug: str) -> Instance:
        fields = {"slug": slug, "name": "x", "connection_id": "c", "live_since": LIVE}
        return Instance(**fields, streams=("activities", "threats"))

    def still_unavailable(self, instance: Instance, stream: str) -> Unavailable | None:
        return self.refused.get(stream)

    def now(self) -> datetime:
        return NOON + timedelta(days=1)

    def recount(self, instance: Instance, stream: str, start: datetime, end: datetime) -> list[Recounted]:
        if isinstance(self.counts, CollectorError):
            raise self.counts
        return [one for one in self.counts if stream == "activities" and start <= one.window.start < end]

    def missing(self, instance: Instance, stream: str) -> list[Window]:
        first = CALENDAR.window_at(NOON) if stream == "activities" else CALENDAR.window_at(NOON - timedelta(hours=1))
        return [first, CALENDAR.after(first)]


_Started = dict[datetime, tuple[Run | None, str]]


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dict[str, Any], _Started]]:
    """Audit an installation with a DAG and runs as told; return the summary, and the runs started with their notes."""

    def run(
        site: _Site,
        dag: Dag | None = Dag(is_paused=False, upcoming=None),  # noqa: B008  # it is frozen
        run_of: Callable[[datetime], Run | None] = lambda _: None,
    ) -> tuple[dict[str, Any], _Started]:
        started: _Started = {}

        def start_run(_: str, start: datetime, *, existing: Run | None, note: str) -> str:
            started[start] = (existing, note)
            return f"run {start}"

        monkeypatch.setattr(audit.runs, "dag_of", lambda _: dag)
        monkeypatch.setattr(audit.runs, "run_of", lambda _, start: run_of(start))
        monkeypatch.setattr(audit.runs, "start_run", start_run)
        monkeypatch.setattr(audit, "installation", lambda: site)
        return audit.audit_instance("emea"), started

    return run


def test_the_audit_does_not_run_windows_again_for_a_stream_that_the_console_does_not_give(audited: Any) -> None:
    times = {"since": "2026-11-22T10:00:00Z", "seen_at": "2026-11-22T10:00:00Z"}
    note = Unavailable(instance="emea", stream="threats", reason="licence", detail="no", **times)
    summary, started = audited(_Site({"threats": note}))
    assert list(started) == [NOON, NOON + timedelta(minutes=10)]
    assert (summary["missing"], summary["unavailable"]) == (2, {"threats": "licence"})
    summary, started = audited(_Site({}))
    assert summary["missing"] == 4
    assert len(started) == 4


def test_the_audit_collects_windows_again_that_the_console_has_more_records_of(
    audited: Any, caplog: pytest.LogCaptureFixture
) -> None:
    windows = list(CALENDAR.touching(NOON, NOON + timedelta(hours=1)))
    ended = Run("scheduled", "success")
    counts = [Recounted(windows[0], 5, 6), Recounted(windows[3], 5, 7), Recounted(windows[4], 9, 8)]
    summary, started = audited(_Site({}, counts), run_of=lambda start: None if start == NOON else ended)
    assert (summary["missing"], summary["grown"], summary["shrunk"]) == (4, 2, 1)
    assert started[windows[3].start] == (ended, "audit: 7 records of activities instead of 5")
    # a window without a receipt is none that has grown
    assert started[NOON] == (None, "audit: no receipt")
    assert windows[4].start not in started
    assert len(started) == 5
    assert "some were deleted there, or the token sees less than before" in caplog.text


@pytest.mark.parametrize(("dag", "paused"), [(Dag(is_paused=True, upcoming=None), True), (None, False)])
def test_the_audit_starts_nothing_of_a_dag_that_is_paused_or_not_there_yet(
    audited: Any, caplog: pytest.LogCaptureFixture, dag: Dag | None, paused: bool
) -> None:
    summary, started = audited(_Site({}), dag)
    assert (started, summary["started"], summary["paused"], summary["missing"]) == ({}, {}, paused, 4)
    assert "4 windows are to be collected" in caplog.text


def test_an_audit_that_can_not_count_collects_what_is_missing(audited: Any, caplog: pytest.LogCaptureFixture) -> None:
    summary, _ = audited(_Site({}, RetryableError("503")))
    assert list(summary["started"].values()) == ["no receipt"] * 4
    assert summary["uncounted"] == ["activities", "threats"]
    assert "emea/activities: not counted again: 503" in caplog.text


@given(hour=st.integers(0, 10**6), days=st.integers(1, 40))
def test_audits_count_every_day_again_in_turn(hour: int, days: int) -> None:
    moments = [LIVE + timedelta(hours=hour + number, minutes=17) for number in range(max(1, days - 1))]
    spans = [(moment, audit.recount_spans(moment, days)) for moment in moments]
    ages = [{round((moment - start) / DAY) for start, end in found if end - start == DAY} for moment, found in spans]
    assert all(1 in some for some in ages)
    assert set().union(*ages) == set(range(1, days + 1))
    assert {len(some) for some in ages} == {min(days, 2)}


def test_an_open_window_waits_outside_the_worker() -> None:
    before = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as caught, tasks._in_airflow_terms():
        raise WindowOpen("open", ready_in=120)
    assert before <= caught.value.reschedule_date - timedelta(seconds=120) <= datetime.now(UTC)


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
