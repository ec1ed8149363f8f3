"""Threats: what the agents' engines found. Each change of a threat is an event of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sentinelone_collector.normalize.attacks import attacks
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.detections import (
    CLASS_UID,
    CLOSE,
    CONFIDENCES,
    CREATE,
    PROFILES,
    STATES,
    UPDATE,
    VERDICTS,
    engine,
    malware,
    outcome,
)
from sentinelone_collector.normalize.devices import (
    address,
    agent,
    cloud,
    complete,
    interfaces,
    known,
    machine,
    names,
    owner,
    scope,
    system,
)
from sentinelone_collector.normalize.files import FileFields, linked, observe_process, present, read_file
from sentinelone_collector.normalize.ocsf import Observable
from sentinelone_collector.normalize.record import VENDOR, Context, stamp
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.states import base, basename, choose, finish, fresh, put, readable
from sentinelone_collector.normalize.values import epoch_ms, text
from sentinelone_collector.normalize.workloads import container, ecs, kubernetes
from sentinelone_collector.source.endpoint import Endpoint, Stream

__all__ = ["STREAM", "map_record"]

_FILE: Final = FileFields("threatName", "filePath", "md5", "sha1", "sha256")
_UNNAMED: Final = "Threat"
_OPEN: Final = frozenset({"failed", "partial", "pending", "pending_reboot"})


def map_record(record: Mapping[str, Any], raw: str, context: Context) -> Row:
    """Return the row of one state of a threat; raise `RecordError` where it has no time, nor an id that holds one."""
    top = Section(record)
    info, now, then = top.inner("threatInfo"), top.inner("agentRealtimeInfo"), top.inner("agentDetectionInfo")
    row = Row()
    seen: list[Observable] = []
    uid = text(top.peek("id")) or text(info.peek("threatId"))
    account = text(now.peek("accountId")) or text(then.peek("accountId"))
    changed = readable(info, "updatedAt", "createdAt", "identifiedAt")
    told = {"id": uid, "accountId": account}
    stamp(row, told, raw, context, changed, version=text(info.peek("updatedAt")))
    _know(top, info, uid)
    mitigation = info.word("mitigationStatus")
    profiles = (*PROFILES, "cloud") if cloud(row, then.inner("cloudProviders")) else PROFILES
    _device(row, seen, now, then)
    complete(row)
    then.repeats(now)
    _finding(row, top, info, seen)
    _triage(row, info)
    steps = top.items("mitigationStatus")
    row.update(outcome(mitigation, _succeeded(steps)))
    if mitigation != "marked_as_benign":
        put(row, {"remediation.desc": _left_to_do(steps, info)})
    row["message"] = _message(row, info)
    activity = _activity(info.word("incidentStatus"), row["time"], epoch_ms(info.peek("createdAt")))
    row.parts = (base(CLASS_UID, activity, _severity(info, mitigation), profiles),)
    row["is_alert"] = True
    finish(row, top, seen)
    return row


def _know(top: Section, info: Section, uid: str | None) -> None:
    """Count the id, which stands in a record twice, as mapped; a second one that differs stays."""
    for section, name in ((top, "id"), (info, "threatId")):
        if text(section.peek(name)) == uid:
            section.text(name)


def _activity(status: str, changed: int, created: int | None) -> int:
    if status == "resolved":
        return CLOSE
    return CREATE if status in ("unresolved", "") and fresh(changed, created) else UPDATE


def _severity(info: Section, mitigation: str) -> int:
    """Return 5 for what is malicious and not mitigated, 4 for other threats, 1 for what was judged harmless."""
    if mitigation == "marked_as_benign" or info.word("analystVerdict") == "false_positive":
        return 1
    confidence = info.word("confidenceLevel")
    if confidence == "malicious" and mitigation != "mitigated":
        return 5
    return 4 if confidence in ("malicious", "suspicious") else 3 if confidence == "n/a" else 0


def _device(row: Row, seen: list[Observable], now: Section, then: Section) -> None:
    """Write the endpoint: its name and system as they are now, its addresses as they were at the detection."""
    agent_id, agent_uuid = now.text("agentId"), now.text("agentUuid") or then.text("agentUuid")
    names(row, seen, uid=agent_id, uid_alt=agent_uuid, hostname=now.text("agentComputerName"))
    held = interfaces(row, seen, now.items("networkInterfaces"))
    old = (*then.addresses("agentIpV4"), *then.addresses("agentIpV6"))
    address(row, seen, (*(old or held), *then.addresses("externalIp")))
    if not known(row):
        return
    machine(row, now, "agentMachineType")
    state = now if text(now.peek("agentOsName")) is not None else then
    system(row, state, "agentOsType", "agentOsName", "agentOsRevision")
    put(row, {"device.domain": now.text("agentDomain") or then.text("agentDomain")})
    place = now if text(now.peek("accountId")) is not None else then
    scope(
        row,
        {
            "account": (place, "accountId", "accountName"),
            "site": (place, "siteId", "siteName"),
            "group": (place, "groupId", "groupName"),
        },
    )
    version = then.text("agentVersion") or now.text("agentVersion")
    if version is not None or agent_uuid is not None:
        agent(row, uid=agent_uuid, version=version)
    owner(row, seen, name=then.text("agentLastLoggedInUserName"), email=then.email("agentLastLoggedInUserMail"))


def _finding(row: Row, top: Section, info: Section, seen: list[Observable]) -> None:
    name, place = text(info.peek("threatName")), text(info.peek("filePath"))
    uid: str = row["metadata.original_event_uid"]
    row["finding_info.uid"] = uid
    row["finding_info.title"] = name or basename(place) or _UNNAMED
    malware(row, info, name or basename(place), place, VENDOR)
    indicators = top.items("indicators")
    texts = dict.fromkeys(told for item in indicators if (told := text(item.peek("description"))) is not None)
    put(
        row,
        {
            "finding_info.created_time": info.time("createdAt"),
            "finding_info.first_seen_time": info.time("identifiedAt"),
            "finding_info.modified_time": info.time("updatedAt"),
            "finding_info.desc": "\n".join(texts) or None,
            "finding_info.attacks": attacks(indicators) or None,
            "metadata.correlation_uid": info.text("storyline"),
        },
    )
    _engines(row, info)
    _evidence(row, top, info, uid, seen)


def _engines(row: Row, info: Section) -> None:
    found = [
        entry for item in info.items("detectionEngines") if (entry := engine(item.text("key"), item.text("title")))
    ]
    if not found and type(info.peek("engines")) is list:
        found = [engine(None, title) for title in info.texts("engines")]
    if found:
        row.update({f"finding_info.analytic.{attribute}": value for attribute, value in found[0].items()})
    if len(found) > 1:
        row["finding_info.related_analytics"] = found[1:]


def _evidence(row: Row, top: Section, info: Section, uid: str, seen: list[Observable]) -> None:
    image = read_file(info, _FILE, "evidences.file", seen)
    if image:
        image |= present(
            size=info.number("fileSize", bits=63),
            ext=info.text("fileExtension"),
            company_name=info.text("publisherName"),
        )
    pod = kubernetes(top.inner("kubernetesInfo"))
    tasks = ecs(top.inner("ecsInfo"))
    if pod or tasks:
        row["resources"] = [*pod, *tasks]
    evidence = present(
        file=image,
        process=_process(info, image, row.get("metadata.correlation_uid"), uid, seen),
    )
    if evidence:
        row["evidences"] = [evidence | present(container=container(top.inner("containerInfo")))]


def _process(
    info: Section, image: Mapping[str, Any], storyline: str | None, uid: str, seen: list[Observable]
) -> dict[str, Any]:
    """Return the threat's own process, with its originator as parent; the latter where the command line is unknown."""
    origin, line = info.text("originatorProcess"), text(info.peek("maliciousProcessArguments"))
    account = info.text("processUser") if origin is not None or (line is not None and image) else None
    user = {} if account is None else {"name": account}
    parent = {} if origin is None else {"uid": linked(storyline, uid, origin), "name": origin}
    if line is None or not image:
        if origin is not None:
            observe_process("evidences.process", origin, None, seen)
        return {**parent, **present(user=user)}
    name: str = image["name"]
    line = info.text("maliciousProcessArguments")
    observe_process("evidences.process", name, line, seen)
    own = {
        attribute: image[attribute] for attribute in ("name", "type_id", "type", "path", "hashes") if attribute in image
    }
    return present(
        uid=linked(storyline, uid, name), name=name, cmd_line=line, user=user, file=own, parent_process=parent
    )


