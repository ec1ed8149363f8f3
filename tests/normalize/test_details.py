"""What single types tell beyond class and actor: tokens, changes, other alerts, traffic, devices, secrets."""

from __future__ import annotations

from typing import Any

import pytest

NORTHWIND = {"uid": "1480000000000000001", "name": "Northwind"}


@pytest.mark.parametrize(
    ("source", "app"), [("API", "SentinelOne Management API"), ("api", "SentinelOne Management API")]
)
def test_an_action_with_a_token_names_the_api_and_the_real_user(
    activity: Any, as_event: Any, source: str, app: str
) -> None:
    data = {"username": "automation", "sourceType": source, "realUser": "ada@example.com", "newValue": False}
    actor = as_event(activity(76, data))["actor"]
    assert actor["app_name"] == app
    assert actor["user"] == {"name": "automation", "uid": "1480000000000000777", "uid_alt": "ada@example.com"}


@pytest.mark.parametrize("source", ["UI", None, "", 7])
def test_an_action_by_hand_names_no_application(activity: Any, as_event: Any, source: Any) -> None:
    assert "app_name" not in as_event(activity(76, {"username": "ada", "sourceType": source}))["actor"]


def test_the_real_user_stands_in_where_nobody_else_is_named(activity: Any, as_event: Any) -> None:
    user = as_event(activity(76, {"realUser": "Ada"}))["actor"]["user"]
    assert user == {"name": "Ada", "uid": "1480000000000000777"}


@pytest.mark.parametrize(
    ("kind", "data", "detail"),
    [
        (3603, {"oldStatus": "Draft", "newStatus": "Active"}, "Draft -> Active"),
        (3603, {"Status": "Disabled"}, "unknown -> Disabled"),
        (5009, {"oldGroupName": "A", "newGroupName": "B"}, "A -> B"),
        (2029, {"oldTicketId": None, "newTicketId": "CHG-1"}, "unknown -> CHG-1"),
        (2028, {"oldIncidentStatusTitle": "Resolved", "newIncidentStatusTitle": "Resolved"}, None),
        (2028, {"oldIncidentStatusTitle": "Resolved"}, None),
    ],
)
def test_changes_tell_old_and_new(activity: Any, as_event: Any, kind: int, data: dict[str, Any], detail: Any) -> None:
    assert as_event(activity(kind, data)).get("status_detail") == detail


@pytest.mark.parametrize(
    ("told", "verdict"),
    [("True positive", (2, "True Positive")), ("false_positive", (1, "False Positive")), ("Undefined", (0, "Unknown"))],
)
def test_verdicts(activity: Any, as_event: Any, told: str, verdict: tuple[int, str]) -> None:
    event = as_event(activity(2030, {"newAnalystVerdictTitle": told}, threatId="7"))
    assert (event["verdict_id"], event["verdict"]) == verdict
    assert event["metadata"]["profiles"] == ["host", "incident"]


@pytest.mark.parametrize("told", ["odd", None, 5, ["True positive"]])
def test_a_verdict_that_is_none_is_left_out(activity: Any, as_event: Any, told: Any) -> None:
    event = as_event(activity(2030, {"newAnalystVerdictTitle": told}, threatId="7"))
    assert "verdict_id" not in event
    assert event["metadata"]["profiles"] == ["host"]


@pytest.mark.parametrize(("told", "confidence"), [("malicious", 3), ("Suspicious", 2), ("n/a", 0), ("x", None)])
def test_confidence_of_a_threat(activity: Any, as_event: Any, told: str, confidence: int | None) -> None:
    for kind, field in ((19, "confidenceLevel"), (2036, "newConfidenceLevel")):
        assert as_event(activity(kind, {field: told}, threatId="7")).get("confidence_id") == confidence


def test_alerts_of_other_products_share_the_finding(activity: Any, as_event: Any, problems: Any) -> None:
    data = {"alertId": 77, "newStatus": "RESOLVED", "newSeverity": "critical", "newAssignee": "ada@example.com"}
    events = [as_event(activity(kind, data)) for kind in (16000, 16001, 16003, 16004)]
    assert {event["finding_info"]["uid"] for event in events} == {"77"}
    assert {(event["status_id"], event["severity_id"]) for event in events} == {(4, 5)}
    assert events[3]["assignee"] == {"name": "ada@example.com", "email_addr": "ada@example.com"}
    assert [problems(event) for event in events] == [[]] * 4


