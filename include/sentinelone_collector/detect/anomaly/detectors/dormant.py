"""An account that is used again after a long time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.counters import day_text
from sentinelone_collector.detect.anomaly.judge import Day, Days, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, number

__all__ = ["DETECTOR"]

_DAY_MS = 86_400_000


class Dormant(Judge):
    """An entity whose last event before is at least `gap` days ago, and less than `most` where that is given."""

    name: ClassVar[str] = "dormant"
    days: Days = 366
    feature: str
    gap: Annotated[int, Field(ge=1)]
    most: Annotated[int, Field(ge=1)] | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's events of entities that were silent for so long."""
        rows = day.rows(self.feature)
        if rows.empty:
            return
        before = day.before_of(self.feature, self.days, list(rows["entity"]))
        last, events = before.groupby("entity")["last"].max(), before.groupby("entity")["n"].sum()
        for row in records(rows[rows["entity"].isin(list(last.index))]):
            silent = (row["first"] - int(last[row["entity"]])) / _DAY_MS
            if silent < self.gap or (self.most is not None and silent >= self.most):
                continue
            since = day_text(int(last[row["entity"]]) // _DAY_MS)
            found = Analysis(
                detector=self.name,
                parameter="days of silence",
                pattern="dormant",
                observed=number(int(silent), "day"),
                basis="user",
                days=self.days,
                events=int(events[row["entity"]]),
                score=float(int(silent)),
                measure="days",
                words=f"{{who}} {did(self.feature)} for the first time since {since}, {number(int(silent), 'day')} ago",
                baseline=(Expected(since, float(events[row["entity"]])),),
            )
            yield Finding(row["window"], self.feature, row["entity"], row["value"], found)


DETECTOR = Dormant
