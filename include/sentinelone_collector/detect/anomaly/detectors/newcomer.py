"""Somebody who was never seen before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from sentinelone_collector.detect.anomaly.analysis import Analysis
from sentinelone_collector.detect.anomaly.grounds import SHORTEST
from sentinelone_collector.detect.anomaly.judge import Day, Days, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, number

__all__ = ["DETECTOR"]


class Newcomer(Judge):
    """An entity that has no event in `days` days, where counting began long enough ago to say so."""

    name: ClassVar[str] = "newcomer"
    days: Days = 366
    feature: str

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's events of entities that were never seen."""
        rows = day.rows(self.feature)
        if rows.empty:
            return
        known = set(day.before_of(self.feature, self.days, list(rows["entity"]))["entity"])
        strangers = rows[~rows["entity"].isin(known)]
        since = day.began(self.days) if len(strangers) else 0
        for row in records(strangers) if since else ():
            found = Analysis(
                detector=self.name,
                parameter="events before",
                pattern="unseen",
                observed="first event",
                basis="user",
                days=since,
                events=0,
                score=0.0,
                measure="events",
                words=f"{{who}} {did(self.feature)} for the first time in {number(since, 'day')}",
                cold=since < SHORTEST,
            )
            yield Finding(row["window"], self.feature, row["entity"], row["value"], found)


DETECTOR = Newcomer
