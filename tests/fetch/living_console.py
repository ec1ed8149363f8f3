"""A console whose records change while it is read: nested times, several time filters, REST and GraphQL."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3

from sentinelone_collector.instances import Connection
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint, Pass, Stream
from sentinelone_collector.source.graphql import GraphQL
from sentinelone_collector.source.rate import Limits
from sentinelone_collector.source.transport import Transport

TOKEN = "canary-Tok3n-that-must-never-show"
URL = "https://usea1-acme.example.net"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGING = {"limit", "cursor", "sortBy", "sortOrder", "countOnly", "accountIds", "siteIds"}
Answer = tuple[int, bytes]


def micros(text: str) -> int:
    delta = datetime.fromisoformat(text) - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def at(path: tuple[str, ...], record: Any) -> Any:
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


THREATS = Stream(
    "threats",
    Endpoint(
        "/threats", "updatedAt", ("threatInfo", "updatedAt"), "updatedAt", "Threats.view",
        record_version=("threatInfo", "updatedAt"),
    ),
    print,
)  # fmt: skip
ALERTS = Stream(
    "alerts",
    Endpoint(
        "/cloud-detection/alerts", "createdAt", ("alertInfo", "createdAt"), "alertInfoCreatedAt", "Custom Alerts.view",
        record_id=("alertInfo", "alertId"),
        passes=(Pass("reportedAt", ("alertInfo", "reportedAt"), "alertInfoReportedAt"),),
    ),
    print,
)  # fmt: skip
UNIFIED = Stream(
    "unified_alerts",
    Endpoint(
        "/unifiedalerts/graphql", "createdAt", ("createdAt",), "createdAt", "the alerts' view right",
        passes=(Pass("updatedAt", ("updatedAt",), "updatedAt"),),
        record_version=("updatedAt",),
        graphql=GraphQL("id createdAt updatedAt name dataSources assets { id name }"),
    ),
    print,
)  # fmt: skip


@dataclass
class LivingConsole(requests.adapters.BaseAdapter):
    """Serves `records` of one stream by its endpoint; `before` runs ahead of each request and may change them."""

    stream: Stream
    records: list[dict[str, Any]] = field(default_factory=list)
    before: Callable[[int], Any] | None = None
    refuse: Callable[[dict[str, Any]], Answer | None] | None = None
    hide: Callable[[dict[str, Any], dict[str, Any]], bool] | None = None  # a bug: this record is not shown
    can_count: bool = True
    start_inclusive: bool = True
    end_inclusive: bool = False
    lacking: set[str] = field(default_factory=set)
    most: int = 10**6
    seen: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__()
        readings = self.stream.endpoint.readings
        self.times = {reading.time_field: reading.record_time for reading in readings}
        self.columns = {reading.sort_by: reading.record_time for reading in readings}

    def console(self, **options: Any) -> Console:
        connection = Connection(URL, TOKEN)
        options = {"sleep": lambda _: None, "limits": Limits(), **options}
        return Console(connection, transport=Transport(connection, adapter=self), **options)

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        with self.lock:
            status, body = self._answer(request)
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(body), headers={"Content-Length": str(len(body))}, status=status, preload_content=False
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass

    def _answer(self, request: requests.PreparedRequest) -> Answer:
        parts = urlsplit(request.url)
        path = parts.path.removeprefix("/web/api/v2.1")
        if request.headers.get("Authorization") != f"ApiToken {TOKEN}":
            return 401, b'{"errors":[{"code":4010010,"detail":null,"title":"Authentication Failed"}]}'
        if path == "/system/info":
            return 200, b'{"data":{"release":"test"}}'
        assert path == self.stream.endpoint.path
        graphql = self.stream.endpoint.graphql is not None
        query = json.loads(request.body) if graphql else dict(parse_qsl(parts.query, keep_blank_values=True))
        self.seen.append(query)
        if self.before:
            self.before(len(self.seen))
        refused = self.refuse(query) if self.refuse else None
        return refused or (self._graphql(query) if graphql else self._rest(query))

    def _rest(self, query: dict[str, str]) -> Answer:
        known = PAGING | {f"{name}__{bound}" for name in self.times for bound in ("gte", "lt")}
        if not self.can_count:
            known -= {"countOnly"}
        if query.keys() - known:
            detail = f"dict_values({sorted(query.keys() - known)}): Unknown field"
            return 400, json.dumps({"errors": [{"code": 4000010, "detail": detail, "title": "Validation"}]}).encode()
        spans = {}
        for name in self.times:
            if f"{name}__gte" in query:
                spans[name] = (micros(query[f"{name}__gte"]), micros(query[f"{name}__lt"]) - 1)
        found = self._matching(query, spans)
        if query.get("countOnly") == "true":
            return 200, self._body([], None, len(found))
        by = self.columns[query["sortBy"]]
        assert query["sortOrder"] == "asc"
        page, cursor = self._page(found, by, int(query["limit"]), query.get("cursor"))
        return 200, self._body(page, cursor, 0 if "cursor" in query else len(found))

    def _graphql(self, query: dict[str, Any]) -> Answer:
        for name in self.lacking:
            if re.search(rf"\b{name}\b", query["query"]):
                error = {"message": f"Cannot query field '{name}' on type 'Alert'.", "locations": [{"line": 1}]}
                return 200, json.dumps({"data": None, "errors": [error]}).encode()
        variables = query["variables"]
        declared = set(re.findall(r"\$(\w+):", query["query"]))
        assert declared == variables.keys()
        if variables["first"] > self.most:
            return 200, b'{"data":null,"errors":[{"message":"first must not exceed the maximum page size"}]}'
        spans = {}
        for item in variables["filters"]:
            span = item["dateTimeRange"]
            low = span["start"] * 1000 + (0 if self.start_inclusive else 1)
            high = span["end"] * 1000 - (0 if self.end_inclusive else 1)
            spans[item["fieldId"]] = (low, high)
        found = self._matching(query, spans)
        connection: dict[str, Any] = {"totalCount": len(found)}
        if "edges" in query["query"]:
            assert variables["sort"]["order"] == "ASC"
            by = self.columns[variables["sort"]["by"]]
            page, cursor = self._page(found, by, variables["first"], variables.get("after"))
            connection["pageInfo"] = {"hasNextPage": cursor is not None, "endCursor": cursor or "end"}
            connection["edges"] = [{"cursor": "x", "node": record} for record in page]
        return 200, json.dumps({"data": {"alerts": connection}}).encode()

    def _matching(self, query: dict[str, Any], spans: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
        shown = [record for record in self.records if self.hide is None or not self.hide(query, record)]
        return [
            record for record in shown
            if all(low <= micros(at(self.times[name], record)) <= high for name, (low, high) in spans.items())
        ]  # fmt: skip

    def _page(
        self, found: list[dict[str, Any]], by: tuple[str, ...], limit: int, cursor: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        key = self.stream.endpoint.record_id
        ordered = sorted((micros(at(by, record)), str(at(key, record)), number) for number, record in enumerate(found))
        if cursor:
            behind = tuple(json.loads(base64.b64decode(cursor)))
            ordered = [entry for entry in ordered if entry[:2] > behind]
        page, more = ordered[:limit], len(ordered) > limit
        following = base64.b64encode(json.dumps(page[-1][:2]).encode()).decode() if more else None
        return [found[number] for *_, number in page], following

    @staticmethod
    def _body(page: list[dict[str, Any]], cursor: str | None, total: int) -> bytes:
        return json.dumps({"data": page, "pagination": {"nextCursor": cursor, "totalItems": total}}).encode()
