"""A console over a real lake and store in a folder, with a fake Airflow and fake log-ins."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa  # noqa: TID253  # a test's own process may load it
import pyarrow.parquet as pq  # noqa: TID253  # as above
import pytest
from fastapi import HTTPException, Request
from starlette.testclient import TestClient

from sentinelone_collector.console import Backfill, DagState, Ports, Refused, Right, Run, User, create_app
from sentinelone_collector.console.catalogue import ruleset_of
from sentinelone_collector.detect import tag
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Connection, Instance, write_instance
from sentinelone_collector.lake import Receipt, ReceiptWindow, object_key, write_receipt
from sentinelone_collector.normalize.schema import event_schema
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.settings import Settings
from sentinelone_collector.store import open_store
from sentinelone_collector.windows import Window, iso

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SAME_ORIGIN = {"X-SentinelOne-Console": "1", "Sec-Fetch-Site": "same-origin"}
_ROLES: Mapping[str, frozenset[Right]] = {
    "viewer": frozenset({Right.VIEW}),
    "user": frozenset({Right.VIEW, Right.RUN, Right.PAUSE}),
    "op": frozenset(Right),
    "stranger": frozenset(),
    "elsewhere": frozenset(Right),  # but not for `emea`
}


@dataclass
class FakeAirflow:
    """What Airflow would hold, and refuse."""

    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: dict[str, DagState] = field(default_factory=dict)
    all_runs: list[Run] = field(default_factory=list)
    all_backfills: list[Backfill] = field(default_factory=list)

    def create_connection(self, connection_id: str, *, host: str, port: int, password: str) -> None:
        if connection_id in self.connections:
            raise Refused(409, f"Airflow: {connection_id} exists")
        self.connections[connection_id] = {"host": host, "port": port, "password": password}

    def set_token(self, connection_id: str, password: str) -> None:
        if connection_id not in self.connections:
            raise Refused(404, "Airflow: not found")
        self.connections[connection_id]["password"] = password

    def delete_connection(self, connection_id: str) -> None:
        if self.connections.pop(connection_id, None) is None:
            raise Refused(404, "Airflow: not found")

    def dags(self) -> Mapping[str, DagState]:
        return self.known

    def runs(
        self,
        dag_ids: Collection[str],
        *,
        states: Collection[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 1000,
    ) -> list[Run]:
        found = [
            run
            for run in self.all_runs
            if run.dag_id in dag_ids
            and (not states or run.state in states)
            and run.logical_date is not None
            and (start is None or run.logical_date >= start)
            and (end is None or run.logical_date <= end)
        ]
        return sorted(found, key=lambda run: run.logical_date or NOW, reverse=True)[:limit]

    def set_paused(self, dag_id: str, paused: bool) -> None:
        self.known[dag_id] = DagState(paused)

    def start_backfill(self, dag_id: str, start: datetime, end: datetime, *, again: bool) -> Backfill:
        if any(each.dag_id == dag_id and each.completed_at is None for each in self.all_backfills):
            raise Refused(409, "Airflow: there is already a running backfill")
        new = Backfill(len(self.all_backfills) + 1, dag_id, start, end)
        self.all_backfills.insert(0, new)
        return new

    def backfills(self, dag_id: str) -> list[Backfill]:
        return [each for each in reversed(self.all_backfills) if each.dag_id == dag_id]


@dataclass
class Console:
    """The console under test; `as_` logs in by role (`op`, `user`, `viewer`, `stranger`), None by nobody."""

    site: Installation
    airflow: FakeAirflow
    client: TestClient

    def as_(self, role: str | None) -> TestClient:
        self.client.headers = dict(SAME_ORIGIN)  # type: ignore[assignment]
        if role is not None:
            self.client.headers["X-Role"] = role
        return self.client

    def register(self, slug: str = "emea", **fields: Any) -> Instance:
        content = {"name": f"Application {slug}", "live_since": NOW.replace(hour=10)} | fields
        instance = Instance.model_validate({"slug": slug, "connection_id": f"sentinelone_{slug}", **content})
        write_instance(self.site.settings.instances, instance, now=self.site.now())
        return instance


def write_receipt_of(site: Installation, instance: Instance, window: Window, stream: str = "activities") -> None:
    """Make a window complete, as the last of its tasks does."""
    write_receipt(
        site.lake,
        Receipt(
            instance=instance.slug,
            stream=stream,
            window=ReceiptWindow(iso(window.start), iso(window.end)),
            console="usea1-example.sentinelone.net",
            collected_from=iso(instance.collected_from(window)),
            expected=9,
            fetched=10,
            duplicates=1,
            events=8,
            quarantined=1,
            hits=0,
            first_time=iso(window.start),
            last_time=iso(window.start),
            raw_sha256=hashlib.sha256(window.name.encode()).hexdigest(),
            events_sha256="0" * 64,
            ruleset="0" * 12,
            code_version="0",
            fetched_at=iso(window.end),
        ),
    )


def authenticate(request: Request) -> User:
    role = request.headers.get("x-role")
    if role is None:
        raise HTTPException(401, "Not authenticated")
    hidden = "sentinelone__emea" if role == "elsewhere" else None
    return User(role, lambda right, dag: right in _ROLES[role] and (dag is None or dag != hidden))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the store's schema once."""
    path = tmp_path_factory.mktemp("store") / "s1c.db"
    open_store(f"sqlite:///{path}").close()  # the last connection leaves all in the one file
    return path


