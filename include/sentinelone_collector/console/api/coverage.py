"""Coverage over JSON: states of windows, receipts, gaps, and collecting a range again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.console.collecting import progress_of, recollect
from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.coverage import gaps_of, state_of_window
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.knowing import known_windows
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.errors import UsageError
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import read_receipt
from sentinelone_collector.windows import Window, iso, parse_time

router = new_router(prefix="/api/coverage", tags=["coverage"])

YEARS = range(1970, 2200)  # at the ends of what a datetime can say, windows have no neighbours
_MOST_WINDOWS = 20_000


class RangeForm(BaseModel):
    """A range of time to collect; `what` says whether complete windows are collected again, too."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    start: Annotated[str, Field(max_length=40)]
    end: Annotated[str, Field(max_length=40)]
    what: Annotated[str, Field(pattern="^(missing|all)$")] = "missing"


def _moment(text: str, field: str) -> datetime:
    try:
        moment = parse_time(text)
    except (UsageError, OverflowError):
        moment = None
    if moment is None or moment.year not in YEARS:
        sentence = "Write a UTC time like 2026-11-22T10:00:00Z."
        raise Refused(422, "Some fields are not right.", fields={field: sentence})
    return moment


def _stream(instance: Instance, stream: str) -> str:
    if stream and stream not in instance.streams:
        raise Refused(404, f"{instance.slug} does not collect {stream}.")
    return stream or instance.streams[0]


def _span(window: Window) -> dict[str, str]:
    return {"start": iso(window.start), "end": iso(window.end)}


@router.get("/{slug}")
def states(
    slug: str,
    ctx: Ctx,
    start: Annotated[str, Query(max_length=40)],
    end: Annotated[str, Query(max_length=40)],
    stream: Annotated[str, Query(max_length=40)] = "",
) -> list[dict[str, Any]]:
    """Return the state of every window of a stream that touches `[start, end)`."""
    instance = ctx.instance(slug)
    name, calendar = _stream(instance, stream), instance.calendar
    begin, until = _moment(start, "start"), _moment(end, "end")
    _refuse_long(instance, begin, until)
    known = known_windows(ctx, instance, name, begin, until)
    return [
        {"window": _span(window), "stream": name, "state": str(state_of_window(calendar, window, known, ctx.now()))}
        for window in calendar.touching(begin, until)
    ]


def _refuse_long(instance: Instance, start: datetime, end: datetime) -> None:
    if (end - start) / instance.every > _MOST_WINDOWS:
        raise Refused(422, "The range holds too many windows; choose a shorter one.", fields={"start": "Too early."})


@router.get("/{slug}/gaps")
def gaps(slug: str, ctx: Ctx, stream: Annotated[str, Query(max_length=40)] = "") -> list[dict[str, Any]]:
    """Return the ranges of settled windows without a receipt, the latest first."""
    instance = ctx.instance(slug)
    name = _stream(instance, stream)
    known = known_windows(ctx, instance, name, instance.calendar.begin, ctx.now())
    return [
        {"start": iso(gap.start), "end": iso(gap.end), "windows": gap.windows, "stream": name, "state": str(gap.state)}
        for gap in gaps_of(instance.calendar, known, ctx.now())
    ]


@router.get("/{slug}/receipt")
def receipt(
    slug: str,
    ctx: Ctx,
    start: Annotated[str, Query(max_length=40)],
    stream: Annotated[str, Query(max_length=40)] = "",
) -> dict[str, Any]:
    """Return the receipt of the window that holds a moment; 404 where it is not complete."""
    instance = ctx.instance(slug)
    name = _stream(instance, stream)
    found = read_receipt(ctx.site.lake, slug, name, instance.calendar.window_at(_moment(start, "start")))
    if found is None:
        raise Refused(404, "This window has no receipt: it is not complete.")
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


@router.post("/{slug}/collect", status_code=202)
def collect(slug: str, form: RangeForm, ctx: Ctx) -> dict[str, Any]:
    """Collect a range of windows by an Airflow backfill."""
    return recollect(ctx, slug, _moment(form.start, "start"), _moment(form.end, "end"), again=form.what == "all")


@router.get("/{slug}/collect")
def progress(slug: str, ctx: Ctx) -> dict[str, Any]:
    """Return how far the newest backfill of an instance is; `total` is 0 where there is none."""
    return latest_progress(ctx, ctx.instance(slug)) or {"total": 0, "complete": True}


def latest_progress(ctx: Context, instance: Instance) -> dict[str, Any] | None:
    """Return the newest backfill's progress, None where there is none."""
    found = ctx.airflow.backfills(instance.dag_id)
    return progress_of(ctx, instance, found[0]) if found else None
