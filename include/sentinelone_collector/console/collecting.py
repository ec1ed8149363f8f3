"""Collecting a range of windows again: an Airflow backfill, and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sentinelone_collector.console.context import Context
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.ports import ACTIVE, Backfill, Right
from sentinelone_collector.instances import Instance
from sentinelone_collector.windows import as_utc, iso

__all__ = ["progress_of", "recollect"]

_MOST_WINDOWS = 5000


def recollect(ctx: Context, slug: str, start: datetime, end: datetime, *, again: bool) -> dict[str, Any]:
    """Start a backfill of every ended window that touches `[start, end)`; with `again` also of the complete ones.

    The range may lie before the begin of the collection: the calendar has windows of a day there.
    Raise `Refused` (409) where the DAG is paused, since its backfill would wait for ever and block the next, where
    Airflow does not know the DAG yet, or where a backfill of it is running; 422 for a range without an ended window.
    """
    ctx.require(Right.RUN, slug)
    instance = ctx.instance(slug)
    first, last, count = _bounds(ctx, instance, start, end)
    dag = ctx.airflow.dags().get(instance.dag_id)
    if dag is None:
        raise Refused(409, f"Airflow has not read {instance.dag_id} yet; wait half a minute.")
    if dag.is_paused:
        raise Refused(409, f"{instance.name} is paused: its runs would wait for ever. Resume it first.")
    if any(each.completed_at is None for each in ctx.airflow.backfills(instance.dag_id)):
        raise Refused(409, f"A range of {instance.name} is being collected already; wait until it is done.")
    backfill = ctx.airflow.start_backfill(instance.dag_id, first, last, again=again)
    ctx.audit("collect range", slug, f"{iso(start)} to {iso(end)}, {'all' if again else 'missing and failed'} windows")
    what = "One window is" if count == 1 else f"{count:,} windows are"
    return {"message": f"{what} looked at.", "backfill": backfill.number} | progress_of(ctx, instance, backfill)


def _bounds(ctx: Context, instance: Instance, start: datetime, end: datetime) -> tuple[datetime, datetime, int]:
    calendar, now = instance.calendar, ctx.now()
    start, end = as_utc(start), min(as_utc(end), now)
    if start >= end:
        raise Refused(422, "The range is empty, or begins after now.", fields={"end": "Choose a later end."})
    windows = []
    for window in calendar.touching(start, end):
        if window.end <= now:
            windows.append(window.start)
        if len(windows) > _MOST_WINDOWS:
            text = f"More than {_MOST_WINDOWS:,} windows; choose a shorter range."
            raise Refused(422, text, fields={"start": text})
    if not windows:
        raise Refused(422, "No window of the range has ended yet.", fields={"end": "No window has ended yet."})
    return windows[0], windows[-1], len(windows)


def progress_of(ctx: Context, instance: Instance, backfill: Backfill) -> dict[str, Any]:
    """Return how many runs of the backfill's range there are, wait, run, succeeded and failed."""
    runs = ctx.airflow.runs([instance.dag_id], start=backfill.start, end=backfill.end, limit=_MOST_WINDOWS)
    active = sum(run.state in ACTIVE for run in runs)
    failed = sum(run.state == "failed" for run in runs)
    return {
        "number": backfill.number,
        "start": iso(backfill.start),
        "end": iso(backfill.end),
        "total": len(runs),
        "active": active,
        "failed": failed,
        "done": len(runs) - active,
        "complete": backfill.completed_at is not None or (bool(runs) and not active),
    }
