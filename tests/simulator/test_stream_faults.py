"""Faults act on each stream's list, and on one stream alone where they are told so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.simulator.conftest import ACTIVITIES, Answer, Client, Start
from tests.simulator.test_tables import PATHS
from tests.simulator.test_unified import PATH as GRAPHQL
from tests.simulator.test_unified import QUERY, messages, nodes, post, walk

LISTS = {**PATHS, "activities": ACTIVITIES}
OPTIONS: dict[str, Any] = {"users": 20, "days": 6}


@pytest.fixture
def busy(start: Start) -> Client:
    return start(**OPTIONS)


def keys(rows: list[dict[str, Any]]) -> list[str]:
    return [row.get("id") or row["alertInfo"]["alertId"] for row in rows]


@pytest.mark.parametrize("stream", LISTS)
def test_one_stream_is_forbidden_and_the_others_are_not(busy: Client, stream: str) -> None:
    busy.simulator.set_faults(f"403-stream:stream={stream}")
    found = {name: busy.get(path, limit=1).status for name, path in LISTS.items()}
    assert found == dict.fromkeys(LISTS, 200) | {stream: 403}


def test_the_feature_of_alerts_may_be_off(busy: Client) -> None:
    busy.simulator.set_faults("feature-off")
    answer = busy.get(PATHS["alerts"])
    assert answer.status == 403
    assert answer.json["errors"] == [
        {
            "code": 4030010,
            "detail": "This scope does not have Custom Rules enabled.",
            "title": "Insufficient permissions",
        }
    ]
    assert busy.get(PATHS["threats"]).status == 200


@pytest.mark.parametrize("stream", LISTS)
def test_counts_pages_and_cursors_go_wrong_on_each_list(busy: Client, stream: str) -> None:
    path = LISTS[stream]

    def first(fault: str, **query: object) -> Answer:
        busy.simulator.set_faults(*[fault] if fault else [])
        return busy.get(path, limit=4, **query)

    right = first("")
    assert first("count-larger").total > right.total > first("count-smaller").total
    assert keys(first("shuffled:every=1").rows) != keys(right.rows)
    assert sorted(keys(first("shuffled:every=1").rows)) == sorted(keys(right.rows))
    assert first("cursor-rejected:every=1", cursor=right.cursor).json["errors"][0]["code"] == 4000010
    empty = first("empty-page:first=1")
    assert (empty.rows, bool(empty.cursor)) == ([], True)
    assert keys(busy.get(path, limit=4, cursor=empty.cursor).rows) == keys(right.rows)
    again = first("duplicates:every=1")
    busy.simulator.clear_faults()
    assert keys(busy.get(path, limit=4, cursor=again.cursor).rows)[0] == keys(right.rows)[-1]
    second = busy.get(path, limit=4, cursor=right.cursor)
    assert second.cursor
    assert first("cursor-cycle:every=1", cursor=right.cursor).cursor == right.cursor
    assert first("401-mid-walk:every=1").status == 200
    assert first("401-mid-walk:every=1", cursor=right.cursor).status == 401


def test_the_same_faults_in_the_form_of_graphql(busy: Client) -> None:
    def fault(name: str) -> None:
        busy.simulator.set_faults(f"{name}:stream=unified_alerts")

    (page, *_) = walk(busy, 5)
    right, after = [edge["node"]["id"] for edge in page["edges"]], page["pageInfo"]["endCursor"]
    sort = {"by": "updatedAt", "order": "ASC"}

    def now(**variables: object) -> Any:
        return post(busy, QUERY, first=5, sort=sort, **variables).json["data"]["alerts"]

    fault("403-stream")
    assert post(busy, QUERY).status == 403
    fault("errors-200:every=1")
    assert messages(post(busy, QUERY)) == ["Internal server error"]
    fault("cursor-rejected:every=1")
    assert messages(post(busy, QUERY, first=5, sort=sort, after=after)) == ["Invalid cursor value received"]
    fault("401-mid-walk:every=1")
    assert post(busy, QUERY, first=5, sort=sort).status == 200
    assert post(busy, QUERY, first=5, sort=sort, after=after).status == 401
    fault("count-larger")
    assert now()["totalCount"] > page["totalCount"]
    fault("shuffled:every=1")
    assert sorted(edge["node"]["id"] for edge in now()["edges"]) == sorted(right)
    fault("duplicates:every=1")
    again = now()["pageInfo"]["endCursor"]
    busy.simulator.clear_faults()
    assert now(after=again)["edges"][0]["node"]["id"] == right[-1]
    fault("empty-page:first=1")
    empty = now()
    assert empty["edges"] == []
    assert empty["pageInfo"]["hasNextPage"] is True
    assert [edge["node"]["id"] for edge in now(after=empty["pageInfo"]["endCursor"])["edges"]] == right
    fault("cursor-cycle:every=1")
    assert now(after=after)["pageInfo"]["endCursor"] == after
    busy.simulator.set_faults("truncated:first=1")
    with pytest.raises(json.JSONDecodeError):
        _ = busy.call("POST", GRAPHQL, json.dumps({"query": "{ alerts { totalCount } }"}).encode()).json
    busy.simulator.clear_faults()
    assert len({node["id"] for node in nodes(walk(busy, 50))}) == page["totalCount"]


LIMITS = {"threats": (10, 50), "alerts": (5, 10), "agents": (25, 1), "groups": (5, 10), "device_events": (5, 10)}


@pytest.mark.parametrize("stream", PATHS)
def test_each_list_has_a_limit_of_calls(start: Start, stream: str) -> None:
    rate, burst = LIMITS[stream]
    now = [100.0]
    console = start(rate_limits=True, monotonic=lambda: now[0], **OPTIONS)

    def answered(calls: int) -> list[int]:
        return [console.get(PATHS[stream], limit=1).status for _ in range(calls)]

    assert answered(burst + 1) == [200] * burst + [429]
    now[0] += min(rate, burst) / rate
    assert answered(min(rate, burst) + 1) == [200] * min(rate, burst) + [429]
