"""Alerts of detection rules, from both endpoints, as Detection Findings."""

from __future__ import annotations

from typing import Any

import pytest

from .records import full

INFO = "alertInfo."
CHANGED = "2026-11-23T08:00:00.000000Z"


def _alert(event_of: Any, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = event_of("alerts", full("alerts", {INFO + name: value for name, value in changes.items()}))
    return found


@pytest.mark.parametrize(
    ("changes", "activity", "status", "verdict"),
    [
        ({}, "Create", "New", "Unknown"),
        ({"analystVerdict": "True positive", "updatedAt": CHANGED}, "Update", "New", "True Positive"),
        ({"incidentStatus": "In progress", "analystVerdict": "Suspicious"}, "Update", "In Progress", "Suspicious"),
        ({"incidentStatus": "Resolved", "analystVerdict": "False positive"}, "Close", "Resolved", "False Positive"),
        ({"incidentStatus": "RESOLVED", "analystVerdict": "TRUE_POSITIVE"}, "Close", "Resolved", "True Positive"),
    ],
)
def test_triage(event_of: Any, changes: Any, activity: str, status: str, verdict: str) -> None:
    event = _alert(event_of, **changes)
    assert (event["activity_name"], event["status"], event["verdict"]) == (activity, status, verdict)


def test_a_changed_verdict_is_another_state_of_the_same_time(event_of: Any) -> None:
    before, after = _alert(event_of), _alert(event_of, analystVerdict="True positive", updatedAt=CHANGED)
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert before["time"] == after["time"]
    assert after["finding_info"]["modified_time"] > before["finding_info"]["modified_time"]


def test_without_a_time_of_change_status_and_verdict_tell_states_apart(event_of: Any) -> None:
    words = [("Unresolved", "Undefined"), ("Unresolved", "Suspicious"), ("Resolved", "Suspicious")]
    uids = [
        _alert(event_of, updatedAt=None, incidentStatus=status, analystVerdict=verdict)["metadata"]["uid"]
        for status, verdict in [*words, *words]
    ]
    assert len(set(uids)) == 3
    assert uids[:3] == uids[3:]


@pytest.mark.parametrize(
    ("word", "severity"),
    [("Info", "Informational"), ("Low", "Low"), ("Medium", "Medium"), ("High", "High"), ("Critical", "Critical")],
)
def test_severity(event_of: Any, word: str, severity: str) -> None:
    assert event_of("alerts", full("alerts", {"ruleInfo.severity": word}))["severity"] == severity


def test_a_severity_that_ocsf_lacks_is_unknown_and_kept(event_of: Any) -> None:
    event = event_of("alerts", full("alerts", {"ruleInfo.severity": "Spicy"}))
    assert event["severity"] == "Unknown"
    assert event["unmapped"]["ruleInfo"]["severity"] == "Spicy"


def test_a_logon_has_its_source_and_user(event_of: Any) -> None:
    event = _alert(event_of, srcIp=None, dstIp=None, eventType="LOGIN")
    [evidence, *_] = event["evidences"]
    assert evidence["src_endpoint"]["ip"] == "192.0.2.99"
    assert evidence["user"] == {"name": "bo", "uid": "S-1-5-21-1-2-3-1001", "domain": "NORTH"}


def test_a_process_that_ocsf_can_not_name_stays_whole(event_of: Any, problems: Any) -> None:
    record = full("alerts", {"sourceProcessInfo.pid": None, "sourceProcessInfo.uniqueId": None})
    event = event_of("alerts", record)
    assert problems(event) == []
    assert all("process" not in evidence for evidence in event["evidences"][:1])
    assert event["unmapped"]["sourceProcessInfo"]["commandline"].startswith("certutil.exe")


@pytest.mark.parametrize(
    ("stream", "left", "container"),
    [
        ("threats", {"id": "1", "threatInfo": {"updatedAt": CHANGED}}, "containerInfo"),
        ("alerts", {"alertInfo": {"alertId": "1", "reportedAt": CHANGED}}, "containerInfo"),
    ],
)
def test_a_container_alone_is_no_evidence_and_stays(
    event_of: Any, problems: Any, stream: str, left: dict[str, Any], container: str
) -> None:
    event = event_of(stream, {**left, container: {"id": "c0ffee", "name": "web"}})
    assert problems(event) == []
    assert "evidences" not in event
    assert event["unmapped"][container] == {"id": "c0ffee", "name": "web"}


@pytest.mark.parametrize(
    ("word", "status", "activity"),
    [("NEW", "New", "Create"), ("IN_PROGRESS", "In Progress", "Update"), ("RESOLVED", "Resolved", "Close")],
)
def test_status_of_unified_alerts(event_of: Any, word: str, status: str, activity: str) -> None:
    event = event_of("unified_alerts", full("unified_alerts", {"status": word}))
    assert (event["status"], event["activity_name"]) == (status, activity)


@pytest.mark.parametrize(
    ("word", "verdict", "kept"),
    [
        ("UNDEFINED", "Unknown", False),
        ("TRUE_POSITIVE", "True Positive", False),
        ("TRUE_POSITIVE_BENIGN_BUT_SUSPICIOUS", "Benign", True),
        ("TRUE_POSITIVE_MALICIOUS", "True Positive", True),
        ("FALSE_POSITIVE_BENIGN", "False Positive", True),
        ("NONE_OF_THESE", "NONE_OF_THESE", False),
    ],
)
def test_verdicts_of_unified_alerts(event_of: Any, word: str, verdict: str, kept: bool) -> None:
    event = event_of("unified_alerts", full("unified_alerts", {"analystVerdict": word}))
    assert event["verdict"] == verdict
    assert ("analystVerdict" in event["unmapped"]) is kept


@pytest.mark.parametrize(
    ("result", "action"),
    [("MITIGATED", "Denied"), ("UNMITIGATED", "Observed"), ("BENIGN", "Allowed"), (None, "Unknown")],
)
def test_result_of_unified_alerts(event_of: Any, result: Any, action: str) -> None:
    assert event_of("unified_alerts", full("unified_alerts", {"result": result}))["action"] == action


def test_a_unified_alert_and_its_threat_are_one_finding(event_of: Any) -> None:
    threat, alert = (event_of(stream, full(stream))["finding_info"] for stream in ("threats", "unified_alerts"))
    assert alert["uid"] == threat["uid"]
    assert alert["uid_alt"] == full("unified_alerts")["id"]


def test_an_assignee_in_other_spelling_is_read(event_of: Any) -> None:
    person = {"email": "bo@example.com", "full_name": "Bo Lindqvist", "user_id": "7"}
    event = event_of("unified_alerts", full("unified_alerts", {"assignee": person}))
    assert event["assignee"] == {"uid": "7", "name": "Bo Lindqvist", "email_addr": "bo@example.com"}


def test_an_alert_without_an_endpoint_invents_none(event_of: Any) -> None:
    record = full("unified_alerts", {"assets": [], "detectionTime.assets": []})
    event = event_of("unified_alerts", record)
    assert "device" not in event
    assert event["metadata"]["tenant_uid"] == "1480000000000000001"
    assert event["unmapped"]["realTime"] == record["realTime"]
