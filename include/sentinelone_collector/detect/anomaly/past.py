"""What an instance's past says about its windows: counting a window, judging it, and judging later ones again.

A window's counters have a part in the baselines of all days after it, up to a year, and in what is said of later
windows of its own day. Where they change, all these days are judged again from counters alone, and only windows of
which something else is said now are evaluated again. Collecting in order there is nothing later, and one query says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.anomaly.counters import (
    Counter,
    Counters,
    FrameCounters,
    Seen,
    count_events,
    counts_stream,
    day_number,
)
from sentinelone_collector.detect.anomaly.judging import Judging, judge_day, verdicts_from_text, verdicts_text
from sentinelone_collector.lake import Storage, object_key
from sentinelone_collector.windows import Window

__all__ = ["BaselineStore", "Past"]

_NOTHING = verdicts_text([])


class BaselineStore(Protocol):
    """Keeps the counters of windows and the verdicts on them."""

    def replace_counters(
        self, instance: str, stream: str, window: Window, *, digest: str, counters: Sequence[Counter]
    ) -> bool:
        """Make these the counters of the window; say whether others that they concern are to be judged again."""

    def settle_counters(self, instance: str, stream: str, window: Window) -> None:
        """Note that all windows which the window's counters concern were judged again."""

    def counters(self, instance: str, stream: str) -> Counters:
        """Return the counters of a stream, merged by the store."""

    def counted_after(self, instance: str, stream: str, window: Window, last: int) -> bool:
        """Say whether a window after this one, up to the day `last`, has counters."""

    def counters_between(self, instance: str, stream: str, first: int, last: int) -> list[Seen]:
        """Return all counters of a span of days, as they were written."""

    def verdicts_between(self, instance: str, stream: str, first: int, last: int) -> dict[str, str]:
        """Return the verdicts on the windows of a span of days of which anything is said, by the windows' names."""

    def set_verdicts(self, instance: str, stream: str, verdicts: Mapping[str, str]) -> None:
        """Write the verdicts on windows that are counted."""


class Past:
    """The past of one stream of an instance, for the time of one tagging; nothing is written before `keep`."""

    def __init__(
        self, instance: str, stream: str, *, lake: Storage, store: BaselineStore, rules: Sequence[Judging]
    ) -> None:
        self._place = (instance, stream)
        self._lake = lake
        self._store = store
        self._rules = rules
        self._days = max((rule.detector.days for rule in rules), default=0)
        self._new: dict[str, str] = {}

    def take(self, window: Window) -> list[Window]:
        """Count the window and judge it; return the other windows of which something else is to be said now."""
        if not counts_stream(self._place[1]):
            return []
        counters = self._count(window)
        digest = hashlib.sha256(msgspec.json.encode(counters)).hexdigest()
        moved = self._store.replace_counters(*self._place, window, digest=digest, counters=counters)
        features = {counter.feature for counter in counters}
        self._new[window.name] = verdicts_text(self._judge(window, features))
        return self._judge_later(window) if moved else []

    def _count(self, window: Window) -> list[Counter]:
        with self._lake.local(object_key("events", *self._place, window)) as path:
            return count_events(path) if path is not None else []

    def _judge(self, window: Window, features: set[str]) -> Sequence[Verdict]:
        rules = [rule for rule in self._rules if features.intersection(rule.detector.features)] if features else []
        if not rules:
            return []
        counters = self._store.counters(*self._place)
        return judge_day(day_number(window.start), counters, rules, [window.name]).get(window.name, [])

    def _judge_later(self, window: Window) -> list[Window]:
        day = day_number(window.start)
        until = day + self._days
        if not self._rules or not self._store.counted_after(*self._place, window, until):
            return []
        rows = self._store.counters_between(*self._place, day - self._days, until)
        counters = FrameCounters(rows)
        said: dict[str, str] = {}
        for later in sorted({row.day for row in rows if row.day >= day}):
            said |= {name: verdicts_text(found) for name, found in judge_day(later, counters, self._rules).items()}
        known = self._store.verdicts_between(*self._place, day, until)
        changed = [name for name in known.keys() | said.keys() if known.get(name) != said.get(name)]
        self._new |= {name: said.get(name, _NOTHING) for name in changed if name != window.name}
        return sorted(Window.from_name(name) for name in changed if name != window.name)

    def verdicts(self, windows: Iterable[Window]) -> dict[Window, list[Verdict]]:
        """Return what is said of windows now, of those of which anything is."""
        wanted = list(windows)
        if not wanted or not self._rules or not counts_stream(self._place[1]):
            return {}
        days = [day_number(window.start) for window in wanted]
        said = self._store.verdicts_between(*self._place, min(days), max(days)) | self._new
        found = {window: verdicts_from_text(said.get(window.name, _NOTHING)) for window in wanted}
        return {window: verdicts for window, verdicts in found.items() if verdicts}

    def judged(self, windows: Iterable[Window]) -> dict[Window, list[Verdict]]:
        """Return what the rules at hand say of windows by the counters in the store, whatever was said before."""
        if not counts_stream(self._place[1]) or not self._rules:
            return {}
        counters = self._store.counters(*self._place)
        found: dict[Window, list[Verdict]] = {}
        for day, of_day in _by_day(windows).items():
            said = judge_day(day, counters, self._rules, [window.name for window in of_day])
            found |= {window: said[window.name] for window in of_day if window.name in said}
        return found

    def keep(self, window: Window) -> None:
        """Write what was said of all windows, once their hits are written; what the counters concern is up to date."""
        if window.name in self._new:
            self._store.set_verdicts(*self._place, self._new)
            self._store.settle_counters(*self._place, window)


def _by_day(windows: Iterable[Window]) -> dict[int, list[Window]]:
    found: dict[int, list[Window]] = {}
    for window in windows:
        found.setdefault(day_number(window.start), []).append(window)
    return found
