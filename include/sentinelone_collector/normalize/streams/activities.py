"""Activities: what users, agents and the console itself did, routed to OCSF classes by `activity_table.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinelone_collector.normalize.activity_record import ActivityRecord, activity_record
from sentinelone_collector.normalize.columns import Row, to_event
from sentinelone_collector.normalize.located import locate_source
from sentinelone_collector.normalize.messages import clean
from sentinelone_collector.normalize.objects import one_off
from sentinelone_collector.normalize.parts import plan_of
from sentinelone_collector.normalize.quick import quick_reader
from sentinelone_collector.normalize.record import Context, is_flat, stamp_values
from sentinelone_collector.normalize.shapes import Folded
from sentinelone_collector.normalize.table import Route, routes, unknown_route
from sentinelone_collector.normalize.values import number, text
from sentinelone_collector.source.endpoint import Endpoint, Stream

__all__ = ["STREAM", "map_activity", "map_record"]


def map_record(record: ActivityRecord | Mapping[str, Any], raw: str, context: Context) -> Row:
    """Return the row of one activity; raise `RecordError` where it has neither a time nor an id that holds one.

    An `ActivityRecord` is used up.
    """
    activity = record if isinstance(record, ActivityRecord) else activity_record(record)
    data: Mapping[str, Any] = activity.data if type(activity.data) is dict else {}
    route = _route(activity.activity_type)
    plan = plan_of(route, tuple(data))
    if not plan.unique:
        data = Folded(data).values
        plan = plan_of(route, tuple(data))
    row = Row()
    stamp_values(row, raw, context, created=activity.created_at, uid=activity.id, account=activity.account_id)
    row.parts = plan.parts(activity, data, context.addresses)
    if plan.one_off:
        one_off(route, row, activity, Folded(data))
        locate_source(row, context.addresses)
    row["message"] = _message(activity, route)
    row["unmapped"] = activity.unmapped(plain=not plan.secrets and is_flat(raw))
    return row


def _route(code: Any) -> Route:
    kind = code if type(code) is int else number(code)
    found = None if kind is None else routes().get(kind)
    return unknown_route() if found is None else found


def map_activity(record: Mapping[str, Any], raw: bytes, context: Context) -> dict[str, Any]:
    """Return the OCSF JSON event of one activity; `raw` is the record's exact bytes, UTF-8.

    Raise `RecordError` where the record has neither a time nor an id that holds one.
    """
    return to_event(map_record(record, raw.decode(), context).whole())


def _message(activity: ActivityRecord, route: Route) -> str:
    for told in (activity.primary_description, activity.description):
        found = clean(text(told) or "")
        if found:
            return found
    return route.name or f"Activity of type {text(activity.activity_type) or 'unknown'}"


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
    ),
    map_record=map_record,
    quick_reader=quick_reader,
)
