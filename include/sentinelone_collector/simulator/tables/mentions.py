"""What the activity log says of threats and alerts: the tables of both are made of it, so they agree with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import RLock
from typing import NamedTuple

from sentinelone_collector.simulator._time import DAY, MINUTE
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.records import Entry

__all__ = ["ALERT_TYPES", "Mentions"]

ALERT_TYPES = frozenset({3608, 3784})
"""Activities that say an alert was made."""


class _Day(NamedTuple):
    threats: dict[str, tuple[Entry, ...]]
    alerts: tuple[Entry, ...]


class Mentions:
    """Finds the activities about threats and alerts; a day is read once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._days: OrderedDict[int, _Day] = OrderedDict()
        self._lock = RLock()

    def threats(self, until: int) -> Iterator[tuple[str, tuple[Entry, ...]]]:
        """Yield threat ids with their activities in order of time; all days up to that of `until` (µs)."""
        for day in self._until(until):
            yield from day.threats.items()

    def alerts(self, until: int) -> Iterator[Entry]:
        """Yield the activities that announce an alert; all days up to that of `until` (µs)."""
        for day in self._until(until):
            yield from day.alerts

    def _until(self, until: int) -> Iterator[_Day]:
        for day in range(self._history.origin // DAY, until // DAY + 1):
            yield self._day(day)

    def _day(self, day: int) -> _Day:
        with self._lock:
            found = self._days.get(day)
            if found is None:
                found = self._days[day] = self._read(day)
            return found

    def _read(self, day: int) -> _Day:
        minutes = {
            draft.at // MINUTE
            for draft in self._history.drafts(day)
            if "threatId" in draft.facts.top or draft.kind.type in ALERT_TYPES
        }
        threats: dict[str, tuple[Entry, ...]] = {}
        alerts: list[Entry] = []
        for minute in sorted(minutes):
            for entry in self._history.bucket(minute).entries:
                threat = entry.facts.top.get("threatId")
                if isinstance(threat, str):
                    threats[threat] = (*threats.get(threat, ()), entry)
                elif entry.kind.type in ALERT_TYPES:
                    alerts.append(entry)
        return _Day(threats, tuple(alerts))
