"""Runs of other DAGs, as a task may see and start them.

A task has no access to Airflow's database. The public task API can count runs and start one, but it can't name the run
of a given logical date, which is needed to run a failed one again in place. That question exists in the task execution
API and is asked here through the SDK's own channel; this is the only module that does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

__all__ = ["ACTIVE", "Dag", "Run", "dag_of", "run_of", "start_run"]

ACTIVE = frozenset({"queued", "running"})


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a DAG."""

    run_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Dag:
    """A DAG; from the logical date `upcoming` on the scheduler creates the runs by itself, None if it creates none."""

    is_paused: bool
    upcoming: datetime | None


def _ask(message: Any) -> Any:
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    return SUPERVISOR_COMMS.send(message)


def dag_of(dag_id: str) -> Dag | None:
    """Return what Airflow knows of a DAG; None where it does not know it (yet)."""
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import ErrorResponse, GetDag

    try:
        answer = _ask(GetDag(dag_id=dag_id))
    except AirflowRuntimeError:
        return None
    return None if isinstance(answer, ErrorResponse) else Dag(bool(answer.is_paused), answer.next_dagrun)


def run_of(dag_id: str, logical_date: datetime) -> Run | None:
    """Return the run of a DAG with just this logical date, None where there is none."""
    from airflow.sdk.execution_time.comms import GetPreviousDagRun

    answer = _ask(GetPreviousDagRun(dag_id=dag_id, logical_date=logical_date + timedelta(microseconds=1)))
    found = answer.dag_run
    if found is None or found.logical_date != logical_date:
        return None
    return Run(found.run_id, str(getattr(found.state, "value", found.state)))


def start_run(dag_id: str, logical_date: datetime, *, existing: Run | None, note: str) -> str:
    """Start a run for a logical date, or run the existing one again in place; return its id.

    Airflow takes the note for a new run only.
    """
    from airflow.sdk.execution_time.comms import TriggerDagRun

    run_id = existing.run_id if existing else f"audit__{logical_date.isoformat()}"
    _ask(
        TriggerDagRun(
            dag_id=dag_id,
            run_id=run_id,
            logical_date=logical_date,
            reset_dag_run=existing is not None,
            note=note,
        )
    )
    return run_id
