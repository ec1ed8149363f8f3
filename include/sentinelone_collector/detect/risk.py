"""What the hits of one person add up to: pure functions over hits, whatever windows they come from.

A hit counts at its moment: its last event's, kept inside its window. At each moment the incidents of the span before
it count once each, by the severest of their hits in it. An observation counts as informational, since nobody has to
act on it; where its baseline is too short it does not count at all. The sums never count themselves.

What is said of an hour is what holds at its first such moment, so that more hits never make it untrue.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.words import listed
from sentinelone_collector.detect.building import build_hit
from sentinelone_collector.detect.hits import MOST_EVENTS, Hit
from sentinelone_collector.detect.people import SUM, PersonHit
from sentinelone_collector.detect.ruleset import LEVELS, Risk, Rule
from sentinelone_collector.windows import DAY

__all__ = ["Summed", "summed"]


class Summed(NamedTuple):
    """A hit of a sum, and the names of the windows that hold the hit with which it holds."""

    hit: Hit
    windows: frozenset[str]


def summed(
    rule: Rule, risk: Risk, hits: Iterable[PersonHit], *, counted: frozenset[str], console: str
) -> Iterator[Summed]:
    """Yield the hits of a sum, person by person, in order of time; `counted` are the rules whose hits count.

    A result at a moment follows from the hits of `risk.reach` before it alone.
    """
    chosen = sorted((one for one in hits if one.rule in counted), key=lambda one: (one.person, *one.order))
    for _, of_person in groupby(chosen, key=lambda one: one.person):
        yield from _of_person(rule, risk, list(of_person), console)


def _of_person(rule: Rule, risk: Risk, hits: Sequence[PersonHit], console: str) -> Iterator[Summed]:
    sliding, said = _Sliding(risk), None
    width = _milliseconds(risk.bucket)
    for at, found in groupby(hits, key=lambda one: one.at):
        now = list(found)
        sliding.move(now, at)
        if at // width != said and sliding.holds:
            said = at // width
            hit = _hit(rule, risk, sliding.held, identity=str(said), at=at, console=console)
            yield Summed(hit, frozenset(one.window for one in now))


class _Sliding:
    """The hits of the span that ends now, and what they add up to; sums are exact, whatever came and went."""

    def __init__(self, risk: Risk) -> None:
        self.held: deque[PersonHit] = deque()
        self._span = _milliseconds(risk.span)
        self._risk = risk
        self._weights = [Fraction(weight) for weight in (0, *risk.weights)]
        self._total = Fraction(0)
        self._levels: dict[str, Counter[int]] = {}
        self._rules: Counter[str] = Counter()

    @property
    def holds(self) -> bool:
        """Whether enough rules add up to enough."""
        return self._total >= self._risk.threshold and len(self._rules) >= self._risk.distinct

    def move(self, hits: Iterable[PersonHit], now: int) -> None:
        """Let go what is more than a span ago, and take the hits of the moment."""
        while self.held and self.held[0].at < now - self._span:
            self._count(self.held.popleft(), -1)
        for hit in hits:
            self.held.append(hit)
            self._count(hit, +1)

    def _count(self, hit: PersonHit, step: int) -> None:
        levels = self._levels.setdefault(hit.incident, Counter())
        before = max(+levels, default=0)
        levels[hit.severity_id] += step
        after = max(+levels, default=0)
        self._total += self._weights[after] - self._weights[before]
        if bool(after) != bool(before):
            self._rules[hit.rule] += step
            self._rules = +self._rules


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _hit(rule: Rule, risk: Risk, held: Iterable[PersonHit], *, identity: str, at: int, console: str) -> Hit:
    """Return the hit that names the severest hit of each incident."""
    chosen: dict[str, PersonHit] = {}
    for one in held:
        if one.incident not in chosen or one.severity_id > chosen[one.incident].severity_id:
            chosen[one.incident] = one
    counted = sorted(chosen.values(), key=lambda one: one.order)
    events = list(dict.fromkeys(one.event for one in counted if one.event is not None))
    return build_hit(
        rule,
        {"actor.user.name": counted[-1].shown},
        console=console,
        kind="correlation",
        identity=f"{counted[-1].person}|{identity}",
        times=(counted[0].at, at),
        uids=events[-MOST_EVENTS:],
        count=len(events),
        analysis=_analysis(risk, counted),
    )


def _analysis(risk: Risk, counted: Sequence[PersonHit]) -> Analysis:
    points: dict[str, float] = {}
    times: dict[str, Counter[int]] = {}
    for one in counted:
        points[one.rule] = points.get(one.rule, 0.0) + risk.weights[one.severity_id - 1]
        times.setdefault(one.rule, Counter())[one.severity_id] += 1
    titles = {one.rule: one.title for one in counted}
    ranked = sorted(points.items(), key=lambda pair: (-pair[1], pair[0]))
    total = f"{sum(points.values()):g}"
    hours = f"{risk.span / timedelta(hours=1):g} hours"
    shares = listed([(titles[rule], _number(count)) for rule, count in ranked])
    return Analysis(
        detector=SUM,
        parameter="risk",
        pattern="accumulated",
        observed=total,
        basis="user",
        days=-(-risk.span // DAY),
        events=len(counted),
        score=round(sum(points.values()), 6),
        measure="risk",
        words=f"{{who}} gathered a risk of {total} within {hours} by hits of {len(ranked)} rules: {shares}",
        baseline=tuple(
            Expected(f"{rule} {titles[rule]} ({_levels(times[rule])})", round(count, 6)) for rule, count in ranked
        ),
    )


def _number(points: float) -> float:
    return int(points) if float(points).is_integer() else points


def _levels(times: Mapping[int, int]) -> str:
    return ", ".join(f"{times[level]} {LEVELS[level - 1]}" for level in sorted(times, reverse=True))
