"""Sigma correlations to what the engine counts."""

from __future__ import annotations

from datetime import timedelta

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)

from sentinelone_collector.detect.fields import Columns
from sentinelone_collector.detect.predicates import NotExpressible, UnknownField
from sentinelone_collector.detect.ruleset import Correlation

__all__ = ["read_correlation"]

_SUPPORTED = (SigmaCorrelationType.EVENT_COUNT, SigmaCorrelationType.VALUE_COUNT)


def read_correlation(rule: SigmaCorrelationRule, columns: Columns) -> Correlation:
    """Return what the rule counts; raise `NotExpressible` or `UnknownField`."""
    if rule.type not in _SUPPORTED:
        raise NotExpressible(f"correlations of the type {str(rule.type).lower()} are not evaluated")
    condition = rule.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise NotExpressible("write the condition as a mapping, like gte: 10")
    bases = tuple(dict.fromkeys(reference.reference for reference in rule.rules or ()))
    by = {base: tuple(_field_of(rule, base, name) for name in rule.group_by or ()) for base in bases}
    values = condition.fieldref if rule.type is SigmaCorrelationType.VALUE_COUNT else None
    if isinstance(values, list):
        raise NotExpressible("a value_count counts the values of one field")
    for name in [*(name for names in by.values() for name in names), *([values] if values else [])]:
        _use(name, columns)
    return Correlation(
        kind=str(rule.type).lower(),
        bases=bases,
        by=by,
        span=timedelta(seconds=rule.timespan.seconds),
        threshold=_threshold(condition),
        values=values,
    )


def _field_of(rule: SigmaCorrelationRule, base: str, name: str) -> str:
    alias = rule.aliases.aliases.get(name)
    if alias is None:
        return name
    for reference, field in alias.mapping.items():
        if reference.reference == base:
            return field
    raise NotExpressible(f"the alias {name} says nothing about the rule {base}")


def _threshold(condition: SigmaCorrelationCondition) -> float:
    if condition.op is SigmaCorrelationConditionOperator.GTE:
        threshold = condition.count
    elif condition.op is SigmaCorrelationConditionOperator.GT:
        threshold = condition.count + 1
    else:
        # A count over a sliding window rises and falls; only "at least" names a moment at which something happened
        raise NotExpressible("the condition of a correlation is gte or gt")
    if threshold < 1:
        raise NotExpressible("the threshold of a correlation is at least 1")
    return threshold


def _use(name: str, columns: Columns) -> None:
    try:
        _, kind = columns.use(name)
    except KeyError:
        raise UnknownField(name) from None
    if kind in {"texts", "numbers"}:
        raise NotExpressible(f"{name} is a list and can't be grouped or counted by")