@pytest.fixture
def console(tmp_path: Path, migrated: Path) -> Iterator[Console]:
    airflow = FakeAirflow()
    shutil.copy(migrated, tmp_path / "s1c.db")

    def connection_for(connection_id: str) -> Connection:
        stored = airflow.connections.get(connection_id)
        if stored is None:
            raise ConfigurationError(f"there is no connection {connection_id!r}")
        return Connection.from_parts(stored["host"], stored["port"], stored["password"])

    settings = Settings.from_environment(
        {"S1C_LAKE": str(tmp_path / "lake"), "S1C_INSTANCES": str(tmp_path / "instances.d")}
    )
    site = Installation(settings, connection_for=connection_for, now=lambda: NOW, retry_seconds=1.0)
    app = create_app(Ports(site=site, authenticate=authenticate, airflow=lambda _: airflow, demo=True))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield Console(site, airflow, client)
    site.store.close()


ZERO = NOW.replace(hour=0)
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}</script>"


def put_events(site: Installation, instance: Instance, rows: list[dict[str, Any]], hours: Collection[int]) -> None:
    """Write the events of windows of an hour and tag them, as their tasks do; rows are those of the events' schema."""
    windows = [instance.calendar.window_at(ZERO.replace(hour=hour)) for hour in hours]
    for window in windows:
        inside = [row for row in rows if datetime.fromtimestamp(row["time"] / 1000, UTC) in window]
        with site.lake.scratch() as folder:
            path = folder / "events.parquet"
            ordered = sorted(inside, key=lambda row: (row["time"], row["metadata"]["uid"]))
            table = pa.Table.from_pylist(ordered, schema=event_schema())
            pq.write_table(table, path, row_group_size=4)
            site.lake.put(object_key("events", instance.slug, "activities", window), path)
    for window in windows:
        tag(
            instance,
            "activities",
            window,
            console="usea1-example.sentinelone.net",
            lake=site.lake,
            store=site.store,
            ruleset=ruleset_of(site),
            now=site.now,
        )


def event(uid: str, at: datetime, code: str, **names: Any) -> dict[str, Any]:
    """Return one event's row; `names` are `actor`, `user`, `ip`, the actor's `role` and the `account`."""
    row: dict[str, Any] = {
        "time": int(at.timestamp() * 1000),
        "metadata": {"uid": uid, "event_code": code, "labels": []},
        "message": f"what {uid} says",
        "raw_data": json.dumps({"id": uid, "secret": f"record-of-{uid}"}),
    }
    if "actor" in names:
        row["actor"] = {"user": {"name": names["actor"], "type": names.get("role")}}
    if "user" in names:
        row["user"] = {"name": names["user"], "org": {"name": names.get("account")}}
    if "ip" in names:
        row["src_endpoint"] = {"ip": names["ip"]}
    return row


def story() -> list[dict[str, Any]]:
    """Return what the worked console holds: three deletions, one with a hostile name, and a guessed password."""
    deleted = [
        event("d1", ZERO.replace(hour=8, minute=1), "25", actor="ann", user="bob", role="Admin", account="Example AG"),
        event("d2", ZERO.replace(hour=8, minute=30), "25", actor="cid", user="dora"),
        event("d3", ZERO.replace(hour=9, minute=5), "25", actor=HOSTILE, user=f"v{HOSTILE}"),
    ]
    first = ZERO.replace(hour=9, minute=56)
    guesses = [
        event(f"g{n}", first + timedelta(seconds=40 * n), "133", user="eve", ip="203.0.113.9") for n in range(10)
    ]
    other = [event(f"o{n}", first + timedelta(seconds=n), "27", user="mia", ip="192.0.2.7") for n in range(30)]
    return [*deleted, *guesses, *other]


_WORKED = {"name": "Application emea", "live_since": ZERO, "every": "1h"}


@pytest.fixture(scope="session")
def worked_home(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """Fill a lake and a store once, through the tasks' own functions."""
    home = tmp_path_factory.mktemp("worked")
    shutil.copy(migrated, home / "s1c.db")
    settings = Settings.from_environment({"S1C_LAKE": str(home / "lake"), "S1C_INSTANCES": str(home / "instances.d")})
    site = Installation(settings, now=lambda: NOW)
    instance = Instance.model_validate({"slug": "emea", "connection_id": "sentinelone_emea", **_WORKED})
    put_events(site, instance, story(), range(8, 11))
    site.store.close()
    return home


@pytest.fixture
def worked(console: Console, tmp_path: Path, worked_home: Path) -> Console:
    """The console over a lake and a store with four incidents of the instance `emea`."""
    shutil.copy(worked_home / "s1c.db", tmp_path / "s1c.db")
    shutil.copytree(worked_home / "lake", tmp_path / "lake", dirs_exist_ok=True)
    console.register(**_WORKED)
    return console
