"""GET /threats, and of one threat: /threats/{id}/timeline and /threats/{id}/notes."""

from __future__ import annotations

from typing import Any, Final

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import iso
from sentinelone_collector.simulator.catalogue import LISTED_TYPES
from sentinelone_collector.simulator.filters import (
    SCOPES,
    TENANT,
    Filter,
    contains,
    flag,
    named_ids,
    one_of,
    same,
    times,
    words,
)
from sentinelone_collector.simulator.listing import Page, table_page
from sentinelone_collector.simulator.messages import Refusal, not_found
from sentinelone_collector.simulator.query import PAGING, boolean, choice, ids, paging, parse_query, scope_ids, text
from sentinelone_collector.simulator.records import record, render
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tables.threats import Threat
from sentinelone_collector.simulator.tabling import Layout, by_at, by_created, by_id, by_path, table_list

__all__ = ["ENDPOINTS"]

_INFO, _THEN, _NOW = "threatInfo.", "agentDetectionInfo.", "agentRealtimeInfo."
_NOWHERE = "-"  # the simulated computers are neither in a cloud nor in a cluster, and have no tickets
_NOTE = 211

_CONTAINS_10 = {
    "commandLineArguments": _INFO + "maliciousProcessArguments",
    "computerName": _NOW + "agentComputerName",
    "containerImageName": "containerInfo.image",
    "containerLabels": "containerInfo.labels",
    "containerName": "containerInfo.name",
    "contentHash": _INFO + "sha1",
    "detectionAgentDomain": _THEN + "agentDomain",
    "detectionAgentVersion": _THEN + "agentVersion",
    "externalTicketId": _INFO + "externalTicketId",
    "filePath": _INFO + "filePath",
    "initiatedByUsername": _INFO + "initiatingUsername",
    "k8sClusterName": "kubernetesInfo.cluster",
    "k8sControllerLabels": "kubernetesInfo.controllerLabels",
    "k8sControllerName": "kubernetesInfo.controllerName",
    "k8sNamespaceLabels": "kubernetesInfo.namespaceLabels",
    "k8sNamespaceName": "kubernetesInfo.namespace",
    "k8sNodeLabels": "kubernetesInfo.nodeLabels",
    "k8sNodeName": "kubernetesInfo.node",
    "k8sPodLabels": "kubernetesInfo.podLabels",
    "k8sPodName": "kubernetesInfo.pod",
    "originatedProcess": _INFO + "originatorProcess",
    "publisherName": _INFO + "publisherName",
    "realtimeAgentVersion": _NOW + "agentVersion",
    "signerIdentity": _NOWHERE,
    "storyline": _INFO + "storyline",
    "threatDetails": _INFO + "threatName",
    "uuid": _THEN + "agentUuid",
}
_CONTAINS_255 = (
    "awsRole", "awsSecurityGroups", "awsSubnetIds", "azureResourceGroup", "cloudAccount", "cloudImage",
    "cloudInstanceId", "cloudInstanceSize", "cloudLocation", "cloudNetwork", "gcpServiceAccount",
)  # fmt: skip
_BOTH_WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mitigationStatuses": (_INFO + "mitigationStatus", ("not_mitigated", "mitigated", "marked_as_benign")),
    "detectionEngines": (
        _INFO + "detectionEngines.key",
        (
            "reputation", "sentinelone_cloud", "cloud_detection", "user_blacklist", "pre_execution",
            "pre_execution_suspicious", "executables", "data_files", "exploits", "penetration", "pup",
            "lateral_movement", "remote_shell", "manual", "application_control", "threat_intelligence",
            "watchtower_cloud_detection", "driver_blocking", "idr", "drift_detection", "network_protection",
        ),
    ),
    "classificationSources": (_INFO + "classificationSource", ("Cloud", "Behavioral", "Static", "Engine")),
    "agentMachineTypes": (
        _NOW + "agentMachineType",
        (
            "unknown", "desktop", "laptop", "server", "kubernetes node", "storage", "kubernetes pod", "ecs task",
            "kubernetes helper",
        ),
    ),
    "osTypes": (_NOW + "agentOsType", ("macos", "windows", "windows_legacy", "linux")),
    "initiatedBy": (
        _INFO + "initiatedBy",
        (
            "agent_policy", "full_disk_scan", "sentinelctl", "dv_command", "console_api", "on_demand_scan",
            "star_active", "star_manual", "cloud_detection", "threat_intelligence", "watchtower_cloud_detection",
        ),
    ),
    "confidenceLevels": (_INFO + "confidenceLevel", ("malicious", "suspicious", "n/a")),
    "analystVerdicts": (_INFO + "analystVerdict", ("undefined", "true_positive", "false_positive", "suspicious")),
    "incidentStatuses": (_INFO + "incidentStatus", ("unresolved", "in_progress", "resolved")),
}  # fmt: skip
_BOTH_WAYS["engines"] = _BOTH_WAYS["detectionEngines"]
_ANY_WORD = {
    "classifications": _INFO + "classification",
    "agentVersions": _THEN + "agentVersion",
    "cloudProvider": _NOWHERE,
}
_FLAGS = {
    "agentIsActive": _NOW + "agentIsActive",
    "failedActions": _INFO + "failedActions",
    "rebootRequired": _INFO + "rebootRequired",
    "pendingActions": _INFO + "pendingActions",
    "externalTicketExists": _INFO + "externalTicketExists",
    "mitigatedPreemptively": _INFO + "mitigatedPreemptively",
    "hasAgentTags": _NOWHERE,
}

