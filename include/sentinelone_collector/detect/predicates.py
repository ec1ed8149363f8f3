"""Sigma conditions as DuckDB predicates.

Every comparison is two-valued: a missing field makes it false, so that NOT means what a reader of the rule expects.
Text compares without regard to case (Sigma 2.1), numbers compare as numbers, and a list matches where one of its
elements does.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from sentinelone_collector.detect.fields import CODE, Columns, Kind, folded, literal

__all__ = ["NotExpressible", "UnknownField", "event_codes", "predicate", "spared_codes"]

_ELEMENT: dict[Kind, Kind] = {"texts": "text", "numbers": "number"}
_ELEMENT_NAME = "x"
_OPERATORS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "<>",
}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
# A list of codes that is written as one expression, without flags
_ALTERNATIVES = re.compile(r"\^\((\d+(?:\|\d+)*)\)\$")
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: "%", SpecialChars.WILDCARD_SINGLE: "_"}


class NotExpressible(ValueError):
    """The condition uses a part of Sigma that events can't be tested for."""


class UnknownField(ValueError):
    """The condition names a field that events do not have."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"events have no field {name!r}; vendor data is below unmapped.data")


def predicate(tree: object, columns: Columns) -> str:
    """Return a parsed Sigma condition as an SQL predicate over the aliases of `columns`.

    Raise `UnknownField` or `NotExpressible`.
    """
    if isinstance(tree, (ConditionAND, ConditionOR)):
        word = " AND " if isinstance(tree, ConditionAND) else " OR "
        return "(" + word.join(predicate(arg, columns) for arg in tree.args) + ")"
    if isinstance(tree, ConditionNOT):
        return f"(NOT {predicate(tree.args[0], columns)})"
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        return _field(tree.field, tree.value, columns)
    if isinstance(tree, ConditionValueExpression):
        raise NotExpressible(f"{str(tree.value)!r} is searched without a field; name the field that holds it")
    raise NotExpressible("the condition is empty")


def event_codes(tree: object) -> frozenset[str] | None:
    """Return the event codes, in small letters, outside of which a parsed condition can't hold; None for any code."""
    if isinstance(tree, (ConditionAND, ConditionOR)):
        sides = [event_codes(arg) for arg in tree.args]
        known = [side for side in sides if side is not None]
        if isinstance(tree, ConditionAND):
            return frozenset.intersection(*known) if known else None
        return frozenset.union(*known) if len(known) == len(sides) else None
    if isinstance(tree, ConditionFieldEqualsValueExpression) and tree.field == CODE:
        return _codes(tree.value)
    return None


def spared_codes(tree: object) -> frozenset[str]:
    """Return event codes, in small letters, with which a parsed condition can't hold: those that it says `not` to."""
    if isinstance(tree, ConditionNOT):
        return _told(tree.args[0])
    if isinstance(tree, (ConditionAND, ConditionOR)):
        sides = [spared_codes(arg) for arg in tree.args]
        return frozenset[str]().union(*sides) if isinstance(tree, ConditionAND) else frozenset.intersection(*sides)
    return frozenset()


def _told(tree: object) -> frozenset[str]:
    """Return event codes with which a parsed condition holds whatever else an event says."""
    if isinstance(tree, ConditionFieldEqualsValueExpression) and tree.field == CODE:
        return _codes(tree.value) or frozenset()
    sides = [_told(arg) for arg in tree.args] if isinstance(tree, (ConditionAND, ConditionOR)) else []
    if isinstance(tree, ConditionAND):
        return frozenset.intersection(*sides)
    return frozenset[str]().union(*sides)


def _codes(value: object) -> frozenset[str] | None:
    if isinstance(value, SigmaExpansion):
        parts = [_codes(part) for part in value.values]
        known = [part for part in parts if part is not None]
        return frozenset.union(*known) if known and len(known) == len(parts) else None
    if isinstance(value, SigmaRegularExpression):
        listed = None if value.flags else _ALTERNATIVES.fullmatch(str(value.regexp))
        return frozenset(listed[1].split("|")) if listed else None
    if not isinstance(value, SigmaString) or value.contains_special() or value.contains_placeholder():
        return None
    text = "".join(str(part) for part in value.s)
    # Beyond ASCII, Python and DuckDB need not agree on what small letters are
    return frozenset({text.lower()}) if text.isascii() else None


def _use(name: str, columns: Columns) -> tuple[str, Kind]:
    try:
        return columns.use(name)
    except KeyError:
        raise UnknownField(name) from None


