from __future__ import annotations

import http.client
import json
from datetime import timedelta

import pytest
from tests.simulator.conftest import ACTIVITIES, NOW, Client, Clock, Start, ids, iso

from sentinelone_collector.simulator import Simulator

BASE = "/web/api/v2.1"
SORT = {"sortBy": "createdAt", "sortOrder": "asc"}
HOURS = {"createdAt__gte": iso(NOW - timedelta(hours=5)), "createdAt__lt": iso(NOW)}
REFUSED = b'{"errors":[{"code":4010010,"detail":null,"title":"Authentication Failed"}]}\n'


@pytest.mark.parametrize("scheme", ["ApiToken", "APIToken", "apitoken", "Token"])
def test_the_scheme_s_case_does_not_matter(console: Client, scheme: str) -> None:
    assert console.call("GET", ACTIVITIES, Authorization=f"{scheme} {console.simulator.token}").status == 200


@pytest.mark.parametrize("header", ["", "Bearer {}", "ApiToken wrong", "{}", "ApiToken "])
def test_other_credentials_are_refused(console: Client, header: str) -> None:
    answer = console.call("GET", ACTIVITIES, Authorization=header.format(console.simulator.token))
    assert (answer.status, answer.body) == (401, REFUSED)


def test_the_token_looks_like_one_and_depends_on_the_seed() -> None:
    tokens = {Simulator(seed=seed, now=Clock()).token for seed in (1, 1, 2)}
    assert len(tokens) == 2
    assert all(token.startswith("eyJ") and token.count(".") == 2 for token in tokens)
    assert Simulator(token="given-by-hand", now=Clock()).token == "given-by-hand"


def test_a_token_expires(start: Start, clock: Clock) -> None:
    console = start(token_expires=NOW + timedelta(minutes=10))
    assert console.get(limit=1).status == 200
    clock.advance(minutes=10)
    assert console.get(limit=1).body == REFUSED


def test_rotation_refuses_the_old_token(console: Client) -> None:
    old = console.simulator.token
    new = console.simulator.rotate_token()
    assert new != old
    assert console.get(limit=1).status == 200
    console.token = old
    assert console.get(limit=1).status == 401


def test_tokens_may_be_changed_over_http(console: Client, clock: Clock) -> None:
    def change(**body: object) -> dict[str, str]:
        return dict(console.call("POST", "/__sim__/token", json.dumps(body).encode()).json)

    assert change(action="rotate")["token"] == console.simulator.token
    site = next(place for place in console.simulator.organisation.places if place.level == "site")
    issued = change(action="issue", site_ids=[site.site_id])
    assert issued["scope"] == "site"
    change(action="expire", token=issued["token"], seconds=5)
    console.token = issued["token"]
    assert console.get(limit=1).status == 200
    clock.advance(seconds=5)
    assert console.get(limit=1).status == 401
    assert console.call("POST", "/__sim__/token", b'{"action": "melt"}').status == 400


def test_token_details_say_when_it_ends(start: Start) -> None:
    console = start(token_expires=NOW + timedelta(days=3))
    body = json.dumps({"data": {"apiToken": console.simulator.token}}).encode()
    details = console.call("POST", f"{BASE}/users/api-token-details", body).json
    assert details == {"data": {"createdAt": "2026-09-15T14:07:31Z", "expiresAt": "2026-09-18T14:07:31Z"}}
    user = console.get(f"{BASE}/user").json["data"]
    assert user["apiToken"] == details["data"]
    assert console.get(f"{BASE}/users/{user['id']}/api-token-details").json == details
    assert console.get(f"{BASE}/users/1/api-token-details").status == 404
    assert console.call("POST", f"{BASE}/users/api-token-details", b'{"data": {"apiToken": "x"}}').status == 400
    assert console.call("POST", f"{BASE}/users/api-token-details", b"{}").status == 400


def test_a_token_sees_its_own_scope_only(console: Client) -> None:
    simulator = console.simulator
    sites = [place for place in simulator.organisation.places if place.level == "site"]
    everything = simulator.truth(NOW - timedelta(hours=5), NOW)
    seen: set[int] = set()
    for site in sites:
        console.token = simulator.issue_token(site_ids=[site.site_id or ""])
        rows = console.all(**SORT, **HOURS)
        assert {row["siteId"] for row in rows} == {site.site_id}
        assert ids(rows) == ids(simulator.truth(NOW - timedelta(hours=5), NOW, site_ids=[site.site_id or ""]))
        assert console.get(countOnly="true", **HOURS).total == len(rows)
        assert [row["id"] for row in console.get(f"{BASE}/sites").json["data"]["sites"]] == [site.site_id]
        user = console.get(f"{BASE}/user").json["data"]
        assert (user["scope"], [role["id"] for role in user["siteRoles"]]) == ("site", [site.site_id])
        seen.update(ids(rows))
    with_site = [row for row in map(json.loads, everything) if row["siteId"]]
    assert seen == set(ids(with_site))


def test_another_scope_is_an_empty_success(console: Client) -> None:
    first, second = [place for place in console.simulator.organisation.places if place.level == "account"]
    console.token = console.simulator.issue_token(account_ids=[first.account_id or ""])
    assert console.get(accountIds=first.account_id, **HOURS).total > 0
    foreign = console.get(accountIds=second.account_id, **HOURS)
    assert (foreign.status, foreign.rows, foreign.total) == (200, [], 0)


