"""Hits and incidents in the words of OCSF 1.8: Detection Finding (2004) and Incident Finding (2005).

Source: https://schema.ocsf.io/1.8.0/classes/detection_finding and …/incident_finding. Every technique of ATT&CK is
named as version 18.1 and as version 19 do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from sentinelone_collector.detect.anomaly.analysis import Analysis
from sentinelone_collector.detect.anomaly.ocsf import anomaly_analysis
from sentinelone_collector.detect.hits import Hit

__all__ = ["IncidentLike", "hit_finding", "incident_finding"]

_VERSION: Final = "1.8.0"
_PRODUCT: Final = {"name": "SentinelOne Collector", "vendor_name": "SentinelOne Collector"}
_SEVERITIES: Final = ("Informational", "Low", "Medium", "High", "Critical")
_ANALYTIC: Final = {"event": (1, "Rule"), "correlation": (1, "Rule"), "anomaly": (3, "Statistical")}
_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_STATUSES: Final = {"open": (1, "New"), "snoozed": (3, "On Hold"), "closed": (5, "Closed")}
_VERDICTS: Final = {
    "threat_not_valid": (1, "False Positive"),
    "further_action": (2, "True Positive"),
    "compensating_control": (3, "Disregard"),
    "not_concluded": (4, "Suspicious"),
    "acceptable_risk": (5, "Benign"),
}


class IncidentLike(Protocol):
    """What `incident_finding` reads of an incident; times in ms are epoch milliseconds, others ISO 8601 in UTC."""

    id: str
    rule_id: str
    rule_version: str
    title: str
    summary: str
    classification: str
    severity_id: int
    kind: str
    console: str
    attacker: str | None
    victim: str | None
    attacks: tuple[str, ...]
    attacks_v19: tuple[str, ...]
    count: int
    first_seen: int
    last_seen: int
    superseded: bool
    status: str
    status_reason: str | None
    assignee: str | None
    hits: Any


def hit_finding(hit: Hit, *, console: str) -> dict[str, Any]:
    """Return a hit as a Detection Finding; the same hit gives the same finding, `metadata.uid` is its id."""
    finding = _common(2004, "Detection Finding", _CREATE, hit.severity_id, hit.last_time)
    finding["metadata"] |= {"uid": hit.hit_id, "tenant_uid": console, "log_name": hit.family}
    finding |= {
        "is_alert": hit.visibility == "incident",
        "status_id": 1,
        "status": "New",
        "start_time": hit.time,
        "end_time": hit.last_time,
        "count": hit.event_count,
        "message": hit.summary,
        "finding_info": _info(hit) | {"uid": hit.hit_id},
        "evidences": [_evidence(hit.attacker, hit.victim)],
    }
    if hit.note:
        finding["comment"] = hit.note
    if hit.analysis is not None:
        finding["anomaly_analyses"] = [anomaly_analysis(hit.analysis, hit.victim or hit.attacker)]
    return finding


def incident_finding(incident: IncidentLike) -> dict[str, Any]:
    """Return an incident as an Incident Finding: its hits' descriptions, state, verdict and who works on it.

    An incident without any hit left reads Closed with the verdict Disregard.
    """
    status, reason = incident.status, incident.status_reason
    if incident.superseded:
        status, reason = "closed", "compensating_control"
    activity = _CLOSE if status == "closed" else _UPDATE if incident.count > 1 else _CREATE
    finding = _common(2005, "Incident Finding", activity, incident.severity_id, incident.last_seen)
    finding["metadata"] |= {"uid": incident.id, "tenant_uid": incident.console}
    status_id, caption = _STATUSES[status]
    finding |= {
        "status_id": status_id,
        "status": caption,
        "start_time": incident.first_seen,
        "end_time": incident.last_seen,
        "count": incident.count,
        "message": incident.summary,
        "desc": incident.title,
        "finding_info_list": [_summary(incident), *(_hit_info(held.content) for held in incident.hits)],
        "attacks": _attacks(incident.attacks, incident.attacks_v19),
    }
    analyses = [_analysis(held.content) for held in incident.hits if held.content.get("analysis")]
    if analyses:  # of which the class has no attribute of its own
        finding["unmapped"] = {"anomaly_analyses": analyses}
    if not finding["attacks"]:
        del finding["attacks"]
    if status == "closed":
        verdict_id, verdict = _VERDICTS.get(reason or "", (99, "Other"))
        finding |= {"verdict_id": verdict_id, "verdict": verdict}
        finding["status_detail"] = "superseded" if incident.superseded else reason or "other"
    # The class asks for one of the two
    if incident.assignee:
        finding["assignee"] = {"name": incident.assignee}
    else:
        finding["assignee_group"] = {"name": "Unassigned"}
    return finding


def _common(uid: int, name: str, activity: tuple[int, str], severity_id: int, moment: int) -> dict[str, Any]:
    return {
        "class_uid": uid,
        "class_name": name,
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": uid * 100 + activity[0],
        "type_name": f"{name}: {activity[1]}",
        "severity_id": severity_id,
        "severity": _SEVERITIES[severity_id - 1],
        "time": moment,
        "metadata": {"version": _VERSION, "product": dict(_PRODUCT)},
    }


def _analytic(rule_id: str, title: str, version: str, kind: str) -> dict[str, Any]:
    type_id, caption = _ANALYTIC[kind]
    return {"uid": rule_id, "name": title, "version": version, "type_id": type_id, "type": caption}


def _info(hit: Hit) -> dict[str, Any]:
    info: dict[str, Any] = {
        "title": hit.rule_title,
        "desc": hit.summary,
        "types": [hit.classification],
        "analytic": _analytic(hit.rule_id, hit.rule_title, hit.rule_version, hit.kind),
        "first_seen_time": hit.time,
        "last_seen_time": hit.last_time,
        "related_events": [{"uid": uid} for uid in hit.event_uids],
    }
    attacks = _attacks(hit.attacks, hit.attacks_v19)
    return info | ({"attacks": attacks} if attacks else {})


def _analysis(content: dict[str, Any]) -> dict[str, Any]:
    analysis = msgspec.convert(content["analysis"], Analysis)
    return anomaly_analysis(analysis, content["victim"] or content["attacker"])


def _hit_info(content: dict[str, Any]) -> dict[str, Any]:
    info = {
        "uid": content["hit_id"],
        "title": content["rule_title"],
        "desc": content["summary"],
        "first_seen_time": content["time"],
        "last_seen_time": content["last_time"],
        "analytic": _analytic(content["rule_id"], content["rule_title"], content["rule_version"], content["kind"]),
    }
    return info | {"related_events": [{"uid": uid} for uid in content["event_uids"]]}


def _summary(incident: IncidentLike) -> dict[str, Any]:
    return {
        "uid": incident.id,
        "title": incident.title,
        "desc": incident.summary,
        "types": [incident.classification],
        "analytic": _analytic(incident.rule_id, incident.title, incident.rule_version, incident.kind),
        "first_seen_time": incident.first_seen,
        "last_seen_time": incident.last_seen,
    }


def _attacks(v18: Sequence[str], v19: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for version, techniques in (("18.1", v18), ("19", v19)):
        for name in techniques:
            parent, _, sub = name.partition(".")
            entry: dict[str, Any] = {"version": version, "technique": {"uid": parent}}
            found.append(entry | ({"sub_technique": {"uid": name}} if sub else {}))
    return found


def _evidence(attacker: str | None, victim: str | None) -> dict[str, Any]:
    """Return who did what to whom as data of the vendor's: neither has one type that fits every rule."""
    return {"name": "attacker and victim", "data": {"attacker": attacker, "victim": victim}}
