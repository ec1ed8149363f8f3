"""The audit DAG: windows that should be complete and are not get collected, whatever the reason.

It mends what Airflow's scheduler can't see: it continues after the newest logical date of scheduled and backfill runs,
so that a backfill of a recent range makes it skip all windows before that range. And it counts windows again that were
collected: those of which the console has more records by now get collected again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, get_current_context, task

from sentinelone_collector.airflow import runs
from sentinelone_collector.airflow.tasks import installation
from sentinelone_collector.errors import CollectorError
from sentinelone_collector.instances import Instance
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.settings import number
from sentinelone_collector.windows import DAY, Window

__all__ = ["AUDIT_DAG_ID", "audit_instance", "build_audit_dag", "recount_spans", "triggers"]

AUDIT_DAG_ID = "sentinelone__audit"
_log = logging.getLogger(__name__)
_AT_MOST = 500
_RECOUNT_DAYS = 7
_HOUR = 3600


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


def recount_spans(now: datetime, days: int) -> list[tuple[datetime, datetime]]:
    """Return what an audit counts again: the last day, and one of the days before, another one each hour."""
    spans = [(now - DAY, now)]
    if days > 1:
        older = int(now.timestamp()) // _HOUR % (days - 1) + 1
        spans.append((now - (older + 1) * DAY, now - older * DAY))
    return spans


def audit_instance(slug: str) -> dict[str, Any]:
    """Start a run for every settled window of an instance that has no active run, and no receipt or too few records."""
    site = installation()
    instance = site.inventory.get(slug)
    summary: dict[str, Any] = {"instance": slug, "started": {}}
    reasons = _reasons(site, instance, summary)
    if not reasons:
        return summary
    dag = runs.dag_of(instance.dag_id)
    if dag is None or dag.is_paused:
        _log.warning(
            "%s: %d windows are to be collected, the first is %s, but DAG %s is %s; nothing is started",
            slug,
            len(reasons),
            min(reasons),
            instance.dag_id,
            "not known to Airflow yet" if dag is None else "paused: unpause it",
        )
        return summary | {"paused": dag is not None}
    at_most = int(number("S1C_AUDIT_AT_MOST", _AT_MOST))
    lost = triggers(reasons, lambda start: runs.run_of(instance.dag_id, start), upcoming=dag.upcoming, at_most=at_most)
    for window, run in lost:
        _log.warning("%s: window %s: %s; collecting it", slug, window, reasons[window])
        run_id = runs.start_run(instance.dag_id, window.start, existing=run, note=f"audit: {reasons[window]}")
        summary["started"][run_id] = reasons[window]
    return summary


def _reasons(site: Installation, instance: Instance, summary: dict[str, Any]) -> dict[Window, str]:
    """Return the windows that are to be collected, and why; the summary says how many there are of each kind."""
    missing: dict[Window, str] = {}
    grown: dict[Window, str] = {}
    for stream in instance.streams:
        refused = site.still_unavailable(instance, stream)
        if refused is None:
            missing.update(dict.fromkeys(site.missing(instance, stream), "no receipt"))
            grown.update(_grown(site, instance, stream, summary))
        else:
            # its windows come when the console gives it: to run them again until then would never end
            _log.warning("%s/%s: %s", instance.slug, stream, refused)
            summary.setdefault("unavailable", {})[stream] = refused.reason
    summary |= {"missing": len(missing), "grown": len(grown)}
    return grown | missing


def _grown(site: Installation, instance: Instance, stream: str, summary: dict[str, Any]) -> dict[Window, str]:
    """Return the windows that the console has more records of than were collected, and how many; tell of the others.

    A console that does not answer now is asked again by the next audit.
    """
    days = int(number("S1C_RECOUNT_DAYS", _RECOUNT_DAYS))
    try:
        found = [one for span in recount_spans(site.now(), days) for one in site.recount(instance, stream, *span)]
    except CollectorError as error:
        _log.warning("%s/%s: not counted again: %s", instance.slug, stream, error)
        summary.setdefault("uncounted", []).append(stream)
        return {}
    for one in found:
        if not one.grown:
            _log.warning("%s/%s %s", instance.slug, stream, one)
            summary["shrunk"] = summary.get("shrunk", 0) + 1
    return {one.window: f"{one.counted} records of {stream} instead of {one.expected}" for one in found if one.grown}


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
        description="Collects windows that have no receipt and no active run, and those that have grown since",
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