def test_global_records_are_seen_by_global_tokens_only(start: Start) -> None:
    console = start(users=40, records_per_day=5_000)
    query = {
        "createdAt__gte": iso(NOW - timedelta(days=3)),
        "userIds": ",".join(u.id for u in console.simulator.organisation.users),
    }
    rows = console.all(**query)
    assert any(row["accountId"] is None and row["siteId"] is None for row in rows)
    for account in [p for p in console.simulator.organisation.places if p.level == "account"]:
        console.token = console.simulator.issue_token(account_ids=[account.account_id or ""])
        assert {row["accountId"] for row in console.all(**query)} == {account.account_id}


def test_the_whole_simulator_may_have_a_scope(start: Start) -> None:
    site = next(place for place in Simulator(users=6, now=Clock()).organisation.places if place.level == "site")
    console = start(site_ids=[site.site_id])
    assert {row["siteId"] for row in console.all(**SORT, **HOURS)} == {site.site_id}


def test_the_quota_of_a_token_is_ten_a_second_after_a_burst_of_thirty(start: Start) -> None:
    ticks = [100.0]
    console = start(rate_limits=True, monotonic=lambda: ticks[0])
    assert [console.get(limit=1).status for _ in range(31)] == [200] * 30 + [429]
    ticks[0] += 1.0
    assert [console.get(limit=1).status for _ in range(11)] == [200] * 10 + [429]
    other = console.simulator.issue_token()
    console.token = other
    assert console.get(limit=1).status == 200
    assert console.get(f"{BASE}/system/info").status == 200


def test_system_status_needs_no_token_but_patience(start: Start) -> None:
    ticks = [100.0]
    console = start(rate_limits=True, monotonic=lambda: ticks[0])
    path = f"{BASE}/system/status"
    answer = console.call("GET", path, Authorization="")
    assert (answer.status, answer.json) == (200, {"data": {"health": "ok"}})
    assert console.call("GET", path).status == 429
    ticks[0] += 1.0
    assert console.call("GET", path).status == 200


def test_unknown_paths_and_methods(console: Client) -> None:
    answer = console.get(f"{BASE}/no-such-thing")
    assert answer.status == 404
    assert answer.body == b'{"errors":[{"code":4040010,"detail":"","title":"Requested resource was not found"}]}\n'
    assert console.call("POST", ACTIVITIES, b"{}").status == 405
    assert console.get("/__sim__/nothing").status == 404


def test_headers_are_the_console_s(console: Client) -> None:
    first, second = console.get(limit=1), console.get(limit=1)
    assert first.headers["server"] == "nginx"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["transfer-encoding"] == "chunked"
    assert first.headers["x-rqid"] != second.headers["x-rqid"]
    assert not [name for name in first.headers if "ratelimit" in name]


def test_sites_and_accounts_page_and_filter(console: Client) -> None:
    sites = console.get(f"{BASE}/sites", limit=100).json["data"]
    assert len(sites["sites"]) == 7
    assert sites["allSites"]["activeLicenses"] == sum(site["activeLicenses"] for site in sites["sites"])
    page = console.get(f"{BASE}/sites", limit=4, sortBy="name")
    rest = console.get(f"{BASE}/sites", limit=4, sortBy="name", cursor=page.cursor)
    names = [site["name"] for answer in (page, rest) for site in answer.json["data"]["sites"]]
    assert names == sorted(site["name"] for site in sites["sites"])
    assert (page.total, rest.total) == (7, 0)
    leeds = console.get(f"{BASE}/sites", name__contains="leeds").json["data"]["sites"]
    assert [site["name"] for site in leeds] == ["Leeds Clinic"]
    accounts = console.get(f"{BASE}/accounts").rows
    assert {site["accountId"] for site in sites["sites"]} == {account["id"] for account in accounts}
    assert console.get(f"{BASE}/accounts", ids=accounts[1]["id"]).rows == accounts[1:]
    assert console.get(f"{BASE}/accounts", tenant="true").status == 400


def test_an_outage_answers_nothing_and_ends(console: Client) -> None:
    console.simulator.go_down()
    assert console.get(limit=1).status == 502
    assert console.call("GET", "/__sim__/state").json["down"] == "502"
    console.simulator.come_up()
    assert console.get(limit=1).status == 200
    console.call("POST", "/__sim__/down", b'{"mode": "refuse"}')
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        console.get(limit=1)
    console.call("POST", "/__sim__/up")
    assert console.get(limit=1).status == 200
    with pytest.raises(ValueError, match="mode must be"):
        console.simulator.go_down("melted")


def test_an_outage_may_have_an_end(start: Start) -> None:
    ticks = [5.0]
    console = start(monotonic=lambda: ticks[0])
    console.simulator.go_down(seconds=30)
    assert console.get(limit=1).status == 502
    ticks[0] += 30
    assert console.get(limit=1).status == 200


def test_requests_are_remembered_without_the_token(console: Client) -> None:
    console.get(limit=3)
    console.call("GET", f"{BASE}/system/status", Authorization="Bearer nobody")
    assert [(seen.path, seen.status) for seen in console.simulator.requests] == [
        (ACTIVITIES, 200),
        (f"{BASE}/system/status", 200),
    ]
    assert console.simulator.token not in repr(console.simulator.requests)
    state = console.call("GET", "/__sim__/state")
    assert console.simulator.token.encode() not in state.body
    assert state.json["requests"] == {f"{ACTIVITIES} 200": 1, f"{BASE}/system/status 200": 1}


def test_a_simulator_starts_and_stops_more_than_once(clock: Clock) -> None:
    simulator = Simulator(users=2, records_per_day=500, days=1, now=clock)
    with pytest.raises(RuntimeError, match="not started"):
        _ = simulator.url
    for _ in range(2):
        with simulator:
            client = Client(simulator)
            assert client.get(limit=1).status == 200
            client.close()
