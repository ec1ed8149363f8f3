"""GET /activities and GET /activities/types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from sentinelone_collector.simulator._time import MINUTE, id_minute, iso
from sentinelone_collector.simulator.catalogue import LISTED_TYPES, types_document
from sentinelone_collector.simulator.history import Bucket
from sentinelone_collector.simulator.listing import Page, make_page
from sentinelone_collector.simulator.messages import Response, json_response, validation
from sentinelone_collector.simulator.query import (
    PAGING,
    Paging,
    Parser,
    Seek,
    boolean,
    choice,
    csv,
    ids,
    paging,
    parse_query,
    scope_ids,
    span,
    timestamp,
)
from sentinelone_collector.simulator.records import Entry, activity_uuid, record
from sentinelone_collector.simulator.routes import Call, Endpoint

__all__ = ["COUNT_CAP", "ENDPOINTS"]

COUNT_CAP: Final = 50_000
"""The console never counts further than this."""

_VIEW = "Activity"
_MOST_TIME = 1 << 62


def _types(name: str, value: str) -> frozenset[int]:
    items = csv(name, value)
    for number, item in enumerate(sorted(items)):
        if not item.isdigit() or int(item) not in LISTED_TYPES:
            raise validation(f'{name}: {number}: "{item}" is not a valid choice.')
    return frozenset(map(int, items))


_PARAMETERS: Final[dict[str, Parser]] = {
    **PAGING,
    "sortBy": choice("id", "activityType", "createdAt"),
    "createdAt__lt": timestamp,
    "createdAt__lte": timestamp,
    "createdAt__gt": timestamp,
    "createdAt__gte": timestamp,
    "createdAt__between": span,
    "includeHidden": boolean,
    "activityTypes": _types,
    "siteIds": scope_ids,
    "accountIds": scope_ids,
    "groupIds": scope_ids,
    **dict.fromkeys(("threatIds", "agentIds", "ids", "userIds", "ruleIds", "alertIds"), ids()),
    **dict.fromkeys(("activityUuids", "userEmails", "relatedIds"), csv),
}


def _bounds(values: dict[str, Any]) -> tuple[int, int]:
    """Turn all time filters into one half-open range of µs."""
    low, high = 0, _MOST_TIME
    low = max(low, values.get("createdAt__gte", 0), values.get("createdAt__gt", -1) + 1)
    high = min(high, values.get("createdAt__lt", high), values.get("createdAt__lte", high) + 1)
    start, end = values.get("createdAt__between", (low, high))
    low, high = max(low, start), min(high, end)
    if "ids" in values:  # an id holds its minute: no need to look elsewhere
        minutes = [id_minute(int(item)) for item in values["ids"]]
        low, high = max(low, min(minutes) * MINUTE), min(high, (max(minutes) + 1) * MINUTE)
    return low, high


def _filters(call: Call, values: dict[str, Any]) -> list[Callable[[Entry], bool]]:
    """Make the tests that an entry has to pass, besides time and visibility."""
    org, place = call.world.org, call.world.history.place
    tests: list[Callable[[Entry], bool]] = []

    def add(name: str, value_of: Callable[[Entry], object]) -> None:
        wanted = values.get(name)
        if wanted is not None:
            tests.append(lambda entry: value_of(entry) in wanted)

    if call.scope.level != "tenant":
        tests.append(lambda entry: call.scope.covers(place(entry)))
    add("activityTypes", lambda entry: entry.kind.type)
    add("accountIds", lambda entry: place(entry).account_id)
    add("siteIds", lambda entry: place(entry).site_id)
    add("groupIds", lambda entry: place(entry).group_id)
    add("ids", lambda entry: str(entry.id))
    add("agentIds", lambda entry: org.agents[entry.agent].id if entry.agent >= 0 else None)
    add("userIds", lambda entry: org.users[entry.user].id if entry.user >= 0 else None)
    add("userEmails", lambda entry: org.users[entry.user].email if entry.user >= 0 else None)
    add("activityUuids", lambda entry: activity_uuid(org.seed, entry.id))
    add("threatIds", lambda entry: entry.facts.top.get("threatId"))
    for name, keys in (("ruleIds", ("ruleid", "ruleId")), ("alertIds", ("alertid",)), ("relatedIds", ("relatedId",))):
        if name in values:
            tests.append(_in_data(call, keys, values[name]))
    return tests


def _in_data(call: Call, keys: tuple[str, ...], wanted: frozenset[str]) -> Callable[[Entry], bool]:
    def test(entry: Entry) -> bool:
        data = record(call.world.org, entry)["data"]
        return isinstance(data, dict) and any(str(data.get(key)) in wanted for key in keys)

    return test


def _matches(
    call: Call, values: dict[str, Any], low: int, high: int, *, reverse: bool = False, by_id: bool = False
) -> Iterator[tuple[Bucket, Entry]]:
    tests, hidden = _filters(call, values), values.get("includeHidden", False)
    for bucket, entry in call.world.history.walk(low, high, call.now, reverse=reverse, by_id=by_id):
        if (hidden or not entry.kind.hidden) and all(test(entry) for test in tests):
            yield bucket, entry


def _count(call: Call, values: dict[str, Any], low: int, high: int) -> int:
    if not _filters(call, values) and not values.get("includeHidden"):
        return min(COUNT_CAP, call.world.history.count(low, high, call.now, stop=COUNT_CAP))
    return sum(1 for _ in islice(_matches(call, values, low, high), COUNT_CAP))


def _after(
    found: Iterable[tuple[Bucket, Entry]], key: Callable[[Entry], tuple[object, int]], seek: Seek, *, reverse: bool
) -> Iterator[tuple[Bucket, Entry]]:
    """Leave out what lies before the place of a cursor."""
    here: Any = (seek.sort_value, seek.id)
    rest = iter(found)
    for item in rest:
        at: Any = key(item[1])
        if at < here if reverse else at > here:
            yield item
            yield from rest


def _ordered(call: Call, values: dict[str, Any], page: Paging, low: int, high: int) -> Iterator[tuple[Bucket, Entry]]:
    """Yield what matches in the order that is asked for, from the cursor's place on."""
    seek, reverse = page.seek, page.reverse
    if page.sort_by == "activityType":
        found: Iterable[tuple[Bucket, Entry]] = sorted(
            _matches(call, values, low, high), key=lambda item: (item[1].kind.type, item[1].id), reverse=reverse
        )
    else:
        if seek:
            minute = id_minute(seek.id)  # buckets are in order for both keys
            low, high = (low, min(high, (minute + 1) * MINUTE)) if reverse else (max(low, minute * MINUTE), high)
        found = _matches(call, values, low, high, reverse=reverse, by_id=page.sort_by == "id")
    return _after(found, _KEYS[page.sort_by], seek, reverse=reverse) if seek else iter(found)


