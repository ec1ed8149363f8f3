"""Threats as Detection Findings."""

from __future__ import annotations

from typing import Any

import pytest

from .records import full

INFO = "threatInfo."


@pytest.fixture
def threat(event_of: Any) -> Any:
    """Map a whole threat with some fields of `threatInfo` changed, or any field by its path."""

    def run(changes: dict[str, Any] | None = None, /, **info: Any) -> dict[str, Any]:
        found: dict[str, Any] = event_of(
            "threats", full("threats", {**(changes or {}), **{INFO + name: value for name, value in info.items()}})
        )
        return found

    return run


@pytest.mark.parametrize(
    ("status", "updated", "activity"),
    [
        ("unresolved", "2026-11-22T10:07:01.245000Z", "Create"),
        ("unresolved", "2026-11-22T10:08:01.249999Z", "Create"),
        ("unresolved", "2026-11-22T10:08:01.250000Z", "Update"),
        ("unresolved", "2026-11-22T10:08:02.000000Z", "Update"),
        (None, "2026-11-22T10:07:02.000000Z", "Create"),
        ("in_progress", "2026-11-22T10:07:02.000000Z", "Update"),
        ("resolved", "2026-11-22T10:07:02.000000Z", "Close"),
        ("resolved", "2026-12-22T10:07:02.000000Z", "Close"),
        ("escalated", "2026-11-22T10:07:02.000000Z", "Update"),
    ],
)
def test_the_activity_follows_status_and_age(threat: Any, status: Any, updated: str, activity: str) -> None:
    assert threat(incidentStatus=status, updatedAt=updated)["activity_name"] == activity


@pytest.mark.parametrize(
    ("confidence", "mitigation", "verdict", "severity"),
    [
        ("malicious", "not_mitigated", "undefined", "Critical"),
        ("malicious", "mitigated", "true_positive", "High"),
        ("malicious", "marked_as_benign", "undefined", "Informational"),
        ("malicious", "not_mitigated", "false_positive", "Informational"),
        ("suspicious", "not_mitigated", "undefined", "High"),
        ("suspicious", "mitigated", "suspicious", "High"),
        ("n/a", "not_mitigated", "undefined", "Medium"),
        (None, "mitigated", "undefined", "Unknown"),
    ],
)
def test_the_severity_follows_confidence_and_mitigation(
    threat: Any, confidence: Any, mitigation: str, verdict: str, severity: str
) -> None:
    event = threat(confidenceLevel=confidence, mitigationStatus=mitigation, analystVerdict=verdict)
    assert event["severity"] == severity


@pytest.mark.parametrize(
    ("word", "status"),
    [("unresolved", (1, "New")), ("in_progress", (2, "In Progress")), ("resolved", (4, "Resolved")), ("x", (99, "x"))],
)
def test_status(threat: Any, word: str, status: tuple[int, str]) -> None:
    event = threat(incidentStatus=word)
    assert (event["status_id"], event["status"]) == status


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("undefined", (0, "Unknown")),
        ("false_positive", (1, "False Positive")),
        ("true_positive", (2, "True Positive")),
        ("suspicious", (4, "Suspicious")),
        ("x", (99, "x")),
    ],
)
def test_verdict(threat: Any, word: str, verdict: tuple[int, str]) -> None:
    event = threat(analystVerdict=word)
    assert (event["verdict_id"], event["verdict"]) == verdict


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("reputation", "Fingerprinting"),
        ("sentinelone_cloud", "Fingerprinting"),
        ("user_blacklist", "Fingerprinting"),
        ("threat_intelligence", "Fingerprinting"),
        ("pre_execution", "Learning (ML/DL)"),
        ("pre_execution_suspicious", "Learning (ML/DL)"),
        ("pup", "Learning (ML/DL)"),
        ("executables", "Behavioral"),
        ("data_files", "Behavioral"),
        ("exploits", "Behavioral"),
        ("penetration", "Behavioral"),
        ("lateral_movement", "Behavioral"),
        ("remote_shell", "Behavioral"),
        ("idr", "Behavioral"),
        ("cloud_detection", "Rule"),
        ("watchtower_cloud_detection", "Rule"),
        ("application_control", "Rule"),
        ("driver_blocking", "Rule"),
        ("drift_detection", "Rule"),
        ("network_protection", "Rule"),
        ("manual", "manual"),
        ("crystal_ball", "crystal_ball"),
    ],
)
def test_engines_are_analytics(threat: Any, problems: Any, key: str, kind: str) -> None:
    event = threat(detectionEngines=[{"key": key, "title": "An engine"}])
    assert problems(event) == []
    analytic = event["finding_info"]["analytic"]
    assert (analytic["uid"], analytic["name"], analytic["type"]) == (key, "An engine", kind)


