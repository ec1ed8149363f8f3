"""What endpoints let pass or held back: devices that were plugged in, and traffic that a firewall rule blocked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sentinelone_collector.normalize.activity import Activity
from sentinelone_collector.normalize.actors import CONSOLE
from sentinelone_collector.normalize.findings import file, put
from sentinelone_collector.normalize.ocsf import caption, observable
from sentinelone_collector.normalize.values import ips, number, text

__all__ = ["CONNECTION_READS", "PERIPHERAL_READS", "connection", "peripheral"]

PERIPHERAL_READS: Final = (
    *("deviceclass", "deviceid", "devicename", "eventtype", "lastloggedinusername", "productid", "productname"),
    *("ruleid", "rulename", "serialnumber", "uid", "vendorid", "vendorname"),
)
CONNECTION_READS: Final = (
    *("direction", "ipaddress", "localhost", "localport", "numberofevents", "processid", "processname", "protocol"),
    *("remotehost", "remoteport", "reporteddirection", "reportedlocalhost", "reportedlocalport", "reportedprotocol"),
    *("reportedremotehost", "reportedremoteport", "ruleid", "rulename"),
)

_PORT_BITS = 16
_DIRECTIONS = {"inbound": 1, "in": 1, "outbound": 2, "out": 2}
_GONE: Final = frozenset({"disconnect", "disconnected", "Disconnected"})


def peripheral(activity: Activity) -> None:
    """Write the device that an endpoint let in or not; without endpoint or device it is an operation only."""
    row, get = activity.row, activity.data.get
    uid = text(get("deviceid")) or text(get("uid")) or text(get("serialnumber"))
    kind = text(get("deviceclass"))
    name = text(get("devicename")) or uid or kind
    if name is None or not any("device.type_id" in part for part in row.parts):
        _operation(activity)
        return
    if text(get("eventtype")) in _GONE:
        row.parts = (activity.route.bases["disconnect"], *row.parts[1:])
    row["peripheral_device.name"] = name
    put(row, "peripheral_device.uid", uid)
    put(row, "peripheral_device.class", kind)
    put(row, "peripheral_device.serial_number", text(get("serialnumber")))
    put(row, "peripheral_device.vendor_name", text(get("vendorname")) or text(get("vendorid")))
    put(row, "peripheral_device.model", text(get("productname")) or text(get("productid")))
    put(row, "device.owner.name", text(get("lastloggedinusername")))
    put(row, "status_detail", text(get("rulename")) or text(get("ruleid")))


def connection(activity: Activity) -> None:
    """Write the blocked connection: the endpoint on one side, the other host on the other, by its direction."""
    row, get = activity.row, activity.data.get
    remote = text(get("reportedremotehost")) or _single(get("remotehost"))
    local = text(get("reportedlocalhost")) or _single(get("localhost")) or text(get("ipaddress"))
    if remote is None and local is None:
        _operation(activity)
        return
    told = text(get("reporteddirection")) or text(get("direction")) or ""
    direction = _DIRECTIONS.get(told.lower(), 0)
    near, far = ("dst_endpoint", "src_endpoint") if direction == 1 else ("src_endpoint", "dst_endpoint")
    _side(activity, far, remote, text(get("reportedremoteport")) or get("remoteport"))
    _side(activity, near, local, text(get("reportedlocalport")) or get("localport"))
    row["connection_info.direction_id"] = direction
    row["connection_info.direction"] = caption("direction", direction)
    put(row, "connection_info.protocol_name", text(get("reportedprotocol")) or text(get("protocol")))
    count = number(get("numberofevents"))
    if count:
        row["count"] = count
    put(row, "firewall_rule.uid", text(get("ruleid")))
    put(row, "firewall_rule.name", text(get("rulename")))
    _process(activity)


def _single(condition: Any) -> str | None:
    """Return the address that a rule asks for; what is not `reported…` may also be a range, a name or `any`."""
    told = text(condition)
    return told if told is not None and "," not in told and ips(told) else None


def _operation(activity: Activity) -> None:
    row, get = activity.row, activity.data.get
    row.parts = (activity.route.bases["bare"], *row.parts[1:])
    row["api.operation"] = f"activity:{row.parts[0]['metadata.event_code']}"
    row["src_endpoint.svc_name"] = row.parts[1].get("actor.app_name", CONSOLE)
    put(row, "status_detail", text(get("rulename")) or text(get("ruleid")))


def _side(activity: Activity, path: str, host: str | None, port: Any) -> None:
    if host is None:
        return
    addresses = ips(host)
    if addresses:
        activity.row[path + ".ip"] = addresses[0]
        activity.observables.append(observable(path + ".ip", 2, addresses[0]))
    else:
        activity.row[path + ".hostname"] = host
        activity.observables.append(observable(path + ".hostname", 1, host))
    found = number(port, bits=_PORT_BITS)
    if found:
        activity.row[path + ".port"] = found


@lru_cache(maxsize=1 << 12)
def _image(path: str) -> Mapping[str, Any]:
    """Return the attributes of the process that the image at this path is of."""
    image = file(None, path, ())
    if not image:
        return {}
    found = {
        "actor.process.name": image["name"],
        "actor.process.file.name": image["name"],
        "actor.process.file.type_id": image["type_id"],
        "actor.process.file.type": image["type"],
    }
    return found if image["name"] == path else found | {"actor.process.file.path": path}


def _process(activity: Activity) -> None:
    pid, path = number(activity.data.get("processid")), text(activity.data.get("processname"))
    if not pid:
        return
    activity.row["actor.process.pid"] = pid
    image = {} if path is None else _image(path)
    if image:
        activity.row.update(image)
        activity.observables.append(observable("actor.process.name", 9, image["actor.process.name"]))
