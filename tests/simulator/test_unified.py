"""The GraphQL endpoint of unified alerts: pages, filters, triage over time, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.simulator.conftest import ACTIVITIES, NOW, Answer, Client, Clock, Start

from sentinelone_collector.simulator import Simulator

PATH = "/web/api/v2.1/unifiedalerts/graphql"
OPTIONS: dict[str, Any] = {"users": 20, "records_per_day": 3_000, "days": 12, "rate_limits": False}
QUERY = """
query Listed($filters: [FilterInput!], $sort: SortInput, $first: Int, $after: String, $viewType: ViewType) {
  alerts(filters: $filters, sort: $sort, first: $first, after: $after, viewType: $viewType) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { ...Facts detectionTime { scope { siteName } assets { asset { domain } cloud { tags } } } } }
  }
}
fragment Facts on Alert {
  id externalId createdAt updatedAt detectedAt status analystVerdict severity noteExists
  detectionSource { product vendor } assignee { email } process { file { sha1 } } realTime { scope { site { id } } }
}
"""
ASCENDING = {"by": "updatedAt", "order": "ASC"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    with Simulator(**OPTIONS, now=Clock(), scenarios=["takeover"]) as simulator:
        client = Client(simulator)
        yield client
        client.close()


def post(client: Client, query: str, **variables: object) -> Answer:
    body = json.dumps({"query": query, "variables": variables}).encode()
    return client.call("POST", PATH, body, **{"Content-Type": "application/json"})


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def between(start: datetime, end: datetime, field: str = "updatedAt") -> list[dict[str, Any]]:
    return [{"fieldId": field, "dateTimeRange": {"start": ms(start), "end": ms(end), "endInclusive": False}}]


def walk(client: Client, first: int = 1000, **variables: object) -> list[dict[str, Any]]:
    pages, after = [], None
    while True:
        answer = post(client, QUERY, first=first, after=after, **({"sort": ASCENDING} | variables))
        assert answer.status == 200
        assert "errors" not in answer.json, answer.body
        pages.append(answer.json["data"]["alerts"])
        after = pages[-1]["pageInfo"]["endCursor"]
        if not pages[-1]["pageInfo"]["hasNextPage"]:
            return pages


def nodes(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [edge["node"] for page in pages for edge in page["edges"]]


def truth(client: Client, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
    rows = map(json.loads, client.simulator.truth(start, end, stream="unified_alerts"))
    return {row["id"]: row for row in rows}


def messages(answer: Answer) -> list[str]:
    assert answer.status == 200, "errors of this layer come with 200"
    assert answer.json["data"] is None
    return [error["message"] for error in answer.json["errors"]]


@pytest.mark.parametrize("first", [7, 100, 1000])
def test_pages_of_any_size_give_the_truth_in_order(shared: Client, first: int) -> None:
    start = NOW - timedelta(days=3)
    wanted = truth(shared, start, NOW)
    pages = walk(shared, first, filters=between(start, NOW))
    found = nodes(pages)
    assert [node["id"] for node in found] == list(wanted)
    assert len(wanted) > 20
    for node in found:
        whole = wanted[node["id"]]
        assert {name: whole[name] for name in ("updatedAt", "status", "severity", "externalId")} == {
            name: node[name] for name in ("updatedAt", "status", "severity", "externalId")
        }
    assert {page["totalCount"] for page in pages} == {len(wanted)}
    assert [page["pageInfo"]["hasNextPage"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages] == [False] + [True] * (len(pages) - 1)
    assert all(page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"] for page in pages)


def test_a_full_last_page_says_that_it_is_the_last(shared: Client) -> None:
    start = NOW - timedelta(days=2)
    count = len(truth(shared, start, NOW))
    (page,) = walk(shared, count, filters=between(start, NOW))
    assert len(page["edges"]) == count
    assert page["pageInfo"]["hasNextPage"] is False


def test_any_cursor_of_an_edge_continues_behind_it(shared: Client) -> None:
    (page,) = walk(shared, filters=between(NOW - timedelta(days=2), NOW))
    place = len(page["edges"]) // 3
    after = page["edges"][place]["cursor"]
    answer = post(shared, QUERY, first=5, after=after, sort=ASCENDING, filters=between(NOW - timedelta(days=2), NOW))
    rest = answer.json["data"]["alerts"]["edges"]
    assert [edge["node"]["id"] for edge in rest] == [
        edge["node"]["id"] for edge in page["edges"][place + 1 : place + 6]
    ]


@pytest.mark.parametrize("column", ["createdAt", "detectedAt", "updatedAt"])
def test_ranges_include_their_ends_unless_told_otherwise(shared: Client, column: str) -> None:
    everything = nodes(walk(shared))
    pivot = sorted(node[column] for node in everything)[len(everything) // 2]
    moment = ms(datetime.fromisoformat(pivot))
    at = {node["id"] for node in everything if node[column] == pivot}
    before = {node["id"] for node in everything if node[column] < pivot}

    def found(**bounds: object) -> set[str]:
        return {n["id"] for n in nodes(walk(shared, filters=[{"fieldId": column, "dateTimeRange": bounds}]))}

    assert found(end=moment) == before | at
    assert found(end=moment, endInclusive=False) == before
    assert found(start=moment) == {node["id"] for node in everything} - before
    assert found(start=moment, startInclusive=False) == {node["id"] for node in everything} - before - at
    assert found(start=moment, end=moment) == at


def test_there_is_one_for_each_threat_and_each_alert_and_some_more(shared: Client) -> None:
    found = nodes(walk(shared))
    by_product: dict[str, set[str]] = {}
    for node in found:
        by_product.setdefault(node["detectionSource"]["product"], set()).add(node["externalId"])
    threats = {row["id"] for row in shared.all(path="/web/api/v2.1/threats")}
    alerts = {row["alertInfo"]["alertId"] for row in shared.all(path="/web/api/v2.1/cloud-detection/alerts")}
    assert by_product["EDR"] == threats
    assert by_product["STAR"] == alerts
    assert len(by_product["IDENTITY"]) == 1, "the takeover"
    by_threat = {node["externalId"]: node for node in found}
    for row in shared.all(path="/web/api/v2.1/threats"):
        node = by_threat[row["id"]]
        expected = {"unresolved": "NEW", "in_progress": "IN_PROGRESS", "resolved": "RESOLVED"}
        assert node["process"]["file"]["sha1"] == row["threatInfo"]["sha1"]
        assert node["realTime"]["scope"]["site"]["id"] == row["agentRealtimeInfo"]["siteId"]
        assert node["status"] == expected[row["threatInfo"]["incidentStatus"]]


def test_the_takeover_s_alert_names_its_victim(shared: Client) -> None:
    query = (
        "{ alerts(viewType: IDENTITY) { edges { node { detectionTime { attacker { ip } targetUser { name } } } } } }"
    )
    (edge,) = post(shared, query).json["data"]["alerts"]["edges"]
    told = edge["node"]["detectionTime"]
    logins = shared.all(path=ACTIVITIES, activityTypes="27")
    victim = next(row for row in logins if row["data"]["ipAddress"] == told["attacker"]["ip"])
    assert told["targetUser"]["name"] == victim["data"]["username"]


def test_other_filters_and_negation(shared: Client) -> None:
    everything = nodes(walk(shared))

    def found(**given: object) -> set[str]:
        return {node["id"] for node in nodes(walk(shared, filters=[given]))}

    new = {node["id"] for node in everything if node["status"] == "NEW"}
    assert found(fieldId="status", stringEqual={"value": "NEW"}) == new != set()
    assert (
        found(fieldId="status", stringIn={"values": ["NEW"]}, isNegated=True)
        == {node["id"] for node in everything} - new
    )
    noted = {node["id"] for node in everything if node["noteExists"]}
    assert found(fieldId="noteExists", booleanEqual={"value": True}) == noted != set()
    assert found(fieldId="status", stringEqual={"value": "NO_SUCH_STATUS"}) == set(), "no error, no rows"
    some = everything[5]["id"]
    assert found(fieldId="id", stringIn={"values": [some]}) == {some}
    assert {n["detectionSource"]["product"] for n in nodes(walk(shared, viewType="CUSTOM_ALERTS"))} == {"STAR"}
    assert nodes(walk(shared, viewType="THIRD_PARTY")) == []


def test_an_alert_that_is_triaged_leaves_its_old_window(start: Start, clock: Clock) -> None:
    console = start(**OPTIONS)
    span = (NOW - timedelta(days=1), NOW)
    before = {node["id"]: node for node in nodes(walk(console, filters=between(*span)))}
    clock.advance(days=2)
    after = {node["id"] for node in nodes(walk(console, filters=between(*span)))}
    moved = {n["id"]: n for n in nodes(walk(console, filters=between(NOW, NOW + timedelta(days=2))))}
    left = before.keys() - after
    assert left
    assert left <= moved.keys()
    assert all(moved[key]["createdAt"] == before[key]["createdAt"] for key in left)
    assert any(moved[key]["status"] != before[key]["status"] for key in left)


def test_an_open_alert_is_closed_after_thirty_days(start: Start, clock: Clock) -> None:
    console = start(**OPTIONS | {"users": 6})
    created = between(NOW - timedelta(days=2), NOW, "createdAt")
    clock.advance(days=20)
    waiting = {node["id"]: node for node in nodes(walk(console, filters=created)) if node["status"] != "RESOLVED"}
    assert waiting
    clock.advance(days=12)
    closed = {node["id"]: node for node in nodes(walk(console, filters=created))}
    for key in waiting:
        age = datetime.fromisoformat(closed[key]["updatedAt"]) - datetime.fromisoformat(closed[key]["createdAt"])
        assert closed[key]["status"] == "RESOLVED"
        assert timedelta(days=30, minutes=4) <= age <= timedelta(days=30, minutes=48)


def test_times_have_milliseconds_and_creation_may_precede_detection(shared: Client) -> None:
    found = nodes(walk(shared))
    for node in found:
        for name in ("createdAt", "updatedAt", "detectedAt"):
            assert node[name][-5::4] == ".Z"
    gaps = [
        datetime.fromisoformat(node["createdAt"]) - datetime.fromisoformat(node["detectedAt"])
        for node in found
        if node["detectionSource"]["product"] == "EDR"
    ]
    assert timedelta(seconds=-56) <= min(gaps) < timedelta(0) < max(gaps) <= timedelta(seconds=1.5)


def test_one_alert_aliases_and_conditions(shared: Client) -> None:
    some = nodes(walk(shared))[3]
    query = """query One($id: ID!, $no: Boolean!) { a: alert(id: $id) { key: id status @skip(if: $no) __typename } }"""
    assert post(shared, query, id=some["id"], no=True).json == {
        "data": {"a": {"key": some["id"], "__typename": "Alert"}}
    }
    assert post(shared, query, id="none", no=False).json == {"data": {"a": None}}
    merged = "{ alerts(first: 1) { n: totalCount edges { node { id } } edges { node { ... on Alert { name } } } } }"
    connection = post(shared, merged).json["data"]["alerts"]
    assert set(connection) == {"n", "edges"}
    assert set(connection["edges"][0]["node"]) == {"id", "name"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ alerts { edges { node { colour } } } }", "Cannot query field 'colour' on type 'Alert'."),
        ("{ alerts(limit: 5) { totalCount } }", "Unknown argument 'limit' on field 'Query.alerts'."),
        ("{ alerts(viewType: MINE) { totalCount } }", "Value 'MINE' does not exist in 'ViewType' enum."),
        ("{ alerts { edges } }", "Field 'edges' of type '[AlertEdge!]!' must have a selection of subfields."),
        ("{ alerts(", "Syntax Error"),
        ('{ alerts(after: "nonsense") { totalCount } }', "Invalid cursor value received"),
        ("{ alerts(first: 1001) { totalCount } }", "first: must be between 1 and 1000"),
        ('{ alerts(filters: [{fieldId: "colour"}]) { totalCount } }', "Unknown field id: colour"),
        ('{ alerts(filters: [{fieldId: "status"}]) { totalCount } }', "Only one filter can be defined"),
        ('{ alerts(sort: {by: "colour", order: ASC}) { totalCount } }', "Unknown field id: colour"),
        ("{ __schema { types { name } } }", "Introspection is disabled."),
        ("mutation { alerts { totalCount } }", "mutation"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_with_200(shared: Client, query: str, message: str) -> None:
    assert message in messages(post(shared, query))[0]


def test_wrong_variables_and_bodies_are_refused(shared: Client) -> None:
    assert (
        "Expected a value of non-null type" in messages(post(shared, "query A($id: ID!) { alert(id: $id) { id } }"))[0]
    )
    wrong = [{"fieldId": "updatedAt", "dateTimeRange": {"start": "yesterday"}}]
    assert "Long" in messages(post(shared, QUERY, filters=wrong))[0]
    inline = '{ alerts(filters: [{fieldId: "updatedAt", dateTimeRange: {start: %s}}]) { totalCount } }'
    assert "Long" in messages(post(shared, inline % '"yesterday"'))[0]
    assert post(shared, inline % ms(NOW)).json == {"data": {"alerts": {"totalCount": 0}}}
    assert "colour" in messages(post(shared, QUERY, filters=[{"fieldId": "id", "colour": 1}]))[0]
    for body in (b"", b"[]", b'{"query": 5}', b"{"):
        assert shared.call("POST", PATH, body).status == 400
    assert shared.call("GET", PATH).status == 405


def test_tokens_scopes_and_roles_hold_here_too(shared: Client) -> None:
    simulator = shared.simulator
    assert shared.call("POST", PATH, b"{}", Authorization="ApiToken wrong").status == 401
    poor = Client(simulator, simulator.issue_token(role="Threat reader"))
    assert messages(post(poor, QUERY)) == ["Insufficient permissions"]
    site = next(place for place in simulator.organisation.places if place.level == "site")
    small = Client(simulator, simulator.issue_token(site_ids=[str(site.site_id)]))
    inside = nodes(walk(small))
    assert {node["realTime"]["scope"]["site"]["id"] for node in inside} == {site.site_id}
    scoped = '{ alerts(first: 1000, scope: {scopeType: SITE, scopeIds: ["%s"]}) { edges { node { id } } } }'
    same = post(shared, scoped % site.site_id).json["data"]["alerts"]["edges"]
    assert {edge["node"]["id"] for edge in same} == {node["id"] for node in inside} != set()
    poor.close()
    small.close()
