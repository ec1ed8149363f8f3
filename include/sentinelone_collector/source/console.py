"""A console's REST API: requests that are retried, paced and decoded; pages and counts of an endpoint."""

from __future__ import annotations

import copy
import hashlib
import logging
import random as _random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from sentinelone_collector.errors import CollectorError, CursorRejected, ProtocolError, RetryableError
from sentinelone_collector.instances import Connection
from sentinelone_collector.source.answers import (
    Answer,
    BrokenBody,
    Page,
    PageSizeRejected,
    Throttled,
    failure_of,
    read_count,
    read_items,
    read_object,
    read_page,
)
from sentinelone_collector.source.endpoint import Endpoint
from sentinelone_collector.source.graphql import count_body, page_body
from sentinelone_collector.source.graphql_answers import (
    FieldsRejected,
    graphql_failure,
    read_connection_count,
    read_connection_page,
)
from sentinelone_collector.source.rate import PROCESS_LIMITS, Bucket, Limits, Patience, backoff
from sentinelone_collector.source.rates import known_rate
from sentinelone_collector.source.selections import Selections
from sentinelone_collector.source.transport import Transport

__all__ = ["DEFAULT_PATIENCE", "Console", "Stopped"]

DEFAULT_PATIENCE = 900.0
_BASE = "/web/api/v2.1"
_EMPTY_PAGES = 100
_SMALLEST_PAGE = 10
_HEADROOM = 0.9  # of the rate; requests that leave evenly do not arrive evenly
_FIRST_WAIT = 1.0
_FIRST_WAIT_THROTTLED = 5.0

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class _Request(NamedTuple):
    method: str
    path: str
    params: Mapping[str, str] = MappingProxyType({})
    permission: str = "of a viewer"
    body: Callable[[Connection], Any] | None = None
    graphql: bool = False


class Stopped(CollectorError):
    """The task was stopped while this thread worked for it; the error that stopped it is another one."""


