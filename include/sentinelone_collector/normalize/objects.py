"""What an activity was done to: one function for each word in the `object` column of the routing table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from sentinelone_collector.normalize.actors import ACTOR_READS, CONSOLE, user
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.findings import Finding, alert, threat
from sentinelone_collector.normalize.ocsf import caption, observable
from sentinelone_collector.normalize.record import VENDOR
from sentinelone_collector.normalize.shapes import Fields
from sentinelone_collector.normalize.table import Route
from sentinelone_collector.normalize.values import ips, text

__all__ = ["DEVICE_READS", "OBJECTS", "ONE_OFF", "Activity", "actor_role", "device", "endpoint", "reads"]

_WITH_ENDPOINT: Final = frozenset({3001, 3002, 3004, 3005, 6003})  # classes that have a src_endpoint
_API_ACTIVITY: Final = 6003
_ON_USERS: Final = frozenset({"login", "user", "role_change"})
_MACHINES = {"server": 1, "desktop": 2, "laptop": 3}
_SYSTEMS = {"windows": 100, "linux": 200, "macos": 300, "osx": 300}
_ADMIN, _SERVICE, _OTHER = 2, 4, 99
# Which fields the functions below read; `.x` is a field of the record itself, the others stand in `data`.
DEVICE_READS: Final = (
    *(".agentId", ".accountId", ".accountName", ".siteId", ".siteName", ".groupId", ".groupName", ".osFamily"),
    *("accountname", "computername", "externalip", "groupname", "sitename", "uuid"),
    *("origagentmachinetype", "origagentname", "origagentosfamily", "origagentosname", "origagentosrevision"),
    "origagentuuid",
)
ONE_OFF: Final = frozenset({"alert", "remediation", "threat"})  # objects that tell of one activity alone
_READS: Mapping[str, tuple[str, ...]] = {
    "event": (),
    "login": ("role", "reason", ".comments"),
    "user": ("role",),
    "role_change": ("role", "oldrole", "scopelevelname", "scopename", "userscope"),
    "agent": (".agentUpdatedVersion",),
    "scan": (),
}


@dataclass(slots=True)
class Activity(Finding):
    """One activity on its way into a row; `data` has folded keys."""

    route: Route
    by_user: bool = False


def endpoint(activity: Activity) -> None:
    """Write where a user came from; addresses of other activities are the agent's."""
    row, route = activity.row, activity.route
    if route.class_uid not in _WITH_ENDPOINT:
        return
    if activity.by_user:
        addresses = ips(activity.data.get("ipaddress"))
        if addresses:
            row["src_endpoint.ip"] = addresses[0]
            activity.observables.extend(observable("src_endpoint.ip", 2, address) for address in addresses)
            return
    if route.class_uid == _API_ACTIVITY:  # an API Activity must name its source
        row["src_endpoint.svc_name"] = row.get("actor.app_name", CONSOLE)


def device(activity: Finding) -> None:
    """Write the endpoint that the activity is about, where it names one."""
    record, data, row, seen = activity.record, activity.data, activity.row, activity.observables
    uid = text(record.get("agentId"))
    host = text(data.get("computername")) or text(data.get("origagentname"))
    if uid is None and host is None:
        return
    kind = _MACHINES.get(text(data.get("origagentmachinetype")) or "", 0)
    row["device.type_id"] = kind
    row["device.type"] = caption("device", kind)
    if uid is not None:
        row["device.uid"] = uid
        seen.append(observable("device.uid", 10, uid))
    if host is not None:
        row["device.hostname"] = host
        seen.append(observable("device.hostname", 1, host))
    _set(row, "device.uid_alt", text(data.get("uuid")) or text(data.get("origagentuuid")))
    addresses = ips(data.get("externalip"))
    if addresses:
        row["device.ip"] = addresses[0]
        for address in addresses:
            seen.append(observable("device.ip", 2, address))  # a generator costs more for one address
    _device_scope(record, data, row)
    _device_system(activity)


def _device_scope(record: Fields, data: Fields, row: Row) -> None:
    account = text(record.get("accountId"))
    account_name = text(record.get("accountName")) or text(data.get("accountname"))
    if account is not None or account_name is not None:
        _set(row, "device.org.uid", account)
        _set(row, "device.org.name", account_name)
        _set(row, "device.org.ou_uid", text(record.get("siteId")))
        _set(row, "device.org.ou_name", text(record.get("siteName")) or text(data.get("sitename")))
    group, group_name = text(record.get("groupId")), text(record.get("groupName")) or text(data.get("groupname"))
    if group is not None or group_name is not None:
        row["device.groups"] = [(group, group_name)]


def _device_system(activity: Finding) -> None:
    family = text(activity.record.get("osFamily")) or text(activity.data.get("origagentosfamily"))
    kind = _SYSTEMS.get((family or "").lower())
    if kind is not None:
        row = activity.row
        row["device.os.type_id"] = kind
        row["device.os.type"] = caption("os", kind)
        row["device.os.name"] = text(activity.data.get("origagentosname")) or family
        _set(row, "device.os.version", text(activity.data.get("origagentosrevision")))


def _set(row: Row, path: str, value: str | None) -> None:
    if value is not None:
        row[path] = value


def actor_role(activity: Activity) -> None:
    """Write the role of the acting user; where users are acted on, `role` is that of the other one."""
    if activity.by_user and activity.route.object not in _ON_USERS:
        _role(activity, "actor.user")


def _event(activity: Activity) -> None:
    kind = activity.row.whole().get("metadata.event_code", "unknown")
    activity.row["api.operation"] = f"activity:{kind}"


