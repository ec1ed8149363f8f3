"""What every answer carries, and who may send a request that changes something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request

from sentinelone_collector.console.errors import Refused

__all__ = ["HEADER", "SecurityHeaders", "refuse_forged"]

HEADER = "X-SentinelOne-Console"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_Message = MutableMapping[str, Any]
_App = Callable[[Any, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]


class SecurityHeaders:
    """ASGI middleware that puts the security headers on every answer, errors included."""

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
    ) -> None:
        """Answer one request."""

        async def send_with_headers(message: _Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                known = {name.lower() for name, _ in headers}
                headers += _HEADERS
                if b"cache-control" not in known:
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def refuse_forged(request: Request) -> None:
    """Raise `Refused` (403) for a change that another site may have made the browser send.

    A browser sends Airflow's login cookie by itself, but never a header of one's own across sites, nor a bearer token.
    Where it says which site a request comes from, that must be this one.
    """
    if request.method in _SAFE or request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in {None, "same-origin"} or (
        # behind a proxy the host name may be another one; the browser's own word on the site counts then
        site is None and origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    )
    if foreign or request.headers.get(HEADER) is None:
        raise Refused(
            403,
            f"This change does not come from the console's own pages. Programs send the header {HEADER}: 1, or log in "
            "with a bearer token.",
        )
