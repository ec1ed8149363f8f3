"""What an activity was done to: one function for each word in the `object` column of the routing table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sentinelone_collector.normalize.activity import SCOPE_READS, Activity, first, organisation, transition
from sentinelone_collector.normalize.actors import ACTOR_READS, AGENT, CONSOLE, user
from sentinelone_collector.normalize.columns import JOINED, Row
from sentinelone_collector.normalize.controls import CONNECTION_READS, PERIPHERAL_READS, connection, peripheral
from sentinelone_collector.normalize.entities import ENTITIES, entity_reads, resource, resource_reads
from sentinelone_collector.normalize.findings import (
    ALERT_READS,
    INCIDENT_READS,
    THREAT_READS,
    Finding,
    alert,
    hash_kind,
    incident,
    put,
    threat,
)
from sentinelone_collector.normalize.ocsf import MACHINES, SYSTEMS, Observable, caption, observable
from sentinelone_collector.normalize.record import VENDOR
from sentinelone_collector.normalize.shapes import Fields
from sentinelone_collector.normalize.table import Route
from sentinelone_collector.normalize.values import email, ips, text

__all__ = [
    "DEVICE_READS",
    "OBJECTS",
    "ONE_OFF",
    "Activity",
    "actor_role",
    "device",
    "endpoint",
    "one_off",
    "one_off_reads",
    "reads",
]

_WITH_ENDPOINT: Final = frozenset({3001, 3002, 3004, 3005, 6003})  # classes that have a src_endpoint
_API_ACTIVITY: Final = 6003
_ON_USERS: Final = frozenset({"login", "user", "role_change"})
_ADMIN, _SERVICE, _OTHER = 2, 4, 99
_BY_HAND: Final = frozenset({"On-Demand Scan", "CIS Scan"})
# Which fields the functions below read; `.x` is a field of the record itself, the others stand in `data`.
DEVICE_READS: Final = (
    *(".agentId", ".accountId", ".accountName", ".siteId", ".siteName", ".groupId", ".groupName", ".osFamily"),
    *("accountname", "computername", "externalip", "groupname", "sitename", "uuid"),
    *("origagentmachinetype", "origagentname", "origagentosfamily", "origagentosname", "origagentosrevision"),
    *("origagentuuid", "origagentversion", "agentipv4"),
)
ONE_OFF: Final[Mapping[str, tuple[str, ...]]] = {
    "alert": ALERT_READS,
    "connection": CONNECTION_READS,
    "incident": INCIDENT_READS,
    "peripheral": PERIPHERAL_READS,
    "remediation": (".threatId", "filecontenthash", "filedisplayname", "globalstatus"),
    "threat": THREAT_READS,
}  # objects that tell of one activity alone
_TARGET_READS: Final = ("email", "fullname", "recoveryemail", "role", *SCOPE_READS)
_READS: Mapping[str, tuple[str, ...]] = {
    "event": (),
    "login": ("role", "reason", ".comments", *SCOPE_READS),
    "user": _TARGET_READS,
    "role_change": ("oldrole", "scopelevelname", "scopename", "userscope", *_TARGET_READS),
    "agent": (".agentUpdatedVersion", "disabledlevel", "enabledreason", "newversion"),
    "console": ("newversion", "version"),
    "scan": ("status",),
}


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
    kind = MACHINES.get(text(data.get("origagentmachinetype")) or "", 0)
    row["device.type_id"] = kind
    row["device.type"] = caption("device", kind)
    if uid is not None:
        row["device.uid"] = uid
        seen.append(observable("device.uid", 10, uid))
    if host is not None:
        row["device.hostname"] = host
        seen.append(observable("device.hostname", 1, host))
    version = text(data.get("origagentversion"))
    if version is not None:
        # In the order of the schema: name, type, its caption, uid, version, vendor.
        row["device.agent_list"] = [(AGENT, 1, "Endpoint Detection and Response", uid, version, VENDOR)]
    put(row, "device.uid_alt", text(data.get("uuid")) or text(data.get("origagentuuid")))
    addresses = ips(data.get("externalip"))
    if addresses:
        row["device.ip"] = addresses[0]
        for address in addresses:
            seen.append(observable("device.ip", 2, address))  # a generator costs more for one address
    _device_addresses(activity)
    _device_scope(record, data, row)
    _device_system(activity)


def _device_addresses(activity: Finding) -> None:
    """Write the addresses inside of the endpoint's own networks; its `ip` is the one that the console sees."""
    addresses = ips(activity.data.get("agentipv4"))
    if addresses:
        # In the order of the schema: name, type, its caption, ip, mac, uid.
        activity.row["device.network_interfaces"] = [(None, 0, "Unknown", address, None, None) for address in addresses]
        for address in addresses:
            activity.observables.append(observable("device.network_interfaces.ip", 2, address))


def _device_scope(record: Fields, data: Fields, row: Row) -> None:
    account = text(record.get("accountId"))
    account_name = text(record.get("accountName")) or text(data.get("accountname"))
    if account is not None or account_name is not None:
        put(row, "device.org.uid", account)
        put(row, "device.org.name", account_name)
        put(row, "device.org.ou_uid", text(record.get("siteId")))
        put(row, "device.org.ou_name", text(record.get("siteName")) or text(data.get("sitename")))
    group, group_name = text(record.get("groupId")), text(record.get("groupName")) or text(data.get("groupname"))
    if group is not None or group_name is not None:
        row["device.groups"] = [(group, group_name)]


