"""A network that answers from a script, with a clock that sleeping moves on."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import urllib3

from sentinelone_collector.instances import Connection
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint
from sentinelone_collector.source.rate import Limits
from sentinelone_collector.source.transport import Transport

TOKEN = "canary-Tok3n-that-must-never-show"
URL = "https://usea1-acme.example.net"


@dataclass
class Reply:
    """One scripted answer; `cut` drops the last bytes of the body but keeps the announced length."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    packed: bool = False


class Broken(io.BytesIO):
    """A body whose connection is reset after its last byte."""

    def read(self, *_: Any) -> bytes:
        raise ConnectionResetError(104, "Connection reset by peer")


@dataclass
class Sent:
    method: str
    path: str
    query: dict[str, str]
    raw_query: str
    headers: dict[str, str]
    body: bytes | str | None
    at: float
    verify: Any


class Network(requests.adapters.BaseAdapter):
    """Answers each request with the next entry of the script; the last entry repeats."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.script: list[Reply | Exception] = []
        self.sent: list[Sent] = []
        self.clock = clock

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        headers = {name: str(value) for name, value in request.headers.items()}
        sent = Sent(
            request.method, parts.path, query, parts.query, headers, request.body, self.clock.now, options["verify"]
        )
        self.sent.append(sent)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, Exception):
            raise entry
        return self._response(request, entry)

    def _response(self, request: requests.PreparedRequest, reply: Reply) -> requests.Response:
        body = gzip.compress(reply.body) if reply.packed else reply.body
        headers = {"Content-Length": str(len(body)), "Content-Type": "application/json", **reply.headers}
        if reply.packed:
            headers["Content-Encoding"] = "gzip"
        stream = io.BytesIO(body[: len(body) - reply.cut])
        raw = urllib3.HTTPResponse(
            body=stream, headers=headers, status=reply.status, preload_content=False, request_method=request.method
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def page(records: list[Any], cursor: str | None = None, total: int = 0, **extra: Any) -> Reply:
    content = {"data": records, "pagination": {"nextCursor": cursor, "totalItems": total}, **extra}
    return Reply(body=json.dumps(content).encode())


@dataclass
class Bench:
    """A console on a scripted network, and the helpers that tests build answers with."""

    clock: Clock
    network: Network
    connection: Connection
    console: Console
    endpoint: Endpoint

    token = TOKEN
    url = URL
    Reply = Reply
    Broken = Broken
    page = staticmethod(page)

    def answers(self, *script: Reply | Exception) -> None:
        self.network.script = list(script)

    def make(self, **options: Any) -> Console:
        options = {"random": lambda: 1.0, "limits": Limits(), "patience": 900.0, **options}
        transport = options.pop("transport", None) or Transport(self.connection, adapter=self.network, clock=self.clock)
        return Console(
            self.connection,
            transport=transport,
            clock=self.clock,
            wall=lambda: 1_790_000_000.0,
            sleep=self.clock.sleep,
            **options,
        )

    def pages(self) -> list[bytes]:
        return [record for found in self.console.iter_pages(self.endpoint, {}) for record in found.records]

    def count(self) -> int:
        return self.console.count(self.endpoint, {})


@pytest.fixture
def bench() -> Bench:
    clock = Clock()
    connection = Connection(URL, TOKEN)
    endpoint = Endpoint("/activities", "createdAt", ("createdAt",), "createdAt", "Activity Page.view", optional=False)
    made = Bench(clock, Network(clock), connection, None, endpoint)  # type: ignore[arg-type]
    made.console = made.make()
    return made


@pytest.fixture
def told() -> Callable[[BaseException], str]:
    """Everything an error tracker could print: messages, causes, and the locals of every frame but the test's own."""
    import traceback

    def render(error: BaseException) -> str:
        below = error.__traceback__.tb_next
        shown = traceback.TracebackException(type(error), error, below, capture_locals=True)
        return "".join(shown.format()) + str(error) + repr(error) + repr(error.__context__) + repr(error.__cause__)

    return render