class Console:
    """One console as one token sees it; may be used by several threads.

    `share` is the fraction of the token's rate that this process may use, where several processes use one token.
    `patience` is how many seconds one task waits in all for faults to pass. `clock` is monotonic and `wall` since
    1970, both in seconds; `sleep` takes seconds, `random` gives [0, 1).
    """

    def __init__(
        self,
        connection: Connection,
        *,
        share: float = 1.0,
        patience: float = DEFAULT_PATIENCE,
        transport: Transport | None = None,
        limits: Limits = PROCESS_LIMITS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Any] | None = None,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self.url = connection.url
        self.host = connection.console
        self._account = hashlib.sha256(connection.token.encode()).hexdigest()
        self._share = share
        self._transport = transport or Transport(connection)
        self._limits = limits
        self._selections = Selections()
        self._clock, self._wall, self._sleep, self._random = clock, wall, sleep, random
        self._renew(patience)

    def _renew(self, patience: float) -> None:
        self._seconds = patience
        self._patience = Patience(patience)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._requests = 0

    def __repr__(self) -> str:
        return f"Console({self.host})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the console may be used again, it opens new ones."""
        self._transport.close()

    @property
    def patience(self) -> float:
        """How long one task waits in all for faults to pass, in seconds."""
        return self._seconds

    def begin(self, *, patience: float | None = None) -> Console:
        """Return the same console for a new task: with fresh patience (seconds), request counter and stop."""
        task = copy.copy(self)
        task._renew(self._seconds if patience is None else patience)  # noqa: SLF001  # of its own class
        return task

    @property
    def requests(self) -> int:
        """How many requests this task has sent, attempts included."""
        return self._requests

    def stop(self) -> None:
        """Let every thread of this task end at its next wait or request with `Stopped`."""
        self._stopped.set()

    def pause(self, seconds: float) -> None:
        """Wait; raise `Stopped` as soon as the task is stopped."""
        if seconds > 0 and not self._stopped.is_set():
            (self._sleep or self._stopped.wait)(seconds)
        if self._stopped.is_set():
            raise Stopped(f"{self.host}: the task was stopped")

    def count(self, endpoint: Endpoint, params: Mapping[str, str]) -> int:
        """Return how many records the console counts for the filters, at most the endpoint's `count_cap`.

        Raise `CountRejected` where the console can't count them.
        """
        graphql = endpoint.graphql
        if graphql is None:
            return self._list(endpoint, {**params, "countOnly": "true"}, read_count)
        body = count_body(graphql, params)
        return self._post(endpoint, body, lambda answer, where: read_connection_count(answer, where, root=graphql.root))

    def iter_pages(self, endpoint: Endpoint, params: Mapping[str, str], sort_by: str | None = None) -> Iterator[Page]:
        """Yield every page for the filters in ascending order of a column, the endpoint's own unless another is named.

        Filters and sort go with each request, since a cursor holds none. Raise `CursorRejected` where the console
        refuses a cursor or its cursors lead nowhere new: begin again at the first page then.
        """
        size, cursor, empty = endpoint.page_size, None, 0
        seen: set[str] = set()
        while True:
            try:
                page = self._page(endpoint, params, sort_by=sort_by or endpoint.sort_by, size=size, cursor=cursor)
            except PageSizeRejected:
                if size <= _SMALLEST_PAGE:
                    raise
                size = max(_SMALLEST_PAGE, size // 2)
                _log.warning("%s%s: page size refused, going on with %d", self.host, endpoint.path, size)
                continue
            yield page
            if page.cursor is None:
                return
            empty = 0 if page.records else empty + 1
            if page.cursor in seen or empty > _EMPTY_PAGES:
                fault = "the same cursor came twice" if page.cursor in seen else f"{empty} empty pages in a row"
                raise CursorRejected(f"{self.host}{endpoint.path}: {fault} after {len(seen) + 1} pages")
            cursor = page.cursor
            seen.add(cursor)

    def first_page(self, endpoint: Endpoint, params: Mapping[str, str]) -> Page:
        """Return one record at most, to see whether the endpoint may be read."""
        if endpoint.graphql is None:
            return self._list(endpoint, {**params, "limit": "1"}, read_page)
        return self._page(endpoint, params, sort_by=endpoint.sort_by, size=1, cursor=None)

    def lacking(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return the fields of a GraphQL list that this console turned out not to know."""
        return self._selections.lacking(endpoint)

    def _page(
        self, endpoint: Endpoint, params: Mapping[str, str], *, sort_by: str, size: int, cursor: str | None
    ) -> Page:
        graphql = endpoint.graphql
        if graphql is None:
            query = {**params, "limit": str(size), "sortBy": sort_by, "sortOrder": "asc"}
            return self._list(endpoint, query if cursor is None else {**query, "cursor": cursor}, read_page)
        while True:
            selection = self._selections.of(endpoint)
            body = page_body(graphql, params, selection=selection, sort_by=sort_by, first=size, after=cursor)
            try:
                return self._post(
                    endpoint, body, lambda answer, where: read_connection_page(answer, where, root=graphql.root)
                )
            except FieldsRejected as error:
                if not self._selections.drop(endpoint, selection, error.fields):
                    raise
                _log.warning("%s: going on without them: %s", self.host, error)

    def get(self, path: str) -> dict[str, Any]:
        """Return the `data` object of an answer that is no list."""
        return self._call(_Request("GET", path), read_object, self._bucket(path))

    def items(self, path: str, *, permission: str) -> list[Any]:
        """Return the `data` list of an answer that comes whole, without pages."""
        return self._call(_Request("GET", path, permission=permission), read_items, self._bucket(path))

    def token_details(self) -> dict[str, Any]:
        """Return when the token was made and when it expires: `createdAt`, `expiresAt`."""
        path = "/users/api-token-details"
        request = _Request("POST", path, body=lambda connection: {"data": {"apiToken": connection.token}})
        return self._call(request, read_object, self._bucket(path))

    def _list(self, endpoint: Endpoint, params: Mapping[str, str], read: Callable[[Answer, str], _T]) -> _T:
        bucket = self._bucket(endpoint.path, endpoint.rate, endpoint.burst)
        return self._call(_Request("GET", endpoint.path, params, endpoint.permission), read, bucket)

    def _post(self, endpoint: Endpoint, content: Any, read: Callable[[Answer, str], _T]) -> _T:
        bucket = self._bucket(endpoint.path, endpoint.rate, endpoint.burst)
        request = _Request("POST", endpoint.path, {}, endpoint.permission, lambda _: content, graphql=True)
        return self._call(request, read, bucket)

    def _bucket(self, path: str, rate: float = 0.0, burst: float = 0.0) -> Bucket:
        part = self._share * _HEADROOM
        if not rate:
            rate, burst = known_rate(path)
        return self._limits.bucket(self.host, self._account, path, rate=rate * part, burst=burst * part)

    def _call(self, request: _Request, read: Callable[[Answer, str], _T], bucket: Bucket) -> _T:
        attempt = 0
        while True:
            attempt += 1
            self.pause(bucket.reserve(self._clock()))
            try:
                result = self._attempt(request, read)
            except RetryableError as error:
                fault = error
            else:
                bucket.succeeded()
                return result
            self._wait_after(fault, attempt, f"{self.host}{request.path}", bucket)

    def _attempt(self, request: _Request, read: Callable[[Answer, str], _T]) -> _T:
        with self._lock:
            self._requests += 1
        url, where = f"{self.url}{_BASE}{request.path}", f"{self.host}{request.path}"
        answer = self._transport.send(request.method, url, request.params, request.body)
        failure = failure_of(answer, where=where, permission=request.permission, sent_to=url, wall=self._wall())
        if request.graphql:
            failure = graphql_failure(answer, where=where, permission=request.permission) or failure
        try:
            if failure is not None:
                raise failure
            return read(answer, where)
        except CollectorError as error:
            error.args = tuple(self._transport.scrub(str(part)) for part in error.args)
            raise

    def _wait_after(self, fault: RetryableError, attempt: int, where: str, bucket: Bucket) -> None:
        throttled = isinstance(fault, Throttled)
        start = _FIRST_WAIT_THROTTLED if throttled and fault.retry_after is None else _FIRST_WAIT
        wait = backoff(attempt, start=start, asked=fault.retry_after, random=self._random())
        now = self._clock()
        if throttled:
            bucket.throttled(now, wait)
        if not self._patience.grant(now, wait):
            text = (
                f"{where}: given up after {attempt} attempts, {self._patience.spent:.0f} s of waiting in this task and "
                f"{self._requests} requests; seen last: {fault}"
            )
            if isinstance(fault, BrokenBody):
                raise ProtocolError(text)
            raise RetryableError(f"{text}; run the task again later", retry_after=fault.retry_after)
        _log.warning("%s: attempt %d failed, waiting %.1f s: %s", where, attempt, wait, fault)
        self.pause(wait)
