"""The evidence of a rule's alert: processes, file, registry, network, name resolution, logon and module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinelone_collector.normalize.files import FileFields, ProcessFields, present, read_file, read_process
from sentinelone_collector.normalize.ocsf import Observable, caption, observable
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.states import basename
from sentinelone_collector.normalize.values import ips, text
from sentinelone_collector.normalize.workloads import container

__all__ = ["evidences"]

_PORT_BITS: Final = 16
_SOURCE: Final = ProcessFields(
    name="name",
    uid="uniqueId",
    pid="pid",
    line="commandline",
    started="pidStarttime",
    integrity="integrityLevel",
    user="user",
    image=FileFields("name", "filePath", "fileHashMd5", "fileHashSha1", "fileHashSha256"),
)
_TARGET: Final = ProcessFields(
    name="tgtProcName",
    uid="tgtProcUid",
    pid="tgtProcPid",
    line="tgtProcCmdLine",
    started="tgtProcessStartTime",
    integrity="tgtProcIntegrityLevel",
    user="",
    image=FileFields("tgtProcName", "tgtProcImagePath"),
)
_TARGET_FILE: Final = FileFields("", "tgtFilePath", "", "tgtFileHashSha1", "tgtFileHashSha256")
_MODULE: Final = FileFields("", "modulePath", "", "moduleSha1")
_DIRECTIONS: Final[Mapping[str, int]] = {"incoming": 1, "inbound": 1, "outgoing": 2, "outbound": 2}


def evidences(record: Section, seen: list[Observable]) -> list[dict[str, Any]]:
    """Return the evidences of an alert: what the source process did, the process it acted on, the module it loaded."""
    info, target = record.inner("alertInfo"), record.inner("targetProcessInfo")
    main = present(
        process=_source(record, seen),
        file=_file(target, seen),
        src_endpoint=_endpoint(info, "src", seen),
        dst_endpoint=_endpoint(info, "dst", seen),
        connection_info=_direction(info),
        query=_query(info, seen),
        user=_logon(info, seen),
        **_registry(info),
    )
    # OCSF does not take a container for evidence by itself.
    found = [main | present(container=container(record.inner("containerInfo")))] if main else []
    process = read_process(target, _TARGET, "evidences.process", seen)
    if process:
        found.append({"name": "Target process", "process": process})
    module = read_file(info, _MODULE, "evidences.file", seen)
    if module:
        found.append({"name": "Module", "file": module})
    return found


def _source(record: Section, seen: list[Observable]) -> dict[str, Any]:
    section, parent = record.inner("sourceProcessInfo"), record.inner("sourceParentProcessInfo")
    process = read_process(section, _SOURCE, "evidences.process", seen)
    if process:
        above = read_process(parent, _SOURCE, None, seen)
        if above:
            process["parent_process"] = above
    return process


def _file(target: Section, seen: list[Observable]) -> dict[str, Any]:
    image = read_file(target, _TARGET_FILE, "evidences.file", seen)
    if image:
        image |= present(
            uid=target.text("tgtFileId"),
            created_time=target.time("tgtFileCreatedAt"),
            modified_time=target.time("tgtFileModifiedAt"),
        )
    return image


def _endpoint(info: Section, side: str, seen: list[Observable]) -> dict[str, Any]:
    """Return one end of a connection; of a logon the source is the machine that it came from."""
    field = side + "Ip"
    if side == "src" and not ips(info.peek(field)):
        field = "srcMachineIp"
    addresses = info.addresses(field)
    if not addresses:
        return {}
    seen.extend(observable(f"evidences.{side}_endpoint.ip", 2, address) for address in addresses)
    return present(ip=addresses[0], port=info.number(side + "Port", bits=_PORT_BITS))


def _direction(info: Section) -> dict[str, Any]:
    found = info.choice("netEventDirection", _DIRECTIONS)
    return {} if found is None else {"direction_id": found, "direction": caption("direction", found)}


def _query(info: Section, seen: list[Observable]) -> dict[str, Any]:
    name = info.text("dnsRequest")
    if name is None:
        return {}
    seen.append(observable("evidences.query.hostname", 1, name))
    return {"hostname": name}


def _logon(info: Section, seen: list[Observable]) -> dict[str, Any]:
    name, sid = info.text("loginsUserName"), info.text("loginAccountSid")
    if name is None and sid is None:
        return {}
    if name is not None:
        seen.append(observable("evidences.user.name", 4, name))
    return present(name=name, uid=sid, domain=info.text("loginAccountDomain"))


def _registry(info: Section) -> dict[str, Any]:
    place = text(info.peek("registryPath"))
    key = info.text("registryKeyPath") or info.text("registryPath")
    if key is None:
        return {}
    found: dict[str, Any] = {"reg_key": {"path": key}}
    name = basename(place)
    if name is not None and text(info.peek("registryValue")) is not None:
        found["reg_value"] = {
            "name": name,
            "path": info.text("registryPath"),
            "reg_string_data": info.text("registryValue"),
        }
    return found