def _device_system(activity: Finding) -> None:
    family = text(activity.record.get("osFamily")) or text(activity.data.get("origagentosfamily"))
    kind = SYSTEMS.get((family or "").lower())
    if kind is not None:
        row = activity.row
        row["device.os.type_id"] = kind
        row["device.os.type"] = caption("os", kind)
        row["device.os.name"] = text(activity.data.get("origagentosname")) or family
        put(row, "device.os.version", text(activity.data.get("origagentosrevision")))


def actor_role(activity: Activity) -> None:
    """Write the role of the acting user; where users are acted on, `role` is that of the other one."""
    if activity.by_user and activity.route.object not in _ON_USERS:
        _role(activity, "actor.user")


def _event(activity: Activity) -> None:
    kind = activity.row.whole().get("metadata.event_code", "unknown")
    activity.row["api.operation"] = f"activity:{kind}"


def _resource(activity: Activity) -> None:
    _event(activity)
    resource(activity)


def _login(activity: Activity) -> None:
    record, data, row = activity.record, activity.data, activity.row
    row["service.name"] = CONSOLE
    if activity.route.detail == "mfa":
        row["is_mfa"] = True
    if not user(row, "user", text(data.get("username")), text(record.get("userId")), []):
        row["user.name"] = "unknown"
    _role(activity, "user", *(("actor.user",) if activity.by_user else ()))
    organisation(activity, "user.org")
    put(row, "status_detail", text(record.get("comments")) or text(data.get("reason")))


def _user(activity: Activity) -> None:
    """Write the user that something was done to; the record's `userId` is his own only if nobody else acted."""
    record, data, row = activity.record, activity.data, activity.row
    name = text(data.get("username"))
    own = name is not None and text(data.get("byuser")) is None and activity.by_user
    if not user(row, "user", name, text(record.get("userId")) if own else None, activity.observables):
        row["user.name"] = "unknown"
    if "user.email_addr" not in row:
        address = email(data.get("email")) or email(data.get("recoveryemail"))
        if address is not None:
            row["user.email_addr"] = address
            activity.observables.append(observable("user.email_addr", 5, address))
    put(row, "user.full_name", text(data.get("fullname")))
    organisation(activity, "user.org")
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
    transition(activity)


def _agent(activity: Activity) -> None:
    row = activity.row
    row["app.name"] = AGENT
    row["app.vendor_name"] = VENDOR
    put(row, "app.version", first(activity, (".agentUpdatedVersion", "newversion")))
    put(row, "status_detail", first(activity, ("enabledreason", "disabledlevel")))


def _console(activity: Activity) -> None:
    row = activity.row
    row["app.name"] = CONSOLE
    row["app.vendor_name"] = VENDOR
    put(row, "app.version", first(activity, ("newversion", "version")))


def _scan(activity: Activity) -> None:
    row, name = activity.row, activity.route.detail
    row["scan.name"] = name
    row["scan.type_id"], row["scan.type"] = (1, "Manual") if name in _BY_HAND else (0, "Unknown")
    put(row, "status_detail", text(activity.data.get("status")))


def _remediation(activity: Activity) -> None:
    record, data, row, kind = activity.record, activity.data, activity.row, activity.route.detail
    target = text(record.get("threatId"))
    row["command_uid"] = row["metadata.original_event_uid"] if target is None else f"{target}:{kind}"
    row["remediation.desc"] = kind
    put(row, "status_detail", text(data.get("globalstatus")))
    # The class has no place for the file; these point to where it stands.
    name, content = text(data.get("filedisplayname")), text(data.get("filecontenthash"))
    if name is not None:
        activity.observables.append(observable("unmapped.data.fileDisplayName", 7, name))
    if content is not None and hash_kind(content):
        activity.observables.append(observable("unmapped.data.fileContentHash", 8, content))


def _threat(activity: Activity) -> None:
    threat(activity)
    transition(activity)


def _incident(activity: Activity) -> None:
    incident(activity)
    transition(activity)


OBJECTS: Mapping[str, Callable[[Activity], None]] = {
    "event": _event,
    "resource": _resource,
    "login": _login,
    "user": _user,
    "role_change": _role_change,
    "agent": _agent,
    "console": _console,
    "scan": _scan,
    "remediation": _remediation,
    "alert": alert,
    "incident": _incident,
    "threat": _threat,
    "connection": connection,
    "peripheral": peripheral,
    **ENTITIES,
}


def reads(route: Route) -> tuple[str, ...]:
    """Return the fields that an activity's actor and source, and its object unless it is one-off, are written from."""
    agent = (".agentId",) if route.actor == "agent" else ()
    address = ("ipaddress",) if route.class_uid in _WITH_ENDPOINT else ()
    return (*ACTOR_READS, "role", *_own(route), *route.change, *agent, *address)


def _own(route: Route) -> tuple[str, ...]:
    if route.object in ENTITIES:
        return entity_reads(route.object)
    return resource_reads(route) if route.object == "resource" else _READS.get(route.object, ())


def one_off_reads(route: Route) -> tuple[str, ...]:
    """Return the fields that an object is written from which tells of one activity alone; none for any other object."""
    return (*ONE_OFF[route.object], *route.change) if route.object in ONE_OFF else ()


def one_off(route: Route, row: Row, record: Fields, data: Fields) -> None:
    """Write into an activity's own row what its object tells of it alone; `data` has folded keys."""
    seen: list[Observable] = []
    OBJECTS[route.object](Activity(row, record, data, seen, route))
    if seen:
        row[JOINED] = seen