def _login(activity: Activity) -> None:
    record, data, row = activity.record, activity.data, activity.row
    row["service.name"] = CONSOLE
    if not user(row, "user", text(data.get("username")), text(record.get("userId")), []):
        row["user.name"] = "unknown"
    _role(activity, "user", *(("actor.user",) if activity.by_user else ()))
    _set(row, "status_detail", text(record.get("comments")) or text(data.get("reason")))


def _user(activity: Activity) -> None:
    """Write the user that something was done to; the record's `userId` is his own only if nobody else acted."""
    record, data, row = activity.record, activity.data, activity.row
    name = text(data.get("username"))
    own = name is not None and text(data.get("byuser")) is None and activity.by_user
    if not user(row, "user", name, text(record.get("userId")) if own else None, activity.observables):
        row["user.name"] = "unknown"
    if activity.route.detail == "service":
        row["user.type_id"], row["user.type"] = _SERVICE, "Service"
    else:
        _role(activity, "user", *(("actor.user",) if own else ()))


def _role(activity: Activity, *paths: str) -> None:
    role = text(activity.data.get("role"))
    if role is None:
        return
    kind = _ADMIN if role.lower() == "admin" else _OTHER
    for path in paths:
        activity.row[path + ".type_id"] = kind
        activity.row[path + ".type"] = "Admin" if kind == _ADMIN else role


def _role_change(activity: Activity) -> None:
    data, row = activity.data, activity.row
    role = text(data.get("role"))
    if role is None or role == text(data.get("oldrole")) or text(data.get("oldrole")) is None:
        row.parts = (activity.route.bases["same role"],)
    else:
        scope = text(data.get("scopelevelname")) or text(data.get("scopename")) or text(data.get("userscope"))
        row["privileges"] = [role if scope is None else f"{role}@{scope}"]
    _user(activity)


def _agent(activity: Activity) -> None:
    row = activity.row
    row["app.name"] = "SentinelOne Agent"
    row["app.vendor_name"] = VENDOR
    _set(row, "app.version", text(activity.record.get("agentUpdatedVersion")))


def _scan(activity: Activity) -> None:
    row, name = activity.row, activity.route.detail
    row["scan.name"] = name
    row["scan.type_id"], row["scan.type"] = (0, "Unknown") if name == "Full Disk Scan" else (1, "Manual")


def _remediation(activity: Activity) -> None:
    record, row = activity.record, activity.row
    target = text(record.get("threatId"))
    row["command_uid"] = row["metadata.original_event_uid"] if target is None else f"{target}:{activity.route.detail}"
    _set(row, "status_detail", text(activity.data.get("globalstatus")))


@dataclass(frozen=True, slots=True)
class _Entity:
    """How an entity is named: OCSF type, and where its id and name stand; `.x` is a field of the record itself."""

    type_id: int
    type: str
    uid: tuple[str, ...]
    name: tuple[str, ...]


_ENTITIES: Mapping[str, _Entity] = {
    "policy": _Entity(5, "Policy", ("policyid",), ("policyname",)),
    "role": _Entity(99, "Role", ("roleid",), ("rolename",)),
    "exclusion": _Entity(99, "Exclusion", ("exclusionid",), ("value", "filecontenthash", ".hash", "exclusionname")),
    "blocklist": _Entity(99, "Blocklist", (), ("value", "filecontenthash", ".hash")),
    "rule": _Entity(99, "Detection Rule", ("ruleid",), ("rulename",)),
    "device_rule": _Entity(99, "Device Rule", ("ruleid",), ("rulename",)),
    "firewall_rule": _Entity(99, "Firewall Rule", ("ruleid",), ("rulename",)),
    "quarantine_rule": _Entity(99, "Network Quarantine Rule", ("ruleid",), ("rulename",)),
    "site": _Entity(99, "Site", (".siteId", "siteid"), (".siteName", "sitename")),
    "account": _Entity(99, "Account", (".accountId", "accountid"), (".accountName", "accountname")),
    "group": _Entity(3, "Group", (".groupId", "groupid"), (".groupName", "groupname")),
    "device": _Entity(1, "Device", (".agentId",), ("computername",)),
}


def _entity(kind: _Entity, activity: Activity) -> None:
    row, route = activity.row, activity.route
    row["entity.type_id"] = kind.type_id
    row["entity.type"] = kind.type
    uid = _first(activity, kind.uid)
    if uid is None and kind.type == "Policy":
        policy = activity.data.get("policy")
        uid = text(policy.get("id")) if type(policy) is dict else None
    name = _first(activity, kind.name) or route.detail or None
    if name is None and uid is None:
        name = text(activity.data.get("scopename")) or route.name
    _set(row, "entity.uid", uid)
    _set(row, "entity.name", name)


def _first(activity: Activity, names: tuple[str, ...]) -> str | None:
    for name in names:
        value = activity.record.get(name[1:]) if name.startswith(".") else activity.data.get(name)
        found = text(value)
        if found is not None:
            return found
    return None


OBJECTS: Mapping[str, Callable[[Activity], None]] = {
    "event": _event,
    "login": _login,
    "user": _user,
    "role_change": _role_change,
    "agent": _agent,
    "scan": _scan,
    "remediation": _remediation,
    "alert": alert,
    "threat": threat,
    **{name: partial(_entity, kind) for name, kind in _ENTITIES.items()},
}


def reads(route: Route) -> tuple[str, ...]:
    """Return the fields that an activity's actor and source, and its object unless it is one-off, are written from."""
    kind = _ENTITIES.get(route.object)
    own = _READS.get(route.object, ()) if kind is None else (*kind.uid, *kind.name, "policy", "scopename")
    agent = (".agentId",) if route.actor == "agent" else ()
    address = ("ipaddress",) if route.class_uid in _WITH_ENDPOINT else ()
    return (*ACTOR_READS, "role", *own, *agent, *address)