@pytest.mark.parametrize(
    ("classification", "malware"),
    [
        ("Trojan", "Trojan"),
        ("Ransomware", "Ransomware"),
        ("Infostealer", "Spyware"),
        ("Remote Access Trojan", "Remote-Access-Trojan"),
        ("Cryptominer", "Resource-Exploitation"),
        ("PUA", "PUA"),
        ("Malware", "Malware"),
        ("Manual", None),
        ("Benign", None),
        (None, None),
    ],
)
def test_malware(threat: Any, problems: Any, classification: Any, malware: Any) -> None:
    event = threat(classification=classification)
    assert problems(event) == []
    assert event["finding_info"].get("types") == (classification and [classification])
    assert [found["classifications"] for found in event.get("malware", [])] == ([[malware]] if malware else [])


@pytest.mark.parametrize(
    ("mitigation", "steps", "disposition"),
    [
        ("mitigated", ["kill", "quarantine"], "Quarantined"),
        ("mitigated", ["network_quarantine"], "Quarantined"),
        ("mitigated", ["kill", "remediate"], "Corrected"),
        ("mitigated", ["rollback"], "Corrected"),
        ("mitigated", ["kill"], "Blocked"),
        ("mitigated", [], "Blocked"),
        ("not_mitigated", [], "Detected"),
        ("not_mitigated", ["kill"], "Partially Corrected"),
        ("marked_as_benign", ["unquarantine"], "Exonerated"),
        ("halfway", ["kill"], "Unknown"),
        (None, [], "Unknown"),
    ],
)
def test_the_disposition_says_what_was_done(threat: Any, mitigation: Any, steps: list[str], disposition: str) -> None:
    done = [{"action": step, "status": "success"} for step in steps]
    event = threat({"mitigationStatus": done}, mitigationStatus=mitigation)
    assert event["disposition"] == disposition


@pytest.mark.parametrize(
    ("status", "told"),
    [("success", None), ("failed", "rollback failed"), ("pending-reboot", "rollback pending reboot"), ("sent", None)],
)
def test_what_is_left_to_do_is_the_remediation(threat: Any, status: str, told: str | None) -> None:
    event = threat({"mitigationStatus": [{"action": "rollback", "status": status}]}, rebootRequired=False)
    assert event.get("remediation") == (told and {"desc": f"Finish the mitigation: {told}."})


@pytest.mark.parametrize(
    ("family", "system"),
    [("windows", "Windows"), ("windows_legacy", "Windows"), ("linux", "Linux"), ("macos", "macOS"), ("haiku", "haiku")],
)
def test_systems(threat: Any, family: str, system: str) -> None:
    event = threat({"agentRealtimeInfo.agentOsType": family})
    assert event["device"]["os"]["type"] == system
    kept = event["unmapped"]["agentRealtimeInfo"].get("agentOsType")
    assert kept == ("windows_legacy" if family == "windows_legacy" else None)


def test_attacks_are_those_that_mitre_knows_each_once(threat: Any) -> None:
    tactic = {"name": "Persistence", "source": "MITRE", "techniques": [{"name": "T1112"}, {"name": "T1112"}]}
    odd = {"name": "House style", "source": "DEFAULT", "techniques": [{"name": "S1-7"}, {"name": "T1112-ish"}]}
    loose = {"name": None, "techniques": [{"name": "T1059.001"}]}
    event = threat({"indicators": [{"tactics": [tactic, odd]}, {"tactics": [tactic, loose]}]})
    assert event["finding_info"]["attacks"] == [
        {"version": "18.1", "tactic": {"uid": "TA0003", "name": "Persistence"}, "technique": {"uid": "T1112"}},
        {"version": "18.1", "technique": {"uid": "T1059"}, "sub_technique": {"uid": "T1059.001"}},
    ]


def test_activities_about_a_threat_have_its_finding_id(threat: Any, activity: Any, as_event: Any) -> None:
    told = as_event(activity(18, {"threatClassification": "Ransomware"}, threatId="2619000000000000001"))
    assert told["finding_info"]["uid"] == threat()["finding_info"]["uid"] == "2619000000000000001"


def test_without_a_command_line_the_process_is_the_originator(threat: Any) -> None:
    [evidence] = threat(maliciousProcessArguments=None)["evidences"]
    assert evidence["process"] == {
        "uid": "5A0B1C2D3E4F5A6B:msedge.exe",
        "name": "msedge.exe",
        "user": {"name": "NORTH\\ines"},
    }


def test_the_cloud_profile_is_declared_only_for_cloud_endpoints(threat: Any) -> None:
    assert "cloud" in threat()["metadata"]["profiles"]
    event = threat({"agentDetectionInfo.cloudProviders": {}})
    assert "cloud" not in event["metadata"]["profiles"]
    assert "cloud" not in event


def test_addresses_of_the_endpoint_alone_are_no_observables(threat: Any) -> None:
    event = threat({"agentDetectionInfo.agentIpV4": "127.0.0.1,192.0.2.77", "agentDetectionInfo.agentIpV6": "fe80::1"})
    assert event["device"]["ip"] == "192.0.2.77"
    seen = {item["value"] for item in event["observables"] if item["type_id"] == 2}
    assert seen == {"192.0.2.77", "203.0.113.14"}
