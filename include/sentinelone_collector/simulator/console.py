"""From request to response: rate limit, token, faults, endpoint."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from sentinelone_collector.simulator.endpoints import all_endpoints
from sentinelone_collector.simulator.faults import Fault, FaultBoard, Strike
from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.messages import (
    Refusal,
    Request,
    Response,
    error,
    forbidden,
    not_found,
    server_error,
    too_many,
    unauthorized,
)
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tokens import Quota, Token
from sentinelone_collector.simulator.world import World

__all__ = ["Console", "Seen"]


class Seen(NamedTuple):
    """One answered request, for tests: the token itself is not kept."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    authorized: bool
    status: int


class Console:
    """Answers requests as the console would; knows nothing of sockets."""

    def __init__(self, world: World, faults: FaultBoard, *, rate_limits: bool, monotonic: Callable[[], float]) -> None:
        self.world = world
        self.faults = faults
        self.down: str | None = None
        self.down_until: float | None = None
        self.requests: deque[Seen] = deque(maxlen=10_000)
        self.statuses: Counter[str] = Counter()
        self._monotonic = monotonic
        self._quota = Quota(monotonic) if rate_limits else None
        self._endpoints = all_endpoints()
        self._lock = Lock()

    def respond(self, request: Request) -> Response:
        """Answer one request and remember that it was made."""
        token = self._token(request)
        response = self._outage() or self._answer(request, token)
        with self._lock:
            self.statuses[f"{request.path} {response.status}"] += 1
            self.requests.append(
                Seen(request.method, request.path, request.query, "authorization" in request.headers, response.status)
            )
        return response

    def _outage(self) -> Response | None:
        if self.down_until is not None and self._monotonic() >= self.down_until:
            self.down = self.down_until = None
        if self.down is None:
            return None
        answer = server_error(502)
        return Response(502, answer.body, answer.content_type, wire="drop") if self.down == "refuse" else answer

    def _answer(self, request: Request, token: Token | None) -> Response:
        found = self._route(request)
        if isinstance(found, Response):
            return found
        endpoint, path_ids = found
        if refused := self._at_the_door(endpoint, request, token):
            return refused
        call = Call(self.world, request, token, self.world.now_us(), path_ids)
        strikes = self._strikes(endpoint, call)
        for fault, strike in strikes:
            if fault.before:
                return fault.before(strike)
        if endpoint.permission and token and not token.may(endpoint.permission):
            return forbidden("User does not have required permissions.")
        try:
            result = endpoint.handle(call)
        except Refusal as refusal:
            return refusal.response
        return _finish(result, strikes)

    def _route(self, request: Request) -> tuple[Endpoint, tuple[str, ...]] | Response:
        other_method = False
        for endpoint in self._endpoints:
            match = endpoint.pattern.fullmatch(request.path)
            if match and endpoint.method == request.method:
                return endpoint, match.groups()
            other_method = other_method or match is not None
        return error(405, 4050010, "Method not allowed", None) if other_method else not_found()

    def _token(self, request: Request) -> Token | None:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        return self.world.accepted(text.strip()) if scheme.lower() in {"apitoken", "token"} else None

    def _at_the_door(self, endpoint: Endpoint, request: Request, token: Token | None) -> Response | None:
        if endpoint.auth and token is None:
            return unauthorized()
        return None if self._within_quota(endpoint, request, token) else too_many()

    def _within_quota(self, endpoint: Endpoint, request: Request, token: Token | None) -> bool:
        if self._quota is None:
            return True
        who = token.text if token and endpoint.auth else request.client
        return self._quota.take((who, endpoint.path), *endpoint.rate)

    def _strikes(self, endpoint: Endpoint, call: Call) -> list[tuple[Fault, Strike]]:
        if not endpoint.auth:
            return []
        return self.faults.struck(
            stream=endpoint.stream,
            is_list=endpoint.stream is not None,
            walking=endpoint.walks(call.request),
            now=call.now,
        )


def _finish(result: Response | Page, strikes: list[tuple[Fault, Strike]]) -> Response:
    """Write a page as an envelope, with the faults that change pages and answers."""
    if isinstance(result, Page):
        for fault, strike in strikes:
            if fault.alter:
                result = fault.alter(strike, result)
        result = result.write(result)
    for fault, strike in strikes:
        if fault.after:
            result = fault.after(strike, result)
    return result
