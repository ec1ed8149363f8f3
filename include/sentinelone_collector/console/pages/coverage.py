"""Coverage: a calendar of days, the windows of one day, the receipt of one window, gaps, and collecting again."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import Query
from fastapi.responses import HTMLResponse

from sentinelone_collector.console.api.coverage import YEARS, latest_progress
from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.coverage import (
    WORDS,
    Known,
    WindowState,
    days_of,
    gaps_of,
    state_of_window,
    weeks_of,
    windows_of,
)
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.knowing import known_windows
from sentinelone_collector.console.listing import Nav
from sentinelone_collector.console.ports import Right, Run
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import read_receipt
from sentinelone_collector.windows import DAY, Window, compact, iso, parse_compact

__all__ = ["NAV", "router"]

NAV = Nav(20, "Coverage", "/coverage")
router = new_router()

_WEEKS = 18
_SHOWN_GAPS = 100
_HOUR = timedelta(hours=1)
_Cell = tuple[Window, WindowState]
_SHOWN_STATES = tuple(state for state in WindowState if state is not WindowState.OUTSIDE)


@router.get("/coverage", include_in_schema=False)
def coverage(
    ctx: Ctx,
    instance: Annotated[str, Query(max_length=40)] = "",
    stream: Annotated[str, Query(max_length=40)] = "",
    day: Annotated[str, Query(max_length=10)] = "",
    window: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show which windows of a stream are complete."""
    all_instances = ctx.instances()
    if not all_instances:
        return ctx.page("coverage.html", title="Coverage", instances=[], chosen=None)
    chosen = ctx.instance(instance) if instance else all_instances[0]
    name = stream if stream in chosen.streams else chosen.streams[0]
    return ctx.page(
        "coverage.html",
        title="Coverage",
        instances=all_instances,
        chosen=chosen,
        stream=name,
        states=[(state, WORDS[state]) for state in _SHOWN_STATES],
        words=WORDS,
        may_run=ctx.may(Right.RUN, chosen.slug),
        progress=latest_progress(ctx, chosen),
        note=ctx.site.unavailable(chosen, name),
        new_types=ctx.site.new_types(chosen) if name == "activities" else [],
        **_calendar(ctx, chosen, name, day, window),
    )


def _calendar(ctx: Context, chosen: Instance, stream: str, day: str, start: str) -> dict[str, Any]:
    now, calendar = ctx.now(), chosen.calendar
    last = now.date()
    earliest = now - timedelta(weeks=_WEEKS)
    known = known_windows(ctx, chosen, stream, min(calendar.begin, earliest), now)
    begin = min([calendar.begin, *(window.start for window in known.complete)])
    first = max(begin, earliest).date()
    shown = _day(day, last)
    morning = datetime.combine(shown, datetime.min.time(), now.tzinfo)
    runs = ctx.airflow.runs([chosen.dag_id], start=morning, end=morning + DAY - timedelta(microseconds=1))
    audited = {run.logical_date for run in runs if run.run_id.startswith("audit__")}
    of_day = Known(known.complete, known.active, known.failed, {at for at in audited if at}, known.unavailable)
    days = days_of(calendar, known, first, last, now)
    gaps = gaps_of(calendar, known, now)
    return {
        "weeks": weeks_of(days),
        "compact": compact,
        "complete": sum(each.complete for each in days),
        "due": sum(each.due for each in days),
        "shown": shown,
        "grid": _grid(chosen, of_day, shown, now),
        "gaps": gaps[:_SHOWN_GAPS],
        "more_gaps": max(len(gaps) - _SHOWN_GAPS, 0),
        "detail": _detail(ctx, chosen, stream, start, known=of_day, runs=runs),
    }


def _day(text: str, default: date) -> date:
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        raise Refused(422, f"{text!r} is no day; write it like {default.isoformat()}.")
    return day


def _grid(
    chosen: Instance, known: Known, day: date, now: datetime
) -> list[tuple[str, list[tuple[Window, WindowState]]]]:
    """Return the day's windows as rows: a row an hour, or one row where windows are an hour or wider."""
    cells = [
        (window, state_of_window(chosen.calendar, window, known, now)) for window in windows_of(chosen.calendar, day)
    ]
    if cells[0][0].end - cells[0][0].start >= _HOUR:
        return [("Day", cells)]
    rows: dict[str, list[_Cell]] = {}
    for window, state in cells:
        rows.setdefault(window.start.strftime("%H:00"), []).append((window, state))
    return list(rows.items())


def _detail(
    ctx: Context, chosen: Instance, stream: str, start: str, *, known: Known, runs: list[Run]
) -> dict[str, Any] | None:
    if not start:
        return None
    try:
        moment = parse_compact(start)
    except ValueError:
        moment = None
    if moment is None or moment.year not in YEARS:
        raise Refused(422, f"{start!r} is no window; write its start like {compact(ctx.now())}.")
    window = chosen.calendar.window_at(moment)
    receipt = read_receipt(ctx.site.lake, chosen.slug, stream, window)
    run = next((run for run in runs if run.logical_date == window.start), None)
    return {
        "window": window,
        "state": state_of_window(chosen.calendar, window, known, ctx.now()),
        "receipt": receipt,
        "json": "" if receipt is None else msgspec.json.format(msgspec.json.encode(receipt), indent=2).decode(),
        "run": run,
        "start": iso(window.start),
        "end": iso(window.end),
    }
