"""A small console of its own make: strict about parameters, stateless cursors, faults that a test switches on."""

from __future__ import annotations

import base64
import io
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3

from sentinelone_collector.instances import Connection, Instance
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint, Stream
from sentinelone_collector.source.rate import Limits
from sentinelone_collector.source.transport import Transport
from sentinelone_collector.windows import Window

TOKEN = "canary-Tok3n-that-must-never-show"
URL = "https://usea1-acme.example.net"
KNOWN = {
    "createdAt__gte", "createdAt__lt", "limit", "cursor", "sortBy", "sortOrder", "countOnly", "accountIds", "siteIds",
}  # fmt: skip
PATHS = {"/web/api/v2.1/activities", "/web/api/v2.1/activities/types"}  # the latter by `refuse` only
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
END = datetime(2026, 11, 22, 11, tzinfo=UTC)
WINDOW = Window(START, END)


def us(moment: datetime) -> int:
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def stamp(time: int) -> str:
    seconds, micros = divmod(time, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{micros:06d}Z"


class Row(NamedTuple):
    time: int
    id: int
    body: bytes


def row(time: int, number: int, **extra: Any) -> Row:
    body = {"id": str(number), "createdAt": stamp(time), "comments": None, "data": {}, **extra}
    return Row(time, number, json.dumps(body).encode())


def instance(**changed: Any) -> Instance:
    fields = {"slug": "emea", "name": "EMEA", "connection_id": "sentinelone_emea", "live_since": "2026-11-20T00:00:00Z"}
    return Instance(**{**fields, "every": "1h", **changed})


def endpoint(**changed: Any) -> Endpoint:
    return Endpoint(
        **{
            "path": "/activities", "time_field": "createdAt", "record_time": ("createdAt",), "sort_by": "createdAt",
            "permission": "Activity Page.view", **changed,
        }
    )  # fmt: skip


def stream(**changed: Any) -> Stream:
    return Stream("activities", endpoint(**changed), print)


@dataclass
class FakeConsole(requests.adapters.BaseAdapter):
    """Serves `rows`; the knobs are read anew for each request."""

    rows: list[Row]
    cap: int | None = None
    shuffle: bool = False  # rows of a page in any order; the cursor points behind the last one in true order
    repeat: bool = False  # each page begins with the last row of the page before
    refuse: Callable[[dict[str, str], int], tuple[int, bytes] | None] | None = None
    retry_after: int | None = None  # seconds, asked for by each 503
    recount: Callable[[dict[str, str], int, int], int] | None = None
    change: Callable[[dict[str, str], int, list[Row]], list[Row]] | None = None
    seen: list[dict[str, str]] = field(default_factory=list)
    counts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__()

    def console(self, **options: Any) -> Console:
        connection = Connection(URL, TOKEN)
        options = {"sleep": lambda _: None, "limits": Limits(), **options}
        return Console(connection, transport=Transport(connection, adapter=self), **options)

    def truth(self, start: datetime = START, end: datetime = END) -> list[bytes]:
        inside = [found for found in self.rows if us(start) <= found.time < us(end)]
        return [found.body for found in sorted(inside)]

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        with self.lock:
            status, body = self._answer(request)
        headers = {"Content-Length": str(len(body))}
        if status == 503 and self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        raw = urllib3.HTTPResponse(body=io.BytesIO(body), headers=headers, status=status, preload_content=False)
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, bytes]:
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.seen.append(query)
        if request.headers.get("Authorization") != f"ApiToken {TOKEN}":
            return 401, b'{"errors":[{"code":4010010,"detail":null,"title":"Authentication Failed"}]}'
        if query.keys() - KNOWN or parts.path not in PATHS:
            return 400, json.dumps(
                {"errors": [{"code": 4000010, "detail": f"{sorted(query)}: Unknown field"}]}
            ).encode()
        refused = self.refuse(query, len(self.seen)) if self.refuse else None
        return refused or (200, self._list(query))

    def _list(self, query: dict[str, str]) -> bytes:
        low, high = (self._time(query.get(f"createdAt__{name}")) for name in ("gte", "lt"))
        matching = [
            found for found in sorted(self.rows)
            if (low is None or found.time >= low) and (high is None or found.time < high)
        ]  # fmt: skip
        if self.change:
            matching = self.change(query, len(self.seen), matching)
        total = len(matching) if self.cap is None else min(len(matching), self.cap)
        if query.get("countOnly") == "true":
            self.counts += 1
            total = self.recount(query, self.counts, total) if self.recount else total
            return self._body([], None, total)
        if query.get("sortBy") != "createdAt" or query.get("sortOrder") != "asc":
            random.Random(7).shuffle(matching)  # the default order is nobody's business
        limit = int(query.get("limit", "10"))
        assert 1 <= limit <= 1000
        begin = 0
        if query.get("cursor"):
            key = tuple(json.loads(base64.b64decode(query["cursor"])))
            begin = sum((found.time, found.id) <= key for found in matching)
            begin -= bool(self.repeat and begin)
        page = matching[begin : begin + limit]
        more = begin + limit < len(matching)
        cursor = base64.b64encode(json.dumps([page[-1].time, page[-1].id]).encode()).decode() if more else None
        if self.shuffle:
            random.Random(len(self.seen)).shuffle(page)
        return self._body(page, cursor, 0 if query.get("cursor") else total)

    @staticmethod
    def _time(text: str | None) -> int | None:
        return text and us(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC))

    @staticmethod
    def _body(page: list[Row], cursor: str | None, total: int) -> bytes:
        escaped = json.dumps(cursor.replace("=", "%3D") if cursor else None).encode()
        records = b",".join(found.body for found in page)
        return b'{"data":[%s],"pagination":{"nextCursor":%s,"totalItems":%d}}' % (records, escaped, total)
