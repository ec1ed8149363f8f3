"""What a rule would have found in windows that were collected long ago, without writing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.ruleset import Ruleset
from sentinelone_collector.detect.tag import events_between, find_window_hits
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
    rule_id: str, instances: Sequence[Instance], start: datetime, end: datetime, *, lake: Storage, ruleset: Ruleset
) -> list[Backtest]:
    """Evaluate one rule over the collected windows that touch `[start, end)`; write nothing.

    The rule is evaluated even where the instance has it turned off; its allow entries hold. Raise `UsageError` for an
    unknown rule.
    """
    rule = ruleset.get(rule_id)
    results = []
    for instance in instances:
        settings = instance.rules.model_copy(update={"disable": ()})
        for stream in instance.streams:
            windows = events_between(lake, instance.slug, stream, start, end)
            hits: dict[str, Hit] = {}
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
                )
                hits |= {hit.hit_id: hit for of_window in found.values() for hit in of_window}
            ordered = tuple(sorted(hits.values(), key=lambda hit: hit.order))
            results.append(
                Backtest(rule=rule.name, instance=instance.slug, stream=stream, windows=len(windows), hits=ordered)
            )
    return results


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