def test_blocked_traffic_without_addresses_or_ports(activity: Any, as_event: Any, problems: Any) -> None:
    host = {"computerName": "h", "reportedDirection": "outbound"}
    named = as_event(activity(5232, {**host, "reportedRemoteHost": "mail.example.net", "reportedRemotePort": "x"}))
    assert (named["class_uid"], named["dst_endpoint"]) == (4001, {"hostname": "mail.example.net"})
    rule = {"direction": "inbound", "remoteHosts": ["192.0.2.0", "192.0.2.255"], "localHost": "any"}
    bare = as_event(activity(5232, {**rule, "ruleName": "No SMB"}, agentId="8"))
    assert (bare["class_uid"], bare["activity_id"], bare["status_detail"]) == (6003, 99, "No SMB")
    assert (bare["action"], bare["disposition"]) == ("Denied", "Blocked")
    assert problems(named) == problems(bare) == []
    single = {"direction": "inbound", "remoteHost": "203.0.113.9", "remotePort": 445, "localHost": "192.0.2.0/24"}
    event = as_event(activity(5232, single, agentId="8"))
    assert (event["src_endpoint"], event.get("dst_endpoint")) == ({"ip": "203.0.113.9", "port": 445}, None)
    assert event["connection_info"]["direction"] == "Inbound"


def test_a_peripheral_needs_an_endpoint(activity: Any, as_event: Any, problems: Any) -> None:
    plugged = {"deviceName": "Stick", "uId": "S1", "eventType": "connected"}
    event = as_event(activity(5125, plugged, agentId="8"))
    assert (event["class_uid"], event["activity_id"], event["disposition"]) == (1010, 1, "Blocked")
    assert event["peripheral_device"] == {"name": "Stick", "uid": "S1"}
    lost = as_event(activity(5125, plugged))
    assert (lost["class_uid"], lost["activity_id"]) == (6003, 99)
    assert problems(event) == problems(lost) == []


def test_an_operation_names_what_it_was_on_and_the_narrowest_scope(activity: Any, as_event: Any) -> None:
    tag = as_event(activity(3653, {"username": "a", "tagName": "VIP"}, siteId="3", siteName="Berlin"))
    assert tag["resources"] == [{"name": "VIP", "type": "Tag"}, {"uid": "3", "name": "Berlin", "type": "Site"}]
    unnamed = as_event(activity(3653, {"username": "a"}))
    assert unnamed["resources"] == [{"name": "Tag", "type": "Tag"}, {**NORTHWIND, "type": "Account"}]


def test_an_exclusion_says_what_and_where(activity: Any, as_event: Any) -> None:
    data = {"value": "/opt/*", "osFamily": None, "scopeLevel": "Site", "scopeName": "Berlin", "mode": "suppress"}
    entity = as_event(activity(3008, data, osFamily="linux", siteId="3", groupId="4"))["entity"]
    assert entity["data"] == {
        "exclusionType": "path",
        "value": "/opt/*",
        "osFamily": "linux",
        "mode": "suppress",
        "scopeLevel": "Site",
        "scopeName": "Berlin",
    }
    assert entity["org"] == {**NORTHWIND, "ou_uid": "3"}
    assert entity["group"] == {"uid": "4"}


def test_types_the_vendor_does_not_name_differ_from_those_nobody_knows(activity: Any, as_event: Any) -> None:
    unnamed, unknown = as_event(activity(7853)), as_event(activity(424242))
    assert (unnamed["metadata"]["labels"], unknown["metadata"]["labels"]) == (["type:unnamed"], ["type:unknown"])
    assert unnamed["activity_name"] == unknown["activity_name"] == "Other"


@pytest.mark.parametrize(
    ("kind", "name"),
    [(5012, "registrationToken"), (64, "passphrase"), (3611, "uninstallPassword"), (3629, "recoveryCodes")],
)
def test_secrets_stay_in_the_raw_record(activity: Any, as_event: Any, kind: int, name: str) -> None:
    event = as_event(activity(kind, {name: "s3cr3t-value", "username": "a", "newValue": "x"}))
    assert "s3cr3t-value" in event.pop("raw_data")
    assert "s3cr3t-value" not in str(event)
    assert event["unmapped"]["data"][name] == "***"
