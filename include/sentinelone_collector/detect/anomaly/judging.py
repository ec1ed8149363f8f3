"""Windows to verdicts: all anomaly rules over the counters of the days they stand in.

The same code judges one fresh window from the store, and all later days at once from memory: only where the counters
are read differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.anomaly.counters import Counters
from sentinelone_collector.detect.anomaly.judge import Day, Judge, Watched

__all__ = ["Judging", "judge_day", "verdicts_from_text", "verdicts_text"]

_LIST = list[Verdict]


class Judging(NamedTuple):
    """A rule by its name, with its detector and the codes of the events that it can match."""

    rule: str
    detector: Judge
    watched: Watched = Watched()


def judge_day(
    number: int,
    counters: Counters,
    rules: Sequence[Judging],
    windows: Collection[str] | None = None,
    features: Collection[str] | None = None,
) -> dict[str, list[Verdict]]:
    """Return the verdicts on windows of one day (None: on all), by their names, in an order of their own.

    `features` are those that the windows hold, where that is known: detectors of others are not asked.
    """
    day = Day(number, counters, windows)
    found: dict[str, list[Verdict]] = {}
    for rule, detector, watched in rules:
        if features is not None and not set(features).intersection(detector.features):
            continue
        for one in detector.judge(day.watching(watched)):
            verdict = Verdict(
                rule=rule,
                feature=one.feature,
                entity=one.entity,
                value=one.value,
                analysis=one.analysis,
                at=one.at,
                level=one.level,
            )
            found.setdefault(one.window, []).append(verdict)
    return {window: sorted(verdicts, key=_order) for window, verdicts in found.items()}


def _order(verdict: Verdict) -> tuple[str, str, str, str, int]:
    return (verdict.rule, verdict.feature, verdict.entity or "", verdict.value or "", verdict.at)


def verdicts_text(verdicts: Iterable[Verdict]) -> str:
    """Return verdicts as the JSON that the store keeps; equal verdicts give equal texts."""
    return msgspec.json.encode(list(verdicts)).decode()


def verdicts_from_text(text: str) -> list[Verdict]:
    """Return the verdicts of a text."""
    return msgspec.json.decode(text, type=_LIST)
