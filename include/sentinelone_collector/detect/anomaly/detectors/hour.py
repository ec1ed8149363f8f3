"""An event at a time of day at which the user is hardly ever active."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.grounds import grounds
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, hour, number

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR", "people"]

_SLOTS = 96
_TOKEN = ("API", "api")
_NEAR = 8  # quarters of an hour


class Hour(Judge):
    """An event in the least likely `tail` of the density of the user's own hours, of at least `fewest` events.

    The density is a von Mises kernel over the time of day, on working days and weekends apart, with the tenant's hours
    as its prior; it is of the feature `habit`, by default the one that is judged. Who works with a token is left out.
    """

    name: ClassVar[str] = "hour"
    feature: str
    habit: str | None = None
    tail: Annotated[float, Field(gt=0, lt=1)]
    fewest: Annotated[int, Field(ge=1)]

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's events at unlikely hours."""
        rows = people(day.rows(self.feature))
        if rows.empty:
            return
        habit = self.habit or self.feature
        before = day.keep(("people", habit, self.days), lambda: people(day.before(habit, self.days)))
        counts = before.groupby("entity")["n"].sum()
        rows = rows[rows["entity"].map(counts).fillna(0) >= self.fewest]
        if rows.empty:
            return
        for row, tail in zip(records(rows), _tails(rows, before), strict=True):
            if tail < self.tail:
                own = before[before["entity"] == row["entity"]]
                yield Finding(
                    row["window"], self.feature, row["entity"], row["value"], self._analysis(day, row, own, tail)
                )

    def _analysis(self, day: Day, row: dict[str, Any], own: DataFrame, tail: float) -> Analysis:
        from numpy import bincount

        based = grounds(day.number, own, own, own)
        kind = own[own["weekend"] == row["weekend"]]
        by_hour = bincount(kind["slot"].to_numpy(dtype=int) // 4, weights=kind["n"], minlength=24)
        away = (kind["slot"] - row["slot"]).abs()
        near = int(kind.loc[away.clip(upper=_SLOTS).where(away <= _SLOTS / 2, _SLOTS - away) <= _NEAR, "n"].sum())
        what = "weekend" if row["weekend"] else "working day"
        return Analysis(
            detector=self.name,
            parameter="hour",
            pattern="off_hours",
            observed=f"{hour(row['slot'])} UTC on a {what}",
            basis="user",
            days=min(based.days, self.days),
            events=based.events,
            score=float(tail),
            measure="probability",
            words=(
                f"{{who}} {did(self.feature)} at about {hour(row['slot'])} UTC on a {what}; of "
                f"{number(based.events, 'time')} in the last {number(self.days, 'day')} {near or 'none'} "
                f"{'was' if near == 1 else 'were'} within two hours of that"
            ),
            baseline=tuple(Expected(f"{at:02d}:00", float(count)) for at, count in enumerate(by_hour)),
            series=True,
            cold=based.cold,
        )


def people(frame: DataFrame) -> DataFrame:
    """Return the rows of people: those of tokens and service users are as regular as a machine."""
    kept = frame
    for fact in ("source", "method"):
        if fact in kept:
            kept = kept[~kept[fact].isin(_TOKEN)]
    return kept[kept["role"].fillna("") != "Service"] if "role" in kept else kept


def _tails(rows: DataFrame, before: DataFrame) -> list[float]:
    from numpy import intp

    from sentinelone_collector.detect.anomaly.login_scoring import hour_counts
    from sentinelone_collector.detect.anomaly.statistics import cell_of, tail_table, week_density

    entities = sorted(set(rows["entity"]))
    everybody = hour_counts(before.assign(entity=""), [""])[0]
    table = tail_table(week_density(hour_counts(before, entities), everybody))
    place = {entity: number for number, entity in enumerate(entities)}
    at = rows["entity"].map(place).to_numpy(dtype=intp)
    cell = cell_of((rows["slot"].to_numpy() + 0.5) * 24 / _SLOTS)
    return [float(tail) for tail in table[at, rows["weekend"].to_numpy(dtype=intp), cell]]


DETECTOR = Hour