_FILTERS: Final[dict[str, Filter]] = {
    **SCOPES,
    **TENANT,
    **times("createdAt", lambda version: version.created),
    **times("updatedAt", lambda version: version.at),
    **{f"{name}__contains": contains(path) for name, path in _CONTAINS_10.items()},
    **{f"{name}__contains": contains(_NOWHERE, 255) for name in _CONTAINS_255},
    **{name: one_of(path, *allowed) for name, (path, allowed) in _BOTH_WAYS.items()},
    **{f"{name}Nin": one_of(path, *allowed, negated=True) for name, (path, allowed) in _BOTH_WAYS.items()},
    **{name: words(path) for name, path in _ANY_WORD.items()},
    **{f"{name}Nin": words(path, negated=True) for name, path in _ANY_WORD.items()},
    **{name: flag(path) for name, path in _FLAGS.items()},
    "resolved": Filter(boolean, lambda v, wanted: ("resolved" in _incident(v)) == wanted),
    "noteExists": Filter(boolean, lambda version, wanted: ("note" in version.marks) == wanted),
    "contentHashes": words(_INFO + "sha1"),
    "storylines": words(_INFO + "storyline"),
    "externalTicketIds": words(_INFO + "externalTicketId"),
    "osNames": contains(_NOW + "agentOsName"),
    "osNamesNin": contains(_NOW + "agentOsName", negated=True),
    "osArchs": one_of(_NOWHERE, "32 bit", "64 bit", "ARM64"),
    "displayName": same(_INFO + "threatName"),
    "agentTagsData": same(_NOWHERE),
    "query": Filter(text, lambda version, wanted: contains(_INFO + "threatName").test(version, {wanted})),
    "countsFor": Filter(text, lambda _version, _wanted: True),
    "agentIds": named_ids(_NOW + "agentId"),
    "ids": Filter(ids(), lambda version, wanted: version.key in wanted),
    "collectionIds": named_ids(_INFO + "collectionId"),
}


def _incident(version: Any) -> str:
    return str(version.make()["threatInfo"].get("incidentStatus"))


