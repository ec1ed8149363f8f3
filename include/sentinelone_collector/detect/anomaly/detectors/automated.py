"""An event of an account that, by all that is known, a program uses: an interactive login of a service user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.grounds import SHORTEST
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, named, number

if TYPE_CHECKING:
    from pandas import DataFrame, Series  # for the type checker

__all__ = ["DETECTOR"]

_DAY_MS = 86_400_000


class Automated(Judge):
    """An event of an entity of whose events of the feature `acts`, `fewest` at least, each had the value `usual`.

    Neither may an earlier event of the judged feature have had another value: who comes both ways is a person with a
    token. An event without the fact is one of another value.
    """

    name: ClassVar[str] = "automated"
    feature: str
    acts: str
    value: str = "source"
    usual: str
    fewest: Annotated[int, Field(ge=1)]

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's events that a program would not cause."""
        rows = day.rows(self.feature)
        rows = rows[self._other(rows)]
        if rows.empty:
            return
        entities = list(rows["entity"])
        acts, before = (day.before_of(feature, self.days, entities) for feature in (self.acts, self.feature))
        people = {*acts.loc[self._other(acts), "entity"], *before.loc[self._other(before), "entity"]}
        for row in records(rows[~rows["entity"].isin(people)]):
            own = acts[acts["entity"] == row["entity"]]
            if own["n"].sum() >= self.fewest:
                yield Finding(row["window"], self.feature, row["entity"], row["value"], self._analysis(day, row, own))

    def _other(self, frame: DataFrame) -> Series[bool]:
        return frame[self.value].fillna("").astype(str).str.lower() != self.usual.lower()

    def _analysis(self, day: Day, row: dict[str, Any], own: DataFrame) -> Analysis:
        events, first = int(own["n"].sum()), int(own["first"].min())
        observed = str(row[self.value] or "unknown")
        return Analysis(
            detector=self.name,
            parameter=self.value,
            pattern="unseen",
            observed=observed,
            basis="user",
            days=min(day.number - first // _DAY_MS, self.days),
            events=events,
            score=float(events),
            measure="events of a program",
            words=(
                f"{{who}} {did(self.feature)} {named(self.value, observed)}; all {number(events, 'event')} of the "
                f"account in the last {number(self.days, 'day')} were {named(self.value, self.usual)}, as of a program"
            ),
            baseline=(Expected(self.usual, events),),
            cold=day.number - first // _DAY_MS < SHORTEST,
        )


DETECTOR = Automated
