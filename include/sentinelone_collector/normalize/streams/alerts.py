"""Alerts of detection rules (`/cloud-detection/alerts`): what a rule, a custom one or the platform's, has found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.detections import (
    CLASS_UID,
    CLOSE,
    CREATE,
    PROFILES,
    SEVERITIES,
    STATES,
    UPDATE,
    VERDICTS,
)
from sentinelone_collector.normalize.devices import agent, complete, known, machine, names, scope, system
from sentinelone_collector.normalize.evidence import evidences
from sentinelone_collector.normalize.ocsf import Observable, caption
from sentinelone_collector.normalize.record import Context, stamp
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.states import base, choose, finish, fresh, put, readable
from sentinelone_collector.normalize.values import epoch_ms, text
from sentinelone_collector.normalize.workloads import kubernetes
from sentinelone_collector.source.endpoint import Endpoint, Pass, Stream

__all__ = ["STREAM", "map_record"]

_TREATED: Final[Mapping[str, int]] = {"suspicious": 2, "malicious": 3}


def map_record(record: Mapping[str, Any], raw: str, context: Context) -> Row:
    """Return the row of one state of an alert; raise `RecordError` where it has no time, nor an id that holds one."""
    top = Section(record)
    info, rule = top.inner("alertInfo"), top.inner("ruleInfo")
    now, then = top.inner("agentRealtimeInfo"), top.inner("agentDetectionInfo")
    row = Row()
    seen: list[Observable] = []
    told = {"id": text(info.peek("alertId")), "accountId": text(then.peek("accountId"))}
    time = readable(info, "reportedAt", "createdAt", "updatedAt")
    stamp(row, told, raw, context, time, version=_version(info))
    info.text("alertId")
    put(row, {"metadata.correlation_uid": top.inner("sourceProcessInfo").text("storyline")})
    _device(row, seen, now, then)
    complete(row)
    _finding(row, info, rule)
    found = evidences(top, seen)
    if found:
        row["evidences"] = found
    pod = kubernetes(top.inner("kubernetesInfo"))
    if pod:
        row["resources"] = pod
    choose(row, info, "incidentStatus", STATES, "status")
    choose(row, info, "analystVerdict", VERDICTS, "verdict")
    row["action_id"], row["action"] = 3, caption("action", 3)
    row["is_alert"] = True
    row["message"] = f"{row['finding_info.title']} on {row.get('device.hostname', 'an unknown endpoint')}"
    severity = SEVERITIES.get(rule.word("severity"), 0)
    rule.choice("severity", SEVERITIES)
    row.parts = (base(CLASS_UID, _activity(info), severity, PROFILES),)
    finish(row, top, seen)
    return row


def _version(info: Section) -> str | None:
    """Return what tells the states of an alert apart: `updatedAt`, else status and verdict.

    An alert that is read again unchanged has the same version. One whose verdict was changed has another, since the
    console moves `updatedAt` with each change; where a record lacks that field, status and verdict stand for it.
    """
    changed = text(info.peek("updatedAt"))
    if changed is not None:
        return changed
    words = info.word("incidentStatus"), info.word("analystVerdict")
    return "/".join(words) if any(words) else None


def _activity(info: Section) -> int:
    status = info.word("incidentStatus")
    if status == "resolved":
        return CLOSE
    times = (epoch_ms(info.peek(name)) for name in ("updatedAt", "createdAt", "reportedAt"))
    return CREATE if status in ("unresolved", "") and fresh(*times) else UPDATE


def _device(row: Row, seen: list[Observable], now: Section, then: Section) -> None:
    """Write the endpoint as it was at the detection; the id of its agent is in the newer section only."""
    uuid = then.text("uuid") or now.text("uuid")
    names(row, seen, uid=now.text("id"), uid_alt=uuid, hostname=then.text("name") or now.text("name"))
    if not known(row):
        return
    if then.word("machineType"):
        machine(row, then, "machineType")
    else:
        machine(row, now, "machineType")
    system(row, then, "osFamily", "osName", "osRevision")
    if "device.os.name" not in row:
        system(row, now, "os", "osName", "osRevision")
    place = (then, "accountId", "accountName")
    scope(row, {"account": place, "site": (then, "siteId", "siteName"), "group": (then, "groupId", "groupName")})
    version = then.text("version")
    if version is not None or uuid is not None:
        agent(row, uid=uuid, version=version)
    now.repeats(then)


def _finding(row: Row, info: Section, rule: Section) -> None:
    name, uid = rule.text("name"), rule.text("id")
    row["finding_info.uid"] = row["metadata.original_event_uid"]
    row["finding_info.title"] = name or "Alert of a detection rule"
    if name is not None or uid is not None:
        row["finding_info.analytic.type_id"], row["finding_info.analytic.type"] = 1, caption("analytic", 1)
    confidence = rule.choice("treatAsThreat", _TREATED)
    category = info.text("indicatorCategory")
    put(
        row,
        {
            "confidence_id": confidence,
            "confidence": None if confidence is None else caption("confidence", confidence),
            "finding_info.analytic.name": name,
            "finding_info.analytic.uid": uid,
            "finding_info.analytic.category": None if name is None and uid is None else rule.text("queryType"),
            "finding_info.desc": rule.text("description") or info.text("indicatorDescription"),
            "finding_info.types": None if category is None else [category],
            "finding_info.created_time": info.time("createdAt"),
            "finding_info.modified_time": info.time("updatedAt"),
            "metadata.event_code": info.text("eventType"),
        },
    )


STREAM = Stream(
    name="alerts",
    endpoint=Endpoint(
        path="/cloud-detection/alerts",
        time_field="reportedAt",
        record_time=("alertInfo", "reportedAt"),
        sort_by="alertInfoReportedAt",
        permission="Custom Alerts.view",
        page_size=1000,
        passes=(Pass("createdAt", ("alertInfo", "createdAt"), "alertInfoCreatedAt"),),
        record_id=("alertInfo", "alertId"),
        record_version=("alertInfo", "updatedAt"),
    ),
    map_record=map_record,
)
