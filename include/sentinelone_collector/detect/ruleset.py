"""Rules, as the engine needs them, and the set of all rules that could be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from sentinelone_collector.detect.anomaly.judge import Judge, Watched
from sentinelone_collector.detect.anomaly.judging import Judging
from sentinelone_collector.detect.fields import Columns
from sentinelone_collector.detect.spec import IncidentSpec, Match, Require
from sentinelone_collector.errors import RuleError, UsageError

__all__ = ["LEVELS", "Correlation", "Risk", "Rule", "Ruleset", "Term"]

LEVELS = ("informational", "low", "medium", "high", "critical")  # OCSF severity_id = place in this list + 1
_LONGEST_BUCKET = timedelta(hours=1)


class Term(NamedTuple):
    """One way to fulfil a temporal condition: bases that have to match, in the order of the rule, and that must not."""

    present: tuple[str, ...]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """A sliding window over the matches of other rules, which may be correlations themselves.

    `threshold` is the least aggregate that counts; `by` maps each rule that is used to its group-by fields, in order,
    `values` to the field that is counted or summed. `terms` are what a temporal type looks for. `unless` are rules that
    end an ordered chain which has begun. `inner` is how far back the bases depend on events.
    """

    kind: str
    bases: tuple[str, ...]
    by: dict[str, tuple[str, ...]]
    span: timedelta
    threshold: float
    values: dict[str, str] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    unless: tuple[str, ...] = ()
    require: Require = field(default_factory=Require)
    match: Match | None = None
    inner: timedelta = timedelta(0)

    @property
    def uses(self) -> tuple[str, ...]:
        """All rules whose matches it reads; their places are the slots of its tables."""
        return tuple(dict.fromkeys((*self.bases, *self.unless)))

    @property
    def forward(self) -> bool:
        """Whether it says that something did not happen, which is known only when the span has passed."""
        return any(term.absent for term in self.terms)

    @property
    def bucket(self) -> timedelta:
        """How long one hit stands for a burst that goes on: the span, or an hour where that is longer."""
        return min(self.span, _LONGEST_BUCKET)

    @property
    def look_back(self) -> timedelta:
        """How far back its result at a moment depends on events."""
        return self.span + self.inner

    @property
    def reach(self) -> timedelta:
        """How far an event can influence later hits, and how far back a hit depends on events."""
        return self.look_back + self.bucket


@dataclass(frozen=True, slots=True)
class Risk:
    """What the hits of one person add up to over a sliding window: each incident once, by its level.

    `rules` are names or patterns of the rules whose hits count, `weights` belong to `LEVELS`. It holds at a hit with
    which the weights of at least `distinct` rules add up to `threshold`.
    """

    rules: tuple[str, ...]
    span: timedelta
    threshold: float
    distinct: int
    weights: tuple[float, ...]

    @property
    def bucket(self) -> timedelta:
        """How long one hit stands for a risk that lasts."""
        return min(self.span, _LONGEST_BUCKET)

    @property
    def reach(self) -> timedelta:
        """How far a hit can influence what is said later."""
        return self.span + self.bucket


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `where` is its predicate, or `correlation` what it counts; `spec` is None for a mere base rule.

    `risk` says of a rule over the hits of other rules what it sums; it has neither of the two. `codes` are the event
    codes outside of which the predicate can't hold, None where it may hold with any; `spared` are some with which it
    can't.
    An anomaly rule has a `judge`, and `where` says which events are judged.
    """

    name: str
    title: str
    level: str
    document: dict[str, Any]
    path: Path
    line: int
    version: str
    attacks: tuple[str, ...] = ()
    where: str | None = None
    correlation: Correlation | None = None
    judge: Judge | None = None
    risk: Risk | None = None
    spec: IncidentSpec | None = None
    emits: bool = True
    codes: frozenset[str] | None = None
    spared: frozenset[str] = frozenset()

    @property
    def judging(self) -> Judging | None:
        """An anomaly rule with its detector, None of any other rule."""
        return None if self.judge is None else Judging(self.name, self.judge, Watched(self.codes, self.spared))

    @property
    def kind(self) -> str:
        """What it is: `event`, the type of its correlation, `risk`, or the name of its detector."""
        if self.risk is not None:
            return "risk"
        if self.judge is not None:
            return self.judge.name
        return self.correlation.kind if self.correlation else "event"

    @property
    def matched_as(self) -> str:
        """The name under which the events that it reads are matched; an anomaly rule holds for few of them only."""
        return self.name if self.judge is None else f"{self.name}: judged"

    @property
    def severity_id(self) -> int:
        """The OCSF severity, 1 (informational) to 5 (critical)."""
        return LEVELS.index(self.level) + 1

    @property
    def attacks_v19(self) -> tuple[str, ...]:
        """The ATT&CK 19 technique ids."""
        from sentinelone_collector.detect.spec import to_v19

        stated = self.spec.attack_versions.v19 if self.spec else None
        return to_v19(self.attacks) if stated is None else stated


