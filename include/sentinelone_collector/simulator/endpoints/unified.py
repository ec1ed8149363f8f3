"""POST /unifiedalerts/graphql: alerts of all products, one GraphQL endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from sentinelone_collector.simulator._time import MS, to_us
from sentinelone_collector.simulator.filters import leaves
from sentinelone_collector.simulator.graphql_query import Selection, Wanted, read_request, take
from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.messages import Refusal, Request, Response, graphql_error
from sentinelone_collector.simulator.query import Paging, read_cursor
from sentinelone_collector.simulator.records import render
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tables import Version
from sentinelone_collector.simulator.tabling import SortKey, by_at, by_created, by_path, ordered_page, visible_to
from sentinelone_collector.simulator.unified_schema import COLUMNS, unified_schema

__all__ = ["ENDPOINTS"]

_VIEW = "UnifiedAlert"
_MOST, _FIRST = 1000, 10
_SHOWN = "Unified Alerts.view"
_PRODUCTS: Final = {"ENDPOINT": "EDR", "IDENTITY": "IDENTITY", "CLOUD": "CWS", "CUSTOM_ALERTS": "STAR"}
_TIMES = frozenset({"createdAt", "detectedAt", "firstSeenAt", "lastSeenAt", "updatedAt"})

Test = Callable[[Version], bool]


def _refuse(message: str, kind: str = "BAD_REQUEST") -> Refusal:
    return Refusal(graphql_error(message, kind))


def _column(name: str) -> str:
    if name not in COLUMNS:
        raise _refuse(f"Unknown field id: {name}")
    return COLUMNS[name]


def _at(version: Version, path: str) -> int | None:
    if path == "updatedAt":
        return version.at
    text = next(leaves(version.make(), path), None)
    return to_us(datetime.fromisoformat(text)) if isinstance(text, str) else None


def _in_range(path: str, bounds: Mapping[str, Any]) -> Test:
    """Make a test for a range of milliseconds; both ends belong to it unless it says otherwise."""
    low, high = bounds.get("start"), bounds.get("end")
    low_in, high_in = bounds.get("startInclusive") is not False, bounds.get("endInclusive") is not False

    def test(version: Version) -> bool:
        at = _at(version, path)
        if at is None:
            return False
        after = low is None or (at >= low * MS if low_in else at > low * MS)
        return after and (high is None or (at <= high * MS if high_in else at < high * MS))

    return test


def _any_of(path: str, values: list[object]) -> Test:
    """Make a test for one of some values; one that no alert has, known or not, gives nothing."""
    wanted = {str(value).lower() for value in values}
    return lambda version: any(str(leaf).lower() in wanted for leaf in leaves(version.make(), path))


def _matching(path: str, values: list[str]) -> Test:
    wanted = [value.lower() for value in values]
    return lambda version: any(part in str(leaf).lower() for part in wanted for leaf in leaves(version.make(), path))


def _test(given: Mapping[str, Any]) -> Test:
    """Make the test of one filter, which must have one form."""
    name, path = given["fieldId"], _column(given["fieldId"])
    forms = [form for form, value in given.items() if form not in {"fieldId", "isNegated"} and value is not None]
    if len(forms) != 1:
        raise _refuse("Only one filter can be defined in the input argument")
    form, value = forms[0], given[forms[0]]
    if form == "dateTimeRange":
        if name not in _TIMES:
            raise _refuse(f"Filter dateTimeRange is not supported for field {name}")
        test = _in_range(path, value)
    elif form.endswith("Range"):
        raise _refuse(f"Filter {form} is not supported for field {name}")
    elif form == "match":
        test = _matching(path, value["values"])
    else:
        test = _any_of(path, value["values"] if form.endswith("In") else [value.get("value")])
    return (lambda version: not test(version)) if given.get("isNegated") else test


def _tests(arguments: Mapping[str, Any]) -> list[Test]:
    tests = [_test(given) for given in arguments.get("filters") or ()]
    if product := _PRODUCTS.get(arguments.get("viewType") or "ALL"):
        tests.append(_any_of("detectionSource.product", [product]))
    elif arguments.get("viewType") == "THIRD_PARTY":
        tests.append(lambda _version: False)
    if scope := arguments.get("scope"):
        level, allowed = f"{scope['scopeType'].lower()}_id", set(scope["scopeIds"])
        tests.append(lambda version: getattr(version.place, level) in allowed)
    return tests


def _paging(arguments: Mapping[str, Any]) -> Paging:
    first = _FIRST if arguments.get("first") is None else arguments["first"]
    if not 1 <= first <= _MOST:
        raise _refuse(f"first: must be between 1 and {_MOST}")
    sort = arguments.get("sort") or {"by": "createdAt", "order": "DESC"}
    _column(sort["by"])
    reverse = sort["order"] == "DESC"
    after = arguments.get("after")
    try:
        seek = read_cursor(after, _VIEW, sort["by"], reverse=reverse) if after else None
    except Refusal:
        raise _refuse("Invalid cursor value received") from None
    return Paging(first, 0, seek, count_only=False, skip_count=False, sort_by=sort["by"], reverse=reverse)


def _sort_key(column: str) -> SortKey:
    own: dict[str, SortKey] = {"updatedAt": by_at, "createdAt": by_created, "id": lambda version: version.key}
    return own.get(column) or by_path(COLUMNS[column])


def _field(selection: Selection, name: str) -> Selection:
    """Give what is wanted of a field; the service answers it once only."""
    found = [wanted for wanted in selection if wanted.name == name]
    if len(found) > 1:
        raise _refuse(f"Field {name} may be asked for once only", "TOO_COMPLEX")
    return found[0].inner if found else ()


def _page(call: Call, wanted: Wanted, others: Selection) -> Page:
    """Find the alerts of a page; each row is an edge as the query wants it."""
    page, tests = _paging(wanted.arguments), _tests(wanted.arguments)
    shown = visible_to(call, call.world.tables.unified_alerts.current(call.now))
    found = [version for version in shown if all(test(version) for test in tests)]
    sort, edges = _sort_key(page.sort_by), _field(wanted.inner, "edges")
    places: dict[int, str] = {}

    def edge(version: Version) -> bytes:
        whole = {"cursor": places[version.id], "node": version.make()}
        body = take(whole, edges)
        return render(call.world.options.seed, version.id, body if isinstance(body, dict) else {})

    made = ordered_page(_VIEW, page, found, sort, lambda version: b"%d" % version.id)
    by_id = {version.id: version for version in found}
    order = [by_id[int(row)] for row in made.rows]
    for index, version in enumerate(order):
        places[version.id] = unquote(made.cursor_after(index))
    ahead = (sort(order[-1]), order[-1].id) if order else None
    more = ahead is not None and any(
        ((sort(v), v.id) < ahead if page.reverse else (sort(v), v.id) > ahead) for v in found
    )
    return replace(
        made,
        rows=tuple(edge(version) for version in order),
        cursor=made.cursor_after(-1) if more else None,
        total=len(found),
        write=lambda altered: _write(altered, wanted, others, call),
    )


def _write(page: Page, wanted: Wanted, others: Selection, call: Call) -> Response:
    """Put the page's edges, which faults may have changed, into the answer."""
    last = page.cursor or (page.cursor_after(-1) if page.rows else None)
    info = {
        "endCursor": last and unquote(last),
        "hasNextPage": page.cursor is not None,
        "hasPreviousPage": page.paging.seek is not None,
        "startCursor": unquote(page.cursor_after(0)) if page.rows else None,
    }
    parts: dict[str, Any] = {"totalCount": page.total, "pageInfo": info}
    connection = {
        part.key: msgspec.Raw(b"[" + b",".join(page.rows) + b"]")
        if part.name == "edges"
        else take(parts.get(part.name, part.name), part.inner)
        for part in wanted.inner
    }
    data = {other.key: connection if other is wanted else _single(call, other) for other in others}
    return Response(200, msgspec.json.encode({"data": data}))


