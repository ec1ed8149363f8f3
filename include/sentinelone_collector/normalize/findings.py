"""Detection findings inside activities: alerts of detection rules, threats, and alerts of other products."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.files import present
from sentinelone_collector.normalize.ocsf import OTHER, Observable, caption, observable
from sentinelone_collector.normalize.shapes import Fields
from sentinelone_collector.normalize.values import email, epoch_ms, ips, number, text

__all__ = [
    "ALERT_READS",
    "INCIDENT_READS",
    "THREAT_READS",
    "Finding",
    "alert",
    "file",
    "hash_kind",
    "incident",
    "put",
    "threat",
]

# Which fields the functions below read; `.x` is a field of the record itself, the others stand in `data`.
_PROCESS_READS = ("name", "commandline", "pid", "key", "username", "md5", "sha1", "sha256", "starttime")
ALERT_READS: Final = (
    *(".threatId", "alertid", "detectedat", "ruledescription", "ruleid", "rulename", "severity"),
    *(prefix + name for prefix in ("sourceprocess", "sourceparentprocess") for name in _PROCESS_READS),
    *("sourceprocessfilepath", "sourceparentprocesspath", "tgtfilepath", "tgtfilehashsha1", "tgtfilehashsha256"),
    *("srcip", "srcport", "dstip", "dstport", "dnsrequest", "loginsusername", "loginaccountdomain"),
)
THREAT_READS: Final = (
    *(".primaryDescription", ".threatId", "confidencelevel", "filecontenthash", "filedisplayname", "filepath"),
    *("newanalystverdicttitle", "newconfidencelevel", "newincidentstatustitle", "newstatus", "threatclassification"),
    "threatname",
)
INCIDENT_READS: Final = (
    *(".primaryDescription", ".threatId", "alertid", "alertname", "analystverdict", "assignee", "incidentid"),
    *("incidentname", "name", "newanalystverdict", "newassignee", "newseverity", "newstatus", "severity", "status"),
    *("threatid", "threatname", "title"),
)

_SEVERITIES = {"INFO": 1, "LOW": 2, "MEDIUM": 3, "HIGH": 4, "CRITICAL": 5}
_INCIDENTS = {"new": 1, "unresolved": 1, "in progress": 2, "in_progress": 2, "resolved": 4}
_CONFIDENCES = {"malicious": 3, "suspicious": 2, "n/a": 0}
_VERDICTS = {
    "undefined": 0,
    "false positive": 1,
    "false_positive": 1,
    "true positive": 2,
    "true_positive": 2,
    "suspicious": 4,
}
_HASH = re.compile(r"[0-9a-fA-F]+")
_HASH_LENGTHS = {32: 1, 40: 2, 64: 3}
_PORT_BITS = 16
_INCIDENT_PROFILES = ["host", "incident"]  # the verdict and the assignee of a finding belong to that profile


@dataclass(slots=True)
class Finding:
    """What a finding is made from; `observables` collects."""

    row: Row
    record: Fields
    data: Fields
    observables: list[Observable]


def put(row: Row, path: str, value: str | None) -> None:
    """Write an attribute where there is a value."""
    if value is not None:
        row[path] = value


def hash_kind(value: Any) -> int:
    """Return the OCSF algorithm id of a hash in hex by its length: MD5, SHA-1 or SHA-256; 0 where it is none."""
    return _HASH_LENGTHS.get(len(value), 0) if type(value) is str and _HASH.fullmatch(value) else 0


def alert(finding: Finding) -> None:
    """Write the alert of a detection rule, with the process that set it off."""
    data, row = finding.data, finding.row
    name = text(data.get("rulename"))
    uid = text(data.get("alertid")) or text(finding.record.get("threatId")) or row["metadata.original_event_uid"]
    row["finding_info.uid"] = uid
    row["finding_info.title"] = name or "Alert of a detection rule"
    put(row, "finding_info.desc", text(data.get("ruledescription")))
    created = epoch_ms(data.get("detectedat"))
    if created is not None:
        row["finding_info.created_time"] = created
    rule = text(data.get("ruleid"))
    if name is not None or rule is not None:
        row["finding_info.analytic.type_id"], row["finding_info.analytic.type"] = 1, "Rule"
        put(row, "finding_info.analytic.name", name)
        put(row, "finding_info.analytic.uid", rule)
    _severity(row, data.get("severity"))
    evidence = _evidence(finding)
    if evidence:
        row["evidences"] = [evidence]


def _severity(row: Row, told: Any) -> None:
    word = (text(told) or "").upper().removeprefix("E_")
    row["severity_id"] = _SEVERITIES.get(word, 0)
    row["severity"] = caption("severity", row["severity_id"])


def _evidence(finding: Finding) -> dict[str, Any]:
    data = finding.data
    process = _process(finding, "sourceprocess", "sourceprocessfilepath", "evidences.process")
    if process:
        parent = _process(finding, "sourceparentprocess", "sourceparentprocesspath", None)
        if parent:
            process["parent_process"] = parent
    return present(
        process=process,
        file=file(None, text(data.get("tgtfilepath")), (data.get("tgtfilehashsha1"), data.get("tgtfilehashsha256"))),
        src_endpoint=_address(finding, "src"),
        dst_endpoint=_address(finding, "dst"),
        query=present(hostname=text(data.get("dnsrequest"))),
        user=_login(data),
    )


def _login(data: Fields) -> dict[str, Any]:
    name = text(data.get("loginsusername"))
    return {} if name is None else present(name=name, domain=text(data.get("loginaccountdomain")))


def _process(finding: Finding, prefix: str, path: str, seen: str | None) -> dict[str, Any]:
    """Return a process as the keys with that prefix tell it; empty where it has neither pid nor key."""
    data = finding.data
    name, line = text(data.get(prefix + "name")), text(data.get(prefix + "commandline"))
    pid, uid = number(data.get(prefix + "pid")), text(data.get(prefix + "key"))
    if pid is None and uid is None:
        return {}
    if seen is not None and name is not None:
        finding.observables.append(observable(f"{seen}.name", 9, name))
    if seen is not None and line is not None:
        finding.observables.append(observable(f"{seen}.cmd_line", 13, line))
    account = text(data.get(prefix + "username"))
    image = file(name, text(data.get(path)), tuple(data.get(prefix + kind) for kind in ("md5", "sha1", "sha256")))
    if seen is not None:
        _hash_observables(finding, f"{seen}.file", image)
    return present(
        pid=pid,
        uid=uid,
        name=name,
        cmd_line=line,
        created_time=epoch_ms(data.get(prefix + "starttime")),
        user=None if account is None else {"name": account},
        file=image,
    )


def _address(finding: Finding, side: str) -> dict[str, Any]:
    addresses = ips(finding.data.get(side + "ip"))
    if not addresses:
        return {}
    finding.observables.append(observable(f"evidences.{side}_endpoint.ip", 2, addresses[0]))
    return present(ip=addresses[0], port=number(finding.data.get(side + "port"), bits=_PORT_BITS) or None)


def threat(finding: Finding) -> None:
    """Write a threat, or a change of one; every activity of one threat has the same finding id."""
    record, data, row = finding.record, finding.data, finding.row
    name = text(data.get("threatname")) or text(data.get("filedisplayname"))
    row["finding_info.uid"] = text(record.get("threatId")) or row["metadata.original_event_uid"]
    row["finding_info.title"] = name or text(record.get("primaryDescription")) or "Threat"
    kind = text(data.get("threatclassification"))
    if kind is not None:
        row["finding_info.types"] = [kind]
    _state(row, data.get("newincidentstatustitle"))
    mitigation = text(data.get("newstatus"))
    if mitigation is not None:  # that of the threat on its endpoint, which is no state of a finding
        row["status_id"], row["status"] = OTHER, mitigation
    _confidence(row, data)
    _verdict(row, data.get("newanalystverdicttitle"))
    image = file(text(data.get("filedisplayname")), text(data.get("filepath")), (data.get("filecontenthash"),))
    if image:
        finding.observables.append(observable("evidences.file.name", 7, image["name"]))
        _hash_observables(finding, "evidences.file", image)
        row["evidences"] = [{"file": image}]


def incident(finding: Finding) -> None:
    """Write an alert, or a change of one, that a product other than the endpoint agent raised."""
    record, data, row = finding.record, finding.data, finding.row
    uid = _first(data, "alertid", "incidentid", "threatid") or text(record.get("threatId"))
    row["finding_info.uid"] = uid or row["metadata.original_event_uid"]
    name = _first(data, "alertname", "incidentname", "threatname", "name", "title")
    row["finding_info.title"] = name or text(record.get("primaryDescription")) or "Alert"
    _state(row, _first(data, "newstatus", "status"))
    _verdict(row, _first(data, "newanalystverdict", "analystverdict"))
    severity = _first(data, "newseverity", "severity")
    if severity is not None:
        _severity(row, severity)
    assignee = _first(data, "newassignee", "assignee")
    if assignee is not None:
        put(row, "assignee.name", assignee)
        put(row, "assignee.email_addr", email(assignee))
        row["metadata.profiles"] = _INCIDENT_PROFILES


def _first(data: Fields, *names: str) -> str | None:
    return next((found for name in names if (found := text(data.get(name))) is not None), None)


def _state(row: Row, told: Any) -> None:
    state = _INCIDENTS.get((text(told) or "").lower())
    if state is not None:
        row["status_id"], row["status"] = state, caption("finding_status", state)


def _confidence(row: Row, data: Fields) -> None:
    level = _CONFIDENCES.get((_first(data, "newconfidencelevel", "confidencelevel") or "").lower())
    if level is not None:
        row["confidence_id"], row["confidence"] = level, caption("confidence", level)


def _verdict(row: Row, told: Any) -> None:
    verdict = _VERDICTS.get((text(told) or "").lower())
    if verdict is not None:
        row["verdict_id"], row["verdict"] = verdict, caption("verdict", verdict)
        row["metadata.profiles"] = _INCIDENT_PROFILES


def file(name: str | None, path: str | None, hashes: tuple[Any, ...]) -> dict[str, Any]:
    """Return a file with the hashes that are some; empty where neither name nor path is known."""
    if name is None and path is not None:
        name = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    if not name:
        return {}
    found = [
        {"algorithm_id": kind, "algorithm": caption("hash", kind), "value": value}
        for value in hashes
        if (kind := hash_kind(value))
    ]
    return present(name=name, type_id=1, type="Regular File", path=path, hashes=found)


def _hash_observables(finding: Finding, path: str, image: Mapping[str, Any]) -> None:
    finding.observables.extend(observable(f"{path}.hashes", 8, entry["value"]) for entry in image.get("hashes", ()))
