"""What a threat and an alert have in common as OCSF Detection Findings: the words of triage, malware and engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.ocsf import OTHER, caption
from sentinelone_collector.normalize.sections import Section

__all__ = [
    "CLASS_UID",
    "CLOSE",
    "CONFIDENCES",
    "CREATE",
    "PROFILES",
    "SEVERITIES",
    "STATES",
    "UPDATE",
    "VERDICTS",
    "engine",
    "malware",
    "outcome",
]

CLASS_UID: Final = 2004
CREATE, UPDATE, CLOSE = 1, 2, 3
PROFILES: Final = ("host", "incident", "security_control")
SEVERITIES: Final[Mapping[str, int]] = {
    "unknown": 0,
    "info": 1,
    "informational": 1,
    "low": 2,
    "medium": 3,
    "high": 4,
    "critical": 5,
}
STATES: Final[Mapping[str, int]] = {"unresolved": 1, "new": 1, "in_progress": 2, "resolved": 4}
VERDICTS: Final[Mapping[str, int]] = {"undefined": 0, "false_positive": 1, "true_positive": 2, "suspicious": 4}
CONFIDENCES: Final[Mapping[str, int]] = {"n/a": 0, "suspicious": 2, "malicious": 3}
_ENGINES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("reputation", "sentinelone_cloud", "threat_intelligence", "user_blacklist"), 5),
    **dict.fromkeys(("pre_execution", "pre_execution_suspicious", "pup"), 4),
    **dict.fromkeys(
        ("data_files", "executables", "exploits", "idr", "lateral_movement", "penetration", "remote_shell"), 2
    ),
    **dict.fromkeys(
        (
            "application_control",
            "cloud_detection",
            "drift_detection",
            "driver_blocking",
            "network_protection",
            "watchtower_cloud_detection",
        ),
        1,
    ),
}
_MALWARE: Final[Mapping[str, int]] = {
    "adware": 1,
    "backdoor": 2,
    "bot": 3,
    "botnet": 3,
    "bootkit": 4,
    "ddos": 5,
    "downloader": 6,
    "dropper": 7,
    "exploit_kit": 8,
    "keylogger": 9,
    "ransomware": 10,
    "rat": 11,
    "remote_access_trojan": 11,
    "cryptominer": 13,
    "miner": 13,
    "rootkit": 15,
    "spyware": 17,
    "infostealer": 17,
    "trojan": 18,
    "virus": 19,
    "webshell": 20,
    "wiper": 21,
    "worm": 22,
}
_NO_MALWARE: Final = frozenset({"", "benign", "general", "manual", "unknown"})


def engine(uid: str | None, name: str | None) -> dict[str, Any]:
    """Return a detection engine as an analytic; empty where it has neither key nor title."""
    if uid is None and name is None:
        return {}
    kind = _ENGINES.get((uid or "").lower(), 0 if uid is None else OTHER)
    entry = {"type_id": kind, "type": (uid or "Other") if kind == OTHER else caption("analytic", kind)}
    if uid is not None:
        entry["uid"] = uid
    if name is not None:
        entry["name"] = name
    return entry


def malware(row: Row, section: Section, name: str | None, path: str | None, provider: str) -> None:
    """Write the finding's type from the vendor's `classification`, and the malware where that names some."""
    word = section.word("classification")
    told = section.text("classification")
    if told is None:
        return
    row["finding_info.types"] = [told]
    if word in _NO_MALWARE:
        return
    kind = _MALWARE.get(word, OTHER)
    entry: dict[str, Any] = {
        "classification_ids": [kind],
        "classifications": [told if kind == OTHER else caption("malware", kind)],
        "name": name or told,
        "provider": provider,
    }
    if path is not None:
        entry["path"] = path
    row["malware"] = [entry]


def outcome(mitigation: str, actions: frozenset[str]) -> Mapping[str, Any]:
    """Return action and disposition for the state of the mitigation and the actions that succeeded.

    `mitigation` is the vendor's word in lower case; with other words both are unknown.
    """
    if mitigation == "mitigated":
        if actions & {"quarantine", "network_quarantine"}:
            return _outcome(2, 3)
        if actions & {"remediate", "rollback", "remove_macros"}:
            return _outcome(2, 11)
        return _outcome(2, 2)
    if mitigation in {"not_mitigated", "unmitigated", "active"}:
        return _outcome(3, 12) if actions else _outcome(3, 15)
    if mitigation in {"marked_as_benign", "benign"}:
        return _outcome(1, 10)
    return _outcome(0, 0)


def _outcome(action: int, disposition: int) -> Mapping[str, Any]:
    return {
        "action_id": action,
        "action": caption("action", action),
        "disposition_id": disposition,
        "disposition": caption("disposition", disposition),
    }