def _field(name: str, value: object, columns: Columns) -> str:
    alias, kind = _use(name, columns)
    if isinstance(value, SigmaExpansion):
        return "(" + " OR ".join(_field(name, part, columns) for part in value.values) + ")"
    if isinstance(value, SigmaNull):
        return _missing(alias, kind)
    if isinstance(value, SigmaExists):
        return f"(NOT {_missing(alias, kind)})" if value.exists else _missing(alias, kind)
    if isinstance(value, SigmaFieldReference):
        return _same(name, alias, kind, value, columns)
    if kind in _ELEMENT:
        test = _compare(_ELEMENT_NAME, _ELEMENT[kind], value)
        return f"coalesce(len(list_filter({alias}, lambda {_ELEMENT_NAME}: coalesce({test}, false))) > 0, false)"
    return f"coalesce({_compare(alias, kind, value)}, false)"


def _missing(alias: str, kind: Kind) -> str:
    return f"coalesce(len({alias}) = 0, true)" if kind in _ELEMENT else f"({alias} IS NULL)"


def _same(name: str, alias: str, kind: Kind, reference: SigmaFieldReference, columns: Columns) -> str:
    other, other_kind = _use(reference.field, columns)
    if kind in _ELEMENT or other_kind in _ELEMENT:
        raise NotExpressible(f"{name} and {reference.field} can't be compared: one of them is a list")
    left, right = (f"lower(CAST({column} AS VARCHAR))" for column in (alias, other))
    if reference.starts_with or reference.ends_with:
        function = "starts_with" if reference.starts_with else "ends_with"
        return f"coalesce({function}({left}, {right}), false)"
    return f"coalesce({left} = {right}, false)"


def _compare(x: str, kind: Kind, value: object) -> str:
    match value:
        case SigmaString():
            return _text(x, kind, value)
        case SigmaTimestampPart():
            raise NotExpressible("parts of a time (hour, day, …) can't be compared; compare the time itself")
        case SigmaNumber():
            return f"{_number(x, kind)} = {value.number}"
        case SigmaBool():
            return _boolean(x, kind, value=value.boolean)
        case SigmaCompareExpression():
            return f"{_number(x, kind)} {_OPERATORS[value.op]} {value.number.number}"
        case SigmaRegularExpression():
            flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
            pattern = f"(?{flags}){value.regexp}" if flags else str(value.regexp)
            return f"regexp_matches(CAST({x} AS VARCHAR), {_literal(pattern)})"
        case SigmaCIDRExpression():
            return _network(x, kind, value)
        case _:
            raise NotExpressible(f"values of the kind {type(value).__name__} can't be compared")


def _literal(text: str) -> str:
    try:
        return literal(text)
    except ValueError as error:
        raise NotExpressible(str(error)) from None


def _number(x: str, kind: Kind) -> str:
    return x if kind == "number" else f"TRY_CAST({x} AS DOUBLE)"


def _boolean(x: str, kind: Kind, *, value: bool) -> str:
    if kind == "bool":
        return x if value else f"NOT {x}"
    return f"{x} = {int(value)}" if kind == "number" else f"lower({x}) = '{str(value).lower()}'"


def _text(x: str, kind: Kind, value: SigmaString) -> str:
    if value.contains_placeholder():
        raise NotExpressible(f"{value} holds a placeholder; write the values themselves")
    text = x if kind == "text" else f"CAST({x} AS VARCHAR)"
    fold = "{}" if isinstance(value, SigmaCasedString) else "lower({})"
    subject = folded(x) if kind == "text" and fold != "{}" and x != _ELEMENT_NAME else fold.format(text)
    if not value.contains_special():
        return f"{subject} = {fold.format(_literal(''.join(str(part) for part in value.s)))}"
    pattern = "".join(_WILDCARDS[part] if isinstance(part, SpecialChars) else _escaped(str(part)) for part in value.s)
    return f"{subject} LIKE {fold.format(_literal(pattern))} ESCAPE '\\'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _network(x: str, kind: Kind, value: SigmaCIDRExpression) -> str:
    if kind != "text":
        raise NotExpressible(f"{value.cidr} is compared with a field that holds no address")
    if not isinstance(value.network, IPv4Network):
        return "(" + " OR ".join(_text(x, kind, SigmaString(pattern)) for pattern in value.expand("*")) + ")"
    # DuckDB's own address type is an extension that is downloaded on first use, which an installation may not allow
    octets = [f"TRY_CAST(split_part({x}, '.', {n}) AS BIGINT)" for n in range(1, 5)]
    address = f"(({octets[0]} * 256 + {octets[1]}) * 256 + {octets[2]}) * 256 + {octets[3]}"
    first, last = int(value.network.network_address), int(value.network.broadcast_address)
    return f"(regexp_full_match({x}, '\\d{{1,3}}(\\.\\d{{1,3}}){{3}}') AND {address} BETWEEN {first} AND {last})"
