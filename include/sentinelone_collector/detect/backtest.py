"""What a rule would have found in windows that were collected long ago, without writing anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.anomaly.past import BaselineStore, Past
from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.ruleset import Ruleset
from sentinelone_collector.detect.tag import events_between, find_window_hits
from sentinelone_collector.errors import UsageError
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import Storage, read_receipt
from sentinelone_collector.windows import Window

__all__ = ["Backtest", "backtest"]


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """The hits of one rule in one stream of one instance, and over how many windows."""

    rule: str
    instance: str
    stream: str
    windows: int
    hits: tuple[Hit, ...]

    @property
    def incidents(self) -> int:
        """How many incidents the hits make."""
        return len({hit.incident_id for hit in self.hits} - {None})


def backtest(
    rule_id: str,
    instances: Sequence[Instance],
    start: datetime,
    end: datetime,
    *,
    lake: Storage,
    ruleset: Ruleset,
    store: BaselineStore | None = None,
) -> list[Backtest]:
    """Evaluate one rule over the collected windows that touch `[start, end)`; write nothing.

    The rule is evaluated even where the instance has it turned off; its allow entries hold. Anomaly rules, and
    correlations of them, read the counters of tagged windows in the store. Raise `UsageError` for an unknown rule, and
    for one of these where no store is given.
    """
    rule = ruleset.get(rule_id)
    if store is None and ruleset.reads_anomalies(rule):
        raise UsageError(f"{rule.name} reads baselines: a backtest of it needs the store")
    results = []
    for instance in instances:
        settings = instance.rules.model_copy(update={"disable": ()})
        for stream in instance.streams:
            windows = events_between(lake, instance.slug, stream, start, end)
            hits: dict[str, Hit] = {}
            past = (
                None if store is None else Past(instance.slug, stream, lake=lake, store=store, rules=ruleset.judgings)
            )
            for day in _days(windows):
                found, _ = find_window_hits(
                    day,
                    instance=instance.slug,
                    stream=stream,
                    console=_console(lake, instance.slug, stream, day),
                    lake=lake,
                    ruleset=ruleset,
                    settings=settings,
                    only=rule.name,
                    verdicts=_nothing if past is None else past.judged,
                )
                hits |= {hit.hit_id: hit for of_window in found.values() for hit in of_window}
            ordered = tuple(sorted(hits.values(), key=lambda hit: hit.order))
            results.append(
                Backtest(rule=rule.name, instance=instance.slug, stream=stream, windows=len(windows), hits=ordered)
            )
    return results


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
