"""What a query means, said by looking at every event; the search must give the same."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from sentinelone_collector.lake import Storage, parse_key
from sentinelone_collector.normalize import iter_events
from sentinelone_collector.search import Scope
from sentinelone_collector.search.fields import Leaf, resolve
from sentinelone_collector.search.query import All, And, Compare, Field, Node, Not, Number, Or, Words
from sentinelone_collector.search.words import Value, event_values, words

_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


class Scanned(NamedTuple):
    moment: int
    uid: str
    event: Mapping[str, Any]


def scan(lake: Storage, query: Node, scope: Scope) -> list[Scanned]:
    """Return all events that match, newest first."""
    found = [one for one in _events(lake, scope) if matches(query, one[1])]
    return [
        one
        for one, _ in sorted(
            found, key=lambda pair: (-pair[0].moment, crc32(pair[0].uid.encode()) >> 10 ^ 0x3FFFFF, pair[0].uid)
        )
    ]


def _events(lake: Storage, scope: Scope) -> Iterator[tuple[Scanned, list[tuple[str, Value]]]]:
    for key in lake.keys("events/"):
        place = parse_key(key)
        assert place is not None
        if (place.instance, place.stream) not in scope.sources:
            continue
        first, end = (int(edge.timestamp() * 1000) for edge in (place.window.start, place.window.end))
        with lake.local(key) as path:
            assert path is not None
            for event in iter_events(path):
                moment = min(max(event["time"], first), end - 1)
                if scope.start is not None and moment < scope.start.timestamp() * 1000:
                    continue
                if scope.end is not None and moment >= scope.end.timestamp() * 1000:
                    continue
                source = [("instance", place.instance), ("stream", place.stream)]
                yield Scanned(moment, event["metadata"]["uid"], event), [*source, *event_values(event)]


def matches(query: Node, values: list[tuple[str, Value]]) -> bool:  # noqa: PLR0911  # one for each kind
    match query:
        case All():
            return True
        case Words():
            texts = (value for _, value in values[2:] if not isinstance(value, bool))
            return any(_in_a_row(query, words(str(value))) for value in texts)
        case Field():
            return any(_holds(leaf, query.value, value) for leaf in resolve(query.name) for value in _of(leaf, values))
        case Compare():
            return any(
                leaf.kind == "number" and _COMPARE[query.operator](value, query.number.value)
                for leaf in resolve(query.name)
                for value in _of(leaf, values)
            )
        case Not():
            return not matches(query.node, values)
        case And():
            return all(matches(node, values) for node in query.nodes)
        case Or():
            return any(matches(node, values) for node in query.nodes)


def _of(leaf: Leaf, values: list[tuple[str, Value]]) -> list[Any]:
    return [value for path, value in values if path == leaf.path]


def _holds(leaf: Leaf, wanted: Words | Number | None, value: Value) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    there = [str(value)] if is_number else words(str(value))
    if wanted is None:
        return bool(there)
    if isinstance(wanted, Words):
        return leaf.kind != "number" and _in_a_row(wanted, there)
    if is_number:
        return bool(value == wanted.value)
    if leaf.kind != "text" and wanted.value < 0 and len(words(wanted.text)) == 1:
        return False
    return leaf.kind != "number" and _in_a_row(Words(tuple(words(wanted.text))), there)


def _in_a_row(wanted: Words, there: list[str]) -> bool:
    size = len(wanted.parts)
    for begin in range(len(there) - size + 1):
        *before, last = there[begin : begin + size]
        fits = last.startswith(wanted.parts[-1]) if wanted.prefix else last == wanted.parts[-1]
        if fits and tuple(before) == wanted.parts[:-1]:
            return True
    return False
