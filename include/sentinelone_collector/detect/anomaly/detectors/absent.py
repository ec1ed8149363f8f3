"""Somebody who acts without having logged in for longer than any session lasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis
from sentinelone_collector.detect.anomaly.detectors.hour import people
from sentinelone_collector.detect.anomaly.judge import Day, Days, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, number

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR"]

_DAY_MS = 86_400_000


class Absent(Judge):
    """An event of a person whose last event of the feature `without` lies more than `silence` days back.

    People are those who have logged in at some time in `days` days: who never did is a service, or older than what was
    collected. Tokens are left out. Windows of the same day that come later don't excuse an event.
    """

    name: ClassVar[str] = "absent"
    days: Days = 180
    feature: str
    without: str
    silence: Annotated[int, Field(ge=1)]

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged; what is missing is in no window."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's events of people who should have logged in before."""
        rows = people(day.rows(self.feature))
        if rows.empty or day.began(self.days) <= self.silence:
            return
        today = day.all_rows(self.without)
        before = day.before_of(self.without, self.days, list(rows["entity"]))
        last = before.groupby("entity")["last"].max() // _DAY_MS
        for row in records(rows):
            gap = day.number - int(last[row["entity"]]) if row["entity"] in last.index else None
            if gap is not None and gap > self.silence and not _came(today, row):
                own = before[before["entity"] == row["entity"]]
                yield Finding(row["window"], self.feature, row["entity"], row["value"], self._analysis(day, gap, own))

    def _analysis(self, day: Day, gap: int, own: DataFrame) -> Analysis:
        since = day.began(self.days)
        events = int(own["n"].sum())
        return Analysis(
            detector=self.name,
            parameter=f"days since the last {self.without}",
            pattern="unseen",
            observed=number(gap, "day"),
            basis="user",
            days=since,
            events=events,
            score=float(gap),
            measure="days",
            words=(
                f"{{who}} {did(self.feature)}, and {did(self.without)} {number(gap, 'day')} before for the last time; "
                f"{number(events, 'time')} in {number(since, 'day')} that are known"
            ),
        )


def _came(today: DataFrame, row: dict[str, Any]) -> bool:
    return bool(((today["entity"] == row["entity"]) & (today["window"] <= row["window"])).any())


DETECTOR = Absent
