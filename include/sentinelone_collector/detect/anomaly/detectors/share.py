"""Somebody whose events of a day are much oftener of one kind than those of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.grounds import grounds
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge
from sentinelone_collector.detect.anomaly.words import did, named, number, percent

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR"]


class Share(Judge):
    """A day's share of the value `like` among at least `fewest` events, whose upper beta-binomial tail is below `tail`.

    What shares people have is learned from everybody's days before. The hit stands at the last event of the window
    after which the day's count is too many.
    """

    name: ClassVar[str] = "share"
    feature: str
    value: str
    like: str
    tail: Annotated[float, Field(gt=0, lt=1)]
    fewest: Annotated[int, Field(ge=1)]

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield, of each entity, the first window of the day by which its share is too great."""
        today = _known(day.all_rows(self.feature), self.value)
        wanted = set(day.rows(self.feature)["window"])
        totals = today.groupby("entity")["n"].sum()
        many = totals[totals >= self.fewest]
        before = _known(day.before(self.feature, self.days), self.value) if len(many) else today.iloc[:0]
        if before.empty:
            return
        from sentinelone_collector.detect.anomaly.statistics import share_prior

        people = self._like(before).groupby("entity")[["like", "n"]].sum()
        prior = share_prior(people["like"].to_numpy(), people["n"].to_numpy())
        for entity in many.index:
            found = self._reached(today[today["entity"] == entity], prior)
            if found is not None and found[0] in wanted:
                window, last, seen = found
                yield Finding(
                    window, self.feature, str(entity), None, self._analysis(day, str(entity), seen, before), last
                )

    def _like(self, frame: DataFrame) -> DataFrame:
        return frame.assign(like=frame["n"].where(frame[self.value].str.lower() == self.like.lower(), 0))

    def _reached(self, rows: DataFrame, prior: tuple[float, float]) -> tuple[str, int, tuple[int, int, float]] | None:
        """Return the window, how many events it holds, and the day's like, all and tail probability by its end."""
        from sentinelone_collector.detect.anomaly.statistics import beta_binomial_tail

        windows = self._like(rows).groupby("window")[["like", "n"]].sum().sort_index()
        so_far = windows.cumsum()
        tails = beta_binomial_tail(so_far["like"].to_numpy(), so_far["n"].to_numpy(), *prior)
        for window, like, count, tail in zip(so_far.index, so_far["like"], so_far["n"], tails, strict=True):
            if count >= self.fewest and tail < self.tail:
                return str(window), int(windows.loc[window, "n"]), (int(like), int(count), float(tail))
        return None

    def _analysis(self, day: Day, entity: str, seen: tuple[int, int, float], before: DataFrame) -> Analysis:
        like, count, tail = seen
        own = before[before["entity"] == entity]
        based = grounds(day.number, before, before, before)
        counts: Any = before.groupby(self.value)["n"].sum()
        of_all, of_own = self._like(before), self._like(own)
        usual = of_all["like"].sum() / of_all["n"].sum()
        mine = (
            f"{percent(of_own['like'].sum() / of_own['n'].sum())} of the user's" if len(own) else "none of the user's"
        )
        return Analysis(
            detector=self.name,
            parameter=self.value,
            pattern="high_volume",
            observed=f"{like} of {count}",
            basis="tenant",
            days=min(based.days, self.days),
            events=based.events,
            score=tail,
            measure="probability",
            words=(
                f"{{who}} {did(self.feature)} {named(self.value, self.like)} {number(like, 'time')} of {count} on one "
                f"day; {percent(usual)} of {number(based.events, 'event')} of everybody in the last "
                f"{number(self.days, 'day')} were like that, and {mine}"
            ),
            baseline=tuple(
                sorted((Expected(str(k), int(n)) for k, n in counts.items()), key=lambda one: (-one.count, one.value))
            ),
            cold=based.cold,
        )


def _known(frame: DataFrame, value: str) -> DataFrame:
    return frame[frame[value].notna() & (frame["entity"] != "")]


DETECTOR = Share
