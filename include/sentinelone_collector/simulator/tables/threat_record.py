"""The record of a threat, in the shape that GET /threats sends."""

from __future__ import annotations

from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import MINUTE, MS, SECOND, iso
from sentinelone_collector.simulator.org import Agent, Organisation, Place
from sentinelone_collector.simulator.tables.computers import (
    domain_of,
    interfaces,
    last_user,
    machine_type,
    os_revision,
    registered,
)
from sentinelone_collector.simulator.tables.version import Body, drift

__all__ = ["State", "threat_record"]

_THREAT = 111
_ENGINES = (
    ("pre_execution_suspicious", "On-Write Static AI - Suspicious", "On-Write DFI - Suspicious", "static"),
    ("pre_execution", "On-Write Static AI", "On-Write DFI", "static"),
    ("sentinelone_cloud", "SentinelOne Cloud", "SentinelOne Cloud", "static"),
    ("executables", "Behavioral AI", "DBT - Executables", "dynamic"),
)
_INDICATORS = (
    (29, "Hiding/Stealthiness", "Most sections of the file look packed or encrypted."),
    (24, "General", "The file imports functions that raise exceptions in the kernel."),
    (15, "Abnormalities", "The version information is not in English: <b>März</b>."),
    (181, "Evasion", "A process was started from a folder for temporary files."),
)
_TECHNIQUES = ({"link": "https://attack.example.net/techniques/T1027/", "name": "T1027"},)
_KINDS = {"exe": "Executable", "scr": "Executable", "dll": "Executable", "msi": "Archive"}


class State(NamedTuple):
    """What changes in the life of a threat; `actions` are (name, time in µs)."""

    incident: str
    verdict: str
    mitigation: str
    actions: tuple[tuple[str, int], ...]
    auto: bool
    cloud: bool = False


def _title(word: str) -> str:
    return word.replace("_", " ").capitalize()


def _mitigation(threat_id: int, number: int, action: str, at: int) -> Body:
    counted = action == "quarantine"
    dice = Dice(threat_id, _THREAT, number)
    counters = {"failed": 0, "notFound": 0, "pendingReboot": 0, "success": 1, "total": 1}
    report = str(dice.big_id())
    return {
        "action": action,
        "actionsCounters": counters if counted else None,
        "agentSupportsReport": True,
        "groupNotFound": False,
        "lastUpdate": iso(at),
        "latestReport": f"/threats/mitigation-report/{report}" if counted else None,
        "mitigationEndedAt": iso(at - 10 * MS),
        "mitigationStartedAt": iso(at - 12 * MS),
        "reportId": report,
        "status": "success",
    }


def _indicators(dice: Dice) -> list[Body]:
    chosen = [_INDICATORS[(dice.below(4) + step) % 4] for step in range(dice.below(4))]
    return [
        {
            "category": category,
            "categoryId": number // 10,
            "description": text,
            "ids": [number],
            "tactics": [{"name": "Defense Evasion", "source": "MITRE", "techniques": list(_TECHNIQUES)}]
            if number == 29  # noqa: PLR2004  # one of them has a technique
            else [],
        }
        for number, category, text in chosen
    ]


def _detection(org: Organisation, agent: Agent, place: Place, dice: Dice, at: int) -> Body:
    """Describe the computer as it was when the threat was found."""
    addresses = [agent.ip, *(f"10.251.{step}.{agent.index % 250 + 2}" for step in range(dice.below(3)))]
    crowded = dice.chance(1, 20)
    six = [f"2001:db8:{agent.index:x}::{step:x}" for step in range(1, 27 if crowded else 1 + dice.below(3))]
    return {
        "accountId": place.account_id,
        "accountName": place.account_name,
        "agentDetectionState": None,
        "agentDomain": domain_of(agent),
        "agentIpV4": ",".join(addresses),
        "agentIpV6": ",".join(six) if six else None,
        "agentLastLoggedInUpn": None,
        "agentLastLoggedInUserMail": None,
        "agentLastLoggedInUserName": last_user(org, agent, at),
        "agentMitigationMode": "protect",
        "agentOsName": agent.os_name,
        "agentOsRevision": os_revision(agent),
        "agentRegisteredAt": iso(registered(agent)),
        "agentUuid": agent.uuid,
        "agentVersion": agent.version,
        "assetVersion": "",
        "cloudProviders": {},
        "externalIp": agent.external_ip,
        "groupId": place.group_id,
        "groupName": place.group_name,
        "siteId": place.site_id,
        "siteName": place.site_name,
    }


def _realtime(agent: Agent, place: Place, state: State) -> Body:
    """Describe the computer as it is: at the last change of the threat, so that a state keeps its bytes."""
    active = state.mitigation == "not_mitigated" and state.incident != "resolved"
    return {
        "accountId": place.account_id,
        "accountName": place.account_name,
        "activeThreats": int(active),
        "agentComputerName": agent.name,
        "agentDecommissionedAt": None,
        "agentDomain": domain_of(agent),
        "agentId": agent.id,
        "agentInfected": active,
        "agentIsActive": True,
        "agentIsDecommissioned": False,
        "agentMachineType": machine_type(agent),
        "agentMitigationMode": "protect",
        "agentNetworkStatus": "connected",
        "agentOsName": agent.os_name,
        "agentOsRevision": os_revision(agent),
        "agentOsType": agent.os_family,
        "agentUuid": agent.uuid,
        "agentVersion": agent.version,
        "groupId": place.group_id,
        "groupName": place.group_name,
        "networkInterfaces": interfaces(agent, gateway=False),
        "operationalState": "na",
        "rebootRequired": False,
        "scanAbortedAt": None,
        "scanFinishedAt": iso(registered(agent) + 95 * MINUTE),
        "scanStartedAt": iso(registered(agent) + 2 * MINUTE),
        "scanStatus": "finished",
        "siteId": place.site_id,
        "siteName": place.site_name,
        "storageName": None,
        "storageType": None,
        "userActionsNeeded": [],
    }


