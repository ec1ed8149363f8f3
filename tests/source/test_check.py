"""What a person reads about a connection before and after it breaks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sentinelone_collector.instances import Scope
from sentinelone_collector.source import Stream, check_console

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def console(bench: Any) -> Any:
    """A console that answers by path; returns the function that checks it."""
    answers = {
        "/system/info": {"release": "W", "version": "V24.1.1"},
        "/user": {"scope": "site", "apiToken": {"expiresAt": "2026-12-25T00:00:00Z"}},
        "/users/api-token-details": {"createdAt": "2026-11-01T00:00:00Z", "expiresAt": "2026-12-25T00:00:00Z"},
        "/activities": [],
        "/threats": [],
    }

    class Routed(type(bench.network)):
        def send(self, request: Any, **options: Any) -> Any:
            path = request.path_url.removeprefix("/web/api/v2.1").split("?")[0]
            found = answers[path]
            if isinstance(found, Exception | bench.Reply):
                self.script = [found]
            elif isinstance(found, list):
                self.script = [bench.page(found)]
            else:
                self.script = [bench.Reply(200, json.dumps({"data": found}).encode())]
            return super().send(request, **options)

    bench.network.__class__ = Routed
    needed = Stream("activities", bench.endpoint, print)
    extra = Stream("threats", replace(bench.endpoint, path="/threats", permission="Threats.view", optional=True), print)

    def check(scope: Any = None, **changed: Any) -> Any:
        answers.update({f"/{name.replace('__', '/').replace('_', '-')}": value for name, value in changed.items()})
        return check_console(bench.console, [needed, extra], scope=scope or Scope(), now=lambda: NOW)

    return check


def refusal(bench: Any, status: Any) -> Any:
    return bench.Reply(status, b'{"errors":[{"code":4030010,"detail":null,"title":"Insufficient permissions"}]}')


def test_a_good_connection_is_told_as_one(console: Any) -> None:
    found = console()
    assert found.ok
    assert found.expires_at == datetime(2026, 12, 25, tzinfo=UTC)
    assert (found.days_left, found.scope, found.release) == (32, "site", "W")
    assert found.streams == {"activities": "ok", "threats": "ok"}
    assert any("2026-12-25" in sentence and "32 days" in sentence for sentence in found.sentences)
    assert "accepts the token (release W)." in found.sentences[0]
    assert found.sentences[-2:] == ("The stream activities can be read.", "The stream threats can be read.")
    assert "release" not in console(system__info={}).sentences[0]


def test_a_refused_token_says_so_and_nothing_more_is_tried(bench: Any, console: Any) -> None:
    found = console(system__info=bench.Reply(401, b'{"errors":[{"code":4010010,"title":"Authentication Failed"}]}'))
    assert not found.ok
    assert "token is not accepted" in found.sentences[0]
    assert len(bench.network.sent) == 1
    assert bench.token not in str(found)


@pytest.mark.parametrize("status", [403, 401])
def test_a_missing_permission_is_named(bench: Any, console: Any, status: Any) -> None:
    found = console(threats=refusal(bench, status))
    assert found.ok  # threats are optional
    assert found.streams["threats"] == "no permission (needs Threats.view)"
    assert any("Threats.view" in sentence for sentence in found.sentences)
    assert not any("is needed" in sentence for sentence in found.sentences)
    found = console(activities=refusal(bench, status))
    assert not found.ok
    assert found.streams["activities"] == "no permission (needs Activity Page.view)"
    assert any("The stream activities can't be read, and is needed" in sentence for sentence in found.sentences)


def test_a_token_that_may_not_read_its_owner_is_good(bench: Any, console: Any) -> None:
    found = console(user=refusal(bench, 403))
    assert found.ok
    assert found.scope is None
    assert found.days_left == 32


def test_the_expiry_is_read_from_the_owner_where_the_details_are_refused(bench: Any, console: Any) -> None:
    found = console(users__api_token_details=refusal(bench, 403))
    assert found.days_left == 32
    found = console(user=refusal(bench, 403))
    assert found.ok
    assert found.expires_at is None
    assert any("does not say when" in sentence for sentence in found.sentences)


@pytest.mark.parametrize(
    ("expiry", "ok", "words"),
    [
        ("2026-11-21T00:00:00Z", False, "expired on"),
        ("2026-11-22T12:00:01Z", True, "soon"),
        ("2026-11-30T00:00:00Z", True, "soon"),
    ],
)
def test_an_end_that_is_near_or_past_is_told(console: Any, expiry: Any, ok: Any, words: Any) -> None:
    found = console(users__api_token_details={"expiresAt": expiry})
    assert found.ok is ok
    assert any(words in sentence for sentence in found.sentences)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((302, b"", {"Location": "https://sso.invalid/login"}), "sso.invalid"),
        ((200, b"<html><title>Sign in</title></html>"), "Sign in"),
        ((404, b"404 page not found\n"), "no such service"),
        ((503, b""), "503"),
    ],
)
def test_what_is_no_console_is_told_in_words(bench: Any, console: Any, fault: Any, words: Any) -> None:
    found = console(system__info=bench.Reply(*fault))
    assert not found.ok
    assert words in found.sentences[0]
    assert sum(bench.clock.slept) <= 10.0


def test_an_unreachable_console_is_told_in_words(console: Any) -> None:
    found = console(system__info=ConnectionRefusedError(111, "Connection refused"))
    assert not found.ok
    assert "Connection refused" in found.sentences[0]


def test_the_instances_scope_is_asked_for(bench: Any, console: Any) -> None:
    console(scope=Scope(account_ids=("100000000000000001", "100000000000000002"), site_ids=("200000000000000001",)))
    listed = [sent.query for sent in bench.network.sent if sent.path.endswith(("/activities", "/threats"))]
    assert (
        listed
        == [{"accountIds": "100000000000000001,100000000000000002", "siteIds": "200000000000000001", "limit": "1"}] * 2
    )
