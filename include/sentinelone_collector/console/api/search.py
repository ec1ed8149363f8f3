"""Log search over JSON: results, counts over time, single events, exports."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain, islice
from typing import Annotated, Any

import msgspec
from fastapi import Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.console.searching import PAGE, budget, read_search
from sentinelone_collector.lake import parse_key
from sentinelone_collector.search import csv_lines, ndjson_lines, read_event, related_hits, row_dict

router = new_router(prefix="/api/search", tags=["search"])

_MOST_ROWS = 500
_Text = Annotated[str, Query(max_length=2_500)]


class Format(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    NDJSON = "ndjson"


class _Answer(Response):
    """JSON of anything that msgspec can write."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


class _Link(BaseModel):
    """The parameters of the page's link."""

    q: str = Field("", max_length=2_000, description="Words, phrases, AND OR NOT, prefix*, field:value.")
    from_: str | None = Field(None, alias="from", max_length=40, description="UTC; empty: from the beginning.")
    to: str = Field("", max_length=40)
    instance: str = Field("", max_length=40)
    stream: str = Field("", max_length=40)
    class_: str = Field("", alias="class", max_length=200)
    severity: str = Field("", max_length=200)
    user: str = Field("", max_length=200)
    ip: str = Field("", max_length=200)
    cursor: str = Field("", max_length=250, description="The `cursor` of the page before.")


class _PageLink(_Link):
    """The same, and how many results there are on a page."""

    limit: int = Field(PAGE, ge=1, le=_MOST_ROWS)


class _ExportLink(_Link):
    """The same, and the form of the file."""

    format: Format = Format.CSV


@router.get("")
def search(ctx: Ctx, link: Annotated[_PageLink, Query()]) -> Response:
    """Return the newest events that match; `cursor` in the answer is where the next page begins, null at the end."""
    asked = read_search(ctx, link.model_dump(by_alias=True))
    page = ctx.site.search.page(asked.query, asked.scope, budget=budget(), cursor=asked.cursor, limit=link.limit)
    cursor = None if page.cursor is None else str(page.cursor)
    return _Answer({"rows": [row_dict(row) for row in page.rows], "cursor": cursor})


@router.get("/counts")
def counts(ctx: Ctx, link: Annotated[_Link, Query()]) -> Response:
    """Return how many events match, over time and by class, severity, instance and stream."""
    asked = read_search(ctx, link.model_dump(by_alias=True))
    return _Answer(ctx.site.search.counts(asked.query, asked.scope, budget=budget()))


@router.get("/event")
def event(ctx: Ctx, key: _Text, uid: _Text) -> Response:
    """Return one event and the hits that name it, with the text of its record for those who may start runs."""
    instance = _instance_of(ctx, key)
    found = read_event(ctx.site.lake, key, uid)
    text = found.pop("raw_data", "")
    raw = text if ctx.may(Right.RUN, instance) else None
    return _Answer({"event": found, "raw": raw, "hits": related_hits(ctx.site.lake, key, uid)})


_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")},
    }
}


@router.get("/export", response_class=StreamingResponse, responses=_FILES)
def export(ctx: Ctx, link: Annotated[_ExportLink, Query()]) -> Response:
    """Return all events that match, newest first: CSV of what the list shows, or NDJSON of whole events.

    `raw_data` is in events of instances whose runs the user may start.
    """
    asked = read_search(ctx, link.model_dump(by_alias=True))
    site, kind = ctx.site, link.format
    site.search.ensure(asked.scope, budget=budget())
    batches = site.search.rows(asked.query, asked.scope, budget=budget())
    lines: Iterator[Any]
    lines = (
        csv_lines(batches)
        if kind is Format.CSV
        else ndjson_lines(site.lake, batches, shows_raw=lambda slug: ctx.may(Right.RUN, slug))
    )
    first: list[Any] = list(islice(lines, 1))  # what can't be read is said before the file begins
    media = "text/csv; charset=utf-8" if kind is Format.CSV else "application/x-ndjson"
    name = f"sentinelone-search.{kind.value}"
    return StreamingResponse(
        chain(first, lines), media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _instance_of(ctx: Context, key: str) -> str:
    place = parse_key(key)
    if place is None or place.part != "events":
        raise Refused(404, "There is no such event; take the key from a search's result.")
    return ctx.instance(place.instance).slug
