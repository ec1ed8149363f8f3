"""More events on a day than the user's, or the tenant's, days lead one to expect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.counters import day_text
from sentinelone_collector.detect.anomaly.grounds import SHORTEST
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge
from sentinelone_collector.detect.anomaly.words import did, number

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ["DETECTOR", "Expectation", "expectations"]

_EVERYBODY = ""


class Expectation(NamedTuple):
    """What a day of one entity is expected to bring: the days before of the same kind, and mean and dispersion."""

    days: int
    total: float
    mean: float
    dispersion: float
    series: tuple[tuple[int, float], ...]


class Volume(Judge):
    """A count of a day, from `least` on, whose upper Gamma-Poisson tail is below `tail`.

    Counted are the events of each entity or of the whole tenant (`of`), of all activity types or of some `codes`. Days
    of the same kind (working days, weekends) are compared, dispersion is drawn to what all entities have in common. The
    hit stands at the event with which the count is reached, whichever window that is in.
    """

    name: ClassVar[str] = "volume"
    feature: str
    of: Literal["entity", "tenant"] = "entity"
    tail: Annotated[float, Field(gt=0, lt=1)]
    least: Annotated[int, Field(ge=2)]
    codes: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield, of each entity with too many events, the window in which they become too many."""
        today = self._counted(day.all_rows(self.feature))
        totals = today.groupby("entity")["n"].sum()
        many = totals[totals >= self.least]
        wanted = set(day.rows(self.feature)["window"])
        if many.empty or not wanted:
            return
        series = self._counted(day.series(self.feature, self.days))
        began = day.began(self.days)
        expected = expectations(day.number, series, began, list(many.index)) if began else {}
        for entity, total in many.items():
            reached = self._reached(expected[str(entity)], int(total)) if entity in expected else None
            if reached is not None:
                count, tail = reached
                place = _place(today[today["entity"] == entity], count)
                if place[0] in wanted:
                    found = self._analysis(expected[str(entity)], str(entity), count, tail, began)
                    who = None if entity == _EVERYBODY else str(entity)
                    yield Finding(place[0], self.feature, who, None, found, place[1])

    def _counted(self, frame: DataFrame) -> DataFrame:
        if self.codes:
            frame = frame[frame["code"].isin(self.codes)]
        return frame.assign(entity=_EVERYBODY) if self.of == "tenant" else frame[frame["entity"] != _EVERYBODY]

    def _reached(self, expected: Expectation, total: int) -> tuple[int, float] | None:
        """Return the least count of the day that is too many, with its tail probability."""
        from numpy import arange

        from sentinelone_collector.detect.anomaly.statistics import gamma_poisson_tail

        counts = arange(self.least, total + 1)
        tails = gamma_poisson_tail(counts, expected.mean, expected.dispersion)
        below = (tails < self.tail).nonzero()[0]
        return (int(counts[below[0]]), float(tails[below[0]])) if len(below) else None

    def _analysis(self, expected: Expectation, entity: str, count: int, tail: float, began: int) -> Analysis:
        whose = "all users together" if entity == _EVERYBODY else "{who}"
        most = max((n for _, n in expected.series), default=0)
        return Analysis(
            detector=self.name,
            parameter="events a day",
            pattern="surge",
            observed=str(count),
            basis="tenant" if entity == _EVERYBODY else "user",
            days=began,
            events=int(expected.total),
            score=tail,
            measure="probability",
            words=(
                f"{whose} {did(self.feature)} {count} times on one day; {expected.mean:.1f} are expected, and the most "
                f"on {number(expected.days, 'day')} of this kind in the last {number(self.days, 'day')} were {most:.0f}"
            ),
            baseline=tuple(Expected(day_text(day), n) for day, n in expected.series),
            series=True,
            cold=began < SHORTEST,
        )


def expectations(day: int, series: DataFrame, began: int, entities: list[Any]) -> dict[str, Expectation]:
    """Return what is expected of entities on a day, by the counts of the days before since counting began."""
    from sentinelone_collector.detect.anomaly.statistics import count_model, pooled_dispersion

    alike = [number for number in range(day - began, day) if _weekend(number) == _weekend(day)]
    if not alike:
        return {}
    table = _table(series, alike, entities)
    total, squares = table.sum(axis=1), (table**2).sum(axis=1)
    days = total * 0 + len(alike)
    pool = pooled_dispersion(days, total, squares)
    mean = float(total.mean() / len(alike)) if len(total) else 0.0
    model = count_model(days, total, squares, pool_mean=mean, pool_dispersion=pool)
    return {
        str(entity): Expectation(
            len(alike),
            float(total.iloc[place]),
            float(model.mean[place]),
            float(model.dispersion[place]),
            tuple((number, float(n)) for number, n in zip(alike, table.iloc[place], strict=True)),
        )
        for place, entity in enumerate(table.index)
        if entity in set(entities)
    }


def _table(series: DataFrame, alike: list[int], entities: list[Any]) -> DataFrame:
    counts: Series[Any] = series.groupby(["entity", "day"])["n"].sum()
    table = counts.unstack(fill_value=0)  # noqa: PD010  # of a series
    everybody = sorted({*table.index, *entities})
    return table.reindex(index=everybody, columns=alike, fill_value=0).fillna(0).astype(float)


def _weekend(day: int) -> bool:
    return (day + 3) % 7 >= 5  # noqa: PLR2004  # Saturday; the epoch began on a Thursday


def _place(rows: DataFrame, count: int) -> tuple[str, int]:
    """Return the window in which the day's count is reached, and with which of its events."""
    by_window = rows.groupby("window")["n"].sum().sort_index()
    before = 0
    for window, n in by_window.items():
        if before + int(n) >= count:
            return str(window), count - before
        before += int(n)
    raise ValueError(f"{count} of {before} events are reached in no window")


DETECTOR = Volume
