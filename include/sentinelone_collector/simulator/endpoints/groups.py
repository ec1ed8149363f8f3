"""GET /groups."""

from __future__ import annotations

from typing import Final

from sentinelone_collector.simulator.filters import SCOPES, Filter, contains, flag, one_of, same, times
from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.query import choice, ids, integer, text
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tabling import Layout, by_at, by_created, by_id, by_path, table_list

__all__ = ["ENDPOINTS"]

_TYPES = ("static", "dynamic", "pinned")
_FILTERS: Final[dict[str, Filter]] = {
    **SCOPES,
    **times("updatedAt", lambda version: version.at),
    "query": Filter(text, lambda version, wanted: contains("name").test(version, {wanted})),
    "name": same("name"),
    "description": same("description"),
    "registrationToken": same("registrationToken"),
    "id": Filter(ids(1), lambda version, wanted: version.key in wanted),
    "rank": same("rank", integer(0, 1 << 31)),
    "isDefault": flag("isDefault"),
    "type": same("type", choice(*_TYPES)),
    "types": one_of("type", *_TYPES),
}
_LAYOUT: Final = Layout(
    "Group",
    _FILTERS,
    {
        "id": by_id,
        "name": by_path("name"),
        "type": by_path("type"),
        "rank": by_path("rank"),
        "siteId": by_path("siteId"),
        "createdAt": by_created,
        "updatedAt": by_at,
        "description": by_path("description"),
    },
)


def _list(call: Call) -> Page:
    return table_list(call, call.world.tables.groups, _LAYOUT)


ENDPOINTS = (Endpoint("GET", "/groups", _list, (5, 10), stream="groups", permission="Groups.view"),)
