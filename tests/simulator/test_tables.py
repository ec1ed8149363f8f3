"""Lists whose records change: what they show, in which order, and what happens as time goes by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.simulator.conftest import ACTIVITIES, NOW, Client, Clock, Start, iso

from sentinelone_collector.simulator import Simulator

BASE = "/web/api/v2.1"
PATHS = {
    "threats": f"{BASE}/threats",
    "alerts": f"{BASE}/cloud-detection/alerts",
    "agents": f"{BASE}/agents",
    "groups": f"{BASE}/groups",
    "device_events": f"{BASE}/device-control/events",
}
TIMES = {
    "threats": ("updatedAt", "updatedAt", "threatInfo.updatedAt"),
    "alerts": ("reportedAt", "alertInfoReportedAt", "alertInfo.reportedAt"),
    "agents": ("updatedAt", "updatedAt", "updatedAt"),
    "groups": ("updatedAt", "updatedAt", "updatedAt"),
    "device_events": ("eventTime", "eventTime", "eventTime"),
}
"""By stream: the time parameter of windows, the sort key, and where the time stands in a record."""

OPTIONS: dict[str, Any] = {"users": 20, "records_per_day": 3_000, "days": 12, "rate_limits": False}
BOUNDED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def make(**options: Any) -> Simulator:
    return Simulator(**(OPTIONS | {"now": Clock()} | options))


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """One console that no test changes."""
    with make(scenarios=["insider", "mass-uninstall", "takeover"]) as simulator:
        client = Client(simulator)
        yield client
        client.close()


def at(record: object, path: str) -> Any:
    for part in path.split("."):
        record = record[part]  # type: ignore[index]  # a record
    return record


def key_of(stream: str, record: dict[str, Any]) -> str:
    return str(at(record, "alertInfo.alertId") if stream == "alerts" else record["id"])


def window(stream: str, start: datetime, end: datetime) -> dict[str, str]:
    name = TIMES[stream][0]
    return {f"{name}__gte": iso(start), f"{name}__lt": iso(end)}


def sent(client: Client, stream: str, limit: int = 1000, **query: object) -> list[dict[str, Any]]:
    return client.all(limit, path=PATHS[stream], **query)


def parsed(rows: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(row) for row in rows]


@pytest.mark.parametrize("stream", PATHS)
def test_a_walk_gives_the_truth_in_order_byte_for_byte(shared: Client, stream: str) -> None:
    start = NOW - timedelta(days=12)
    order = {"sortBy": TIMES[stream][1], "sortOrder": "asc"}
    truth = shared.simulator.truth(start, NOW, stream=stream)
    assert len(truth) > 10
    pages = list(shared.walk(17, path=PATHS[stream], **order, **window(stream, start, NOW)))
    assert [row for page in pages for row in page.rows] == parsed(truth)
    assert [page.total for page in pages] == [len(truth)] + [0] * (len(pages) - 1)
    whole = shared.get(path=PATHS[stream], limit=1000, **order, **window(stream, start, NOW)).body
    assert whole.startswith(b'{"data":[' + b",".join(truth[:1000]) + b'],"pagination":')
    counted = shared.get(path=PATHS[stream], countOnly="true", **window(stream, start, NOW))
    assert (counted.rows, counted.total) == ([], len(truth))


@pytest.mark.parametrize("stream", PATHS)
def test_windows_that_meet_share_nothing_and_lose_nothing(shared: Client, stream: str) -> None:
    edges = [NOW - timedelta(hours=hours) for hours in (90, 66, 65, 24, 3, 1, 0)]
    parts = [
        key_of(stream, row)
        for start, end in pairwise(edges)
        for row in sent(shared, stream, **window(stream, start, end))
    ]
    assert len(parts) == len(set(parts))
    whole = sent(shared, stream, **window(stream, edges[0], edges[-1]))
    assert set(parts) == {key_of(stream, row) for row in whole}


@BOUNDED
@given(
    stream=st.sampled_from(sorted(PATHS)),
    offset=st.integers(-12 * 86_400, -60),
    length=st.integers(1, 400_000),
    limit=st.integers(1, 90),
    descending=st.booleans(),
)
def test_any_window_in_any_page_size_gives_the_truth(  # noqa: PLR0917  # drawn by name
    shared: Client, stream: str, offset: int, length: int, limit: int, descending: bool
) -> None:
    start = NOW + timedelta(seconds=offset)
    end = min(NOW, start + timedelta(seconds=length))
    truth = parsed(shared.simulator.truth(start, end, stream=stream))[: 20 * limit]
    order = {"sortBy": TIMES[stream][1], "sortOrder": "desc" if descending else "asc"}
    rows = sent(shared, stream, limit, **order, **window(stream, start, end))
    assert (rows[::-1] if descending else rows)[: 20 * limit] == truth


@pytest.mark.parametrize("stream", PATHS)
def test_sorted_by_id_or_unsorted_it_is_the_same_set(shared: Client, stream: str) -> None:
    start = NOW - timedelta(days=2)
    wanted = sorted(int(key_of(stream, row)) for row in parsed(shared.simulator.truth(start, NOW, stream=stream)))
    for query in ({}, {"sortBy": "id", "sortOrder": "asc"}):
        rows = sent(shared, stream, 13, **query, **window(stream, start, NOW))
        assert [int(key_of(stream, row)) for row in rows] == wanted


@pytest.mark.parametrize("stream", PATHS)
def test_each_operator_includes_its_own_bound_or_not(shared: Client, stream: str) -> None:
    name, _, path = TIMES[stream]
    rows = parsed(shared.simulator.truth(NOW - timedelta(days=12), NOW, stream=stream))
    pivot = next(at(row, path) for row in rows[len(rows) // 2 :] if at(row, path))
    inside = window(stream, NOW - timedelta(days=12), NOW)
    for operator, test in {
        "gte": lambda a: a >= pivot,
        "gt": lambda a: a > pivot,
        "lte": lambda a: a <= pivot,
        "lt": lambda a: a < pivot,
    }.items():
        found = sent(shared, stream, **(inside | {f"{name}__{operator}": pivot}))
        wanted = {key_of(stream, row) for row in rows if test(at(row, path))}
        assert {key_of(stream, row) for row in found} == wanted, operator
    exact = datetime.fromisoformat(pivot)
    step = timedelta(microseconds=1)
    just = sent(shared, stream, **{f"{name}__gt": iso(exact - step), f"{name}__lt": iso(exact + step)})
    assert {key_of(stream, row) for row in just} == {key_of(stream, row) for row in rows if at(row, path) == pivot}


def test_the_same_seed_gives_the_same_bytes_and_another_others() -> None:
    first, second, other = make(seed=3), make(seed=3), make(seed=4)
    span = (NOW - timedelta(days=4), NOW)
    for stream in (*PATHS, "unified_alerts"):
        rows = first.truth(*span, stream=stream)
        assert rows
        assert second.truth(*span, stream=stream) == rows
        assert not set(other.truth(*span, stream=stream)) & set(rows)


def test_a_later_start_changes_no_state_of_the_past() -> None:
    early, late = make(), make(now=Clock(NOW + timedelta(hours=35)))
    for stream in (*PATHS, "unified_alerts"):
        span = (NOW - timedelta(days=2), NOW - timedelta(hours=1))
        assert early.versions(stream, *span, NOW) == late.versions(stream, *span, NOW)
        assert early.truth(*span, NOW, stream=stream) == late.truth(*span, NOW, stream=stream)


def test_nothing_appears_in_the_past_beyond_the_longest_delay() -> None:
    simulator = make(days=3)
    span, settled = (NOW - timedelta(days=2), NOW - timedelta(days=1)), NOW - timedelta(days=1, minutes=-5)
    for stream in ("threats", "agents", "groups", "unified_alerts", "device_events"):
        known = {kept.id for kept in simulator.versions(stream, *span, settled)}
        assert {kept.id for kept in simulator.versions(stream, *span, NOW + timedelta(days=3))} == known


def test_a_threat_that_changes_leaves_its_old_window(start: Start, clock: Clock) -> None:
    console = start(**OPTIONS)
    simulator = console.simulator
    span = (NOW - timedelta(days=1), NOW)
    before = {row["id"]: row for row in sent(console, "threats", **window("threats", *span))}
    clock.advance(days=2)
    after = {row["id"]: row for row in sent(console, "threats", **window("threats", *span))}
    left = before.keys() - after.keys()
    assert left, "some were changed since"
    moved = sent(console, "threats", **window("threats", NOW, NOW + timedelta(days=2)))
    changed = {row["id"]: row for row in moved if row["id"] in left}
    assert changed.keys() == left, "each is found in its new window, and there only"
    for key, row in changed.items():
        assert row["threatInfo"]["createdAt"] == before[key]["threatInfo"]["createdAt"]
        assert row["threatInfo"]["updatedAt"] > before[key]["threatInfo"]["updatedAt"]
    states = simulator.versions("threats", NOW - timedelta(days=20), NOW + timedelta(days=2))
    for key in left:
        lived = [json.loads(kept.raw) for kept in states if kept.id == key]
        assert lived[-1] == changed[key]
        assert before[key] in lived


@pytest.mark.parametrize("stream", ["threats", "alerts", "agents", "groups", "unified_alerts"])
def test_what_is_shown_at_a_time_is_the_newest_state_until_then(stream: str) -> None:
    simulator = make(late_share=0.05, days=3, users=8)
    wide = (NOW - timedelta(days=3_650), NOW)
    for moment in (NOW - timedelta(days=2), NOW - timedelta(hours=7), NOW):
        shown: dict[str, Any] = {}
        for kept in simulator.versions(stream, *wide, moment):
            assert kept.visible <= moment
            shown[kept.id] = kept
        truth = simulator.truth(*wide, moment, stream=stream)
        assert sorted(truth) == sorted(kept.raw for kept in shown.values())


def test_the_states_of_a_record_are_told_apart_by_their_time() -> None:
    simulator = make(users=8)
    for stream in ("threats", "agents", "groups", "unified_alerts"):
        states = simulator.versions(stream, NOW - timedelta(days=6), NOW)
        assert len({(kept.id, kept.at) for kept in states}) == len(states)
        for kept in states[:200]:
            told = at(json.loads(kept.raw), TIMES.get(stream, ("", "", "updatedAt"))[2])
            assert datetime.fromisoformat(told) == kept.at
            assert kept.at <= kept.visible <= kept.at + timedelta(minutes=4)


def test_a_status_of_an_alert_may_change_without_any_time_that_says_so() -> None:
    simulator = make()
    lives: dict[str, list[dict[str, Any]]] = {}
    for kept in simulator.versions("alerts", NOW - timedelta(days=12), NOW):
        lives.setdefault(kept.id, []).append(json.loads(kept.raw)["alertInfo"])
    changed = [states for states in lives.values() if len(states) > 1]
    silent = [states for states in changed if states[0].get("updatedAt") == states[-1].get("updatedAt")]
    assert changed
    assert 0 < len(silent) < len(changed)
    for states in changed:
        assert {state["reportedAt"] for state in states} == {states[0]["reportedAt"]}
        assert states[0]["incidentStatus"] != states[-1]["incidentStatus"]


def test_alerts_are_reported_after_they_were_made_some_by_hours(shared: Client) -> None:
    rows = sent(shared, "alerts")
    delays = [
        datetime.fromisoformat(row["alertInfo"]["reportedAt"]) - datetime.fromisoformat(row["alertInfo"]["createdAt"])
        for row in rows
    ]
    assert min(delays) > timedelta(milliseconds=100)
    assert sum(delay > timedelta(minutes=3) for delay in delays) > 0
    assert sum(delay < timedelta(seconds=6) for delay in delays) > len(delays) / 2
    created = sent(shared, "alerts", sortBy="alertInfoCreatedAt", sortOrder="asc")
    assert [key_of("alerts", row) for row in created] != [
        key_of("alerts", row) for row in sent(shared, "alerts", sortBy="alertInfoReportedAt", sortOrder="asc")
    ]


def test_the_log_and_the_threats_speak_of_the_same(shared: Client) -> None:
    about = shared.all(path=ACTIVITIES, activityTypes="18,4003,2001,2004,4008,2028,2030,4020,85")
    threats = {row["id"]: row for row in sent(shared, "threats")}
    said = {row["threatId"] for row in about}
    assert said <= threats.keys()
    for silent in threats.keys() - said:  # found already; the first person will look within two days
        assert threats[silent]["threatInfo"]["createdAt"] > iso(NOW - timedelta(days=2))
    for activity in about:
        threat = threats[activity["threatId"]]
        assert threat["agentRealtimeInfo"]["agentId"] == activity["agentId"]
        assert threat["agentDetectionInfo"]["siteId"] == activity["siteId"]
        if activity["activityType"] in {18, 4003, 2001, 2004}:
            assert threat["threatInfo"]["sha1"] == activity["data"]["fileContentHash"]
            assert threat["threatInfo"]["threatName"] == activity["data"]["fileDisplayName"]
        if activity["activityType"] == 2030:
            assert threat["threatInfo"]["analystVerdict"] == activity["data"]["newAnalystVerdict"]
        if activity["activityType"] in {2004, 4008}:
            assert threat["threatInfo"]["mitigationStatus"] == "mitigated"


def test_the_log_and_the_alerts_speak_of_the_same(shared: Client) -> None:
    about = shared.all(path=ACTIVITIES, activityTypes="3608,3784")
    alerts = {key_of("alerts", row): row for row in sent(shared, "alerts")}
    assert {str(row["data"]["alertid"]) for row in about} == alerts.keys()
    for activity in about:
        alert = alerts[str(activity["data"]["alertid"])]
        assert alert["ruleInfo"]["name"] == activity["data"]["rulename"]
        assert alert["ruleInfo"]["id"] == str(activity["data"]["ruleid"])
        assert alert["agentDetectionInfo"]["uuid"] == activity["data"]["origagentuuid"]
        behind = datetime.fromisoformat(activity["createdAt"]) - datetime.fromisoformat(
            alert["alertInfo"]["reportedAt"]
        )
        assert timedelta(0) < behind < timedelta(milliseconds=20)


def test_each_device_event_is_an_activity_of_the_log(shared: Client) -> None:
    since = NOW - timedelta(days=2)
    log = {
        (row["createdAt"], row["agentId"], row["data"]["uid"]): row
        for row in shared.all(path=ACTIVITIES, activityTypes="5125,5126", createdAt__gte=iso(since))
    }
    events = sent(shared, "device_events", eventTime__gte=iso(since + timedelta(minutes=5)))
    assert len(events) > 10
    ahead = 0
    for event in events:
        activity = log[event["createdAt"], event["agentId"], event["uId"]]
        assert datetime.fromisoformat(activity["data"]["eventTime"]) == datetime.fromisoformat(event["eventTime"])
        assert event["id"] != activity["id"]
        ahead += event["eventTime"] > event["createdAt"]
    assert 0 < ahead < len(events) / 2, "clocks of computers are ahead now and then"


def test_timeline_and_notes_are_the_activities_about_a_threat(shared: Client) -> None:
    noted = shared.all(path=ACTIVITIES, activityTypes="4020")
    activity = noted[0]
    path = f"{PATHS['threats']}/{activity['threatId']}"
    said = shared.all(path=ACTIVITIES, threatIds=activity["threatId"])
    timeline = shared.all(path=f"{path}/timeline", sortBy="createdAt", sortOrder="asc")
    assert {row["id"] for row in timeline} == {row["id"] for row in said}
    assert all(row.keys().isdisjoint({"activityUuid", "siteName", "comments"}) for row in timeline)
    notes = shared.get(f"{path}/notes").rows
    assert {(note["creatorId"], note["createdAt"]) for note in notes} == {(activity["userId"], activity["createdAt"])}
    assert {row["id"] for row in sent(shared, "threats", noteExists="true")} == {row["threatId"] for row in noted}
    assert shared.get(f"{PATHS['threats']}/100000000000000001/timeline").status == 404
    assert shared.get(f"{path}/notes", creator__like="nobody").rows == []


def test_computers_change_several_times_a_day(shared: Client) -> None:
    day = (NOW - timedelta(days=4), NOW - timedelta(days=3))  # a Friday, in part
    states = shared.simulator.versions("agents", *day)
    assert 3 * len(shared.simulator.organisation.agents) < len(states) < 9 * len(shared.simulator.organisation.agents)
    scans = [row["scanStatus"] for row in map(json.loads, (kept.raw for kept in states))]
    assert {"started", "finished"} == set(scans)
    assert max(len(row["networkInterfaces"]) for row in sent(shared, "agents")) == 24


def test_stories_leave_their_marks(shared: Client) -> None:
    story = shared.simulator.scenario_times()
    since = {"createdAt__gte": iso(min(story.values()))}
    removed = {row["agentId"] for row in shared.all(path=ACTIVITIES, activityTypes="51", **since)}
    gone = sent(shared, "agents", isUninstalled="true")
    assert {row["id"] for row in gone} == removed
    assert len(removed) == 24
    assert not any(row["isActive"] for row in gone)
    closed = {row["threatId"] for row in shared.all(path=ACTIVITIES, activityTypes="2030", **since)}
    judged = sent(shared, "threats", ids=",".join(closed), analystVerdicts="false_positive")
    assert len({row["id"] for row in judged}) >= 14
    shells = {row["agentId"] for row in shared.all(path=ACTIVITIES, activityTypes="3200", **since)}
    states = shared.simulator.versions("agents", story["takeover"], NOW)
    inside = {kept.id for kept in states if json.loads(kept.raw)["inRemoteShellSession"]}
    assert shells <= inside
    groups = {row["id"]: row for row in sent(shared, "groups")}
    assert sum(row["totalAgents"] for row in groups.values()) <= len(shared.simulator.organisation.agents)


def test_filters_select_by_the_fields_they_name(shared: Client) -> None:
    cases: dict[str, dict[str, tuple[str, str]]] = {
        "threats": {
            "incidentStatuses": ("threatInfo.incidentStatus", "resolved"),
            "classifications": ("threatInfo.classification", "Trojan"),
            "contentHashes": ("threatInfo.sha1", ""),
            "osTypes": ("agentRealtimeInfo.agentOsType", "linux"),
            "siteIds": ("agentRealtimeInfo.siteId", ""),
            "agentIds": ("agentRealtimeInfo.agentId", ""),
            "ids": ("id", ""),
        },
        "alerts": {
            "severity": ("ruleInfo.severity", "Low"),
            "osType": ("agentDetectionInfo.osFamily", "windows"),
            "machineType": ("agentDetectionInfo.machineType", "server"),
            "accountIds": ("agentDetectionInfo.accountId", ""),
            "ids": ("alertInfo.alertId", ""),
        },
        "agents": {
            "osTypes": ("osType", "macos"),
            "machineTypes": ("machineType", "laptop"),
            "groupIds": ("groupId", ""),
            "uuids": ("uuid", ""),
            "scanStatuses": ("scanStatus", "started"),
            "computerName": ("computerName", ""),
        },
        "groups": {"name": ("name", "Servers"), "siteIds": ("siteId", ""), "id": ("id", "")},
        "device_events": {
            "interfaces": ("interface", "Bluetooth"),
            "eventTypes": ("eventType", "blocked"),
            "agentIds": ("agentId", ""),
            "ids": ("id", ""),
        },
    }
    for stream, filters in cases.items():
        rows = sent(shared, stream)
        for name, (path, value) in filters.items():
            wanted = value or at(rows[len(rows) // 2], path)
            found = sent(shared, stream, **{name: wanted})
            expected = {key_of(stream, row) for row in rows if at(row, path) == wanted}
            assert expected, (stream, name)
            assert {key_of(stream, row) for row in found} == expected, (stream, name)


def test_negated_partial_and_spelled_filters(shared: Client) -> None:
    threats, alerts, agents = (sent(shared, stream) for stream in ("threats", "alerts", "agents"))
    found = sent(shared, "threats", incidentStatusesNin="resolved,in_progress")
    assert {row["id"] for row in found} == {
        row["id"] for row in threats if row["threatInfo"]["incidentStatus"] == "unresolved"
    }
    name = agents[3]["computerName"]
    assert name in {row["computerName"] for row in sent(shared, "agents", computerName__contains=name[1:].lower())}
    spelled = sent(shared, "alerts", analystVerdict="TRUE_POSITIVE,SUSPICIOUS")
    assert {key_of("alerts", row) for row in spelled} == {
        key_of("alerts", row) for row in alerts if row["alertInfo"]["analystVerdict"] in {"True positive", "Suspicious"}
    }
    newer = sent(shared, "agents", agentVersion__gte="24.2")
    assert {row["agentVersion"] for row in newer} == {
        row["agentVersion"] for row in agents if row["agentVersion"] >= "24.2"
    }
    both = sent(shared, "agents", isDecommissioned="true,false")
    assert len(both) == len(agents)


def test_wrong_values_are_refused(shared: Client) -> None:
    def refused(stream: str, detail: str, **query: object) -> None:
        answer = shared.get(PATHS[stream], **query)
        assert answer.status == 400
        assert answer.json == {"errors": [{"code": 4000010, "detail": detail, "title": "Validation Error"}]}

    refused("threats", "updatedAt__between: Unknown field", updatedAt__between="1789000000000-1789000001000")
    refused("threats", 'incidentStatuses: 0: "closed" is not a valid choice.', incidentStatuses="closed")
    refused("threats", 'sortBy: "alertInfoCreatedAt" is not a valid choice.', sortBy="alertInfoCreatedAt")
    refused("threats", "computerName__contains: 1: Shorter than minimum length 2.", computerName__contains="abc,d")
    refused("threats", "limit: Must be between 1 and 1000.", limit=1001)
    refused("alerts", "updatedAt__gte: Unknown field", updatedAt__gte=iso(NOW))
    refused("alerts", 'analystVerdict: 0: "True positive" is not a valid choice.', analystVerdict="True positive")
    refused("alerts", 'sortBy: "createdAt" is not a valid choice.', sortBy="createdAt")
    refused("agents", "isActive: 1: Not a valid boolean.", isActive="true,perhaps")
    refused(
        "agents",
        "uuid__contains: Longer than maximum length 10.",
        uuid__contains=",".join(["aa" + str(n) for n in range(11)]),
    )
    refused("groups", "createdAt__gte: Unknown field", createdAt__gte=iso(NOW))
    refused("device_events", "createdAt__gte: Unknown field", createdAt__gte=iso(NOW))
    refused("device_events", "eventTime__gte: Not a valid datetime.", eventTime__gte="now")
    for stream in PATHS:
        other = shared.get(PATHS["groups" if stream != "groups" else "agents"], limit=1).cursor
        refused(stream, "Invalid cursor value received", cursor=other)
        refused(stream, "Invalid cursor value received", cursor="e30%3D")


def test_records_drift_in_shape(shared: Client) -> None:
    threats, alerts = sent(shared, "threats"), sent(shared, "alerts")
    assert any("ecsInfo" not in row for row in threats)
    assert any("whiteningOptions" not in row for row in threats)
    assert any(row["threatInfo"]["fileSize"] > 2**53 for row in threats)
    assert any("," in str(row["agentDetectionInfo"].get("agentIpV4")) for row in threats)
    assert any("." not in row["threatInfo"]["identifiedAt"] for row in threats)
    assert {row["threatInfo"].get("md5", "absent") for row in threats} >= {None, "absent", ""}
    assert all("agentRealtimeInfo" in row for row in alerts)
    assert {row["targetProcessInfo"]["tgtFileCreatedAt"] for row in alerts} == {"1970-01-01T00:00:00Z"}
    assert len({frozenset(row) for row in sent(shared, "agents")}) > 1


def test_the_token_s_scope_holds_for_every_stream(shared: Client) -> None:
    simulator = shared.simulator
    site = next(place for place in simulator.organisation.places if place.level == "site")
    client = Client(simulator, simulator.issue_token(site_ids=[str(site.site_id)]))
    span = (NOW - timedelta(days=3_650), NOW)
    for stream, path in PATHS.items():
        rows = client.all(1000, path=path)
        truth = parsed(simulator.truth(*span, stream=stream, site_ids=[str(site.site_id)]))
        assert {key_of(stream, row) for row in rows} == {key_of(stream, row) for row in truth}
        assert 0 < len(rows) < len(sent(shared, stream))
    outside = next(r for r in sent(shared, "threats") if r["agentRealtimeInfo"]["siteId"] != site.site_id)
    assert client.get(f"{PATHS['threats']}/{outside['id']}/notes").status == 404
    count = client.get(f"{BASE}/agents/count").json
    assert count == {"data": {"total": len(client.all(1000, path=PATHS["agents"]))}}
    client.close()


def test_a_role_opens_some_streams_only(shared: Client) -> None:
    client = Client(shared.simulator, shared.simulator.issue_token(role="Threat reader"))
    statuses = {stream: client.get(path, limit=1).status for stream, path in PATHS.items()}
    assert statuses == {"threats": 200} | dict.fromkeys(("alerts", "agents", "groups", "device_events"), 403)
    refusal = client.get(PATHS["agents"]).json["errors"][0]
    assert refusal["detail"] == "User does not have required permissions."
    assert client.get(f"{BASE}/user").json["data"]["lowestRole"] == "Threat reader"
    assert client.get(ACTIVITIES, limit=1).status == 200
    client.close()
    with pytest.raises(ValueError, match="unknown role 'King'"):
        shared.simulator.issue_token(role="King")


def test_a_table_costs_the_days_that_are_asked_for(start: Start) -> None:
    console = start(records_per_day=50_000, users=40, days=30)
    before = console.simulator.buckets_generated
    query = {"eventTime__gte": iso(NOW - timedelta(days=9, minutes=30)), "eventTime__lt": iso(NOW - timedelta(days=9))}
    assert console.get(PATHS["device_events"], **query).status == 200
    assert console.simulator.buckets_generated - before < 100
    console.get(PATHS["threats"], limit=1)
    read = console.simulator.buckets_generated
    console.get(PATHS["threats"], limit=1000)
    assert console.simulator.buckets_generated == read


def test_the_truth_of_a_stream_over_http(shared: Client) -> None:
    for stream in (*PATHS, "unified_alerts"):
        lines = shared.call("GET", f"/__sim__/truth?stream={stream}").body.splitlines()
        assert lines == shared.simulator.truth(NOW - timedelta(days=3_650), NOW + timedelta(seconds=1), stream=stream)
    assert shared.call("GET", "/__sim__/truth?stream=weather").status == 400


def test_a_share_of_the_changes_may_be_shown_hours_late() -> None:
    span = (NOW - timedelta(days=3), NOW)
    for stream in ("threats", "unified_alerts", "groups", "alerts"):
        late = make(late_share=0.4).versions(stream, *span)
        delays = [kept.visible - kept.at for kept in late]
        assert 0 < sum(delay > timedelta(minutes=9) for delay in delays) < len(delays)


def test_a_story_changes_no_other_record() -> None:
    plain, told = make(), make(scenarios=["takeover", "insider"])
    span = (NOW - timedelta(days=3), NOW)
    for stream in ("threats", "alerts", "unified_alerts", "device_events"):
        assert set(plain.truth(*span, stream=stream)) < {*told.truth(*span, stream=stream), b""}
