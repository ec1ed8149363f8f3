"""A simulated console under a clock that tests move, and a client that speaks plain HTTP to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from sentinelone_collector.simulator import Simulator

NOW = datetime(2026, 9, 15, 14, 7, 31, 500_000, tzinfo=UTC)  # a Tuesday
ACTIVITIES = "/web/api/v2.1/activities"


@dataclass
class Clock:
    """The console's time; stands still until it is moved."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> None:
        self.now += timedelta(**step)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(self.json["data"])

    @property
    def cursor(self) -> str | None:
        return self.json["pagination"]["nextCursor"]

    @property
    def total(self) -> int:
        return int(self.json["pagination"]["totalItems"])


@dataclass
class Client:
    """Sends requests over one kept connection."""

    simulator: Simulator
    token: str | None = None
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.simulator.url.removeprefix("http://"))
        token = self.token or self.simulator.token
        headers = {"Authorization": f"ApiToken {token}"} | headers
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, path: str = ACTIVITIES, **query: object) -> Answer:
        text = urlencode({k: v for k, v in query.items() if k != "cursor"}, quote_via=quote)
        if query.get("cursor"):
            text += f"&cursor={query['cursor']}"  # as the console wrote it: `=` is `%3D` already
        return self.call("GET", f"{path}?{text}" if text else path)

    def walk(self, limit: int = 1000, **query: object) -> Iterator[Answer]:
        cursor: str | None = ""
        while cursor is not None:
            answer = self.get(limit=limit, cursor=cursor, **query)
            assert answer.status == 200, answer.body
            yield answer
            cursor = answer.cursor

    def all(self, limit: int = 1000, **query: object) -> list[dict[str, Any]]:
        return [row for answer in self.walk(limit, **query) for row in answer.rows]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


Start = Callable[..., Client]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock) -> Iterator[Start]:
    """Start consoles that are small, without limits of rate, at the test's time."""
    clients: list[Client] = []

    def begin(**options: Any) -> Client:
        settings = {"users": 6, "records_per_day": 3000, "days": 3, "rate_limits": False, "now": clock} | options
        client = Client(Simulator(**settings).start())
        clients.append(client)
        return client

    yield begin
    for client in clients:
        client.close()
        client.simulator.stop()


@pytest.fixture
def console(start: Start) -> Client:
    return start()


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ids(rows: list[dict[str, Any]] | list[bytes]) -> list[int]:
    return [int((json.loads(row) if isinstance(row, bytes) else row)["id"]) for row in rows]
