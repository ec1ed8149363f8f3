"""Who may ask for what, and what every answer carries."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
NAMES = {"name": "console.css", "slug": "emea"}


def _routes(console: Any) -> list[tuple[str, str]]:
    found = []
    for route in console.client.app.routes:
        assert isinstance(route, APIRoute), f"{route} is not guarded"
        path = re.sub(r"{(\w+)(:\w+)?}", lambda match: NAMES.get(match[1], "x"), route.path)
        found += [(method, path) for method in sorted(route.methods)]
    return found


def test_nobody_gets_anything_without_logging_in(console: Any) -> None:
    routes = _routes(console)
    assert ("GET", "/") in routes
    for method, path in routes:
        assert console.as_(None).request(method, path).status_code == 401, (method, path)


def test_a_user_without_rights_sees_nothing(console: Any) -> None:
    for method, path in _routes(console):
        assert console.as_("stranger").request(method, path).status_code == 403, (method, path)


def test_who_may_only_look_changes_nothing(console: Any) -> None:
    console.register()
    for method, path in _routes(console):
        if method in CHANGING:
            assert console.as_("viewer").request(method, path, json={}).status_code in {403, 422}, (method, path)
    assert console.site.store.list_changes() == []
    assert console.airflow.connections == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-SentinelOne-Console": "1", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-SentinelOne-Console": "1", "Sec-Fetch-Site": "same-site"}, 403),
        ({"X-SentinelOne-Console": "1", "Origin": "https://evil.example"}, 403),
        ({"X-SentinelOne-Console": "1", "Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 403),
        ({"X-SentinelOne-Console": "1", "Sec-Fetch-Site": "same-origin"}, 404),
        ({"X-SentinelOne-Console": "1", "Origin": "http://testserver"}, 404),
        ({"Authorization": "Bearer abc"}, 404),
    ],
)
def test_a_change_must_come_from_the_console_itself(console: Any, headers: dict[str, str], status: int) -> None:
    client = console.as_(None)
    client.headers = {"X-Role": "op", **headers}
    assert client.post("/api/instances/none/pause", json={}).status_code == status


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/nothing", "/static/console.js", "/api/openapi.json"])
def test_every_answer_carries_the_security_headers(console: Any, path: str) -> None:
    headers = console.as_("viewer").get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_pages_hold_no_code_or_style_of_their_own(console: Any) -> None:
    console.register()
    for method, path in _routes(console):
        if method == "GET" and not path.startswith(("/api/", "/static/")):
            text = console.as_("op").get(path).text
            assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
            assert not re.search(r"\s(style|on\w+)\s*=", re.sub(r">[^<]*<", "><", text)), path
            assert not re.search(r"(src|href)=\"(https?:)?//", text), path
