"""A value that a user never had before and that is rare among the peers: a new country, network, or action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.firsts import Budgeted
from sentinelone_collector.detect.anomaly.grounds import grounds
from sentinelone_collector.detect.anomaly.judge import Day, Finding, records
from sentinelone_collector.detect.anomaly.words import did, listed, named, number

if TYPE_CHECKING:
    from pandas import DataFrame, Series  # for the type checker

__all__ = ["DETECTOR"]

_MOST_SHOWN = 12
_KNOWN = 0.5  # the share of a user's events that have a fact from which on it can be judged


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class FirstSeen(Budgeted):
    """A fact's value unseen for the entity in `days` days, whose share among peers is above `over`, at most `peers`.

    Peers are the others of the role. Without `over` the share may be nought.

    `value` names facts: the first that the event has, and half of the user's baseline too, is judged, so that a newly
    installed address database makes nothing new. `strength` is how many events the tenant's share of a value counts
    for among the peers.
    """

    name: ClassVar[str] = "first_seen"
    feature: str
    value: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
    peers: Annotated[float, Field(gt=0, le=1)] = 1.0
    over: Annotated[float, Field(ge=0, lt=1)] | None = None
    strength: Annotated[float, Field(gt=0)] = 5.0

    @property
    def features(self) -> tuple[str, ...]:
        """The one that is judged."""
        return (self.feature,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's values that their entity never had."""
        rows = day.rows(self.feature)
        if rows.empty or day.before(self.feature, self.days).empty:
            return
        said: dict[tuple[Any, ...], Analysis | None] = {}
        for row in records(rows):
            # A day's rows tell quarters of an hour apart, which makes no difference here
            key = (row["entity"], row.get("role"), *(row[fact] for fact in self.value))
            if key not in said:
                said[key] = self._said(day, row)
            found = said[key]
            if found is not None:
                yield Finding(row["window"], self.feature, row["entity"], row["value"], found)

    def _said(self, day: Day, row: dict[str, Any]) -> Analysis | None:
        fact = self._fact(day, row)
        if fact is None or row[fact] in self._had(day, fact).of(row["entity"]).distinct:
            return None
        own = day.shares_of(self.feature, self.days, fact, row["entity"])
        return self._analysis(day, row, fact, own, day.shares(self.feature, self.days, fact))

    def _had(self, day: Day, fact: str) -> _Had:
        return day.keep(
            ("had", self.feature, self.days, fact), lambda: _Had(day.shares(self.feature, self.days, fact), fact)
        )

    def _fact(self, day: Day, row: dict[str, Any]) -> str | None:
        """Return the fact to judge."""
        for fact in self.value:
            if row[fact] is None:
                continue
            had = self._had(day, fact)
            told = had.of(row["entity"]) if had.of(row["entity"]).events else had.everybody
            if told.known >= _KNOWN * told.events:
                return fact
        return None

    def _analysis(self, day: Day, row: dict[str, Any], fact: str, own: DataFrame, before: DataFrame) -> Analysis | None:
        of_peers = self._of_peers(before, row, fact)
        if not self._unusual(of_peers):
            return None
        peers = _peers(before, row)
        based = grounds(day.number, own, peers, before)
        usual = _counted(own if len(own) else before, fact)
        alike = self.alike(day, before, fact, of_peers, lambda first: self._scored(before, first, fact))
        return Analysis(
            detector=self.name,
            parameter=fact,
            pattern="unseen",
            observed=str(row[fact]),
            basis=based.basis,
            days=min(based.days, self.days),
            events=based.events,
            score=float(of_peers),
            measure="share among peers",
            words=self._words(row, fact, usual, own, peers) + alike.words,
            baseline=tuple(Expected(str(value), int(count)) for value, count in usual[:_MOST_SHOWN]),
            cold=based.cold,
            common=alike.common,
        )

    def _of_peers(self, before: DataFrame, row: dict[str, Any], fact: str) -> float:
        """Return the share of the value among the peers, as if the entity had never had it."""
        value = row[fact]
        others = before[(before["entity"] != row["entity"]) | (before[fact] != value)]
        prior = self.strength * _share(others, fact, value, 0, 1)
        return _share(_peers(before, row), fact, value, prior, self.strength)

    def _scored(self, before: DataFrame, row: dict[str, Any], fact: str) -> float | None:
        of_peers = self._of_peers(before, row, fact)
        return of_peers if self._unusual(of_peers) else None

    def _unusual(self, of_peers: float) -> bool:
        return (self.over is None or of_peers > self.over) and of_peers <= self.peers

    def _words(
        self, row: dict[str, Any], fact: str, usual: list[tuple[str, int]], own: DataFrame, peers: DataFrame
    ) -> str:
        value, days = named(fact, row[fact]), number(self.days, "day")
        if len(own):
            head = f"{{who}} {did(self.feature)} {named(fact, listed(usual))} in the last {days}, never {value}"
        else:
            head = f"{{who}}, seen for the first time in {days}, {did(self.feature)} {value}"
        others = peers["entity"].nunique()
        if not others:
            return head
        same = peers.loc[peers[fact] == row[fact], "entity"].nunique()
        role = row.get("role") or "same"
        return f"{head}; of {number(others, 'other user')} of the role {role} {same or 'none'} did"


@dataclass
class _Values:
    """The values that somebody had, the number of events, and of how many of them the value is known."""

    distinct: set[Any] = field(default_factory=set)
    events: int = 0
    known: int = 0

    def add(self, value: Any, n: int) -> None:
        self.events += n
        if value is not None:
            self.distinct.add(value)
            self.known += n


class _Had:
    """Which values of a fact each entity had, and everybody together."""

    def __init__(self, shares: DataFrame, fact: str) -> None:
        self.everybody = _Values()
        self._of: dict[Any, _Values] = {}
        for row in records(shares):
            for one in (self.everybody, self._of.setdefault(row["entity"], _Values())):
                one.add(row[fact], int(row["n"]))

    def of(self, entity: Any) -> _Values:
        """Return what an entity had."""
        return self._of.get(entity) or _Values()


def _peers(before: DataFrame, row: dict[str, Any]) -> DataFrame:
    """Return the counters of the others of the role."""
    peers: DataFrame = before[(before["role"] == row.get("role")) & (before["entity"] != row["entity"])]
    return peers


def _share(frame: DataFrame, fact: str, value: Any, prior: float, strength: float) -> float:
    """Return the share of events with the value, shrunk to `prior / strength`."""
    counts: Series[Any] = frame["n"]
    return float((counts[frame[fact] == value].sum() + prior) / (counts[frame[fact].notna()].sum() + strength))


def _counted(frame: DataFrame, fact: str) -> list[tuple[str, int]]:
    counts = frame[frame[fact].notna()].groupby(fact)["n"].sum()
    return sorted(((str(value), int(n)) for value, n in counts.items()), key=lambda pair: (-pair[1], pair[0]))


DETECTOR = FirstSeen
