"""Something that the user, the peers and the whole tenant hardly ever do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.firsts import Budgeted
from sentinelone_collector.detect.anomaly.grounds import grounds
from sentinelone_collector.detect.anomaly.judge import Day, Finding, records
from sentinelone_collector.detect.anomaly.words import did, named, number, percent

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR"]

_MOST_SHOWN = 12
_STRENGTH = 5.0
Share = Annotated[float, Field(gt=0, le=1)]


class Rare(Budgeted):
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
        if rows.empty:
            return
        before = day.shares(self.feature, self.days, self.value)
        before = before[before[self.value].notna()]
        if before.empty:
            return
        usage = day.keep(("usage", self.feature, self.days, self.value), lambda: _Usage(before, self.value))
        said: dict[tuple[Any, ...], Analysis | None] = {}
        for row in records(rows):
            # A day's rows tell quarters of an hour apart, which makes no difference here
            key = (row["entity"], row.get("role"), row[self.value])
            if key not in said:
                said[key] = self._analysis(day, row, before, usage)
            found = said[key]
            if found is not None:
                yield Finding(row["window"], self.feature, row["entity"], row["value"], found)

    def _odds(self, usage: _Usage, row: dict[str, Any], *, first: bool) -> tuple[float, float, float]:
        """Return the probabilities of a row's value for the user, the role and the tenant; as if it were a `first`."""
        from sentinelone_collector.detect.anomaly.statistics import back_off, root_probability, unseen_mass

        who, role, value = row["entity"], row.get("role"), row[self.value]
        others = usage.others(who)
        count, total = others.get(value, 0), sum(others.values())
        tenant = float(root_probability(count, total, unseen_mass(list(others.values())), self.space))
        own, own_total = usage.of(who, None, value), usage.of(who, None, None)
        if first:
            own, own_total = 0, own_total - own
        peers, peers_total = (
            usage.of(None, role, one) - usage.of(who, role, one) if role is not None else 0 for one in (value, None)
        )
        of_role, of_user = back_off([(peers, peers_total), (own, own_total)], tenant, _STRENGTH)
        return float(of_user), float(of_role), tenant

    def _is_rare(self, user: float, role: float, tenant: float) -> bool:
        return user < self.user and role < self.role and tenant < self.tenant

    def _scored(self, usage: _Usage, row: dict[str, Any]) -> float | None:
        # Not the user's probability, which is the lower the more the user does
        rare = self._is_rare(*self._odds(usage, row, first=True))
        return float(usage.others(row["entity"]).get(row[self.value], 0)) if rare else None

    def _analysis(self, day: Day, row: dict[str, Any], before: DataFrame, usage: _Usage) -> Analysis | None:
        user, role, tenant = self._odds(usage, row, first=False)
        if not self._is_rare(user, role, tenant):
            return None
        value, mine = row[self.value], before["entity"] == row["entity"]
        own, others = before[mine], before[~mine]
        peers = others[others["role"] == row.get("role")]
        seen = int(others.loc[others[self.value] == value, "n"].sum())
        alike = self.alike(day, before, self.value, float(seen), lambda first: self._scored(usage, first))
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
                f"seen {number(seen, 'time')} among {number(int(others['n'].sum()), 'event')} of all "
                f"others in the last {number(self.days, 'day')}{alike.words}"
            ),
            baseline=tuple(Expected(str(name), int(n)) for name, n in usual.head(_MOST_SHOWN).items()),
            cold=based.cold,
            common=alike.common,
        )


class _Usage:
    """How often each user and each role had each value."""

    def __init__(self, shares: DataFrame, fact: str) -> None:
        self._of: Counter[tuple[Any, Any, Any]] = Counter()
        self._values: Counter[Any] = Counter()
        self._by_user: dict[Any, Counter[Any]] = {}
        for row in records(shares):
            who, role, value, n = row["entity"], row["role"], row[fact], int(row["n"])
            self._values[value] += n
            self._by_user.setdefault(who, Counter())[value] += n
            for entity in (who, None):
                for kind in (role, None) if role is not None else (None,):
                    self._of[entity, kind, value] += n
                    self._of[entity, kind, None] += n

    def of(self, entity: Any, role: Any, value: Any) -> int:
        """Return how often an entity in a role had a value; None is any of them."""
        return self._of[entity, role, value]

    def others(self, entity: Any) -> dict[Any, int]:
        """Return how often each value was had by all but an entity, values that only it had left out."""
        own: Mapping[Any, int] = self._by_user.get(entity, {})
        left = {value: n - own.get(value, 0) for value, n in self._values.items()}
        return {value: n for value, n in left.items() if n}


DETECTOR = Rare
