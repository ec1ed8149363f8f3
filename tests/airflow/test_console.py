"""The console's way into Airflow's API: in the user's name, in Airflow's words, without what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from sentinelone_collector.console import Airflow, Right, new_router
from sentinelone_collector.errors import CollectorError

pytestmark = pytest.mark.airflow
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
TOKEN = "eyJ" + "secret" * 10


@dataclass
class Inner:
    """What stands in for Airflow's API server: it notes requests and gives prepared answers."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    seen: list[tuple[str, str, Any, dict[str, str]]] = field(default_factory=list)

    async def answer(self, request: Request) -> JSONResponse:
        body = await request.json() if request.headers.get("content-type") == "application/json" else None
        headers = {name: request.headers.get(name, "") for name in ("cookie", "authorization")}
        self.seen.append((request.method, request.url.path, body, headers))
        status, content = self.answers.get(f"{request.method} {request.url.path}", (200, {}))
        return JSONResponse(content, status_code=status)


@dataclass
class Called:
    inner: Inner
    client: TestClient
    work: Any = None

    def __call__(self, work: Any) -> tuple[int, Any]:
        self.work = work
        answer = self.client.get("/", headers={"Cookie": "_token=abc"})
        return answer.status_code, answer.json()


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[Called]:
    from sentinelone_collector.airflow import console

    inner, router, airflow = Inner(), new_router(), FastAPI()
    airflow.add_route("/{path:path}", inner.answer, methods=["GET", "POST", "PATCH", "DELETE"])
    monkeypatch.setattr(console, "cached_app", lambda **_: airflow)

    @router.get("/")
    def run(request: Request) -> Any:
        api: Airflow = console.AirflowApi(request)
        try:
            return called.work(api)
        except CollectorError as error:
            raise HTTPException(getattr(error, "status", 500), str(error)) from None

    outer = FastAPI()
    outer.include_router(router)
    with TestClient(outer) as client:
        called = Called(inner, client)
        yield called


def test_everything_is_asked_with_the_users_own_login(called: Called) -> None:
    called(lambda api: api.create_connection("c", host="https://x.sentinelone.net", port=443, password=TOKEN))
    called(lambda api: api.set_token("c", TOKEN))
    called(lambda api: api.set_paused("d", True))
    assert [(method, path) for method, path, _, _ in called.inner.seen] == [
        ("POST", "/api/v2/connections"),
        ("PATCH", "/api/v2/connections/c"),
        ("PATCH", "/api/v2/dags/d"),
    ]
    assert {headers["cookie"] for *_, headers in called.inner.seen} == {"_token=abc"}


@pytest.mark.parametrize(
    ("status", "detail", "told"),
    [
        (403, "Forbidden", (403, "Airflow: Forbidden")),
        (
            409,
            {"reason": "Unique constraint violation", "statement": TOKEN},
            (409, "Airflow: Unique constraint violation"),
        ),
        (422, [{"msg": "wrong", "input": TOKEN}], (422, "Airflow: status 422")),
        (500, "Internal Server Error", (502, "Airflow: Internal Server Error")),
    ],
)
def test_a_refusal_is_told_in_airflows_words_without_what_was_sent(
    called: Called, status: int, detail: Any, told: tuple[int, str]
) -> None:
    called.inner.answers["POST /api/v2/connections"] = (status, {"detail": detail})
    answer = called(lambda api: api.create_connection("c", host="https://h", port=443, password=TOKEN))
    assert answer == (told[0], {"detail": told[1]})


def test_runs_are_read_page_by_page(called: Called) -> None:
    run = {
        "dag_id": "d",
        "dag_run_id": "r",
        "state": "failed",
        "logical_date": "2026-11-22T10:00:00Z",
        "run_type": "scheduled",
        "end_date": None,
    }
    called.inner.answers["POST /api/v2/dags/~/dagRuns/list"] = (200, {"dag_runs": [run] * 100})
    status, found = called(
        lambda api: [each.state for each in api.runs(["d"], states={"failed"}, start=START, limit=250)]
    )
    assert (status, found) == (200, ["failed"] * 250)
    bodies = [body for _, _, body, _ in called.inner.seen]
    assert [body["page_offset"] for body in bodies] == [0, 100, 200]
    assert bodies[0]["logical_date_gte"] == "2026-11-22T10:00:00Z"
    called.inner.seen.clear()
    assert called(lambda api: [str(each) for each in api.runs([])]) == (200, [])
    assert called.inner.seen == []


def test_a_backfill_says_what_becomes_of_complete_windows(called: Called) -> None:
    answer = {"id": 3, "dag_id": "d", "from_date": "2026-11-22T10:00:00Z", "to_date": "2026-11-22T11:00:00Z"}
    called.inner.answers["POST /api/v2/backfills"] = (200, answer | {"completed_at": None})
    for again, wanted in ((False, "failed"), (True, "completed")):
        status, number = called(lambda api, again=again: api.start_backfill("d", START, START, again=again).number)
        assert (status, number) == (200, 3)
        assert called.inner.seen[-1][2]["reprocess_behavior"] == wanted


def test_rights_are_asked_of_the_auth_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    from sentinelone_collector.airflow import console

    asked: list[tuple[Any, ...]] = []

    def dag(*, method: str, user: str, details: Any = None, access_entity: Any = None) -> bool:
        asked.append(("dag", method, details and details.id, access_entity and access_entity.value))
        return method == "GET"

    def connection(*, method: str, user: str, details: Any = None) -> bool:
        asked.append(("connection", method, details and details.conn_id, None))
        return False

    manager = SimpleNamespace(is_authorized_dag=dag, is_authorized_connection=connection)
    monkeypatch.setattr(console, "get_auth_manager", lambda: manager)
    answers = {right: console._is_authorized("vera", right, "sentinelone__emea") for right in Right}
    assert [right for right, answer in answers.items() if answer] == [Right.VIEW]
    assert asked == [
        ("dag", "GET", "sentinelone__emea", None),
        ("dag", "POST", "sentinelone__emea", "RUN"),
        ("dag", "PUT", "sentinelone__emea", None),
        ("connection", "POST", None, None),
        ("connection", "PUT", "sentinelone_emea", None),
        ("connection", "DELETE", "sentinelone_emea", None),
    ]