def _single(call: Call, wanted: Wanted) -> object:
    if wanted.name != "alert":
        return wanted.name
    shown = visible_to(call, call.world.tables.unified_alerts.current(call.now))
    found = next((version for version in shown if version.key == wanted.arguments["id"]), None)
    return take(found.make(), wanted.inner) if found else None


def _answer(call: Call) -> Response | Page:
    if call.token is None or not call.token.may(_SHOWN):
        return graphql_error("Insufficient permissions", "FORBIDDEN")
    selection = read_request(unified_schema(), call.request.body)
    lists = [wanted for wanted in selection if wanted.name == "alerts"]
    if len(lists) > 1:
        raise _refuse("Field alerts may be asked for once only", "TOO_COMPLEX")
    if lists:
        return _page(call, lists[0], selection)
    return Response(200, msgspec.json.encode({"data": {each.key: _single(call, each) for each in selection}}))


def _walks(request: Request) -> bool:
    """Say whether a query continues a walk: it has a variable that is a cursor of the service."""
    try:
        variables = json.loads(request.body).get("variables") or {}
        return bool(variables.get("after") or variables.get("cursor"))
    except (ValueError, AttributeError):
        return False


ENDPOINTS = (Endpoint("POST", "/unifiedalerts/graphql", _answer, (5, 10), stream="unified_alerts", walks=_walks),)
