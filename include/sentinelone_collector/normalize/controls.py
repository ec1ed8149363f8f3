"""What endpoints let pass or held back: devices that were plugged in, and traffic that a firewall rule blocked."""

from __future__ import annotations

import re
from typing import Any

from sentinelone_collector.normalize.activity import Activity, first
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.findings import file, put
from sentinelone_collector.normalize.ocsf import caption, observable
from sentinelone_collector.normalize.values import ips, number, text

__all__ = ["connection", "peripheral"]

_PORT_BITS = 16
_DIRECTIONS = {"inbound": 1, "in": 1, "outbound": 2, "out": 2}
_GONE = frozenset({"disconnect", "disconnected"})


def peripheral(activity: Activity) -> None:
    """Write the device that an endpoint let in or not; without endpoint or device it is an operation only."""
    row, data = activity.row, activity.data
    uid = first(activity, ("deviceid", "uid", "serialnumber"))
    name = first(activity, ("devicename",)) or uid or first(activity, ("deviceclass",))
    if name is None or not _has_device(row):
        _operation(activity)
        return
    if (text(data.get("eventtype")) or "").lower() in _GONE:
        row.update(activity.route.bases["disconnect"])
    row["peripheral_device.name"] = name
    put(row, "peripheral_device.uid", uid)
    put(row, "peripheral_device.class", first(activity, ("deviceclass",)))
    put(row, "peripheral_device.serial_number", first(activity, ("serialnumber",)))
    put(row, "peripheral_device.vendor_name", first(activity, ("vendorname", "vendorid")))
    put(row, "peripheral_device.model", first(activity, ("productname", "productid")))
    put(row, "device.owner.name", first(activity, ("lastloggedinusername",)))
    put(row, "status_detail", _rule(activity))


def connection(activity: Activity) -> None:
    """Write the blocked connection: the endpoint on one side, the other host on the other, by its direction."""
    row, data = activity.row, activity.data
    # What is not `reported…` is the condition of the rule, which may be a range or `any`.
    direction = _DIRECTIONS.get((first(activity, ("reporteddirection", "direction")) or "").lower(), 0)
    near, far = ("dst_endpoint", "src_endpoint") if direction == 1 else ("src_endpoint", "dst_endpoint")
    remote = _side(activity, far, ("reportedremotehost",), "reportedremoteport")
    local = _side(activity, near, ("reportedlocalhost", "ipaddress"), "reportedlocalport")
    if not remote and not local:
        _operation(activity)
        return
    row["connection_info.direction_id"] = direction
    row["connection_info.direction"] = caption("traffic", direction)
    put(row, "connection_info.protocol_name", first(activity, ("reportedprotocol", "protocol")))
    count = number(data.get("numberofevents"))
    if count:
        row["count"] = count
    put(row, "firewall_rule.uid", first(activity, ("ruleid",)))
    put(row, "firewall_rule.name", first(activity, ("rulename",)))
    _process(activity)


def _has_device(row: Row) -> bool:
    return any("device.type_id" in part for part in row.parts)


def _operation(activity: Activity) -> None:
    row = activity.row
    row.update(activity.route.bases["bare"])
    row["api.operation"] = f"activity:{row['metadata.event_code']}"
    row["src_endpoint.svc_name"] = row.whole().get("actor.app_name", "SentinelOne")
    put(row, "status_detail", _rule(activity))


def _rule(activity: Activity) -> str | None:
    return first(activity, ("rulename", "ruleid"))


def _side(activity: Activity, path: str, hosts: tuple[str, ...], port: str) -> bool:
    """Write one side of a connection; return whether its host is known."""
    told = first(activity, hosts)
    if told is None:
        return False
    addresses = ips(told)
    if addresses:
        activity.row[path + ".ip"] = addresses[0]
        activity.observables.append(observable(path + ".ip", 2, addresses[0]))
    else:
        activity.row[path + ".hostname"] = told
        activity.observables.append(observable(path + ".hostname", 1, told))
    found = number(activity.data.get(port), bits=_PORT_BITS)
    if found:
        activity.row[path + ".port"] = found
    return True


def _process(activity: Activity) -> None:
    pid, path = number(activity.data.get("processid")), first(activity, ("processname",))
    if not pid:
        return
    row = activity.row
    row["actor.process.pid"] = pid
    image: dict[str, Any] = file(None, path, ())
    if not image:
        return
    row["actor.process.name"] = image["name"]
    activity.observables.append(observable("actor.process.name", 9, image["name"]))
    row["actor.process.file.name"] = image["name"]
    row["actor.process.file.type_id"], row["actor.process.file.type"] = image["type_id"], image["type"]
    if re.search(r"[\\/]", image["path"]):
        row["actor.process.file.path"] = image["path"]
