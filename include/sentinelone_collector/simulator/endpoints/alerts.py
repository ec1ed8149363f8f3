"""GET /cloud-detection/alerts: alerts of custom and platform rules."""

from __future__ import annotations

import re
from typing import Final

from sentinelone_collector.simulator.filters import (
    SCOPES,
    TENANT,
    Filter,
    contains,
    one_of,
    times,
)
from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.query import boolean, ids, text
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tabling import Layout, SortKey, by_at, by_created, by_id, by_path, table_list

__all__ = ["ENDPOINTS"]

_AGENT, _RULE, _SOURCE = "agentDetectionInfo.", "ruleInfo.", "sourceProcessInfo."
_MOST = 5000
_CONTAINS = {
    "containerImageName": "containerInfo.image",
    "containerLabels": "containerInfo.labels",
    "containerName": "containerInfo.name",
    "k8sCluster": "kubernetesInfo.cluster",
    "k8sControllerLabels": "kubernetesInfo.controllerLabels",
    "k8sControllerName": "kubernetesInfo.controllerName",
    "k8sNamespaceLabels": "kubernetesInfo.namespaceLabels",
    "k8sNamespaceName": "kubernetesInfo.namespace",
    "k8sNode": "kubernetesInfo.node",
    "k8sPodLabels": "kubernetesInfo.podLabels",
    "k8sPod": "kubernetesInfo.pod",
    "origAgentName": _AGENT + "name",
    "origAgentUuid": _AGENT + "uuid",
    "ruleName": _RULE + "name",
    "sourceProcessCommandline": _SOURCE + "commandline",
    "sourceProcessFileHashMd5": _SOURCE + "fileHashMd5",
    "sourceProcessFileHashSha1": _SOURCE + "fileHashSha1",
    "sourceProcessFileHashSha256": _SOURCE + "fileHashSha256",
    "sourceProcessFilePath": _SOURCE + "filePath",
    "sourceProcessName": _SOURCE + "name",
    "sourceProcessStoryline": _SOURCE + "storyline",
}
# Filters are in capitals, records are not.
_VERDICTS = {
    "UNDEFINED": "Undefined",
    "TRUE_POSITIVE": "True positive",
    "FALSE_POSITIVE": "False positive",
    "SUSPICIOUS": "Suspicious",
}
_STATUSES = {"UNRESOLVED": "Unresolved", "IN_PROGRESS": "In progress", "RESOLVED": "Resolved"}

_FILTERS: Final[dict[str, Filter]] = {
    **SCOPES,
    **TENANT,
    **times("createdAt", lambda version: version.created),
    **times("reportedAt", lambda version: version.at),
    **{f"{name}__contains": contains(path, _MOST) for name, path in _CONTAINS.items()},
    "origAgentVersion__contains": contains(_AGENT + "version"),
    "origAgentOsRevision__contains": contains(_AGENT + "osRevision"),
    "query": Filter(text, lambda version, wanted: contains(_RULE + "name").test(version, {wanted})),
    "ids": Filter(ids(), lambda version, wanted: version.key in wanted),
    "disablePagination": Filter(boolean, lambda _version, _wanted: True),
    "machineType": Filter(
        contains(_AGENT + "machineType", _MOST, 1).parse,
        lambda version, wanted: version.make()["agentDetectionInfo"]["machineType"] in wanted,  # type: ignore[index]  # a dict
    ),
    "analystVerdict": one_of("alertInfo.analystVerdict", *_VERDICTS, spelled=_VERDICTS),
    "incidentStatus": one_of("alertInfo.incidentStatus", *_STATUSES, spelled=_STATUSES),
    "osType": one_of(_AGENT + "osFamily", "windows", "linux", "windows_legacy", "macos"),
    "severity": one_of(_RULE + "severity", "Low", "Medium", "High", "Critical", "Info"),
    "scopes": one_of(_RULE + "scopeLevel", "global", "group", "account", "site"),
}
_PROCESS = (
    "Commandline FileHashMd5 FileHashSha1 FileHashSha256 FilePath FileSignerIdentity Name Pid PidStarttime Storyline "
    "IntegrityLevel Subsystem User"
)
_SECTIONS = {
    "agentDetectionInfo": "MachineType Name OsFamily OsName OsRevision SiteId Uuid Version",
    "alertInfo": "AnalystVerdict DvEventId EventType HitType IncidentStatus Source",
    "containerInfo": "Id Image Labels Name",
    "kubernetesInfo": "Cluster ControllerKind ControllerLabels ControllerName Namespace NamespaceLabels Node Pod "
    "PodLabels",
    "ruleInfo": "Description Id Name ScopeLevel Severity TreatAsThreat",
    "sourceParentProcessInfo": _PROCESS,
    "sourceProcessInfo": _PROCESS,
}


def _sorts() -> dict[str, SortKey]:
    """Make the sort keys: a section and a field of it in one word, and a few short ones."""
    made: dict[str, SortKey] = {
        "id": by_id,
        "alertInfoAlertId": by_path("alertInfo.alertId"),
        "alertInfoCreatedAt": by_created,
        "alertInfoReportedAt": by_at,
        "machineType": by_path(_AGENT + "machineType"),
        "osName": by_path(_AGENT + "osName"),
        "incidentStatus": by_path("alertInfo.incidentStatus"),
        "analystVerdict": by_path("alertInfo.analystVerdict"),
        "severity": by_path(_RULE + "severity"),
    }
    for section, fields in _SECTIONS.items():
        for field in fields.split():
            made[section + field] = by_path(f"{section}.{re.sub('^.', field[0].lower(), field)}")
    return made


_LAYOUT: Final = Layout("CloudAlertView", _FILTERS, _sorts(), key_time="reportedAt")


def _list(call: Call) -> Page:
    return table_list(call, call.world.tables.alerts, _LAYOUT)


ENDPOINTS = (
    Endpoint("GET", "/cloud-detection/alerts", _list, (5, 10), stream="alerts", permission="Custom Alerts.view"),
)
