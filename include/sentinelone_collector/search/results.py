"""What a search gives back, and where the next page begins."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from sentinelone_collector.errors import UsageError

__all__ = ["Bucket", "Counts", "Cursor", "Page", "Row", "row_dict"]

_CURSOR = re.compile(r"([0-9a-f]{1,16})-([^\s]{1,200})")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a list of results.

    `time` is the event's own, `moment` the same kept inside its window, both in milliseconds since 1970 (UTC): results
    are ordered and chosen by `moment`. `key` is the object of the lake that holds the event.
    """

    uid: str
    key: str
    instance: str
    stream: str
    time: int
    moment: int
    class_name: str | None
    activity_name: str | None
    event_code: str | None
    severity: str | None
    status: str | None
    message: str | None
    user: str | None
    ip: str | None
    host: str | None


def row_dict(row: Row) -> dict[str, Any]:
    """Return a row as JSON shows it: with times as ISO 8601 in UTC beside the milliseconds."""
    moment = datetime.fromtimestamp(row.time / 1000, UTC)
    return {**msgspec.to_builtins(row), "time": moment, "time_ms": row.time}


class Cursor(NamedTuple):
    """The place of the last event of a page; new events come before or after it, and move nothing."""

    rank: int
    uid: str

    def __str__(self) -> str:
        return f"{self.rank:x}-{self.uid}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor; raise `UsageError` for any other text."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise UsageError("the cursor is none that a search gave; leave it out to begin with the newest")
        return cls(int(match[1], 16), match[2])


class Page(NamedTuple):
    """Some results, newest first, and where the next page begins; `cursor` None: there are no more."""

    rows: list[Row]
    cursor: Cursor | None


class Bucket(msgspec.Struct, frozen=True):
    """How many events lie in a span that begins at `start`, in milliseconds since 1970 (UTC)."""

    start: int
    count: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many events match, over time (`width` in milliseconds, buckets without an event included) and by attribute.

    `exact` is false where the older part of the range has not been read within the budget; then `since` is the moment
    from which on everything is counted, in milliseconds.
    """

    total: int
    width: int
    buckets: list[Bucket]
    facets: dict[str, dict[str, int]]
    exact: bool
    since: int | None
