"""The collection calendar as an Airflow timetable: scheduled, late, manual and backfill runs share its windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pendulum
from airflow._shared.timezones import timezone
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from sentinelone_collector.instances.model import duration_text
from sentinelone_collector.windows import Calendar, Window

__all__ = ["WindowTimetable"]


class WindowTimetable(Timetable):
    """Schedule each window of a calendar once it has ended and settled.

    Missed windows are always made up: the switch `catchup` is not looked at, since without it Airflow drops windows
    silently after an outage and whenever settle is longer than a window.
    """

    description = "Collection calendar: whole UTC days of history, then windows of fixed width"

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    @property
    def calendar(self) -> Calendar:
        """The calendar behind it."""
        return self._calendar

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return f"every {duration_text(self._calendar.every)}, settle {duration_text(self._calendar.settle)}"

    def serialize(self) -> dict[str, Any]:
        """Return the calendar as JSON types, the same for the same calendar."""
        start = self._calendar.collection_start
        return {
            "live_since": self._calendar.live_since.isoformat(),
            "every": self._calendar.every.total_seconds(),
            "settle": self._calendar.settle.total_seconds(),
            "collection_start": None if start is None else start.isoformat(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> WindowTimetable:
        """Read a timetable from what `serialize` wrote."""
        start = data["collection_start"]
        return cls(
            Calendar(
                live_since=datetime.fromisoformat(data["live_since"]),
                every=timedelta(seconds=data["every"]),
                settle=timedelta(seconds=data["settle"]),
                collection_start=None if start is None else datetime.fromisoformat(start),
            )
        )

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the window after the last automated run, but none before the one that holds `restriction.earliest`.

        None where that window begins after `restriction.latest`.
        """
        window = self._next(last_automated_data_interval, restriction.earliest)
        if window is None or (restriction.latest is not None and window.start > restriction.latest):
            return None
        return DagRunInfo(
            run_after=_pendulum(self._calendar.ready_at(window)),
            data_interval=_interval(window),
            partition_date=None,
            partition_key=None,
        )

    def _next(self, last: DataInterval | None, earliest: datetime | None) -> Window | None:
        first = None if earliest is None else self._calendar.window_at(earliest)
        if last is None:
            return first
        window = self._calendar.window_at(last.end)
        while window.start <= last.start:  # the calendar was changed to wider windows since
            window = self._calendar.after(window)
        return window if first is None else max(window, first)

    def infer_manual_data_interval(self, *, run_after: datetime) -> DataInterval:
        """Return the window that holds the moment if it has ended, else the last one that has."""
        return _interval(self._calendar.for_manual_run(run_after, timezone.utcnow()))


def _pendulum(moment: datetime) -> pendulum.DateTime:
    return pendulum.instance(moment, tz="UTC")


def _interval(window: Window) -> DataInterval:
    return DataInterval(start=_pendulum(window.start), end=_pendulum(window.end))
