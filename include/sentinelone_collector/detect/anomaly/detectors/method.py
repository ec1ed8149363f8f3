"""A way of doing something that departs from a firm habit, such as a local login where single sign-on is the rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.grounds import grounds
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, named, number, percent

if TYPE_CHECKING:
    from pandas import DataFrame, Series  # for the type checker

__all__ = ["DETECTOR"]


class Method(Judge):
    """A fact other than `usual`, where at least the share `habit` of the user's events have that.

    Of users whose own past is short the habit of the role counts, else that of the tenant.
    """

    name: ClassVar[str] = "method"
    feature: str
    value: str = "method"
    usual: str
    habit: Annotated[float, Field(gt=0, le=1)]

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's events that depart from the habit."""
        rows = day.rows(self.feature)
        rows = rows[rows[self.value].notna() & (rows[self.value] != self.usual)]
        if rows.empty:
            return
        before = _known(day.shares(self.feature, self.days, self.value), self.value)
        said: dict[tuple[Any, ...], Analysis | None] = {}
        for row in records(rows) if len(before) else ():
            # A day's rows tell addresses and quarters of an hour apart, which makes no difference here
            key = (row["entity"], row.get("role"), row[self.value])
            if key not in said:
                said[key] = self._analysis(day, row, before)
            found = said[key]
            if found is not None:
                yield Finding(row["window"], self.feature, row["entity"], row["value"], found)

    def _analysis(self, day: Day, row: dict[str, Any], before: DataFrame) -> Analysis | None:
        own = _known(day.shares_of(self.feature, self.days, self.value, row["entity"]), self.value)
        of = {"user": own, "role": before, "tenant": before}
        based = grounds(day.number, own, own, own)
        if based.cold:
            of["role"] = before[before["role"] == row.get("role")]
            based = grounds(day.number, own, of["role"], before)
        counts: Series[Any] = of[based.basis].groupby(self.value)["n"].sum()
        share = float(counts.get(self.usual, 0) / counts.sum())
        if share < self.habit:
            return None
        usual = sorted(((str(name), int(n)) for name, n in counts.items()), key=lambda pair: (-pair[1], pair[0]))
        whose = {"user": "{who}", "role": f"users of the role {row.get('role')}", "tenant": "everybody"}[based.basis]
        events = number(based.events, "event")
        return Analysis(
            detector=self.name,
            parameter=self.value,
            pattern="rare",
            observed=str(row[self.value]),
            basis=based.basis,
            days=min(based.days, self.days),
            events=based.events,
            score=1 - share,
            measure="share",
            words=(
                f"{{who}} {did(self.feature)} {named(self.value, row[self.value])}; {percent(share)} of {events} of "
                f"{whose} in the last {number(self.days, 'day')} were {named(self.value, self.usual)}"
            ),
            baseline=tuple(Expected(name, n) for name, n in usual),
            cold=based.cold,
        )


def _known(frame: DataFrame, fact: str) -> DataFrame:
    return frame[frame[fact].notna()]


DETECTOR = Method
