"""What lake and Airflow know about a range of windows, asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sentinelone_collector.console.context import Context
from sentinelone_collector.console.coverage import Known, known_of
from sentinelone_collector.console.ports import ACTIVE
from sentinelone_collector.console.receipts import index_of
from sentinelone_collector.instances import Instance
from sentinelone_collector.windows import Window

__all__ = ["known_windows"]

_MOST_RUNS = 3000


def known_windows(
    ctx: Context, instance: Instance, stream: str, start: datetime, end: datetime, *, all_runs: bool = False
) -> Known:
    """Return what is known of a stream's windows; `all_runs` asks for successful runs, too, which tell the audit's."""
    complete = index_of(ctx.site).windows(instance, stream, ctx.now(), expected=_backfilled(ctx, instance))
    states = frozenset() if all_runs else ACTIVE | {"failed"}
    begin = instance.calendar.window_at(start).start
    runs = ctx.airflow.runs([instance.dag_id], states=states, start=begin, end=end, limit=_MOST_RUNS)
    return known_of(complete, runs, unavailable=ctx.site.unavailable(instance, stream) is not None)


def _backfilled(ctx: Context, instance: Instance) -> Iterator[Window]:
    """Yield the windows of the newest backfill, which may lie before the begin of the collection."""
    for backfill in ctx.airflow.backfills(instance.dag_id)[:1]:
        yield from instance.calendar.touching(backfill.start, backfill.end + timedelta(microseconds=1))
