"""GET /system/status (no token, one call a second for each address) and GET /system/info."""

from __future__ import annotations

from sentinelone_collector.simulator.messages import Response, json_response
from sentinelone_collector.simulator.query import parse_query
from sentinelone_collector.simulator.routes import Call, Endpoint

__all__ = ["ENDPOINTS"]


def _status(call: Call) -> Response:
    parse_query(call.request.query, {})
    return json_response({"data": {"health": "ok"}})


def _info(call: Call) -> Response:
    parse_query(call.request.query, {})
    document = {
        "build": "118",
        "latestAgentVersion": "25.1.1.12",
        "patch": "1",
        "release": "W#98",
        "version": "S-25.2.4",
    }
    return json_response({"data": document})


ENDPOINTS = (
    Endpoint("GET", "/system/status", _status, (1, 1), auth=False),
    Endpoint("GET", "/system/info", _info, (5, 10)),
)
