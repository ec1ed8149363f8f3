"""Names of the lake's objects: one key per part, instance, stream and window."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from sentinelone_collector.errors import UsageError
from sentinelone_collector.windows import Window

__all__ = [
    "PARTS",
    "ParsedKey",
    "catalogue_key",
    "day_prefix",
    "new_types_key",
    "object_key",
    "parse_key",
    "part_prefix",
]

PARTS = {
    "raw": ".ndjson.zst",
    "events": ".parquet",
    "hits": ".parquet",
    "quarantine": ".ndjson.zst",
    "receipts": ".json",
}
_KEY = re.compile(
    r"(?P<part>\w+)/instance=(?P<instance>[^/]+)/stream=(?P<stream>[^/]+)/day=\d{4}-\d\d-\d\d/"
    r"(?P<window>\d{8}T\d{6}Z--\d{8}T\d{6}Z)\.[a-z.]+"
)


class ParsedKey(NamedTuple):
    """What a key says about its object."""

    part: str
    instance: str
    stream: str
    window: Window


def part_prefix(part: str, instance: str, stream: str) -> str:
    """Return the prefix of all objects of one part of one stream, with a slash at its end."""
    return f"{part}/instance={instance}/stream={stream}/"


def day_prefix(part: str, instance: str, stream: str, day: date | str) -> str:
    """Return the prefix of one UTC day's objects, with a slash at its end."""
    return f"{part_prefix(part, instance, stream)}day={day}/"


def object_key(part: str, instance: str, stream: str, window: Window) -> str:
    """Return the key of one window's object; `part` is one of `PARTS`."""
    return f"{day_prefix(part, instance, stream, window.day)}{window.name}{PARTS[part]}"


def catalogue_key(instance: str) -> str:
    """Return the key of what an instance's console says about its activity types; it belongs to no window."""
    return f"catalogue/instance={instance}/activity-types.json"


def new_types_key(instance: str) -> str:
    """Return the key of the activity types of an instance that are new to the product; it belongs to no window."""
    return f"catalogue/instance={instance}/new-types.json"


def parse_key(key: str) -> ParsedKey | None:
    """Read a key back; None for any object that is none of the lake's own."""
    match = _KEY.fullmatch(key)
    if match is None or match["part"] not in PARTS:
        return None
    try:
        window = Window.from_name(match["window"])
    except (ValueError, UsageError):
        return None
    parsed = ParsedKey(match["part"], match["instance"], match["stream"], window)
    return parsed if object_key(*parsed) == key else None
