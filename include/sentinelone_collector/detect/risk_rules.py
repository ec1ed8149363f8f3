"""Rules over the hits of other rules: a `value_sum` of `x-risk` by `x-person` to what rating evaluates."""

from __future__ import annotations

from datetime import timedelta

from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule, SigmaCorrelationType

from sentinelone_collector.detect.correlation_rules import bases_of
from sentinelone_collector.detect.keys import PERSON, RISK, RULE
from sentinelone_collector.detect.predicates import NotExpressible
from sentinelone_collector.detect.ruleset import LEVELS, Risk
from sentinelone_collector.detect.spec import IncidentSpec, Require

__all__ = ["is_risk_rule", "read_risk"]

_LONGEST = timedelta(days=7)
_ENTITY = ("actor.user.name",)


def is_risk_rule(rule: object) -> bool:
    """Say whether a correlation sums what the hits of rules weigh, instead of events."""
    condition = rule.condition if isinstance(rule, SigmaCorrelationRule) else None
    return isinstance(condition, SigmaCorrelationCondition) and condition.fieldref == RISK


def read_risk(rule: SigmaCorrelationRule, spec: IncidentSpec) -> Risk:
    """Return what the rule sums; raise `NotExpressible` where it says anything that hits do not have."""
    condition = rule.condition
    if rule.type is not SigmaCorrelationType.VALUE_SUM or not isinstance(condition, SigmaCorrelationCondition):
        raise NotExpressible(f"{RISK} is summed: the type is value_sum")
    if not bases_of(rule):
        raise NotExpressible('a sum names the rules whose hits count; ["*"] are all')
    if rule.group_by != [PERSON]:
        raise NotExpressible(f"{RISK} is summed by person: group-by is [{PERSON}]")
    if condition.op.name != "GTE" or condition.count <= 0:
        raise NotExpressible(f"the condition of a sum of {RISK} is gte and a number above 0")
    span = timedelta(seconds=rule.timespan.seconds)
    if not timedelta(0) < span <= _LONGEST:
        raise NotExpressible(f"a correlation looks back {_LONGEST.days} days at most")
    if set(spec.weights) != set(LEVELS):
        raise NotExpressible(f"x-incident.weights of a sum of {RISK} has a weight for each of {', '.join(LEVELS)}")
    require = spec.require or Require()
    if require.events is not None or require.most or set(require.distinct) - {RULE}:
        raise NotExpressible(f"x-incident.require of a sum of {RISK} is {{distinct: {{{RULE}: least}}}}")
    if spec.dedup.keys != _ENTITY:
        raise NotExpressible(f"x-incident.dedup.keys of a sum of {RISK} is [{_ENTITY[0]}], the person")
    if spec.unless or spec.match or spec.direction:
        raise NotExpressible(f"a sum of {RISK} has no unless, match or direction")
    return Risk(
        rules=tuple(name.lower() for name in bases_of(rule)),
        span=span,
        threshold=float(condition.count),
        distinct=require.distinct.get(RULE, 1),
        weights=tuple(spec.weights[level] for level in LEVELS),
    )