_KEYS: Final[dict[str, Callable[[Entry], tuple[object, int]]]] = {
    "id": lambda entry: (entry.id, entry.id),
    "createdAt": lambda entry: (iso(entry.at), entry.id),
    "activityType": lambda entry: (entry.kind.type, entry.id),
}


def _list(call: Call) -> Page:
    values = parse_query(call.request.query, _PARAMETERS)
    page = paging(values, _VIEW, ("id", True))
    low, high = _bounds(values)
    if page.seek is not None and not isinstance(page.seek.sort_value, str if page.sort_by == "createdAt" else int):
        raise validation("Invalid cursor value received")
    total = 0 if page.skip_count or page.seek else _count(call, values, low, high)
    most = 0 if page.count_only else page.limit
    found = list(islice(_ordered(call, values, page, low, high), page.skip, page.skip + most))
    key = _KEYS[page.sort_by]
    rows = [bucket.render(entry) for bucket, entry in found]
    return make_page(_VIEW, page, rows, lambda index: Seek(*key(found[index][1])), total)


def _list_types(call: Call) -> Response:
    parse_query(call.request.query, {})
    return json_response({"data": types_document()})


ENDPOINTS = (
    Endpoint("GET", "/activities", _list, (10, 30), stream="activities", permission="Activity Page.view"),
    Endpoint("GET", "/activities/types", _list_types, (10, 30), permission="Activity Page.view"),
)
