"""Filters of the lists whose records change: each is a parser of its value and a test of a state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sentinelone_collector.simulator._time import to_us
from sentinelone_collector.simulator.messages import validation
from sentinelone_collector.simulator.query import (
    Parser,
    boolean,
    csv,
    ids,
    integer,
    scope_ids,
    span,
    text,
    timestamp,
)
from sentinelone_collector.simulator.tables import Version

__all__ = [
    "SCOPES",
    "TENANT",
    "Filter",
    "compared",
    "contains",
    "flag",
    "flags",
    "leaves",
    "named_ids",
    "number",
    "numbers",
    "one_of",
    "same",
    "times",
    "words",
]

Test = Callable[[Version, Any], bool]
Read = Callable[[Version], int | None]

_MOST_ITEMS = 5000
_BETWEEN = re.compile(r"(\d+)-(\d+)", re.ASCII)
_MOST_NUMBER = 1 << 62


class Filter(NamedTuple):
    """One query parameter: how its text is read, and whether a state passes."""

    parse: Parser
    test: Test


def leaves(body: object, path: str) -> Iterator[object]:
    """Yield what stands at a dotted path; lists on the way are opened."""
    head, _, rest = path.partition(".")
    if isinstance(body, list):
        for item in body:
            yield from leaves(item, path)
    elif not path:
        yield body
    elif isinstance(body, dict) and head in body:
        yield from leaves(body[head], rest)


def _texts(version: Version, path: str) -> list[str]:
    found = (leaf for leaf in leaves(version.make(), path) if leaf is not None)
    return [str(leaf).lower() if isinstance(leaf, bool) else str(leaf) for leaf in found]


def _least(length: int, most: int) -> Parser:
    def parse(name: str, value: str) -> frozenset[str]:
        items = csv(name, value)
        if len(items) > most:
            raise validation(f"{name}: Longer than maximum length {most}.")
        for number, item in enumerate(value.split(",")):
            if len(item.strip()) < length:
                raise validation(f"{name}: {number}: Shorter than minimum length {length}.")
        return items

    return parse


def _chosen(allowed: Sequence[str]) -> Parser:
    def parse(name: str, value: str) -> frozenset[str]:
        for number, item in enumerate(value.split(",")):
            if item.strip() not in allowed:
                raise validation(f'{name}: {number}: "{item.strip()}" is not a valid choice.')
        return csv(name, value)

    return parse


def _booleans(name: str, value: str) -> frozenset[str]:
    return frozenset(str(boolean(f"{name}: {n}", item)).lower() for n, item in enumerate(value.split(",")))


def words(path: str, *, negated: bool = False) -> Filter:
    """Make a filter for any of some words, at most 5,000."""
    return Filter(csv, lambda version, wanted: bool(wanted & set(_texts(version, path))) != negated)


def one_of(path: str, *allowed: str, negated: bool = False, spelled: Mapping[str, str] | None = None) -> Filter:
    """Make a filter for any of the allowed words; `spelled` says how records write them."""
    spelling = spelled or {}

    def test(version: Version, wanted: frozenset[str]) -> bool:
        found = {spelling.get(word, word) for word in wanted}
        return bool(found & set(_texts(version, path))) != negated

    return Filter(_chosen(allowed), test)


def contains(path: str, most: int = 10, least: int = 2, *, negated: bool = False) -> Filter:
    """Make a filter for parts of a text, in any case of letters."""

    def test(version: Version, wanted: frozenset[str]) -> bool:
        found = [item.lower() for item in _texts(version, path)]
        return any(part.lower() in item for part in wanted for item in found) != negated

    return Filter(_least(least, most), test)


def same(path: str, parse: Parser = text) -> Filter:
    """Make a filter for one exact value."""
    return Filter(parse, lambda version, wanted: str(wanted) in _texts(version, path))


def flag(path: str) -> Filter:
    """Make a filter for true or false; what is null or absent counts as false."""
    return Filter(boolean, lambda version, wanted: ("true" in _texts(version, path)) == wanted)


def flags(path: str) -> Filter:
    """Make a filter for a list of true and false."""
    return Filter(_booleans, lambda version, wanted: str("true" in _texts(version, path)).lower() in wanted)


def named_ids(path: str, *, negated: bool = False, most: int = _MOST_ITEMS) -> Filter:
    """Make a filter for ids."""
    return Filter(ids(most), lambda version, wanted: bool(wanted & set(_texts(version, path))) != negated)


def number(path: str) -> Filter:
    """Make a filter for one exact integer."""
    return same(path, integer(0, _MOST_NUMBER))


def compared(path: str, compare: Callable[[int, int], bool]) -> Filter:
    """Make a filter that compares integers."""

    def test(version: Version, wanted: int) -> bool:
        return any(compare(leaf, wanted) for leaf in leaves(version.make(), path) if type(leaf) is int)

    return Filter(integer(0, _MOST_NUMBER), test)


def _between(name: str, value: str) -> tuple[int, int]:
    match = _BETWEEN.fullmatch(value)
    if match is None:
        raise validation(f"{name}: Not a valid range.")
    return int(match[1]), int(match[2])


def numbers(name: str, path: str) -> dict[str, Filter]:
    """Make the five filters of an integer: lt, lte, gt, gte, between."""

    def inside(version: Version, wanted: tuple[int, int]) -> bool:
        return any(wanted[0] <= leaf <= wanted[1] for leaf in leaves(version.make(), path) if type(leaf) is int)

    return {
        f"{name}__lt": compared(path, lambda a, b: a < b),
        f"{name}__lte": compared(path, lambda a, b: a <= b),
        f"{name}__gt": compared(path, lambda a, b: a > b),
        f"{name}__gte": compared(path, lambda a, b: a >= b),
        f"{name}__between": Filter(_between, inside),
    }


def _read_time(path: str) -> Read:
    def read(version: Version) -> int | None:
        for leaf in leaves(version.make(), path):
            if isinstance(leaf, str) and leaf:
                return to_us(datetime.fromisoformat(leaf))
        return None

    return read


def times(name: str, of: str | Read, *, between: bool = False) -> dict[str, Filter]:
    """Make the filters of a time: lt, lte, gt, gte, and between where the list has it.

    `of` is a path, or reads µs from a state.
    """
    read = _read_time(of) if isinstance(of, str) else of

    def at(compare: Callable[[int, Any], bool]) -> Test:
        def test(version: Version, wanted: Any) -> bool:
            found = read(version)
            return found is not None and compare(found, wanted)

        return test

    made = {
        f"{name}__lt": Filter(timestamp, at(lambda a, b: a < b)),
        f"{name}__lte": Filter(timestamp, at(lambda a, b: a <= b)),
        f"{name}__gt": Filter(timestamp, at(lambda a, b: a > b)),
        f"{name}__gte": Filter(timestamp, at(lambda a, b: a >= b)),
    }
    if between:
        made[f"{name}__between"] = Filter(span, at(lambda a, b: b[0] <= a < b[1]))
    return made


SCOPES: Final[Mapping[str, Filter]] = {
    "accountIds": Filter(scope_ids, lambda version, wanted: version.place.account_id in wanted),
    "groupIds": Filter(scope_ids, lambda version, wanted: version.place.group_id in wanted),
    "siteIds": Filter(scope_ids, lambda version, wanted: version.place.site_id in wanted),
}
"""Scope filters, which nearly every list has."""

TENANT: Final[Mapping[str, Filter]] = {"tenant": Filter(boolean, lambda _version, _wanted: True)}
"""Asks for the whole console; the token's own scope still holds."""
