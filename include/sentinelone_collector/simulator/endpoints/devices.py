"""GET /device-control/events."""

from __future__ import annotations

from typing import Final

from sentinelone_collector.simulator.filters import SCOPES, TENANT, Filter, contains, one_of, times, words
from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.query import ids, text
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tabling import Layout, by_at, by_id, by_path, table_list

__all__ = ["ENDPOINTS"]

_FILTERS: Final[dict[str, Filter]] = {
    **SCOPES,
    **TENANT,
    **times("eventTime", lambda version: version.at, between=True),
    "query": Filter(text, lambda version, wanted: contains("deviceName").test(version, {wanted})),
    "ids": Filter(ids(), lambda version, wanted: version.key in wanted),
    "eventIds": words("eventId"),
    "deviceClasses": words("deviceClass"),
    "serviceClasses": words("serviceClass"),
    "vendorIds": words("vendorId"),
    "productIds": words("productId"),
    "uids": words("uId"),
    "eventTypes": words("eventType"),
    "agentIds": words("agentId"),
    "deviceIds": words("deviceId"),
    "interfaces": one_of("interface", "USB", "Bluetooth", "Thunderbolt", "SDCard"),
    "accessPermissions": one_of("accessPermission", "Read-Only", "Read-Write", "Not-Applicable"),
}
_LAYOUT: Final = Layout(
    "DeviceEvent",
    _FILTERS,
    {"id": by_id, "eventTime": by_at, "eventType": by_path("eventType"), "agentId": by_path("agentId")},
    key_time="eventTime",
)


def _list(call: Call) -> Page:
    return table_list(call, call.world.tables.device_events, _LAYOUT)


ENDPOINTS = (
    Endpoint("GET", "/device-control/events", _list, (5, 10), stream="device_events", permission="Device Control.view"),
)
