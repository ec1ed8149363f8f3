"""The audit DAG: windows that should be complete and are not get collected, whatever the reason.

It mends what Airflow's scheduler can't see: it continues after the newest logical date of scheduled and backfill runs,
so that a backfill of a recent range makes it skip all windows before that range.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, get_current_context, task

from sentinelone_collector.airflow import runs
from sentinelone_collector.airflow.tasks import installation
from sentinelone_collector.settings import number
from sentinelone_collector.windows import Window

__all__ = ["AUDIT_DAG_ID", "audit_instance", "build_audit_dag", "triggers"]

AUDIT_DAG_ID = "sentinelone__audit"
_log = logging.getLogger(__name__)
_AT_MOST = 500


def triggers(
    missing: Iterable[Window],
    run_of: Callable[[datetime], runs.Run | None],
    *,
    upcoming: datetime | None,
    at_most: int,
) -> list[tuple[Window, runs.Run | None]]:
    """Return the missing windows that nobody is going to collect, oldest first, with the run to repeat if there is one.

    Left out are windows with an active run, and those without any run from `upcoming` on: the scheduler is merely
    behind and comes to them by itself.
    """
    chosen: list[tuple[Window, runs.Run | None]] = []
    for window in sorted(missing):
        run = run_of(window.start)
        scheduled = run is None and upcoming is not None and window.start >= upcoming
        if not scheduled and (run is None or run.state not in runs.ACTIVE):
            chosen.append((window, run))
        if len(chosen) == at_most:
            break
    return chosen


def audit_instance(slug: str) -> dict[str, Any]:
    """Start a run for every settled window of an instance that has no receipt and no active run."""
    site = installation()
    instance = site.inventory.get(slug)
    summary: dict[str, Any] = {"instance": slug, "started": []}
    found: set[Window] = set()
    for stream in instance.streams:
        refused = site.still_unavailable(instance, stream)
        if refused is None:
            found.update(site.missing(instance, stream))
        else:
            # its windows come when the console gives it: to run them again until then would never end
            _log.warning("%s/%s: %s", slug, stream, refused)
            summary.setdefault("unavailable", {})[stream] = refused.reason
    missing = sorted(found)
    summary["missing"] = len(missing)
    if not missing:
        return summary
    dag = runs.dag_of(instance.dag_id)
    if dag is None or dag.is_paused:
        _log.warning(
            "%s: %d windows are missing, the first is %s, but DAG %s is %s; nothing is started",
            slug,
            len(missing),
            missing[0],
            instance.dag_id,
            "not known to Airflow yet" if dag is None else "paused: unpause it",
        )
        return summary | {"paused": dag is not None}
    at_most = int(number("S1C_AUDIT_AT_MOST", _AT_MOST))
    lost = triggers(missing, lambda start: runs.run_of(instance.dag_id, start), upcoming=dag.upcoming, at_most=at_most)
    for window, run in lost:
        _log.warning("%s: window %s has no receipt and no active run; collecting it", slug, window)
        summary["started"].append(runs.start_run(instance.dag_id, window.start, existing=run, note="audit: no receipt"))
    return summary


def _audit(slug: str) -> dict[str, Any]:
    get_current_context()["slug"] = slug  # names the mapped task in the UI
    return audit_instance(slug)


def _instances() -> list[str]:
    inventory = installation().inventory
    for error in inventory.errors:
        _log.warning("left out of the audit: %s", error)
    return [instance.slug for instance in inventory.instances]


def build_audit_dag() -> DAG:
    """Return the audit DAG, hourly, one task per instance."""
    dag = DAG(
        dag_id=AUDIT_DAG_ID,
        dag_display_name="SentinelOne · audit",
        description="Collects windows that have no receipt and no active run",
        doc_md=__doc__,
        schedule=CronTriggerTimetable("17 * * * *", timezone="UTC"),
        start_date=datetime(2020, 1, 1, tzinfo=UTC),
        catchup=False,  # an audit looks at all of the past each time
        max_active_runs=1,
        default_args={"owner": "sentinelone", "retries": 2, "retry_delay": timedelta(minutes=1)},
        tags=["sentinelone"],
    )
    with dag:
        slugs = task(task_id="instances")(_instances)()
        task(task_id="audit", map_index_template="{{ slug }}")(_audit).expand(slug=slugs)
    return dag
