"""One DAG per instance: fetch >> normalize >> tag >> deliver for each stream."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, TaskGroup, task

from sentinelone_collector.airflow.tasks import (
    FETCHES_AT_ONCE,
    asset_of,
    deliver_task,
    fetch_task,
    normalize_task,
    tag_task,
)
from sentinelone_collector.airflow.timetable import WindowTimetable
from sentinelone_collector.instances import Instance
from sentinelone_collector.instances.model import duration_text
from sentinelone_collector.settings import number

__all__ = ["build_dag"]

_DEFAULT_ACTIVE_RUNS = 4
_RETRIES: dict[str, Any] = {
    "retries": 5,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}


def build_dag(instance: Instance) -> DAG:
    """Return the instance's DAG; the same instance gives the same serialized bytes."""
    dag = DAG(
        dag_id=instance.dag_id,
        dag_display_name=f"SentinelOne · {instance.name}",
        description=f"Collects {', '.join(instance.streams)} of {instance.name}",
        doc_md=_documentation(instance),
        schedule=WindowTimetable(instance.calendar),
        start_date=instance.calendar.first.start,
        catchup=True,
        max_active_runs=int(number("S1C_MAX_ACTIVE_RUNS", _DEFAULT_ACTIVE_RUNS)),
        default_args={"owner": "sentinelone", **_RETRIES},
        tags=["sentinelone", f"instance:{instance.slug}"],
    )
    with dag:
        for stream in instance.streams:
            _add_stream(instance.slug, stream)
    return dag


def _add_stream(slug: str, stream: str) -> None:
    with TaskGroup(group_id=stream):
        # Backfills have run limits of their own: this is what bounds the load on one console.
        fetched = task(task_id="fetch", max_active_tis_per_dag=FETCHES_AT_ONCE)(fetch_task)(slug, stream)
        normalized = task(task_id="normalize")(normalize_task)(slug, stream, fetched)
        tagged = task(task_id="tag")(tag_task)(slug, stream, fetched, normalized)
        task(task_id="deliver", outlets=[asset_of(slug, stream)])(deliver_task)(
            slug, stream, fetched, normalized, tagged
        )


def _documentation(instance: Instance) -> str:
    history = (
        f"Collection begins at `{instance.calendar.begin.isoformat()}`: whole UTC days until the midnight before "
        f"`{instance.live_since.isoformat()}`, windows of {duration_text(instance.every)} from then on."
    )
    return f"""### {instance.name} (`{instance.slug}`)

Each run collects one window, `[data_interval_start, data_interval_end)` in UTC, {duration_text(instance.settle)} after
its end, and proves it complete by the console's own count. {history}

- **Again:** clear a run, or trigger the DAG with a logical date inside the window. The result has the same bytes.
- **A range:** *Trigger → Backfill*, or `airflow backfill create --dag-id {instance.dag_id} --from-date … --to-date …`.
- **While this DAG is paused nothing runs:** a backfill of a paused DAG waits for ever and blocks the next one.
  Unpause it first.
- **A backfill of a recent range makes Airflow's scheduler skip the windows before it.** They are not lost:
  `sentinelone__audit` finds windows without a receipt every hour and collects them.
- **What is complete:** `s1c coverage {instance.slug}`.
"""
