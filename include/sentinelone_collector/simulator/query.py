"""Query parameters: which are known, what they may be, and what they mean."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from sentinelone_collector.simulator._time import MS, to_us
from sentinelone_collector.simulator.messages import validation

__all__ = [
    "PAGING",
    "Paging",
    "Parser",
    "Seek",
    "boolean",
    "choice",
    "csv",
    "cursor_text",
    "ids",
    "integer",
    "paging",
    "parse_query",
    "read_cursor",
    "scope_ids",
    "span",
    "text",
    "timestamp",
]

Parser = Callable[[str, str], Any]

_MOST = 1000
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_EPOCH_MS = re.compile(r"\d{13}", re.ASCII)
_SPAN = re.compile(r"(\d{13})-(\d{13})", re.ASCII)
_LEAST_ID: Final = 100_000_000_000_000_000
_MOST_SCOPE_IDS = 500
_MOST_ITEMS = 5000


def integer(low: int, high: int) -> Parser:
    """Make a parser for an integer in [low, high]."""

    def parse(name: str, value: str) -> int:
        if not re.fullmatch(r"-?\d+", value, re.ASCII):
            raise validation(f"{name}: Not a valid integer.")
        number = int(value)
        if not low <= number <= high:
            raise validation(f"{name}: Must be between {low} and {high}.")
        return number

    return parse


def boolean(name: str, value: str) -> bool:
    """Read true or false, in the spellings that Python servers accept."""
    if value.lower() in {"true", "1", "t"}:
        return True
    if value.lower() in {"false", "0", "f"}:
        return False
    raise validation(f"{name}: Not a valid boolean.")


def text(_name: str, value: str) -> str:
    """Take any text."""
    return value


def choice(*allowed: str) -> Parser:
    """Make a parser for one of some words."""

    def parse(name: str, value: str) -> str:
        if value not in allowed:
            raise validation(f'{name}: "{value}" is not a valid choice.')
        return value

    return parse


def csv(name: str, value: str) -> frozenset[str]:
    """Read words joined by commas, at most 5,000."""
    items = [item.strip() for item in value.split(",")]
    for number, item in enumerate(items):
        if not item:
            raise validation(f"{name}: {number}: Shorter than minimum length 1.")
    if len(items) > _MOST_ITEMS:
        raise validation(f"{name}: Longer than maximum length {_MOST_ITEMS}.")
    return frozenset(items)


def ids(most: int = _MOST_ITEMS) -> Parser:
    """Make a parser for ids joined by commas."""

    def parse(name: str, value: str) -> frozenset[str]:
        items = value.split(",")
        if len(items) > most:
            raise validation(f"{name}: Longer than maximum length {most}.")
        for number, item in enumerate(items):
            if not item.isascii() or not item.isdigit() or int(item) < _LEAST_ID:
                raise validation(f"{name}: {number}: Not a valid Identifier.")
        return frozenset(items)

    return parse


scope_ids: Final = ids(_MOST_SCOPE_IDS)


def timestamp(name: str, value: str) -> int:
    """Read a time as µs since 1970: ISO with up to six fraction digits, or 13 digits of milliseconds."""
    if _EPOCH_MS.fullmatch(value):
        return int(value) * MS
    match = _ISO.fullmatch(value)
    if match is None:
        raise validation(f"{name}: Not a valid datetime.")
    *numbers, fraction, zone = match.groups()
    try:
        moment = datetime(*map(int, numbers), tzinfo=UTC)  # type: ignore[misc,arg-type]  # six integers
    except ValueError:
        raise validation(f"{name}: Not a valid datetime.") from None
    us = to_us(moment) + int((fraction or "").ljust(6, "0"))
    if zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[4:6])
        us -= (1 if zone[0] == "+" else -1) * minutes * 60_000_000
    return us


def span(name: str, value: str) -> tuple[int, int]:
    """Read `<ms>-<ms>`, both ends included, as µs [start, end)."""
    match = _SPAN.fullmatch(value)
    if match is None:
        raise validation(f"{name}: Not a valid timestamp range.")
    return int(match[1]) * MS, int(match[2]) * MS + 1


PAGING: Final[Mapping[str, Parser]] = {
    "limit": integer(1, _MOST),
    "skip": integer(0, _MOST),
    "cursor": text,
    "countOnly": boolean,
    "skipCount": boolean,
    "sortOrder": choice("asc", "desc"),
}
"""Parameters that every list has; `sortBy` differs."""


def parse_query(pairs: Sequence[tuple[str, str]], known: Mapping[str, Parser]) -> dict[str, Any]:
    """Read all parameters; an unknown one is an error, an empty one counts as absent."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in known:
            raise validation(f"{name}: Unknown field")
        if value:
            values[name] = known[name](name, value)
    return values


@dataclass(frozen=True, slots=True)
class Seek:
    """The place in a list after which the next page begins."""

    sort_value: object
    id: int


@dataclass(frozen=True, slots=True)
class Paging:
    """How much of a list, from where, in which order."""

    limit: int
    skip: int
    seek: Seek | None
    count_only: bool
    skip_count: bool
    sort_by: str
    reverse: bool


def paging(values: Mapping[str, Any], view: str, default_sort: tuple[str, bool]) -> Paging:
    """Make the paging of parsed parameters; `default_sort` is (column, descending)."""
    sort_by = values.get("sortBy", default_sort[0])
    order = values.get("sortOrder")
    reverse = default_sort[1] if order is None and "sortBy" not in values else order == "desc"
    seek = read_cursor(values["cursor"], view, sort_by, reverse=reverse) if "cursor" in values else None
    return Paging(
        values.get("limit", 10),
        0 if seek else values.get("skip", 0),
        seek,
        values.get("countOnly", False),
        values.get("skipCount", False),
        sort_by,
        reverse,
    )


def cursor_text(view: str, sort_by: str, *, reverse: bool, seek: Seek) -> str:
    """Write a cursor as the console does: Python's JSON, base64, `=` as `%3D`."""
    document = {
        "id_column": f"{view}.id",
        "id_value": seek.id,
        "sort_by_column": f"{view}.{sort_by}",
        "sort_by_value": seek.sort_value,
        "sort_order": "desc" if reverse else "asc",
    }
    return quote(base64.b64encode(json.dumps(document).encode()).decode(), safe="+/")


def read_cursor(value: str, view: str, sort_by: str, *, reverse: bool) -> Seek:
    """Read a cursor back; it must belong to the list and to the order that is asked for.

    The console keeps no filters in a cursor, so a client has to send filters and order again.
    """
    refusal = validation("Invalid cursor value received")
    try:  # a client may have escaped the padding once more
        document = json.loads(base64.b64decode(unquote(value), validate=True))
        seek = Seek(document["sort_by_value"], document["id_value"])
        same = (document["id_column"], document["sort_by_column"], document["sort_order"]) == (
            f"{view}.id",
            f"{view}.{sort_by}",
            "desc" if reverse else "asc",
        )
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise refusal from None
    if not same or type(seek.id) is not int:
        raise refusal
    return seek
