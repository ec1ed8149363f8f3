"""The application registry: who is collected, how that goes, and the forms that change it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from fastapi.responses import HTMLResponse

from sentinelone_collector.console.context import Ctx
from sentinelone_collector.console.forms import deliver_lines
from sentinelone_collector.console.health import Health, healths
from sentinelone_collector.console.hosts import VENDOR
from sentinelone_collector.console.listing import Nav
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.registering import file_version
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.instances.inventory import DEFAULT_HISTORY_LIMIT
from sentinelone_collector.instances.model import duration_text
from sentinelone_collector.normalize.streams import stream_names
from sentinelone_collector.windows import iso, parse_time

__all__ = ["NAV", "router"]

NAV = Nav(10, "Registry", "/")
router = new_router()

_INTERVALS = ("5m", "10m", "15m", "30m", "1h", "6h", "1d")
_SHOWN_CHANGES = 50
_CHECKED_AGAIN = timedelta(days=1)


@router.get("/", include_in_schema=False)
def registry(ctx: Ctx, done: str = "") -> HTMLResponse:
    """Show all instances."""
    rows = healths(ctx, ctx.instances())
    return ctx.page(
        "registry.html",
        title="Registry",
        rows=rows,
        done=next((row for row in rows if row.instance.slug == done), None),
        broken=list(ctx.broken_files()),
        stale=[slug for slug in _stale(rows, ctx.now()) if ctx.may(Right.RUN, slug)],
        may_add=ctx.may(Right.CONNECT),
        total_records=sum(row.records_today for row in rows),
        total_incidents=sum(row.open_incidents for row in rows),
    )


def _stale(rows: Sequence[Health], now: datetime) -> Iterator[str]:
    for row in rows:
        if row.check is None or now - parse_time(row.check.checked_at) > _CHECKED_AGAIN:
            yield row.instance.slug


@router.get("/instances/new", include_in_schema=False)
def new_instance(ctx: Ctx) -> HTMLResponse:
    """Show the form that adds an instance."""
    ctx.require(Right.CONNECT)
    return ctx.page(
        "instance_new.html",
        title="Add an application",
        section=NAV.title,
        key=secrets.token_hex(16),
        streams=stream_names(),
        intervals=_INTERVALS,
        vendor=VENDOR,
        days=DEFAULT_HISTORY_LIMIT.days,
    )


@router.get("/instances/{slug}", include_in_schema=False)
def one_instance(slug: str, ctx: Ctx) -> HTMLResponse:
    """Show one instance, with the forms that change it for those who may."""
    instance = ctx.instance(slug)
    path = ctx.site.settings.instances / f"{slug}.yaml"
    return ctx.page(
        "instance.html",
        title=instance.name,
        section=NAV.title,
        row=healths(ctx, [instance])[0],
        instance=instance,
        every=duration_text(instance.every),
        settle=duration_text(instance.settle),
        start="" if instance.collection_start is None else iso(instance.collection_start),
        streams=stream_names(),
        lines=deliver_lines(instance),
        file_version=file_version(path),
        file=path,
        may_edit=ctx.may(Right.RECONNECT, slug),
        may_pause=ctx.may(Right.PAUSE, slug),
        may_check=ctx.may(Right.RUN, slug),
        may_remove=ctx.may(Right.DISCONNECT, slug),
        changes=ctx.site.store.list_changes(target=slug, limit=_SHOWN_CHANGES),
    )
