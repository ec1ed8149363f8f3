"""Log search: words to events, with their number over time; the link holds the whole search."""

from __future__ import annotations

from typing import Any

from fastapi.responses import HTMLResponse

from sentinelone_collector.console.context import Ctx
from sentinelone_collector.console.listing import Nav
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.console.searching import PAGE, budget, given, presets, read_search
from sentinelone_collector.errors import ConfigurationError, UsageError
from sentinelone_collector.normalize.streams import stream_names
from sentinelone_collector.search import Page

NAV = Nav(30, "Search", "/search")
router = new_router()


@router.get("/search", include_in_schema=False)
def search(ctx: Ctx) -> HTMLResponse:
    """Show the newest events that match, or those after a cursor."""
    problem: str | None = None
    page = Page([], None)
    try:
        asked = read_search(ctx, ctx.request.query_params)
        page = ctx.site.search.page(asked.query, asked.scope, budget=budget(), cursor=asked.cursor, limit=PAGE)
    except (UsageError, ConfigurationError) as error:
        problem = str(error)
    values = given(ctx, ctx.request.query_params)
    shown: dict[str, Any] = {name: value or (" " if name == "from" else "") for name, value in values.items()}
    return ctx.page(
        "search.html",
        title="Search",
        values=values,
        link=shown,
        rows=page.rows,
        cursor=page.cursor,
        problem=problem,
        later=bool(ctx.request.query_params.get("cursor")),
        instances=ctx.instances(),
        streams=stream_names(),
        presets=presets(ctx.now()),
        status=422 if problem else 200,
    )
