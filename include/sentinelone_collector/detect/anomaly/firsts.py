"""How often a tenant sees what a detector calls unusual: the budget within which findings are incidents.

A user who does something for the first time is remarkable where that hardly ever happens, and daily business where
tasks go round among many people, or where little is known yet. So the same question is asked of the days before: which
pairs of a user and a value appeared in the later half of the baseline, for the first time since it began, and were as
unusual as this one. Where they are more a day than the budget, one more is told and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from sentinelone_collector.detect.anomaly.judge import Day, Judge, records
from sentinelone_collector.detect.anomaly.words import number

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Alike", "Budgeted", "Firsts"]

_DAY_MS = 86_400_000
_HALF = 0.5  # Jeffreys' prior of a Poisson rate: as if half an event had been seen


class Alike(NamedTuple):
    """How many firsts the tenant had that were at least as unusual, in so many days, and whether that is many."""

    events: int
    days: int
    common: bool

    @property
    def words(self) -> str:
        """What is said of a finding that is common, nothing of any other."""
        if not self.common:
            return ""
        firsts = number(self.events, "first", "firsts")
        return f"; the tenant had {firsts} as unusual as that in the last {number(self.days, 'day')}"


class Firsts(NamedTuple):
    """How usual the firsts of so many days were for others: one for each user and day, the least usual of them."""

    scores: tuple[float, ...]
    days: int

    def alike(self, score: float, budget: float) -> Alike:
        """Count those that were at most as usual, and compare the mean of their rate's posterior with the budget."""
        events = sum(one <= score for one in self.scores)
        return Alike(events, self.days, not self.days or (events + _HALF) / self.days > budget)


class Budgeted(Judge):
    """A detector of first values, whose findings are incidents where at most `budget` a day are expected.

    Expected is what the last `compared` days had, or the later half of the baseline where that is shorter. Firsts of
    one user on one day count once, as they make one incident. Without a `budget` all findings are incidents.
    """

    budget: Annotated[float, Field(gt=0)] | None = None
    compared: Annotated[int, Field(ge=1)] = 30

    def alike(
        self, day: Day, frame: DataFrame, fact: str, score: float, scored: Callable[[dict[str, Any]], float | None]
    ) -> Alike:
        """Return the firsts that were as unusual as `score`, none without a budget.

        `frame` are the counters before the day by `entity`, `role`, `first` and the fact; `scored` says how usual the
        value of one of its rows was for others, None where the row would have been no finding.
        """
        if self.budget is None:
            return Alike(0, 0, common=False)
        key = ("firsts", self, day.watched, fact)
        return day.keep(key, lambda: self._firsts(day, frame, fact, scored)).alike(score, self.budget)

    def _firsts(
        self, day: Day, frame: DataFrame, fact: str, scored: Callable[[dict[str, Any]], float | None]
    ) -> Firsts:
        days = min(self.compared, day.began(self.days) // 2)
        known = day.watched.of(frame[frame[fact].notna()])
        keys = ["entity", fact]
        known = known.assign(born=known["first"] // _DAY_MS).sort_values([*keys, "born"]).drop_duplicates(keys)
        least: dict[tuple[Any, int], float] = {}
        for row in records(known[known["born"] >= day.number - days]):
            score = scored(row)
            if score is not None:
                place = (row["entity"], row["born"])
                least[place] = min(score, least.get(place, score))
        return Firsts(tuple(sorted(least.values())), days)
