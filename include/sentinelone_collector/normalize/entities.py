"""What people administer: entities of class 3004, and the resources that other operations of the console are on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sentinelone_collector.normalize.activity import SCOPE_READS, Activity, first, organisation, transition
from sentinelone_collector.normalize.findings import hash_kind, put
from sentinelone_collector.normalize.ocsf import observable
from sentinelone_collector.normalize.record import json_text
from sentinelone_collector.normalize.shapes import redact
from sentinelone_collector.normalize.table import Route
from sentinelone_collector.normalize.values import text

__all__ = ["ENTITIES", "entity_reads", "resource", "resource_reads"]

_HASH: Final = 8  # type of an observable


@dataclass(frozen=True, slots=True)
class _Entity:
    """How an entity is named: OCSF type, and where its id and name stand; `.x` is a field of the record itself.

    `data` are the fields of `data` that say what it is, under the vendor's names; `told_by_type` is the one of them
    that the activity type itself tells where the record does not.
    """

    type_id: int
    type: str
    uid: tuple[str, ...]
    name: tuple[str, ...]
    data: tuple[str, ...] = ()
    told_by_type: str = ""


_SCOPE = ("scopeLevel", "scopeName")
_RULE_SCOPE = ("ruleScopeLevel", "ruleScopeName")
_EXCLUDED = ("exclusionType", "value", "osFamily", "mode", "pathExclusionType", "source", "description", *_SCOPE)
_TRAFFIC = ("action", "direction", "protocol", "application", "status", "osTypes", *_RULE_SCOPE, *_SCOPE)
_KINDS: Mapping[str, _Entity] = {
    "policy": _Entity(
        5,
        "Policy",
        ("policyid",),
        ("policyname",),
        ("attr", "changedKeys", "oldValue", "newValue", "policyEnabled", *_SCOPE),
    ),
    "role": _Entity(99, "Role", ("roleid",), ("rolename",), ("description", *_SCOPE)),
    "exclusion": _Entity(
        99,
        "Exclusion",
        ("exclusionid",),
        ("value", "filecontenthash", ".hash", "exclusionname"),
        _EXCLUDED,
        "exclusionType",
    ),
    "blocklist": _Entity(99, "Blocklist", (), ("value", "filecontenthash", ".hash"), _EXCLUDED, "exclusionType"),
    "rule": _Entity(
        99,
        "Detection Rule",
        ("ruleid",),
        ("rulename",),
        ("ruleType", "severity", "queryType", "expiration", "treatAsThreat", *_RULE_SCOPE, *_SCOPE),
    ),
    "device_rule": _Entity(
        99,
        "Device Rule",
        ("ruleid",),
        ("rulename",),
        ("action", "ruleType", "interface", "deviceClass", "vendorId", "productId", "accessPermission", *_SCOPE),
    ),
    "firewall_rule": _Entity(99, "Firewall Rule", ("ruleid",), ("rulename",), _TRAFFIC),
    "quarantine_rule": _Entity(99, "Network Quarantine Rule", ("ruleid",), ("rulename",), _TRAFFIC),
    "site": _Entity(
        99,
        "Site",
        ("newsiteid", ".siteId", "siteid"),
        ("newsitename", ".siteName", "sitename"),
        ("changedKeys", "oldSiteName", "newSiteName", "expiration"),
    ),
    "account": _Entity(
        99,
        "Account",
        ("newaccountid", ".accountId", "accountid"),
        ("newaccountname", ".accountName", "accountname"),
        ("changedKeys", "oldAccountName", "newAccountName", "expiration"),
    ),
    "group": _Entity(
        3,
        "Group",
        ("newgroupid", ".groupId", "groupid"),
        ("newgroupname", ".groupName", "groupname"),
        ("changedKeys", "oldGroupName", "newGroupName", "oldRank", "newRank"),
    ),
    "device": _Entity(
        1,
        "Device",
        (".agentId",),
        ("computername",),
        (
            *("oldGroupId", "oldGroupName", "newGroupId", "newGroupName", "targetGroupName"),
            *("oldSiteName", "newSiteName", "targetSiteName", "consoleUrl", "externalId"),
        ),
    ),
}
# Where the id and the name of a resource stand, by the table's `detail`.
_RESOURCES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Agent package": (("packageid",), ("packagename", "filename", "name")),
    "Cloud account": (("cloudaccountid",), ("cloudaccountname", "name")),
    "Credential": (("credentialid",), ("credentialname", "credentialtitle", "name")),
    "Credential group": (("credentialgroupid",), ("credentialgroupname", "name")),
    "Device label": (("labelid",), ("labelname", "name")),
    "Device tag": (("tagid",), ("tagname", "name")),
    "Discovered device": (("deviceid",), ("devicename", "hostname")),
    "Dynamic group": (("groupid", ".groupId"), ("groupname", ".groupName", "name")),
    "File hash": ((), (".hash", "filecontenthash")),
    "Firewall tag": (("tagid",), ("tagname", "name")),
    "Location": (("locationid",), ("locationname", "name")),
    "Marketplace app": (("appid", "applicationid"), ("appname", "applicationname", "integrationname", "name")),
    "Mobile device": (("deviceid",), ("devicename",)),
    "Network": (("networkid",), ("networkname", "network")),
    "Network quarantine tag": (("tagid",), ("tagname", "name")),
    "Scheduled report": (("reportid",), ("reportname", "name")),
    "Script": (("scriptid",), ("scriptname", "name")),
    "Tag": (("tagid",), ("tagname", "tagkey", "key", "name")),
    "UEM connection": (("connectionid",), ("connectionname", "name")),
    "Workflow": (("workflowid",), ("workflowname", "name")),
}
_PLACES = (
    ("Group", (".groupId",), (".groupName", "groupname")),
    ("Site", (".siteId",), (".siteName", "sitename")),
    ("Account", (".accountId",), (".accountName", "accountname")),
)


def entity_reads(name: str) -> tuple[str, ...]:
    """Return the fields that an entity is written from."""
    kind = _KINDS[name]
    fields = [field.lower() for field in kind.data]
    place = () if kind.type == "Device" else SCOPE_READS
    system = (".osFamily",) if "osFamily" in kind.data else ()
    policy = ("policy",) if kind.type == "Policy" else ()
    return (*kind.uid, *kind.name, *fields, *place, *system, *policy, "scopename")


def resource_reads(route: Route) -> tuple[str, ...]:
    """Return the fields that the resources of an operation are written from."""
    uid, name = _RESOURCES.get(route.detail, ((), ()))
    return (*uid, *name, *SCOPE_READS)


def _entity(kind: _Entity, activity: Activity) -> None:
    row, route = activity.row, activity.route
    row["entity.type_id"] = kind.type_id
    row["entity.type"] = kind.type
    uid = first(activity, kind.uid)
    if uid is None and kind.type == "Policy":
        policy = activity.data.get("policy")
        uid = text(policy.get("id")) if type(policy) is dict else None
    name = first(activity, kind.name) or (None if kind.told_by_type else route.detail or None)
    if name is None and uid is None:
        name = text(activity.data.get("scopename")) or route.name
    put(row, "entity.uid", uid)
    put(row, "entity.name", name)
    if hash_kind(name):
        activity.observables.append(observable("entity.name", _HASH, str(name)))
    _place(kind, activity)
    told = _told(kind, activity)
    if told:
        row["entity.data"] = json_text(redact(told))
    transition(activity)


def _place(kind: _Entity, activity: Activity) -> None:
    if kind.type == "Device":  # its place stands in `device`
        return
    organisation(activity, "entity.org")
    if kind.type != "Group":
        put(activity.row, "entity.group.uid", first(activity, (".groupId",)))
        put(activity.row, "entity.group.name", first(activity, (".groupName", "groupname")))


def _told(kind: _Entity, activity: Activity) -> dict[str, Any]:
    found = {name: activity.data.get(name.lower()) for name in kind.data}
    if "osFamily" in found:
        found["osFamily"] = text(found["osFamily"]) or text(activity.record.get("osFamily"))
    if kind.told_by_type and text(found[kind.told_by_type]) is None:
        found[kind.told_by_type] = activity.route.detail or None
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


ENTITIES: Mapping[str, Callable[[Activity], None]] = {name: partial(_entity, kind) for name, kind in _KINDS.items()}


def resource(activity: Activity) -> None:
    """Write what an operation of the console was on, and then the narrowest scope that it was for."""
    row, kind = activity.row, activity.route.detail
    found: list[dict[str, str | None]] = []
    if kind:
        uids, names = _RESOURCES.get(kind, ((), ()))
        uid, name = first(activity, uids), first(activity, names)
        found.append({"uid": uid, "name": kind if uid is None and name is None else name, "type": kind})
        if hash_kind(name):
            activity.observables.append(observable("resources.name", _HASH, str(name)))
    for place, uids, names in _PLACES:
        uid, name = first(activity, uids), first(activity, names)
        if uid is not None or name is not None:
            found.append({"uid": uid, "name": name, "type": place})
            break
    if found:
        row["resources"] = found
    transition(activity)
