"""Agents: the inventory of endpoints. Each change of an agent is an event of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.devices import (
    AGENT,
    address,
    agent,
    cloud,
    complete,
    interfaces,
    machine,
    names,
    owner,
    scope,
    system,
)
from sentinelone_collector.normalize.ocsf import Observable, caption
from sentinelone_collector.normalize.record import Context, stamp
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.states import base, finish, put, readable
from sentinelone_collector.normalize.values import text
from sentinelone_collector.source.endpoint import Endpoint, Stream

__all__ = ["STREAM", "map_record"]

_CLASS_UID, _COLLECT = 5001, 2
_INFORMATIONAL: Final = 1
_BITS: Final[Mapping[str, int]] = {"32_bit": 32, "64_bit": 64}


def map_record(record: Mapping[str, Any], raw: str, context: Context) -> Row:
    """Return the row of one state of an agent; raise `RecordError` where it has no time, nor an id that holds one."""
    top = Section(record)
    row = Row()
    seen: list[Observable] = []
    time = readable(top, "updatedAt", "createdAt", "registeredAt", "lastActiveDate")
    told = {"id": top.peek("id"), "accountId": top.peek("accountId")}
    stamp(row, told, raw, context, time, version=text(top.peek("updatedAt")))
    uuid = top.text("uuid")
    names(row, seen, uid=top.text("id"), uid_alt=uuid, hostname=top.text("computerName"))
    machine(row, top, "machineType")
    system(row, top, "osType", "osName", "osRevision")
    _hardware(row, top)
    _addresses(row, seen, top)
    account = (top, "accountId", "accountName")
    scope(row, {"account": account, "site": (top, "siteId", "siteName"), "group": (top, "groupId", "groupName")})
    agent(row, uid=uuid, version=top.text("agentVersion"))
    directory = top.inner("activeDirectory")
    owner(row, seen, name=top.text("lastLoggedInUserName") or top.text("osUsername"), email=directory.email("mail"))
    _life(row, top)
    profiles = ("host", "cloud") if cloud(row, top.inner("cloudProviders")) else ("host",)
    complete(row, required=True)
    row["message"] = f"State of the {AGENT} on {row.get('device.hostname', 'an unknown endpoint')}"
    row.parts = (base(_CLASS_UID, _COLLECT, _INFORMATIONAL, profiles),)
    finish(row, top, seen)
    return row


def _hardware(row: Row, top: Section) -> None:
    put(
        row,
        {
            "device.model": top.text("modelName"),
            "device.hw_info.serial_number": top.text("serialNumber"),
            "device.hw_info.cpu_type": top.text("cpuId"),
            "device.hw_info.cpu_count": top.number("cpuCount"),
            "device.hw_info.cpu_cores": top.number("coreCount"),
            "device.hw_info.ram_size": top.number("totalMemory"),
        },
    )
    if top.word("osArch") == "arm64":
        top.text("osArch")
        row["device.hw_info.cpu_architecture_id"] = 2
        row["device.hw_info.cpu_architecture"] = caption("cpu_architecture", 2)
    elif "device.os.name" in row:
        put(row, {"device.os.cpu_bits": top.choice("osArch", _BITS)})


def _addresses(row: Row, seen: list[Observable], top: Section) -> None:
    """Write the address that the agent reaches the console from, else its interfaces', else the one outside."""
    own = interfaces(row, seen, top.items("networkInterfaces"))
    address(row, seen, (*top.addresses("lastIpToMgmt"), *own, *top.addresses("externalIp")))
    put(row, {"device.domain": top.text("domain")})


def _life(row: Row, top: Section) -> None:
    """Write when the agent was first and last heard of, and whether it still manages the endpoint."""
    put(
        row,
        {
            "device.boot_time": top.time("osStartTime"),
            "device.created_time": top.time("createdAt"),
            "device.modified_time": top.time("updatedAt"),
            "device.first_seen_time": top.time("registeredAt"),
            "device.last_seen_time": top.time("lastActiveDate"),
        },
    )
    gone = [top.peek(name) for name in ("isUninstalled", "isDecommissioned")]
    if True in gone or False in gone:
        row["device.is_managed"] = True not in gone


STREAM = Stream(
    name="agents",
    endpoint=Endpoint(
        path="/agents",
        time_field="updatedAt",
        record_time=("updatedAt",),
        sort_by="updatedAt",
        permission="Endpoints.view",
        page_size=1000,
        record_version=("updatedAt",),
    ),
    map_record=map_record,
)
