"""Something that the user, the peers and the whole tenant hardly ever do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.grounds import grounds
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Judge, records
from sentinelone_collector.detect.anomaly.words import did, named, number, percent

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR"]

_MOST_SHOWN = 12
_STRENGTH = 5.0
Share = Annotated[float, Field(gt=0, le=1)]


class Rare(Judge):
    """A fact's value whose probability is below `user`, `role` and `tenant` at these levels.

    Each level backs off to the next wider one, and what the user did is left out of the peers' and the tenant's.
    What is left for values that nobody has had is shared by `space` of them.
    """

    name: ClassVar[str] = "rare"
    feature: str
    value: str
    role: Share
    user: Share = 0.001
    tenant: Share = 0.001
    space: Annotated[int, Field(ge=1)] = 100

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's rare values."""
        rows = day.rows(self.feature)
        rows = rows[rows[self.value].notna()]
        before = day.before(self.feature, self.days) if len(rows) else rows
        before = before[before[self.value].notna()]
        for row in records(rows) if len(before) else ():
            found = self._analysis(day, row, before)
            if found is not None:
                yield Finding(row["window"], self.feature, row["entity"], row["value"], found)

    def _analysis(self, day: Day, row: dict[str, Any], before: DataFrame) -> Analysis | None:
        from sentinelone_collector.detect.anomaly.statistics import back_off, root_probability, unseen_mass

        value, mine = row[self.value], before["entity"] == row["entity"]
        own, others = before[mine], before[~mine]
        peers = others[others["role"] == row.get("role")]
        counts = others.groupby(self.value)["n"].sum()
        tenant = root_probability(counts.get(value, 0), counts.sum(), unseen_mass(counts.to_numpy()), self.space)
        levels = [(frame.loc[frame[self.value] == value, "n"].sum(), frame["n"].sum()) for frame in (peers, own)]
        role, user = (float(share) for share in back_off(levels, tenant, _STRENGTH))
        if float(tenant) >= self.tenant or role >= self.role or user >= self.user:
            return None
        based = grounds(day.number, own, peers, before)
        usual = before.groupby(self.value)["n"].sum().sort_index().sort_values(ascending=False, kind="stable")
        return Analysis(
            detector=self.name,
            parameter=self.value,
            pattern="rare",
            observed=str(value),
            basis=based.basis,
            days=min(based.days, self.days),
            events=based.events,
            score=user,
            measure="probability",
            words=(
                f"{{who}} {did(self.feature)} {named(self.value, value)}; {percent(user)} of such events of the user "
                f"are expected to be like that, {percent(role)} of the role {row.get('role') or 'same'}, and it was "
                f"seen {number(int(counts.get(value, 0)), 'time')} among {number(int(counts.sum()), 'event')} of all "
                f"others in the last {number(self.days, 'day')}"
            ),
            baseline=tuple(Expected(str(name), int(n)) for name, n in usual.head(_MOST_SHOWN).items()),
            cold=based.cold,
        )


DETECTOR = Rare
