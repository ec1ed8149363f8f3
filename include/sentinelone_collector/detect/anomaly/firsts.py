"""How often a tenant sees what a detector calls unusual: the budget within which findings are incidents.

A user who does something for the first time is remarkable where that hardly ever happens, and daily business where
tasks go round among many people, or where little is known yet. So the same question is asked of the days before: which
pairs of a user and a value appeared in the later half of the baseline, for the first time since it began, and would
have been called unusual. Where they are more a day than the budget, one more is told and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from sentinelone_collector.detect.anomaly.judge import Day, Judge, records
from sentinelone_collector.detect.anomaly.words import number

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Budgeted", "Firsts"]

_DAY_MS = 86_400_000
_HALF = 0.5  # Jeffreys' prior of a Poisson rate: as if half an event had been seen


class Firsts(NamedTuple):
    """How many times a day's user did something unusual for the first time, in so many days before."""

    events: int
    days: int

    @property
    def rate(self) -> float:
        """How many a day are expected: the mean of the rate's posterior, from Jeffreys' prior."""
        return (self.events + _HALF) / self.days if self.days else float("inf")

    @property
    def words(self) -> str:
        """What is said of a finding that is common."""
        firsts = number(self.events, "such first", "such firsts")
        return f"; the tenant had {firsts} in the last {number(self.days, 'day')}"


class Budgeted(Judge):
    """A detector of first values, whose findings are incidents where at most `budget` a day are expected.

    Expected is what the last `compared` days had, or the later half of the baseline where that is shorter. Firsts of
    one user on one day count once, as they make one incident. Without a `budget` all findings are incidents.
    """

    budget: Annotated[float, Field(gt=0)] | None = None
    compared: Annotated[int, Field(ge=1)] = 30

    def firsts(self, day: Day, frame: DataFrame, fact: str, unusual: Callable[[dict[str, Any]], bool]) -> Firsts:
        """Return how many there were among the counters before the day, by `entity`, `role`, `first` and the fact."""
        days = min(self.compared, day.began(self.days) // 2)
        known = day.watched.of(frame[frame[fact].notna()])
        keys = ["entity", fact]
        born = known["first"] // _DAY_MS
        first = born.groupby([known[key] for key in keys]).transform("min")
        recent = known[first >= day.number - days].assign(born=born).sort_values([*keys, "born"])
        recent = recent.drop_duplicates(keys)
        return Firsts(len({(row["entity"], row["born"]) for row in records(recent) if unusual(row)}), days)

    def is_common(self, firsts: Firsts) -> bool:
        """Say whether one more is no incident."""
        return self.budget is not None and firsts.rate > self.budget
