"""Sigma correlations to what the engine evaluates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from datetime import timedelta

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from sentinelone_collector.detect.fields import Columns
from sentinelone_collector.detect.keys import WEIGHT
from sentinelone_collector.detect.predicates import NotExpressible, UnknownField
from sentinelone_collector.detect.ruleset import Correlation, Rule, Term
from sentinelone_collector.detect.spec import IncidentSpec, Require

__all__ = ["bases_of", "read_correlation"]

_COUNTS = (SigmaCorrelationType.EVENT_COUNT, SigmaCorrelationType.VALUE_COUNT, SigmaCorrelationType.VALUE_SUM)
_TEMPORAL = (SigmaCorrelationType.TEMPORAL, SigmaCorrelationType.TEMPORAL_ORDERED)
_LONGEST = timedelta(days=7)
_PAIR = 2


def bases_of(rule: SigmaCorrelationRule) -> list[str]:
    """Return the names of the rules that a correlation counts or looks for, in its order."""
    if rule.rules is None and isinstance(rule.condition, SigmaExtendedCorrelationCondition):
        return rule.condition.get_referenced_rules()
    return list(dict.fromkeys(reference.reference for reference in rule.rules or ()))


def read_correlation(
    rule: SigmaCorrelationRule, spec: IncidentSpec, known: Mapping[str, Rule], columns: Columns
) -> Correlation:
    """Return what the rule evaluates; `known` are the rules that it may refer to.

    Raise `NotExpressible` or `UnknownField`.
    """
    if rule.type not in _COUNTS + _TEMPORAL:
        raise NotExpressible(f"correlations of the type {str(rule.type).lower()} are not evaluated")
    bases = tuple(bases_of(rule))
    uses = dict.fromkeys((*bases, *spec.unless))
    by = {name: tuple(_field_of(rule, name, wanted) for wanted in rule.group_by or ()) for name in uses}
    inner = [known[name].correlation for name in uses]
    correlation = Correlation(
        kind=str(rule.type).lower(),
        bases=bases,
        by=by,
        span=timedelta(seconds=rule.timespan.seconds),
        threshold=_threshold(rule),
        values=_values(rule, bases),
        weights=spec.weights,
        terms=_terms(rule, bases),
        unless=spec.unless,
        require=spec.require or Require(),
        match=spec.match,
        inner=max((one.look_back for one in inner if one), default=timedelta(0)),
    )
    _check(correlation)
    fields = [*itertools.chain(*by.values()), *(name for name in correlation.values.values() if name != WEIGHT)]
    fields += [*correlation.require.distinct, *correlation.require.most]
    fields += [*spec.match.earlier, *spec.match.later] if spec.match else []
    for name in fields:
        _use(name, columns)
    return correlation


def _check(correlation: Correlation) -> None:
    counting = correlation.kind in {str(kind).lower() for kind in _COUNTS}
    if correlation.look_back > _LONGEST:
        raise NotExpressible(f"a correlation looks back {_LONGEST.days} days at most")
    if correlation.require != Require() and not counting:
        raise NotExpressible("x-incident.require is for event_count, value_count and value_sum")
    if correlation.unless and correlation.kind != "temporal_ordered":
        raise NotExpressible("x-incident.unless is for temporal_ordered")
    if correlation.match and (correlation.kind != "temporal_ordered" or len(correlation.bases) != _PAIR):
        raise NotExpressible("x-incident.match is for a temporal_ordered of two rules")
    weighted = WEIGHT in correlation.values.values()
    if weighted != bool(correlation.weights) or (weighted and set(correlation.weights) != set(correlation.bases)):
        raise NotExpressible(f"a value_sum of {WEIGHT} has x-incident.weights with a weight for each of its rules")


def _field_of(rule: SigmaCorrelationRule, base: str, name: str) -> str:
    alias = rule.aliases.aliases.get(name)
    if alias is None:
        return name
    for reference, field in alias.mapping.items():
        if reference.reference == base:
            return field
    raise NotExpressible(f"the alias {name} says nothing about the rule {base}")


def _values(rule: SigmaCorrelationRule, bases: tuple[str, ...]) -> dict[str, str]:
    condition = rule.condition
    field = condition.fieldref if isinstance(condition, SigmaCorrelationCondition) else None
    if rule.type in _TEMPORAL or rule.type is SigmaCorrelationType.EVENT_COUNT or field is None:
        return {}
    if isinstance(field, list):
        raise NotExpressible("the values of one field are counted or summed")
    if field == WEIGHT and rule.type is not SigmaCorrelationType.VALUE_SUM:
        raise NotExpressible(f"{WEIGHT} is summed only")
    return {base: field if field == WEIGHT else _field_of(rule, base, field) for base in bases}


def _threshold(rule: SigmaCorrelationRule) -> float:
    condition = rule.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        return 0
    if condition.op not in {SigmaCorrelationConditionOperator.GTE, SigmaCorrelationConditionOperator.GT}:
        # A count over a sliding window rises and falls; only "at least" names a moment at which something happened
        raise NotExpressible("the condition of a correlation is gte or gt")
    whole = rule.type is not SigmaCorrelationType.VALUE_SUM
    if whole and condition.count != int(condition.count):
        raise NotExpressible("the threshold of a count is a whole number")
    threshold: float = condition.count
    if condition.op is SigmaCorrelationConditionOperator.GT:
        threshold = threshold + 1 if whole else math.nextafter(threshold, math.inf)
    if threshold < 1 and (whole or threshold <= 0):
        raise NotExpressible("the threshold of a count is at least 1, and that of a sum is above 0")
    if rule.type is SigmaCorrelationType.TEMPORAL_ORDERED and threshold != len(bases_of(rule)):
        raise NotExpressible("a temporal_ordered asks for all of its rules; leave the condition out")
    if rule.type is SigmaCorrelationType.TEMPORAL and threshold > len(bases_of(rule)):
        raise NotExpressible("the threshold of a temporal is at most the number of its rules")
    return threshold


def _terms(rule: SigmaCorrelationRule, bases: tuple[str, ...]) -> tuple[Term, ...]:
    if rule.type not in _TEMPORAL:
        return ()
    if not isinstance(rule.condition, SigmaExtendedCorrelationCondition):
        least = len(bases) if rule.type is SigmaCorrelationType.TEMPORAL_ORDERED else int(_threshold(rule))
        return tuple(Term(chosen) for chosen in itertools.combinations(bases, least))
    found = _disjunction(rule.condition.parsed, negative=False)
    terms = [Term(*(tuple(base for base in bases if base in side) for side in term)) for term in found]
    if not all(term.present for term in terms):
        raise NotExpressible("every branch of the condition asks for at least one rule to match")
    if rule.type is SigmaCorrelationType.TEMPORAL_ORDERED and any(term.absent for term in terms):
        raise NotExpressible("`not` is for temporal; x-incident.unless ends an ordered chain")
    if any(term.absent for term in terms) and not all(term.absent for term in terms):
        raise NotExpressible("every branch of a condition with `not` has one")
    return tuple(dict.fromkeys(terms))


def _disjunction(
    node: CorrelationConditionItem | SigmaRuleReference, *, negative: bool
) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Return the condition as alternatives of (names that match, names that do not)."""
    if isinstance(node, SigmaRuleReference):
        name = frozenset({node.reference})
        return [(frozenset(), name) if negative else (name, frozenset())]
    if isinstance(node, CorrelationConditionNOT):
        return _disjunction(node.args[0], negative=not negative)
    parts = [_disjunction(arg, negative=negative) for arg in node.args]
    if isinstance(node, CorrelationConditionAND) == negative:
        return list(itertools.chain.from_iterable(parts))
    joined: list[tuple[frozenset[str], frozenset[str]]] = [(frozenset(), frozenset())]
    for part in parts:
        pairs = [(a | c, b | d) for a, b in joined for c, d in part]
        joined = [(present, absent) for present, absent in pairs if not present & absent]
    return joined


def _use(name: str, columns: Columns) -> None:
    try:
        _, kind = columns.use(name)
    except KeyError:
        raise UnknownField(name) from None
    if kind in {"texts", "numbers"}:
        raise NotExpressible(f"{name} is a list and can't be grouped or counted by")