def _triage(row: Row, info: Section) -> None:
    choose(row, info, "incidentStatus", STATES, "status")
    choose(row, info, "analystVerdict", VERDICTS, "verdict")
    choose(row, info, "confidenceLevel", CONFIDENCES, "confidence")
    put(row, {"ticket.uid": info.text("externalTicketId"), "status_detail": info.text("mitigationStatusDescription")})


def _succeeded(steps: Iterable[Section]) -> frozenset[str]:
    return frozenset(step.word("action") for step in steps if step.word("status") == "success")


def _left_to_do(steps: Iterable[Section], info: Section) -> str | None:
    """Return what is left to do: the steps of the mitigation that did not succeed, and a reboot."""
    left = [f"{step.word('action')} {step.word('status')}" for step in steps if step.word("status") in _OPEN]
    if info.peek("rebootRequired") is True:
        left.append("reboot required")
    return f"Finish the mitigation: {', '.join(left).replace('_', ' ')}." if left else None


def _message(row: Row, info: Section) -> str:
    host = row.get("device.hostname", "an unknown endpoint")
    states = [found for name in ("mitigationStatus", "incidentStatus") if (found := info.word(name).replace("_", " "))]
    title = row["finding_info.title"]
    called = title if title == _UNNAMED else f"{_UNNAMED} {title}"
    return ", ".join([f"{called} on {host}", *states])


STREAM = Stream(
    name="threats",
    endpoint=Endpoint(
        path="/threats",
        time_field="updatedAt",
        record_time=("threatInfo", "updatedAt"),
        sort_by="updatedAt",
        permission="Threats.view",
        page_size=1000,
        record_version=("threatInfo", "updatedAt"),
    ),
    map_record=map_record,
)
