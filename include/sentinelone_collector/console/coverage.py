"""Which windows are complete: states of windows, sums of days, gaps; pure functions of what lake and Airflow say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from sentinelone_collector.console.ports import ACTIVE, Run
from sentinelone_collector.windows import DAY, Calendar, Window

__all__ = ["Day", "Gap", "Known", "WindowState", "days_of", "gaps_of", "known_of", "state_of_window", "weeks_of"]

_AUDIT = "audit__"


class WindowState(StrEnum):
    """What is known of one window of one stream."""

    COMPLETE = "complete"
    CHANGED = "changed"
    RUNNING = "running"
    FAILED = "failed"
    MISSING = "missing"
    UNAVAILABLE = "unavailable"
    OPEN = "open"
    OUTSIDE = "outside"


WORDS: Mapping[WindowState, str] = {
    WindowState.COMPLETE: "complete",
    WindowState.CHANGED: "complete, made up by the audit",
    WindowState.RUNNING: "being collected",
    WindowState.FAILED: "failed",
    WindowState.MISSING: "missing",
    WindowState.UNAVAILABLE: "the console does not give it",
    WindowState.OPEN: "not due yet",
    WindowState.OUTSIDE: "before the collection begins",
}
_WORST = (
    WindowState.FAILED,
    WindowState.MISSING,
    WindowState.UNAVAILABLE,
    WindowState.RUNNING,
    WindowState.CHANGED,
    WindowState.COMPLETE,
    WindowState.OPEN,
    WindowState.OUTSIDE,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What lake and Airflow say about the windows of one stream; runs are told by the start of their window."""

    complete: Collection[Window]
    active: Collection[datetime] = frozenset()
    failed: Collection[datetime] = frozenset()
    audited: Collection[datetime] = frozenset()
    unavailable: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day: how many windows are in which state, and the state that its cell shows."""

    day: date
    counts: Mapping[WindowState, int] = field(default_factory=dict)

    @property
    def due(self) -> int:
        """How many windows should be complete."""
        left_out = (WindowState.OPEN, WindowState.OUTSIDE)
        return sum(count for state, count in self.counts.items() if state not in left_out)

    @property
    def complete(self) -> int:
        """How many windows are complete."""
        return self.counts.get(WindowState.COMPLETE, 0) + self.counts.get(WindowState.CHANGED, 0)

    @property
    def state(self) -> WindowState:
        """The worst state of its windows."""
        return next((state for state in _WORST if self.counts.get(state)), WindowState.OUTSIDE)

    @property
    def words(self) -> str:
        """What a screen reader says of the day."""
        parts = [f"{count} {WORDS[state]}" for state, count in self.counts.items() if state is not WindowState.OUTSIDE]
        return f"{self.day.isoformat()}: {', '.join(parts) or WORDS[WindowState.OUTSIDE]}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Neighbouring windows that should be complete and are not, and why."""

    start: datetime
    end: datetime
    windows: int
    state: WindowState


def known_of(complete: Collection[Window], runs: Iterable[Run], *, unavailable: bool = False) -> Known:
    """Return what is known from receipts and runs."""
    told = [run for run in runs if run.logical_date is not None]
    return Known(
        complete=complete,
        active={run.logical_date for run in told if run.state in ACTIVE and run.logical_date},
        failed={run.logical_date for run in told if run.state == "failed" and run.logical_date},
        audited={run.logical_date for run in told if run.run_id.startswith(_AUDIT) and run.logical_date},
        unavailable=unavailable,
    )


def state_of_window(calendar: Calendar, window: Window, known: Known, now: datetime) -> WindowState:
    """Return a window's state; a run that goes on counts more than the receipt of an earlier one.

    Nobody expects a window before the begin of the collection; where a backfill has collected it, that shows.
    """
    if window.start in known.active:
        return WindowState.RUNNING
    if window in known.complete:
        return WindowState.CHANGED if window.start in known.audited else WindowState.COMPLETE
    if window.end <= calendar.begin:
        return WindowState.FAILED if window.start in known.failed else WindowState.OUTSIDE
    if calendar.ready_at(window) > now:
        return WindowState.OPEN
    if known.unavailable:
        return WindowState.UNAVAILABLE
    return WindowState.FAILED if window.start in known.failed else WindowState.MISSING


def days_of(calendar: Calendar, known: Known, first: date, last: date, now: datetime) -> list[Day]:
    """Return the UTC days from `first` to `last`, both inclusive, with the states of their windows."""
    found = []
    for number in range((last - first).days + 1):
        counts: dict[WindowState, int] = {}
        for window in windows_of(calendar, first + timedelta(number)):
            state = state_of_window(calendar, window, known, now)
            counts[state] = counts.get(state, 0) + 1
        found.append(Day(first + timedelta(number), counts))
    return found


def windows_of(calendar: Calendar, day: date) -> Iterator[Window]:
    """Yield the windows of one UTC day."""
    start = datetime.combine(day, datetime.min.time(), calendar.live_since.tzinfo)
    return calendar.touching(start, start + DAY)


def weeks_of(days: Sequence[Day]) -> list[list[Day | None]]:
    """Return the days as weeks from Monday to Sunday; None stands for days outside."""
    padded: list[Day | None] = [None] * days[0].day.weekday() if days else []
    padded += days
    padded += [None] * (-len(padded) % 7)
    return [padded[start : start + 7] for start in range(0, len(padded), 7)]


def gaps_of(calendar: Calendar, known: Known, now: datetime) -> list[Gap]:
    """Return the ranges of windows that should be complete and are not, the latest first."""
    gaps: list[Gap] = []
    for window in calendar.due(now):
        state = state_of_window(calendar, window, known, now)
        if state not in {WindowState.MISSING, WindowState.FAILED, WindowState.UNAVAILABLE}:
            continue
        last = gaps[-1] if gaps else None
        if last is not None and last.end == window.start and last.state == state:
            gaps[-1] = Gap(last.start, window.end, last.windows + 1, state)
        else:
            gaps.append(Gap(window.start, window.end, 1, state))
    return gaps[::-1]