def _file(dice: Dice, data: Body) -> Body:
    """Describe the file; its name and hash are those the activities give."""
    name = str(data.get("fileDisplayName") or f"fetched_{dice.hex(4)}.exe")
    path = data.get("filePath") or f"\\Device\\HarddiskVolume3\\Users\\kiosk\\Downloads\\{name}"
    extension = name.rpartition(".")[2]
    sha256 = dice.hex(64) if dice.chance(1, 2) else None
    huge = 2**53 + 1 + dice.below(1 << 20)
    return {
        "certificateId": "" if dice.chance(1, 2) else None,
        "fileExtension": extension.upper(),
        "fileExtensionType": _KINDS.get(extension, "Misc"),
        "filePath": path,
        "fileSize": huge if dice.chance(1, 50) else dice.between(0, 9_000_000),
        "fileVerificationType": "NotSigned",
        "isFileless": False,
        "isValidCertificate": False,
        "maliciousProcessArguments": None,
        "md5": None,
        "originatorProcess": dice.pick(("chrome.exe", "explorer.exe", "ArchiveService", "outlook.exe")),
        "processUser": "ALDERMOOR\\kiosk",
        "publisherName": "",
        "sha1": data.get("fileContentHash") or dice.hex(40),
        "sha256": sha256,
        "threatName": name,
    }


def _threat_info(threat_id: int, data: Body, dice: Dice, times: tuple[int, int], state: State) -> Body:
    created, updated = times
    key, title, engine, detection = dice.pick(_ENGINES)
    identified = created - dice.between(60, 3_000) * MS
    source = "Cloud" if state.cloud else str(data.get("threatClassificationSource") or "Static")
    confidence = "malicious" if state.cloud else str(data.get("confidenceLevel") or "malicious")
    return {
        **_file(dice, data),
        "analystVerdict": state.verdict,
        "analystVerdictDescription": _title(state.verdict),
        "automaticallyResolved": state.auto,
        "browserType": None,
        "classification": str(data.get("threatClassification") or "Malware"),
        "classificationSource": source,
        "cloudFilesHashVerdict": "black" if state.cloud else dice.pick(("provider_unknown", None)),
        "collectionId": str(dice.big_id()),
        "confidenceLevel": confidence,
        "createdAt": iso(created),
        "detectionEngines": [{"key": key, "title": title}],
        "detectionType": detection,
        "engines": [engine],
        "externalTicketExists": False,
        "externalTicketId": None,
        "failedActions": False,
        # Older agents know whole seconds only.
        "identifiedAt": iso(identified // SECOND * SECOND).replace(".000000", "")
        if dice.chance(1, 5)
        else iso(identified // MS * MS),
        "incidentStatus": state.incident,
        "incidentStatusDescription": _title(state.incident),
        "initiatedBy": "agent_policy",
        "initiatedByDescription": "Agent Policy",
        "initiatingUserId": None,
        "initiatingUsername": None,
        "macroModules": None,
        "mitigatedPreemptively": False,
        "mitigationStatus": state.mitigation,
        "mitigationStatusDescription": _title(state.mitigation),
        "pendingActions": False,
        "reachedEventsLimit": dice.pick((False, None)),
        "rebootRequired": False,
        "rootProcessUpn": None,
        "storyline": dice.hex(16).upper(),
        "threatId": str(threat_id),
        "updatedAt": iso(updated),
    }


_CONTAINER = ("id", "image", "isContainerQuarantine", "labels", "name")
_CLUSTER = (
    "cluster", "controllerKind", "controllerLabels", "controllerName", "isContainerQuarantine", "namespace",
    "namespaceLabels", "node", "nodeLabels", "pod", "podLabels",
)  # fmt: skip
_ECS = (
    "clusterName", "serviceArn", "serviceName", "taskArn", "taskAvailabilityZone", "taskDefinitionArn",
    "taskDefinitionFamily", "taskDefinitionRevision", "type", "version",
)  # fmt: skip


def threat_record(
    org: Organisation, threat_id: int, agent: Agent, data: Body, *, created: int, updated: int, state: State
) -> Body:
    """Build the record of one state of a threat; `data` is what the first activity about it says. Times in µs."""
    dice = Dice(org.seed, _THREAT, threat_id)
    place = org.places[agent.place]
    body: Body = {
        "agentDetectionInfo": _detection(org, agent, place, dice, created),
        "agentRealtimeInfo": _realtime(agent, place, state),
        "containerInfo": dict.fromkeys(_CONTAINER),
        "ecsInfo": dict.fromkeys(_ECS),
        "id": str(threat_id),
        "indicators": _indicators(dice),
        "kubernetesInfo": dict.fromkeys(_CLUSTER),
        "mitigationStatus": [
            _mitigation(threat_id, number, action, at) for number, (action, at) in enumerate(state.actions)
        ][::-1],
        "threatInfo": dict(sorted(_threat_info(threat_id, data, dice, (created, updated), state).items())),
        "whiteningOptions": ["hash", "path"],
    }
    older = dice.below(20)
    if older == 0:  # a release that knew no ECS
        del body["ecsInfo"]
    elif older == 1:
        del body["whiteningOptions"]
    return drift(dice, body)
