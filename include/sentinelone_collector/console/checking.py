"""Trying a console and a token while somebody waits, with the answer at the field that it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sentinelone_collector.console.context import Context
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.hosts import address_of, allowed_url, is_known
from sentinelone_collector.console.pinning import PinnedAdapter
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import STREAMS, Connection, Instance, Scope
from sentinelone_collector.normalize.streams import get_stream
from sentinelone_collector.source import Console, ConsoleCheck, Transport, check_console
from sentinelone_collector.store import InstanceCheck
from sentinelone_collector.windows import iso

__all__ = ["Tried", "connection_of_form", "plain", "remember", "try_console"]

_PATIENCE = 10.0
_WRONG = "Some fields are not right."


@dataclass(frozen=True, slots=True)
class Tried:
    """A check's result and what stands at which field of the form; nothing stands anywhere if all is well."""

    check: ConsoleCheck
    fields: dict[str, str]

    def refuse(self) -> None:
        """Raise `Refused` (422) where something is wrong."""
        if self.fields:
            raise Refused(422, "The console was asked, and this can't be collected yet.", fields=self.fields)


def connection_of_form(ctx: Context, domain: str, token: str) -> Connection:
    """Return the connection that the form describes; raise `Refused` (422) with a sentence at the wrong field."""
    try:
        url = allowed_url(domain, demo=ctx.ports.demo, hosts=ctx.ports.hosts)
    except ConfigurationError as error:
        raise Refused(422, _WRONG, fields={"domain": error.text}) from None
    try:
        return Connection(url, token)
    except ConfigurationError as error:
        raise Refused(422, _WRONG, fields={"token": error.text}) from None


def try_console(ctx: Context, connection: Connection, streams: Sequence[str], scope: Scope | None = None) -> Tried:
    """Ask the console for token, scope, expiry and one record of each stream."""
    wanted = ["activities", *(name for name in streams if name in STREAMS and name != "activities")]
    with Console(connection, patience=_PATIENCE, transport=_transport(ctx, connection)) as console:
        check = check_console(console, [get_stream(name) for name in wanted], scope=scope or Scope(), now=ctx.now)
    return Tried(check, _fields(check, wanted))


def _transport(ctx: Context, connection: Connection) -> Transport:
    """Return the way to a console: to the address that is checked now, where the form might have led to it.

    Another host can only stand in a connection that an administrator made in Airflow itself.
    """
    parts = urlsplit(connection.url)
    host, demo, hosts = parts.hostname or "", ctx.ports.demo, ctx.ports.hosts
    if not is_known(host, parts.port, hosts=hosts):
        return Transport(connection)
    return Transport(
        connection, adapter=PinnedAdapter(lambda name, port: address_of(name, port, demo=demo, hosts=hosts))
    )


def _fields(check: ConsoleCheck, wanted: Sequence[str]) -> dict[str, str]:
    if not check.ok and not check.streams:
        sentence = " ".join(check.sentences)
        return {"token" if sentence.startswith("The token") else "domain": sentence}
    if check.days_left is not None and check.days_left < 0:
        return {"token": next(text for text in check.sentences if "expired" in text)}
    refused = [name for name in wanted if check.streams.get(name) != "ok"]
    if not refused:
        return {}
    return {"streams": " ".join(f"{name}: {check.streams[name]}." for name in refused)}


def remember(ctx: Context, instance: Instance, check: ConsoleCheck) -> InstanceCheck:
    """Keep a check for the registry: when the token expires, and what was found."""
    kept = InstanceCheck(
        instance=instance.slug,
        checked_at=iso(ctx.now().replace(microsecond=0)),
        ok=check.ok,
        expires_at=None if check.expires_at is None else iso(check.expires_at),
        sentences=check.sentences,
    )
    ctx.site.store.put_check(kept)
    return kept


def plain(check: ConsoleCheck) -> dict[str, Any]:
    """Return a check as JSON types."""
    return {
        "ok": check.ok,
        "sentences": list(check.sentences),
        "release": check.release,
        "expires_at": None if check.expires_at is None else iso(check.expires_at),
        "days_left": check.days_left,
        "scope": check.scope,
        "streams": dict(check.streams),
    }
