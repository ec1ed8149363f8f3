"""The whole JSON API against its own OpenAPI description: no surprise, no server error, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.console.conftest import NOW, Console

from sentinelone_collector.store import Store

EXAMPLES = 6
PARTS = ("instances", "coverage", "search", "incidents", "rules")
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# what makes a random request meet something that is there
KNOWN: dict[str, Callable[[Store], list[str]]] = {
    "slug": lambda _: ["emea"],
    "rule_id": lambda _: ["aa-005", "ul-003"],
    "incident_id": lambda store: [each.id for each in store.list_incidents(now=NOW)],
    "hit_id": lambda store: [
        store.get_incident(each.id, now=NOW).hits[0].hit_id for each in store.list_incidents(now=NOW)
    ],
}
SLOW = {"/api/rules/{rule_id}/test"}  # runs an engine: once is enough


def description(console: Console) -> dict[str, Any]:
    found: dict[str, Any] = console.as_("op").get("/api/openapi.json").json()
    return found


def test_the_description_holds_every_route_and_its_refusals(console: Console) -> None:
    whole = description(console)
    told = {(verb, path) for path, verbs in whole["paths"].items() for verb in verbs}
    routes = {
        (method.lower(), route.path)
        for route in console.client.app.routes  # type: ignore[attr-defined]
        if route.path.startswith("/api/") and route.include_in_schema
        for method in route.methods
    }
    assert told == routes
    assert {verb for verb, _ in told} == {"get", "post", "put", "delete"}
    assert {path.split("/")[2] for _, path in told} == set(PARTS), "requests are sent to these parts alone"
    for verbs in whole["paths"].values():
        for operation in verbs.values():
            assert {"401", "403", "404", "409", "422", "502", "503"} <= set(operation["responses"])
            assert operation["description"]
    assert "HTTPValidationError" not in str(whole), "refusals look otherwise"


@pytest.mark.parametrize("part", PARTS)
def test_whatever_is_sent_the_answer_is_as_described(worked: Console, part: str) -> None:
    schema = schemathesis.openapi.from_dict(description(worked))
    known = {name: values(worked.site.store) for name, values in KNOWN.items()}
    seen: set[tuple[str, str]] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if not operation.path.startswith(f"/api/{part}"):
            continue
        seen.add((operation.method, operation.path))
        _fuzz(worked, operation, known)
    assert seen


def _fuzz(console: Console, operation: Any, known: dict[str, list[str]]) -> None:
    @given(case=operation.as_strategy(), data=st.data())
    @settings(
        max_examples=1 if operation.path in SLOW else EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any, data: st.DataObject) -> None:
        for name in case.path_parameters or {}:
            if data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(known[name]))
        console.as_("op")
        request = case.as_transport_kwargs(base_url="http://testserver")
        answer = console.client.request(
            request["method"],
            request["url"],
            params=request.get("params"),
            json=request.get("json"),
            content=request.get("data") if isinstance(request.get("data"), str | bytes) else None,
        )
        case.validate_response(answer, checks=CHECKS)

    send()
