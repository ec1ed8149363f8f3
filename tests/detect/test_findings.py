"""Hits and incidents as OCSF findings, against the packaged schema of OCSF 1.8."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from detect_world import CONSOLE, NOW, at, event, failures
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sentinelone_collector.detect import hit_finding, incident_finding

START = at("2026-01-14T12:00")


@cache
def _validator(class_uid: int) -> Any:
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    name = {2004: "detection_finding", 2005: "incident_finding"}[class_uid]
    return jsonschema_rs.validator_for(schemas.get_class_schema(name, []), validate_formats=True)


def problems(finding: dict[str, Any]) -> list[str]:
    return [
        f"{error.instance_path}: {error.message}" for error in _validator(finding["class_uid"]).iter_errors(finding)
    ]


@pytest.fixture
def collected(make_world: Any) -> Any:
    world = make_world()
    rows = failures(12, START, timedelta(seconds=5))
    rows.append(event("off", START, "67", actor="ann", user="bob", labels=["direction:unknown"]))
    (world.window,) = world.collect(rows, START, START + timedelta(minutes=10))
    return world


def test_every_hit_is_a_valid_detection_finding(collected: Any) -> None:
    hits = collected.hits(collected.window)
    findings = [hit_finding(hit, console=CONSOLE) for hit in hits]
    assert len(findings) >= 3
    assert [problems(finding) for finding in findings] == [[]] * len(findings)
    assert problems({**findings[0], "severity_id": "high"})
    assert [finding["finding_info"]["uid"] for finding in findings] == [hit.hit_id for hit in hits]
    (unknown,) = (finding for finding in findings if finding["finding_info"]["analytic"]["uid"] == "aa-010")
    assert (unknown["severity"], unknown["comment"]) == ("Medium", "direction unknown")
    attacks = {
        (one["version"], one["technique"]["uid"], one["sub_technique"]["uid"])
        for one in unknown["finding_info"]["attacks"]
    }
    assert attacks == {("18.1", "T1556", "T1556.006"), ("19", "T1556", "T1556.006")}


def test_an_incident_in_every_state_is_a_valid_incident_finding(collected: Any) -> None:
    store = collected.store
    (found,) = store.list_incidents(now=NOW, rule="ul-003")
    whole = store.get_incident(found.id, now=NOW)
    states = {"open": incident_finding(whole)}
    states["assigned"] = incident_finding(store.assign_incident(found.id, "erin", author="ann", now=NOW))
    later = NOW + timedelta(days=1)
    states["snoozed"] = incident_finding(store.snooze_incident(found.id, later, author="ann", now=NOW))
    states["closed"] = incident_finding(store.close_incident(found.id, "threat_not_valid", author="ann", now=NOW))
    collected.put(collected.window, [])
    collected.tag(collected.window)
    states["superseded"] = incident_finding(store.get_incident(found.id, now=NOW))
    assert {name: problems(finding) for name, finding in states.items()} == {name: [] for name in states}
    assert {name: finding["status"] for name, finding in states.items()} == {
        "open": "New",
        "assigned": "New",
        "snoozed": "On Hold",
        "closed": "Closed",
        "superseded": "Closed",
    }
    assert states["assigned"]["assignee"] == {"name": "erin"}
    assert states["closed"]["verdict"] == "False Positive"
    assert states["superseded"]["status_detail"] == "superseded"
    evidence = states["open"]["finding_info_list"][1]["related_events"]
    assert {one["uid"] for one in evidence} <= {f"f{n}" for n in range(12)}
