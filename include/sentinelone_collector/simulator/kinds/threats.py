"""Threats that the agents find, their mitigation, and what analysts decide about them."""

from __future__ import annotations

from sentinelone_collector.simulator.kinds.agents import agent_block
from sentinelone_collector.simulator.records import Kind, Scene

__all__ = ["KINDS"]

_FILES = ("invoice_2231.exe", "Rechnung-März.scr", "setup (1).msi", "toolbar.dll", "请求.exe", "keygen.exe")
_CLASSES = ("PUA", "Trojan", "Malware", "Adware", "Infostealer")


def _threat(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    dice = scene.dice
    name = dice.pick(_FILES)
    data |= {
        "confidenceLevel": "malicious",
        "escapedMaliciousProcessArguments": None,
        "fileContentHash": dice.hex(40),
        "fileDisplayName": name,
        "filePath": f"\\Device\\HarddiskVolume3\\Users\\kiosk\\Downloads\\{name}",
        "threatClassification": dice.pick(_CLASSES),
        "threatClassificationSource": dice.pick(("Engine", "Cloud", "Static")),
        "username": None,
    }


def _suspicious(scene: Scene, data: dict[str, object]) -> None:
    _threat(scene, data)
    data["confidenceLevel"] = "suspicious"


def _report(scene: Scene, data: dict[str, object]) -> None:
    _threat(scene, data)
    data["globalStatus"] = "success"


def _status(scene: Scene, data: dict[str, object]) -> None:
    _threat(scene, data)
    data |= {"newStatus": "Mitigated", "originalStatus": "Not mitigated"}


def _analyst(scene: Scene, data: dict[str, object]) -> None:
    _threat(scene, data)
    if scene.user is not None:
        data |= {"username": scene.user.name, "role": scene.user.role, "sourceType": "UI", "realUser": None}
        data["userScope"] = scene.org.places[scene.user.place].level


def _incident_status(scene: Scene, data: dict[str, object]) -> None:
    _analyst(scene, data)
    old, new = scene.dice.pick((("Unresolved", "In progress"), ("In progress", "Resolved")))
    data |= {"oldIncidentStatus": old.lower().replace(" ", "_"), "oldIncidentStatusTitle": old}
    data |= {"newIncidentStatus": new.lower().replace(" ", "_"), "newIncidentStatusTitle": new}


def _verdict(scene: Scene, data: dict[str, object]) -> None:
    _analyst(scene, data)
    new = scene.dice.pick(("True positive", "True positive", "Suspicious", "False positive"))
    data |= {"oldAnalystVerdict": "undefined", "oldAnalystVerdictTitle": "Undefined"}
    data |= {"newAnalystVerdict": new.lower().replace(" ", "_"), "newAnalystVerdictTitle": new}


KINDS = (
    Kind(
        18,
        "New Threat Mitigated",
        "Threat with confidence level {confidenceLevel} detected and mitigated: {fileDisplayName}.",
        _threat,
        "filePath",
    ),
    Kind(
        19,
        "New Malicious Threat Not Mitigated",
        "Threat with confidence level {confidenceLevel} detected: {fileDisplayName}.",
        _threat,
        "filePath",
    ),
    Kind(
        4003,
        "New Suspicious Threat Not Mitigated",
        "Threat with confidence level {confidenceLevel} detected: {fileDisplayName}.",
        _suspicious,
        "filePath",
    ),
    Kind(
        2001,
        "Threat Mitigation Report Kill Success",
        "The agent {computerName} killed the threat {fileDisplayName}.",
        _report,
        "filePath",
    ),
    Kind(
        2004,
        "Threat Mitigation Report Quarantine Success",
        "The agent {computerName} quarantined the threat {fileDisplayName}.",
        _report,
        "filePath",
    ),
    Kind(
        4008,
        "Threat Mitigation Status Changed",
        "Status of the threat {fileDisplayName} on {computerName} changed from {originalStatus} to {newStatus}.",
        _status,
        "filePath",
    ),
    Kind(
        2028,
        "Threat Incident Status Changed",
        "The management user {username} changed the incident status of {fileDisplayName} on {computerName} "
        "from {oldIncidentStatusTitle} to {newIncidentStatusTitle}.",
        _incident_status,
        "filePath",
    ),
    Kind(
        2030,
        "Analyst Verdict Changes",
        "The management user {username} changed the verdict of {fileDisplayName} on {computerName} "
        "from {oldAnalystVerdictTitle} to {newAnalystVerdictTitle}.",
        _verdict,
        "filePath",
    ),
    Kind(
        4020,
        "New Threat Note Added",
        "The management user {username} added a note to the threat {fileDisplayName}.",
        _analyst,
    ),
)
