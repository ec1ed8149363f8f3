"""Does this connection work: token, expiry, scope and the permission for each stream, told in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sentinelone_collector.errors import CollectorError, NotLicensed, PermissionDenied, TokenError, UsageError
from sentinelone_collector.instances import Scope
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint, Stream
from sentinelone_collector.source.scope import scope_filters
from sentinelone_collector.windows import parse_time

__all__ = ["ConsoleCheck", "check_console"]

_PATIENCE = 10.0  # a person is waiting for the answer
_SOON_DAYS = 14
_ALL = Scope()


@dataclass(frozen=True, slots=True)
class ConsoleCheck:
    """What a check found; `sentences` say what works, what does not, and what to do.

    `ok` is False where the token, or an endpoint that is not optional, can't be used. `streams` has `ok`, `no
    permission (needs …)`, `no licence (…)` or `failed: …` for each stream.
    """

    ok: bool
    sentences: tuple[str, ...]
    release: str | None = None
    expires_at: datetime | None = None
    days_left: int | None = None
    scope: str | None = None
    streams: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def check_console(
    console: Console,
    streams: Iterable[Stream],
    *,
    scope: Scope = _ALL,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ConsoleCheck:
    """Try the token and one record of each stream; never raise for what the console does.

    Faults that may pass are waited for at most 10 seconds in all.
    """
    console = console.begin(patience=min(_PATIENCE, console.patience))
    try:
        release = console.get("/system/info").get("release")
    except TokenError as error:
        advice = (
            "Make a new token in the console under Settings > Users > Service Users and store it in the connection."
        )
        return ConsoleCheck(False, (f"The token is not accepted: {error}. {advice}",))
    except CollectorError as error:
        return ConsoleCheck(False, (f"The console does not answer as one: {error}.",))
    owner = _tolerant(lambda: console.get("/user"))
    expires_at = _expiry(_tolerant(console.token_details)) or _expiry(owner.get("apiToken"))
    days_left = None if expires_at is None else (expires_at - now()).days
    endpoints = {stream.name: stream.endpoint for stream in streams}
    found = {name: _try(console, endpoint, scope_filters(scope)) for name, endpoint in endpoints.items()}
    missing = [name for name, state in found.items() if state != "ok" and not endpoints[name].optional]
    level = owner.get("scope") if isinstance(owner.get("scope"), str) else None
    return ConsoleCheck(
        ok=not missing and (days_left is None or days_left >= 0),
        sentences=(
            f"The console {console.host} accepts the token{f' (release {release})' if release else ''}.",
            _expiry_sentence(expires_at, days_left),
            f"The token sees the scope {level}." if level else "The token may not read its own scope (Users.view).",
            *(_stream_sentence(name, state, needed=name in missing) for name, state in found.items()),
            *_lacking_sentences(console, endpoints),
        ),
        release=release if isinstance(release, str) else None,
        expires_at=expires_at,
        days_left=days_left,
        scope=level,
        streams=MappingProxyType(found),
    )


def _tolerant(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a service answers that a token for logs alone may not use; nothing where it refuses."""
    try:
        return read()
    except CollectorError:
        return {}


def _expiry(details: Any) -> datetime | None:
    text = details.get("expiresAt") if isinstance(details, dict) else None
    try:
        return parse_time(text) if isinstance(text, str) else None
    except UsageError:
        return None


def _expiry_sentence(expires_at: datetime | None, days_left: int | None) -> str:
    if expires_at is None or days_left is None:
        return "The console does not say when the token expires; look it up and note the date."
    day = expires_at.strftime("%Y-%m-%d")
    if days_left < 0:
        return f"The token expired on {day}: make a new one and store it in the connection."
    if days_left < _SOON_DAYS:
        return f"The token expires on {day}, in {days_left} days: make a new one and store it in the connection soon."
    return f"The token expires on {day}, in {days_left} days."


def _try(console: Console, endpoint: Endpoint, filters: Mapping[str, str]) -> str:
    try:
        console.first_page(endpoint, filters)
    except NotLicensed as error:
        return f"no licence ({error})"
    except (PermissionDenied, TokenError):  # the token itself is good: some services say 401 for a missing right
        return f"no permission (needs {endpoint.permission})"
    except CollectorError as error:
        return f"failed: {error}"
    return "ok"


def _stream_sentence(name: str, found: str, *, needed: bool) -> str:
    if found == "ok":
        return f"The stream {name} can be read."
    told = found.startswith(("failed", "no licence"))
    cure = "" if told else "; give the token's role this permission, or leave the stream out"
    return f"The stream {name} can't be read{', and is needed' if needed else ''}: {found}{cure}."


def _lacking_sentences(console: Console, endpoints: Mapping[str, Endpoint]) -> Iterable[str]:
    for name, endpoint in endpoints.items():
        lacking = console.lacking(endpoint)
        if lacking:
            yield f"This console's release lacks fields of {name}, which are left out: {', '.join(lacking)}."
