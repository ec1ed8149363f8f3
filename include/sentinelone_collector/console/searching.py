"""One search as its link says it: the words, the boxes beside them, the range of time, and what the user may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sentinelone_collector.console.context import Context
from sentinelone_collector.search import Budget, Cursor, Scope, both, field_query, parse_query, scope_of
from sentinelone_collector.search.query import Node
from sentinelone_collector.windows import iso, parse_time

__all__ = ["PAGE", "Asked", "budget", "given", "presets", "read_search"]

PAGE = 50
BOXES = ("class", "severity", "user", "ip")
DEFAULT_DAYS = 7
_NAMES = ("q", "from", "to", "instance", "stream", *BOXES)
_SECONDS = 8.0  # a person waits, and so does a thread of Airflow's API server


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link asks for: `given` are its values by name, as text, also where they can't be read."""

    given: Mapping[str, str]
    query: Node
    scope: Scope
    cursor: Cursor | None


def budget() -> Budget:
    """Return how long one request may read events that are not indexed yet."""
    return Budget(_SECONDS)


def given(ctx: Context, link: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a link by name; where it says nothing of a range of time it is the last days."""
    values = {name: str(link.get(name) or "").strip() for name in _NAMES}
    if link.get("from") is None:
        values["from"] = iso((ctx.now() - timedelta(days=DEFAULT_DAYS)).replace(second=0, microsecond=0))
    return values


def read_search(ctx: Context, link: Mapping[str, Any]) -> Asked:
    """Read a link; raise `UsageError` with what is wrong, `Refused` for an instance that the user may not see."""
    values = given(ctx, link)
    asked = values["instance"]
    slugs = [ctx.instance(asked).slug] if asked else [one.slug for one in ctx.instances()]
    streams = [values["stream"]] if values["stream"] else []
    scope = scope_of(slugs, streams, _moment(values["from"]), _moment(values["to"]))
    boxes = [field_query(name, values[name]) for name in BOXES]
    cursor = link.get("cursor")
    return Asked(values, both(parse_query(values["q"]), *boxes), scope, Cursor.parse(cursor) if cursor else None)


def _moment(text: str) -> datetime | None:
    return parse_time(text) if text else None


def presets(now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """Return ranges of time to choose from, each with the values of its link."""
    begin = now.replace(second=0, microsecond=0)
    days = ((1, "24 hours"), (7, "7 days"), (30, "30 days"))
    return [*((text, {"from": iso(begin - timedelta(days=number))}) for number, text in days), ("all", {"from": " "})]
