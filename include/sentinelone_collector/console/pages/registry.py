"""The application registry: who is collected, and how that goes."""

from __future__ import annotations

from fastapi.responses import HTMLResponse

from sentinelone_collector.console.context import Ctx
from sentinelone_collector.console.listing import Nav
from sentinelone_collector.console.routing import new_router

NAV = Nav(10, "Registry", "/")
router = new_router()


@router.get("/", include_in_schema=False)
def registry(ctx: Ctx) -> HTMLResponse:
    """Show all instances."""
    return ctx.page("registry.html", title="Registry", instances=ctx.instances(), broken=list(ctx.broken_files()))
