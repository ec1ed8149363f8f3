"""GET /agents and GET /agents/count."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sentinelone_collector.simulator.filters import (
    SCOPES,
    Filter,
    compared,
    contains,
    flag,
    flags,
    leaves,
    named_ids,
    number,
    numbers,
    one_of,
    same,
    times,
    words,
)
from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.messages import Response, json_response
from sentinelone_collector.simulator.query import choice, ids, parse_query, text
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tables import Version
from sentinelone_collector.simulator.tabling import (
    Layout,
    SortKey,
    by_at,
    by_created,
    by_id,
    by_path,
    table_list,
    visible_to,
)

__all__ = ["ENDPOINTS"]

_NOWHERE = "-"  # what the simulated computers lack: clouds, clusters, tasks, proxies, threats of their own
_MACHINES = (
    "unknown", "desktop", "laptop", "server", "kubernetes node", "storage", "kubernetes pod", "ecs task",
    "kubernetes helper",
)  # fmt: skip
_ACTIONS = (
    "none", "user_action_needed", "reboot_needed", "upgrade_needed", "incompatible_os", "unprotected",
    "rebootless_without_dynamic_detection", "extended_exclusions_partially_accepted", "reboot_required",
    "pending_deprecation", "ne_not_running", "ne_cf_not_active", "pending_performance_insights", "reboot_category",
    "missing_permissions_category", "agent_suppressed_category", "incompatible_os_category", "unprotected_category",
    "partial_functionality", "performance_insights",
)  # fmt: skip
_PERMISSIONS = tuple(
    "user_action_needed_" + word
    for word in ("fda", "rs_fda", "fda_helper", "fda_sentineld", "bluetooth_per", "network", "notifications")
)
_RANGERS = ("NotApplicable", "Enabled", "Disabled")
_SCANS = ("none", "started", "aborted", "finished")
_BITS = ("32 bit", "64 bit", "ARM64")
_MIGRATIONS = ("N/A", "Pending", "Migrated", "Failed")
_BOTH_WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "osArches": ("osArch", _BITS),
    "osTypes": ("osType", ("macos", "windows", "windows_legacy", "linux")),
    "scanStatuses": ("scanStatus", _SCANS),
    "machineTypes": ("machineType", _MACHINES),
    "networkStatuses": ("networkStatus", ("connected", "disconnected", "connecting", "disconnecting")),
    "userActionsNeeded": ("userActionsNeeded", _ACTIONS),
    "missingPermissions": ("missingPermissions", _PERMISSIONS),
    "consoleMigrationStatuses": ("consoleMigrationStatus", _MIGRATIONS),
    "appsVulnerabilityStatuses": ("appsVulnerabilityStatus", ("patch_required", "up_to_date", "not_applicable")),
    "installerTypes": (
        "installerType",
        (".msi", ".exe", ".deb", ".rpm", ".bsx", ".pkg", ".img", "unknown", ".tar", ".zip", ".gz", ".xz"),
    ),
    "rangerStatuses": ("rangerStatus", _RANGERS),
}
_ANY_WORD_BOTH_WAYS = {
    "agentVersions": "agentVersion",
    "rangerVersions": "rangerVersion",
    "storageTypes": "storageType",
    "domains": "domain",
    "operationalStates": "operationalState",
    "remoteProfilingStates": "remoteProfilingState",
    "cloudProvider": _NOWHERE,
    "proxyMethod": _NOWHERE,
}
_FLAG_LISTS = (
    "isActive", "isPendingUninstall", "isUpToDate", "encryptedApplications", "threatRebootRequired",
    "networkQuarantineEnabled", "firewallEnabled", "locationEnabled", "isAdConnector", "isHyperAutomate",
    "hasContainerizedWorkload", "isDecommissioned", "isUninstalled",
)  # fmt: skip
_CONTAINS_10 = {
    **dict.fromkeys(("adQuery", "adUserQuery", "adComputerQuery"), "activeDirectory.computerDistinguishedName"),
    "adComputerMember": "activeDirectory.computerMemberOf",
    "adComputerName": "activeDirectory.computerDistinguishedName",
    "adUserMember": "activeDirectory.lastUserMemberOf",
    "adUserName": "activeDirectory.lastUserDistinguishedName",
    "computerName": "computerName",
    "externalIp": "externalIp",
    "lastLoggedInUserName": "lastLoggedInUserName",
    "networkInterfaceGatewayMacAddress": "networkInterfaces.gatewayMacAddress",
    "networkInterfaceInet": "networkInterfaces.inet",
    "networkInterfacePhysical": "networkInterfaces.physical",
    "osVersion": "osRevision",
    "uuid": "uuid",
}
_FOREIGN = (
    "agentNamespace", "agentPodName", "awsRole", "awsSecurityGroups", "awsSubnetIds", "azureResourceGroup",
    "cloudAccount", "cloudImage", "cloudInstanceId", "cloudInstanceSize", "cloudLocation", "cloudNetwork",
    "cloudTags", "clusterName", "ecsClusterName", "ecsServiceArn", "ecsServiceName", "ecsTaskArn",
    "ecsTaskAvailabilityZone", "ecsTaskDefinitionArn", "ecsTaskDefinitionFamily",
    "ecsTaskDefinitionRevision", "ecsType", "ecsVersion", "gcpServiceAccount", "k8sNodeLabels",
    "k8sNodeName", "k8sType", "k8sVersion", "liveUpdateId",
)  # fmt: skip
_CONTAINS_255 = {
    **dict.fromkeys(
        _FOREIGN,
        _NOWHERE,
    ),
    "cpuId": "cpuId",
    "externalId": "externalId",
    "serialNumber": "serialNumber",
}


def _release(value: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", value)))


def _agent_version(compare: Callable[[tuple[int, ...], tuple[int, ...]], bool]) -> Filter:
    def test(version: Version, wanted: str) -> bool:
        return compare(_release(str(version.make().get("agentVersion"))), _release(wanted))

    return Filter(text, test)


def _between_releases(version: Version, wanted: str) -> bool:
    low, _, high = wanted.partition("-")
    return _release(low) <= _release(str(version.make().get("agentVersion"))) <= _release(high or low)


def _revision(compare: Callable[[int, int], bool]) -> Filter:
    def test(version: Version, wanted: int) -> bool:
        found = str(version.make().get("osRevision"))
        return found.isdigit() and compare(int(found), wanted)

    return Filter(compared(_NOWHERE, compare).parse, test)


def _like(version: Version, wanted: str) -> bool:
    return wanted.lower() in str(version.make().get("computerName")).lower()


def _name_or_uuid(version: Version, wanted: frozenset[str]) -> bool:
    return any(contains(path).test(version, wanted) for path in ("computerName", "uuid"))


def _tagged(version: Version, wanted: bool) -> bool:
    return any(leaves(version.make(), "tags.sentinelone.id")) == wanted


_VERSIONS = {
    "agentVersion__lt": _agent_version(lambda a, b: a < b),
    "agentVersion__lte": _agent_version(lambda a, b: a <= b),
    "agentVersion__gt": _agent_version(lambda a, b: a > b),
    "agentVersion__gte": _agent_version(lambda a, b: a >= b),
    "agentVersion__between": Filter(text, _between_releases),
}
_SINGLE: Final[dict[str, Filter]] = {
    **dict.fromkeys(("query", "computerName__like"), Filter(text, _like)),
    **{name: same(name) for name in ("computerName", "uuid")},
    **dict.fromkeys(("adQuery", "tagsData", "threatContentHash", "containerizedWorkloadCounts"), same(_NOWHERE)),
    "gatewayIp": same("networkInterfaces.gatewayIp"),
    "activeThreats": number("activeThreats"),
    "activeThreats__gt": compared("activeThreats", lambda a, b: a > b),
    "windowsOsRevision__gte": _revision(lambda a, b: a >= b),
    "windowsOsRevision__lte": _revision(lambda a, b: a <= b),
    "ids": Filter(ids(), lambda version, wanted: version.key in wanted),
    "idsNin": Filter(ids(), lambda version, wanted: version.key not in wanted),
    "filteredGroupIds": named_ids("groupId"),
    "filteredSiteIds": named_ids("siteId"),
    "locationIds": named_ids("locations.id"),
    "locationIdsNin": named_ids("locations.id", negated=True),
    **dict.fromkeys(("filterId", "csvFilterId"), Filter(ids(1), lambda _version, _wanted: True)),
    "infected": flag("infected"),
    "hasTags": Filter(flag(_NOWHERE).parse, _tagged),
    **dict.fromkeys(
        ("hasLocalConfiguration", "threatResolved", "threatHidden", "remoteOpsForensicsSupported"), flag(_NOWHERE)
    ),
    "uuids": words("uuid"),
    **dict.fromkeys(("pacFileUsage", "console", "deepVisibility", "rsoLevels"), words(_NOWHERE)),
    "computerNameOrUuid__contains": Filter(contains(_NOWHERE, 255).parse, _name_or_uuid),
    "osArch": same("osArch", choice(*_BITS)),
    "rangerStatus": same("rangerStatus", choice(*_RANGERS)),
    "activeProtection": one_of("activeProtection", "edr", "idr"),
    "scanStatus": same("scanStatus", choice(*_SCANS)),
    "threatMitigationStatus": same(
        _NOWHERE, choice("mitigated", "blocked", "active", "suspicious", "pending", "suspicious_resolved")
    ),
    "mitigationMode": same("mitigationMode", choice("detect", "protect")),
    "mitigationModeSuspicious": same("mitigationModeSuspicious", choice("detect", "protect")),
    "migrationStatus": same("consoleMigrationStatus", choice(*_MIGRATIONS)),
    "rsoLevel": same(_NOWHERE, choice("none", "pro", "ars")),
}
_FILTERS: Final[dict[str, Filter]] = {
    **SCOPES,
    **times("createdAt", lambda version: version.created, between=True),
    **times("updatedAt", lambda version: version.at, between=True),
    **times("registeredAt", "registeredAt", between=True),
    **times("lastActiveDate", "lastActiveDate", between=True),
    **times("lastSuccessfulScanDate", "lastSuccessfulScanDate", between=True),
    **times("decommissionedAt", _NOWHERE, between=True),
    **times("threatCreatedAt", _NOWHERE, between=True),
    **numbers("coreCount", "coreCount"),
    **numbers("cpuCount", "cpuCount"),
    **numbers("totalMemory", "totalMemory"),
    **_VERSIONS,
    **{name: one_of(path, *allowed) for name, (path, allowed) in _BOTH_WAYS.items()},
    **{f"{name}Nin": one_of(path, *allowed, negated=True) for name, (path, allowed) in _BOTH_WAYS.items()},
    **{name: words(path) for name, path in _ANY_WORD_BOTH_WAYS.items()},
    **{f"{name}Nin": words(path, negated=True) for name, path in _ANY_WORD_BOTH_WAYS.items()},
    **{name: flags(name) for name in _FLAG_LISTS},
    **{f"{name}__contains": contains(path) for name, path in _CONTAINS_10.items()},
    **{f"{name}__contains": contains(path, 255) for name, path in _CONTAINS_255.items()},
    **_SINGLE,
}
_SORTS_LIKE_FIELDS = (
    "computerName groupId osType osName uuid scanStatus isDecommissioned isUninstalled registeredAt lastActiveDate "
    "isActive isPendingUninstall activeThreats isUpToDate agentVersion osArch machineType networkStatus domain "
    "mitigationMode mitigationModeSuspicious encryptedApplications totalMemory cpuCount coreCount externalIp "
    "lastLoggedInUserName groupName siteId siteName infected threatRebootRequired consoleMigrationStatus "
    "appsVulnerabilityStatus accountName externalId installerType rangerVersion operationalState "
    "remoteProfilingState networkQuarantineEnabled firewallEnabled locationEnabled serialNumber cpuId "
    "fullDiskScanLastUpdatedAt lastSuccessfulScanDate isAdConnector activeProtection"
)
_SORTS_OF_NOTHING = (
    "decommissionedAt threatMitigationStatus threatResolved threatContentHash threatCreatedAt cloudAccount cloudImage "
    "cloudInstanceId cloudInstanceSize cloudLocation cloudNetwork cloudProvider clusterName kubernetesVersion "
    "kubernetesType agentNamespace agentPodName ecsType ecsVersion ecsClusterName ecsTaskArn ecsTaskAvailabilityZone "
    "ecsServiceName ecsServiceArn ecsTaskDefinitionFamily ecsTaskDefinitionRevision ecsTaskDefinitionArn pacFileUsage "
    "proxyMethod console consoleProxyAddress deepVisibility deepVisibilityProxyAddress"
)
_SORTS: Final[dict[str, SortKey]] = {
    "id": by_id,
    "createdAt": by_created,
    "updatedAt": by_at,
    "networkInterfacePhysical": by_path("networkInterfaces.physical"),
    **{name: by_path(name) for name in _SORTS_LIKE_FIELDS.split()},
    **{name: by_path(_NOWHERE) for name in _SORTS_OF_NOTHING.split()},
}
_LAYOUT: Final = Layout("AgentView", _FILTERS, _SORTS)


def _list(call: Call) -> Page:
    return table_list(call, call.world.tables.agents, _LAYOUT)


def _count(call: Call) -> Response:
    """Count the computers that the caller may see."""
    values = parse_query(call.request.query, {name: item.parse for name, item in SCOPES.items()})
    shown = visible_to(call, call.world.tables.agents.current(call.now))
    found = [version for version in shown if all(SCOPES[name].test(version, value) for name, value in values.items())]
    return json_response({"data": {"total": len(found)}})


_SHOWN = "Endpoints.view"

ENDPOINTS = (
    Endpoint("GET", "/agents", _list, (25, 1), stream="agents", permission=_SHOWN),
    Endpoint("GET", "/agents/count", _count, (25, 1), permission=_SHOWN),
)
