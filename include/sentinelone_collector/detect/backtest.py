"""What a rule would have found in windows that were collected long ago, without writing anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.anomaly.past import Past
from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.ports import HitStore
from sentinelone_collector.detect.rating import sums
from sentinelone_collector.detect.ruleset import Rule, Ruleset
from sentinelone_collector.detect.tag import events_between, find_window_hits
from sentinelone_collector.errors import UsageError
from sentinelone_collector.instances import Instance, RuleSettings
from sentinelone_collector.lake import Storage, read_receipt
from sentinelone_collector.windows import Window

__all__ = ["MOST_HITS", "Backtest", "backtest"]

MOST_HITS = 10_000


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule finds in one stream of one instance, and over how many windows.

    `count` hits make `incidents`; `hits` are the first `MOST_HITS` of them, in order of time.
    """

    rule: str
    instance: str
    stream: str
    windows: int
    count: int
    incidents: int
    hits: tuple[Hit, ...]


def backtest(
    rule_id: str,
    instances: Sequence[Instance],
    start: datetime,
    end: datetime,
    *,
    lake: Storage,
    ruleset: Ruleset,
    store: HitStore | None = None,
) -> list[Backtest]:
    """Evaluate one rule over the collected windows that touch `[start, end)`; write nothing.

    A day is evaluated at a time, so that memory does not grow with the range. The rule is evaluated even where the
    instance has it turned off; its allow entries hold. Anomaly rules, and correlations of them, read the counters of
    tagged windows in the store, and rules over hits read their hits. Raise `UsageError` for an unknown rule, and for
    one of these where no store is given.
    """
    rule = ruleset.get(rule_id)
    if store is None and (rule.risk is not None or ruleset.reads_anomalies(rule)):
        raise UsageError(f"{rule.name} reads baselines or hits: a backtest of it needs the store")
    results = []
    for instance in instances:
        for stream in instance.streams:
            windows = events_between(lake, instance.slug, stream, start, end)
            looking = _Looking(rule, instance, stream, lake, ruleset, store)
            found = _Found()
            for hits in [looking.sums(windows)] if rule.risk is not None else map(looking.of_day, _days(windows)):
                found.add(hits)
            results.append(
                Backtest(
                    rule=rule.name,
                    instance=instance.slug,
                    stream=stream,
                    windows=len(windows),
                    count=found.count,
                    incidents=len(found.incidents),
                    hits=tuple(found.first),
                )
            )
    return results


@dataclass(frozen=True)
class _Looking:
    """One rule over one stream of an instance."""

    rule: Rule
    instance: Instance
    stream: str
    lake: Storage
    ruleset: Ruleset
    store: HitStore | None

    @property
    def _place(self) -> tuple[str, str]:
        return (self.instance.slug, self.stream)

    @property
    def _settings(self) -> RuleSettings:
        return self.instance.rules.model_copy(update={"disable": ()})

    def of_day(self, day: Sequence[Window]) -> list[Hit]:
        """Return what the rule finds in the events of some windows."""
        past = (
            None
            if self.store is None
            else Past(*self._place, lake=self.lake, store=self.store, rules=self.ruleset.judgings)
        )
        of_windows, _ = find_window_hits(
            day,
            instance=self.instance.slug,
            stream=self.stream,
            console=_console(self.lake, *self._place, day),
            lake=self.lake,
            ruleset=self.ruleset,
            settings=self._settings,
            only=self.rule.name,
            verdicts=_nothing if past is None else past.judged,
        )
        return [hit for hits in of_windows.values() for hit in hits]

    def sums(self, windows: Sequence[Window]) -> list[Hit]:
        """Return what a rule over hits says of windows by the hits that the store has of them and before."""
        if self.store is None or self.rule.risk is None or not windows:
            return []
        first, last = windows[0].start - self.rule.risk.reach, windows[-1].end
        hits = self.store.person_hits_between(*self._place, *(int(at.timestamp() * 1000) for at in (first, last)))
        found = sums(
            self.ruleset,
            hits,
            console=_console(self.lake, *self._place, windows),
            settings=self._settings,
            only=self.rule.name,
        )
        names = {window.name for window in windows}
        return [one.hit for one in found if one.windows & names]


@dataclass
class _Found:
    """What was found so far, given day by day."""

    count: int = 0
    incidents: set[str] = field(default_factory=set)
    first: list[Hit] = field(default_factory=list)

    def add(self, hits: Iterable[Hit]) -> None:
        """Take the hits of a day; one that stands in several of its windows counts once."""
        of_day = sorted({hit.hit_id: hit for hit in hits}.values(), key=lambda hit: hit.order)
        self.count += len(of_day)
        self.incidents.update(hit.incident_id for hit in of_day if hit.incident_id is not None)
        self.first += of_day[: MOST_HITS - len(self.first)]


def _nothing(_windows: Iterable[Window]) -> Mapping[Window, Sequence[Verdict]]:
    return {}


def _days(windows: Sequence[Window]) -> Iterator[list[Window]]:
    days: dict[str, list[Window]] = {}
    for window in windows:
        days.setdefault(window.day, []).append(window)
    yield from days.values()


def _console(lake: Storage, instance: str, stream: str, windows: Sequence[Window]) -> str:
    for window in windows:
        receipt = read_receipt(lake, instance, stream, window)
        if receipt is not None:
            return receipt.console
    return instance