_LAYOUT: Final = Layout(
    "ThreatView",
    _FILTERS,
    {
        "id": by_id,
        "createdAt": by_created,
        "createdDate": by_created,
        "updatedAt": by_at,
        "mitigationStatus": by_path(_INFO + "mitigationStatus"),
        "fileDisplayName": by_path(_INFO + "threatName"),
        "agentVersion": by_path(_THEN + "agentVersion"),
        "agentMachineType": by_path(_NOW + "agentMachineType"),
        "siteId": by_path(_THEN + "siteId"),
        "siteName": by_path(_THEN + "siteName"),
        "agentComputerName": by_path(_NOW + "agentComputerName"),
        "filePath": by_path(_INFO + "filePath"),
        "contentHash": by_path(_INFO + "sha1"),
        "collectionId": by_path(_INFO + "collectionId"),
        "classification": by_path(_INFO + "classification"),
        **{
            name: by_path(_NOWHERE)
            for name in (
                "cloudAccount", "cloudImage", "cloudInstanceId", "cloudInstanceSize", "cloudLocation", "cloudNetwork",
            )
        },
    },
)  # fmt: skip


def _list(call: Call) -> Page:
    return table_list(call, call.world.tables.threats, _LAYOUT)


def _one(call: Call) -> Threat:
    found = call.world.tables.threats.find(int(call.path_ids[0]), call.now)
    if found is None or not call.scope.covers(found.place):
        raise Refusal(not_found())
    return found


_LEFT_OUT = ("activityUuid", "comments", "description", "accountName", "siteName", "groupName", "applications")
_ALL_TYPES = frozenset(map(str, LISTED_TYPES))


def _types(name: str, value: str) -> frozenset[str]:
    return frozenset(one_of(_NOWHERE, *_ALL_TYPES).parse(name, value))


def _timeline(call: Call) -> Page:
    """List the activities about a threat, without the keys that the timeline lacks."""
    sorts = choice("hash", "activityType", "primaryDescription", "secondaryDescription", "createdAt")
    known = {**PAGING, "sortBy": sorts, "query": text, "activityTypes": _types}
    scopes = {"siteIds": scope_ids, "accountIds": scope_ids, "groupIds": scope_ids}
    values = parse_query(call.request.query, {**known, **scopes})
    threat, org = _one(call), call.world.org
    rows = [
        {name: value for name, value in record(org, entry).items() if name not in _LEFT_OUT}
        for entry in threat.said
        if entry.visible <= call.now
    ]
    wanted = {"siteIds": "siteId", "accountIds": "accountId", "groupIds": "groupId", "activityTypes": "activityType"}
    for name, key in wanted.items():
        rows = [row for row in rows if name not in values or str(row[key]) in values[name]]
    if "query" in values:
        rows = [row for row in rows if values["query"].lower() in str(row["primaryDescription"]).lower()]
    return table_page("TimelineView", paging(values, "TimelineView", ("createdAt", True)), rows, _write)


def _notes(call: Call) -> Page:
    known = {**PAGING, "sortBy": choice("createdAt", "updatedAt"), "creator__like": text, "creatorId": ids(1)}
    values = parse_query(call.request.query, known)
    threat, org = _one(call), call.world.org
    rows = []
    for number, note in enumerate(threat.notes):
        dice, author = Dice(org.seed, _NOTE, threat.id, number), org.users[note.author]
        if note.visible <= call.now:
            rows.append(
                {
                    "createdAt": iso(note.at),
                    "creator": author.name,
                    "creatorId": author.id,
                    "edited": False,
                    "id": str(dice.big_id()),
                    "text": dice.pick(("Known installer, see CHG-2231.", "Asked the user; böse Datei.\nClosing.")),
                    "updatedAt": iso(note.at),
                }
            )
    like = values.get("creator__like", "").lower()
    rows = [row for row in rows if like in str(row["creator"]).lower()]
    rows = [row for row in rows if row["creatorId"] in values.get("creatorId", (row["creatorId"],))]
    return table_page("ThreatNote", paging(values, "ThreatNote", ("createdAt", True)), rows, _write)


def _write(row: dict[str, Any]) -> bytes:
    return render(0, int(row["id"]), row)


_SHOWN = "Threats.view"

ENDPOINTS = (
    Endpoint("GET", "/threats", _list, (10, 50), stream="threats", permission=_SHOWN),
    Endpoint("GET", "/threats/{}/timeline", _timeline, (100, 1000), stream="threat_timeline", permission=_SHOWN),
    Endpoint("GET", "/threats/{}/notes", _notes, (100, 1000), stream="threat_notes", permission=_SHOWN),
)
