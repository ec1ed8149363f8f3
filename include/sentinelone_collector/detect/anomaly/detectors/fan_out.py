"""More different values on a day, such as hosts reached into, than the user's days lead one to expect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.counters import day_text
from sentinelone_collector.detect.anomaly.detectors.volume import Expectation, expectations
from sentinelone_collector.detect.anomaly.grounds import SHORTEST
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge
from sentinelone_collector.detect.anomaly.words import did, number

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR"]


class FanOut(Judge):
    """A day's number of different values of a fact, from `least` on, whose upper Gamma-Poisson tail is below `tail`.

    Days are compared as by the detector `volume`. The hit stands at the last event of the window after which the
    day's values are too many.
    """

    name: ClassVar[str] = "fan_out"
    feature: str
    value: str
    tail: Annotated[float, Field(gt=0, lt=1)]
    least: Annotated[int, Field(ge=2)]

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield, of each entity with too many values, the window by which they are too many."""
        today = self._known(day.all_rows(self.feature))
        wanted = set(day.rows(self.feature)["window"])
        totals = today.groupby("entity")[self.value].nunique()
        many = list(totals[totals >= self.least].index)
        began = day.began(self.days) if many and wanted else 0
        if not began:
            return
        series = self._known(day.series(self.feature, self.days)).drop_duplicates(["entity", "day", self.value])
        expected = expectations(day.number, series.assign(n=1), began, many)
        for entity in many:
            found = self._reached(today[today["entity"] == entity], expected.get(str(entity)))
            if found is not None and found[0] in wanted:
                window, events, values, tail = found
                said = self._analysis(expected[str(entity)], values, tail, began)
                yield Finding(window, self.feature, str(entity), None, said, events)

    def _known(self, frame: DataFrame) -> DataFrame:
        return frame[frame[self.value].notna() & (frame["entity"] != "")]

    def _reached(self, rows: DataFrame, expected: Expectation | None) -> tuple[str, int, int, float] | None:
        """Return the window, its number of events, and the day's values and tail probability by its end."""
        from sentinelone_collector.detect.anomaly.statistics import gamma_poisson_tail

        if expected is None:
            return None
        seen: set[str] = set()
        for window, part in sorted((str(name), part) for name, part in rows.groupby("window")):
            seen |= set(part[self.value])
            tail = float(gamma_poisson_tail(len(seen), expected.mean, expected.dispersion))
            if len(seen) >= self.least and tail < self.tail:
                return window, int(part["n"].sum()), len(seen), tail
        return None

    def _analysis(self, expected: Expectation, values: int, tail: float, began: int) -> Analysis:
        most = max((n for _, n in expected.series), default=0)
        return Analysis(
            detector=self.name,
            parameter=f"{self.value}s a day",
            pattern="surge",
            observed=str(values),
            basis="user",
            days=began,
            events=int(expected.total),
            score=tail,
            measure="probability",
            words=(
                f"{{who}} {did(self.feature)}: {number(values, f'different {self.value}')} on one day, where "
                f"{expected.mean:.1f} are expected and the most on {number(expected.days, 'day')} of this kind in the "
                f"last {number(self.days, 'day')} were {most:.0f}"
            ),
            baseline=tuple(Expected(day_text(day), n) for day, n in expected.series),
            series=True,
            cold=began < SHORTEST,
        )


DETECTOR = FanOut
