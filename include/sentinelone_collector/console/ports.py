"""What the console needs from outside: an installation, the user who asks, and what Airflow can do for this user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sentinelone_collector.pipeline import Installation

__all__ = ["ACTIVE", "Airflow", "Backfill", "DagState", "Ports", "Right", "Run", "User"]

ACTIVE = frozenset({"queued", "running"})


class Right(StrEnum):
    """What a user may do, in the terms that Airflow grants it."""

    VIEW = "read DAGs"
    RUN = "start DAG runs"
    PAUSE = "edit DAGs"
    CONNECT = "create connections"
    RECONNECT = "edit connections"
    DISCONNECT = "delete connections"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks; `may` answers for one DAG where its id is given, else in general."""

    name: str
    may: Callable[[Right, str | None], bool]


@dataclass(frozen=True, slots=True)
class DagState:
    """What Airflow knows of a DAG."""

    is_paused: bool
    has_import_errors: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a DAG; `logical_date` is the start of its window, None for a run without one."""

    dag_id: str
    run_id: str
    state: str
    logical_date: datetime | None
    kind: str = "scheduled"
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backfill:
    """One backfill: the range of its window starts, both inclusive, and when it was complete."""

    number: int
    dag_id: str
    start: datetime
    end: datetime
    completed_at: datetime | None = None


class Airflow(Protocol):
    """Airflow, acting with the rights of the user who asks.

    Every method raises `Refused` with Airflow's status and words where Airflow refuses: 403 without the right, 404 for
    what is not there, 409 for what is there already.
    """

    def create_connection(self, connection_id: str, *, host: str, port: int, password: str) -> None:
        """Create a connection of type `sentinelone`."""

    def set_token(self, connection_id: str, password: str) -> None:
        """Replace the token of a connection."""

    def delete_connection(self, connection_id: str) -> None:
        """Delete a connection."""

    def dags(self) -> Mapping[str, DagState]:
        """Return the collector's DAGs that Airflow has read, by id."""

    def runs(
        self,
        dag_ids: Collection[str],
        *,
        states: Collection[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 1000,
    ) -> list[Run]:
        """Return runs, the latest window first; `start` and `end` bound the logical date, both inclusive."""

    def set_paused(self, dag_id: str, paused: bool) -> None:  # the state that is set
        """Pause a DAG or let it run again."""

    def start_backfill(self, dag_id: str, start: datetime, end: datetime, *, again: bool) -> Backfill:
        """Run the windows that begin in the range; with `again` also those that have succeeded."""

    def backfills(self, dag_id: str) -> list[Backfill]:
        """Return the DAG's backfills, the newest first."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that `create_app` is given.

    `authenticate` is a FastAPI dependency: it answers 401 by `HTTPException` where nobody is logged in. `airflow` makes
    the acting part for one request. `demo` lets the form reach simulated consoles on this machine; `hosts` are
    consoles beside SentinelOne's own, as in `S1C_CONSOLE_HOSTS`.
    """

    site: Installation
    authenticate: Callable[..., User] | Callable[..., Awaitable[User]]
    airflow: Callable[[Any], Airflow]
    demo: bool = False
    hosts: tuple[str, ...] = ()
