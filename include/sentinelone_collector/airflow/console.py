"""The console bound to Airflow: who asks, what they may do, and Airflow's own public API in their name.

Connections, DAGs, runs and backfills are read and changed through `/api/v2` only, called inside this process with the
user's own log-in. So Airflow itself decides on every right, validates, and writes its own event log; nothing here
touches its database. Imported by the API server alone.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import anyio.from_thread
import httpx
from airflow.api_fastapi.app import cached_app, get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import FastAPI, Request

from sentinelone_collector.airflow.tasks import installation
from sentinelone_collector.console import Backfill, DagState, Ports, Refused, Right, Run, User, create_app
from sentinelone_collector.windows import iso, parse_time

__all__ = ["build"]

_CHECK_SECONDS = 10.0
_PAGE = 100
_CONNECTION_METHODS = {Right.CONNECT: "POST", Right.RECONNECT: "PUT", Right.DISCONNECT: "DELETE"}


def build() -> FastAPI:
    """Return the console of this API server; raise `ConfigurationError` where a setting is wrong."""
    site = installation()
    site.retry_seconds = _CHECK_SECONDS  # people wait for the answers
    hosts = os.environ.get("S1C_CONSOLE_HOSTS", "").lower().replace(",", " ").split()
    demo = os.environ.get("S1C_CONSOLE_DEMO") == "1"
    return create_app(Ports(site=site, authenticate=_authenticate, airflow=AirflowApi, demo=demo, hosts=tuple(hosts)))


async def _authenticate(user: GetUserDep) -> User:
    def may(right: Right, dag_id: str | None) -> bool:
        return _is_authorized(user, right, dag_id)

    return User(str(user.get_name()), may)


def _is_authorized(user: Any, right: Right, dag_id: str | None) -> bool:
    manager = get_auth_manager()
    if right in _CONNECTION_METHODS:
        method = _CONNECTION_METHODS[right]
        connection_id = dag_id and dag_id.replace("sentinelone__", "sentinelone_", 1)
        details = ConnectionDetails(conn_id=connection_id) if connection_id and method != "POST" else None
        return bool(manager.is_authorized_connection(method=method, details=details, user=user))
    team = DagModel.get_team_name(dag_id) if dag_id and conf.getboolean("core", "multi_team") else None
    of_dag = DagDetails(id=dag_id, team_name=team) if dag_id else None
    if right is Right.RUN:
        entity = DagAccessEntity.RUN
        return bool(manager.is_authorized_dag(method="POST", access_entity=entity, details=of_dag, user=user))
    method = "PUT" if right is Right.PAUSE else "GET"
    return bool(manager.is_authorized_dag(method=method, details=of_dag, user=user))


class AirflowApi:
    """Airflow's public API as the user of one request may use it; see `console.ports.Airflow`.

    For the console's worker threads: the call itself runs on the server's own event loop.
    """

    def __init__(self, request: Request) -> None:
        known = {name: request.headers.get(name) for name in ("authorization", "cookie")}
        self._headers = {name: value for name, value in known.items() if value}

    def _call(self, verb: str, path: str, *, params: Any = None, body: Any = None) -> Any:
        answer: httpx.Response = anyio.from_thread.run(self._send, verb, path, params, body)
        if answer.is_success:
            return answer.json() if answer.content else None
        raise Refused(answer.status_code if answer.status_code < 500 else 502, f"Airflow: {_detail(answer)}")  # noqa: PLR2004

    async def _send(self, verb: str, path: str, params: Any, body: Any) -> httpx.Response:
        # the same words as in airflow.api_fastapi.main, which give the same application
        airflow = cached_app(apps=os.environ.get("AIRFLOW_API_APPS", "all"))
        transport = httpx.ASGITransport(app=airflow, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow", headers=self._headers) as client:
            return await client.request(verb, f"/api/v2/{path}", params=params, json=body)

    def create_connection(self, connection_id: str, *, host: str, port: int, password: str) -> None:
        """Create a connection of type `sentinelone`."""
        fields = {"conn_type": "sentinelone", "host": host, "port": port, "password": password}
        self._call("POST", "connections", body={"connection_id": connection_id, **fields})

    def set_token(self, connection_id: str, password: str) -> None:
        """Replace the token of a connection."""
        body = {"connection_id": connection_id, "conn_type": "sentinelone", "password": password}
        self._call("PATCH", f"connections/{connection_id}", params={"update_mask": "password"}, body=body)

    def delete_connection(self, connection_id: str) -> None:
        """Delete a connection."""
        self._call("DELETE", f"connections/{connection_id}")

    def dags(self) -> Mapping[str, DagState]:
        """Return the collector's DAGs that Airflow has read, by id."""
        found: dict[str, DagState] = {}
        offset = 0
        while True:
            page = self._call("GET", "dags", params={"tags": "sentinelone", "limit": _PAGE, "offset": offset})["dags"]
            for dag in page:
                found[dag["dag_id"]] = DagState(bool(dag["is_paused"]), bool(dag.get("has_import_errors")))
            offset += len(page)
            if len(page) < _PAGE:
                return found

    def runs(
        self,
        dag_ids: Collection[str],
        *,
        states: Collection[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 1000,
    ) -> list[Run]:
        """Return runs, the latest window first."""
        body: dict[str, Any] = {"dag_ids": sorted(dag_ids), "order_by": "-logical_date", "page_limit": _PAGE}
        if states:
            body["states"] = sorted(states)
        if start is not None:
            body["logical_date_gte"] = iso(start)
        if end is not None:
            body["logical_date_lte"] = iso(end)
        found: list[Run] = []
        while dag_ids and len(found) < limit:
            page = self._call("POST", "dags/~/dagRuns/list", body=body | {"page_offset": len(found)})["dag_runs"]
            found += [_run(run) for run in page]
            if len(page) < _PAGE:
                break
        return found[:limit]

    def set_paused(self, dag_id: str, paused: bool) -> None:  # the state that is set
        """Pause a DAG or let it run again."""
        self._call("PATCH", f"dags/{dag_id}", params={"update_mask": "is_paused"}, body={"is_paused": paused})

    def start_backfill(self, dag_id: str, start: datetime, end: datetime, *, again: bool) -> Backfill:
        """Run the windows that begin in the range."""
        body = {
            "dag_id": dag_id,
            "from_date": iso(start),
            "to_date": iso(end),
            "reprocess_behavior": "completed" if again else "failed",
            "max_active_runs": 4,
        }
        return _backfill(self._call("POST", "backfills", body=body))

    def backfills(self, dag_id: str) -> list[Backfill]:
        """Return the DAG's backfills, the newest first."""
        answer = self._call("GET", "backfills", params={"dag_id": dag_id, "order_by": "-id", "limit": 5})
        return [_backfill(each) for each in answer["backfills"]]


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except ValueError:
        detail = None
    if isinstance(detail, dict):
        detail = detail.get("message") or detail.get("reason")
    # validation errors of FastAPI repeat what was sent, which may be a token
    return detail if isinstance(detail, str) else f"status {answer.status_code}"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _run(run: Mapping[str, Any]) -> Run:
    return Run(
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        state=run["state"],
        logical_date=_moment(run["logical_date"]),
        kind=run["run_type"],
        ended=_moment(run["end_date"]),
    )


def _backfill(each: Mapping[str, Any]) -> Backfill:
    return Backfill(
        number=each["id"],
        dag_id=each["dag_id"],
        start=parse_time(each["from_date"]),
        end=parse_time(each["to_date"]),
        completed_at=_moment(each["completed_at"]),
    )
