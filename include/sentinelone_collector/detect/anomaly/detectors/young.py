"""Something done by an account that has hardly come into being."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis
from sentinelone_collector.detect.anomaly.grounds import SHORTEST
from sentinelone_collector.detect.anomaly.judge import Day, Days, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, number

__all__ = ["DETECTOR"]

_DAY_MS = 86_400_000


class Young(Judge):
    """An event of an entity that was seen for the first time less than `age` days ago, in any of the features `seen`.

    Days count from the first event, since the one that created the account names it otherwise, or lies before all
    that was collected. Nothing is said until counting has gone on for `age` days longer than baselines need.
    """

    name: ClassVar[str] = "young"
    days: Days = 180
    feature: str
    seen: Annotated[tuple[str, ...], Field(min_length=1)]
    age: Annotated[int, Field(ge=1)]

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's events of young accounts."""
        rows = day.rows(self.feature)
        if rows.empty:
            return
        since = day.began(self.days)
        born = self._born(day, sorted(set(rows["entity"])))
        for row in records(rows) if since > self.age else ():
            age = day.number - born.get(row["entity"], day.number)
            if age < self.age:
                yield Finding(row["window"], self.feature, row["entity"], row["value"], self._analysis(age, since))

    def _born(self, day: Day, entities: list[str]) -> dict[Any, int]:
        """Return the day of each entity's first event, of those that have one before this day."""
        born: dict[Any, int] = {}
        for feature in self.seen:
            first = day.before_of(feature, self.days, entities).groupby("entity")["first"].min() // _DAY_MS
            for entity, number_ in first.items():
                born[entity] = min(born.get(entity, int(number_)), int(number_))
        return born

    def _analysis(self, age: int, since: int) -> Analysis:
        when = f"{number(age, 'day')} before" if age else "on the same day"
        return Analysis(
            detector=self.name,
            parameter="age of the account",
            pattern="unseen",
            observed=number(age, "day"),
            basis="user",
            days=since,
            events=0,
            score=float(age),
            measure="days",
            words=(
                f"{{who}} {did(self.feature)}, and was seen for the first time {when}, in {number(since, 'day')} that "
                "are known"
            ),
            cold=since < self.age + SHORTEST,
        )


DETECTOR = Young