@dataclass(frozen=True)
class Ruleset:
    """All rules that could be read, in order of their names, and what was wrong with the others."""

    rules: tuple[Rule, ...]
    problems: tuple[RuleError, ...]
    columns: Columns

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    @cached_property
    def by_name(self) -> dict[str, Rule]:
        """The rules by their names."""
        return {rule.name: rule for rule in self.rules}

    def get(self, name: str) -> Rule:
        """Return the rule of that name; raise `UsageError` where there is none."""
        rule = self.by_name.get(name.lower())
        if rule is None:
            raise UsageError(f"there is no rule {name!r}; `s1c rules list` shows all rules")
        return rule

    def below(self, name: str) -> frozenset[str]:
        """Return the names of the rules that a correlation uses, at any depth."""
        correlation = self.by_name[name].correlation
        uses = correlation.uses if correlation else ()
        return frozenset(uses).union(*(self.below(used) for used in uses))

    @cached_property
    def risks(self) -> tuple[Rule, ...]:
        """The rules that sum up the hits of other rules."""
        return tuple(rule for rule in self.rules if rule.risk is not None)

    def counted_by(self, risk: Risk) -> frozenset[str]:
        """Return the names of the rules whose hits count; those of such sums never do."""
        names = [rule.name for rule in self.incident_rules if rule.risk is None]
        return frozenset(name for name in names if any(fnmatchcase(name, pattern) for pattern in risk.rules))

    @cached_property
    def digest(self) -> str:
        """The sha256 over names and versions of all rules, in hex: equal rules, equal digest."""
        content = json.dumps([[rule.name, rule.version] for rule in self.rules]).encode()
        return hashlib.sha256(content).hexdigest()

    @cached_property
    def reach(self) -> timedelta:
        """How far back any rule looks."""
        spans = [rule.correlation.reach for rule in self.rules if rule.correlation and rule.emits]
        return max(spans, default=timedelta(0))

    @cached_property
    def judgings(self) -> tuple[Judging, ...]:
        """The anomaly rules with their detectors."""
        return tuple(rule.judging for rule in self.rules if rule.judging is not None)

    @cached_property
    def reach_of_anomalies(self) -> timedelta:
        """How far an event that an anomaly rule calls unusual can influence later hits of correlations."""
        spans = [rule.correlation.reach for rule in self.rules if rule.correlation and self.reads_anomalies(rule)]
        return max(spans, default=timedelta(0))

    def reads_anomalies(self, rule: Rule) -> bool:
        """Say whether a rule judges by baselines, itself or through a rule that it uses."""
        uses = rule.correlation.uses if rule.correlation else ()
        return rule.judge is not None or any(self.reads_anomalies(self.by_name[name]) for name in uses)

    @cached_property
    def incident_rules(self) -> tuple[Rule, ...]:
        """The rules that give hits: all but mere base rules."""
        return tuple(rule for rule in self.rules if rule.emits and rule.spec)
