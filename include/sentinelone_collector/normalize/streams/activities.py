"""Activities: what users, agents and the console itself did, routed to OCSF classes by `activity_table.csv`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sentinelone_collector.normalize.columns import Row, to_event
from sentinelone_collector.normalize.objects import OBJECTS, ONE_OFF, Activity
from sentinelone_collector.normalize.parts import plan_of
from sentinelone_collector.normalize.record import Context, is_flat, json_text, stamp
from sentinelone_collector.normalize.shapes import Folded, redact
from sentinelone_collector.normalize.table import Route, routes, unknown_route
from sentinelone_collector.normalize.values import number, text
from sentinelone_collector.source.endpoint import Endpoint, Stream

__all__ = ["STREAM", "map_activity", "map_record"]

_MAPPED = frozenset({"accountId", "activityType", "createdAt", "id", "primaryDescription"})
_SCALARS = (str, int)
_OBJECT_DUMP = re.compile(r"<\w+ (?:at 0x\w+ )?with [^>]*>")


def map_record(record: Mapping[str, Any], raw: str, context: Context) -> Row:
    """Return the row of one activity; raise `RecordError` where it has neither a time nor an id that holds one."""
    data = record.get("data")
    if type(data) is not dict:
        data = {}
    code = record.get("activityType")
    kind = number(code)
    route = routes().get(kind) if kind is not None else None
    unnamed = None if route is not None else text(code)
    route = route or unknown_route()
    plan = plan_of(route, tuple(record), tuple(data))
    if not plan.unique:
        data = Folded(data).values
        plan = plan_of(route, tuple(record), tuple(data))
    row = Row()
    stamp(row, record, raw, context, record.get("createdAt"))
    deed, target = plan.deed(unnamed, record, data), plan.target(record, data)
    row.parts = (*deed.parts, target.part)
    seen = [*deed.before, *target.observables, *deed.after]
    if route.object in ONE_OFF:
        OBJECTS[route.object](Activity(row, record, Folded(data), seen, route))
    if seen:
        row["observables"] = seen
    row["message"] = _message(record, route)
    rest = _unmapped(record)
    row["unmapped"] = json_text(redact(rest) if plan.secrets or not is_flat(raw) else rest)
    return row


def map_activity(record: Mapping[str, Any], raw: bytes, context: Context) -> dict[str, Any]:
    """Return the OCSF JSON event of one activity; `raw` is the record's exact bytes, UTF-8.

    Raise `RecordError` where the record has neither a time nor an id that holds one.
    """
    return to_event(map_record(record, raw.decode(), context).whole())


def _message(record: Mapping[str, Any], route: Route) -> str:
    told = text(record.get("primaryDescription"))
    if told is None:
        # Some consoles put the printed form of an internal object there.
        told = text(_OBJECT_DUMP.sub("", text(record.get("description")) or ""))
    return told or route.name or f"Activity of type {text(record.get('activityType')) or 'unknown'}"


def _unmapped(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has no place in an event, under the vendor's names; a mapped field of a wrong type is kept too."""
    rest = {key: value for key, value in record.items() if value is not None}
    for key in _MAPPED:
        if type(rest.get(key)) in _SCALARS:
            del rest[key]
    return rest


STREAM = Stream(
    name="activities",
    endpoint=Endpoint(
        path="/activities",
        time_field="createdAt",
        record_time=("createdAt",),
        sort_by="createdAt",
        permission="Activity Page.view",
        optional=False,
        count_cap=50_000,
        page_size=1000,
        rate=10.0,
        burst=30,
    ),
    map_record=map_record,
)
