"""The record of a rule's alert, in the shape that GET /cloud-detection/alerts sends."""

from __future__ import annotations

from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import MS, iso
from sentinelone_collector.simulator.org import Agent, Organisation
from sentinelone_collector.simulator.tables.computers import machine_type, os_revision
from sentinelone_collector.simulator.tables.version import Body, drift

__all__ = ["Judgement", "alert_record"]

_ALERT = 141
_NEVER = "1970-01-01T00:00:00Z"
_NOTHING = (
    "dnsRequest", "dnsResponse", "dstIp", "dstPort", "indicatorCategory", "indicatorDescription", "indicatorName",
    "loginAccountDomain", "loginAccountSid", "loginIsAdministratorEquivalent", "loginIsSuccessful", "loginType",
    "loginsUserName", "modulePath", "moduleSha1", "netEventDirection", "registryKeyPath", "registryOldValue",
    "registryOldValueType", "registryPath", "registryValue", "srcIp", "srcMachineIp", "srcPort",
    "tiIndicatorComparisonMethod", "tiIndicatorSource", "tiIndicatorType", "tiIndicatorValue",
)  # fmt: skip
_TARGET = (
    "tgtFileHashSha1", "tgtFileHashSha256", "tgtFileId", "tgtFileOldPath", "tgtFilePath", "tgtProcCmdLine",
    "tgtProcImagePath", "tgtProcName", "tgtProcPid", "tgtProcSignedStatus", "tgtProcStorylineId", "tgtProcUid",
)  # fmt: skip
_CLUSTER = (
    "cluster", "controllerKind", "controllerLabels", "controllerName", "namespace", "namespaceLabels", "node", "pod",
    "podLabels",
)  # fmt: skip


class Judgement(NamedTuple):
    """What analysts say of an alert, in the spelling of records."""

    incident: str
    verdict: str


def _process(data: Body, prefix: str, dice: Dice) -> Body:
    """Describe a process in the words of the activity, whose keys are in lower case."""

    def told(key: str) -> object:
        return data.get(prefix + key)

    started = told("starttime")
    pid = told("pid")
    return {
        "commandline": told("commandline"),
        "effectiveUser": None,
        "fileHashMd5": told("md5") or dice.hex(32),
        "fileHashSha1": told("sha1") or dice.hex(40),
        "fileHashSha256": told("sha256") or dice.hex(64),
        "filePath": told("filepath") or f"C:\\Windows\\{told('name')}",
        "fileSignerIdentity": told("filesigneridentity") or told("filesingeridentity"),
        "integrityLevel": told("integritylevel") or "unknown",
        "loginUser": None,
        "name": told("name"),
        "pid": str(pid) if pid else None,
        "pidStarttime": iso(started * MS) if isinstance(started, int) and dice.chance(9, 10) else _NEVER,
        "realUser": None,
        "storyline": told("storyline"),
        "subsystem": "sys_win32",
        "uniqueId": told("key") or dice.hex(16).upper(),
        "user": told("username"),
    }


def _target(dice: Dice) -> Body:
    odd = dice.chance(1, 30)
    return {
        **dict.fromkeys(_TARGET),
        "tgtFileCreatedAt": _NEVER,
        "tgtFileIsSigned": dice.pick(("signed", "unsigned", "")),
        "tgtFileModifiedAt": "2185-07-21T23:34:33Z" if odd else _NEVER,
        "tgtProcIntegrityLevel": "unknown",
        "tgtProcessStartTime": _NEVER,
    }


def _alert_info(alert_id: int, data: Body, dice: Dice, times: tuple[int, int, int], judgement: Judgement) -> Body:
    created, reported, updated = times
    network = dice.chance(1, 4)
    body: Body = {
        **dict.fromkeys(_NOTHING),
        "alertId": str(alert_id),
        "analystVerdict": judgement.verdict,
        "createdAt": iso(created),
        "dvEventId": f"{dice.hex(26).upper()}_{dice.below(200)}",
        "eventType": str(data.get("dveventtype") or "PROCESSCREATION"),
        "hitType": "Events",
        "incidentStatus": judgement.incident,
        "isEdr": True,
        "reportedAt": iso(reported),
        "source": "STAR",
        "updatedAt": iso(updated),
    }
    if network:
        address = f"203.0.113.{dice.between(1, 254)}"
        body |= {"dstIp": address, "dstPort": str(dice.pick((443, 445, 8080))), "netEventDirection": "OUTGOING"}
    if body["eventType"] == "BEHAVIORALINDICATORS":
        body |= {"indicatorCategory": "Evasion", "indicatorName": "EncodedCommand"}
        body["indicatorDescription"] = data.get("indicatordescription")
    return dict(sorted(body.items()))


def _rule(data: Body) -> Body:
    severity = str(data.get("severity") or "E_LOW").removeprefix("E_").capitalize()
    return {
        "description": data.get("ruledescription"),
        "id": str(data.get("ruleid")),
        "name": data.get("rulename"),
        "queryLang": "2.0",
        "queryType": "events",
        "s1ql": 'src.process.name contains "powershell"',
        "scopeLevel": "site",
        "severity": severity,
        "treatAsThreat": "UNDEFINED",
    }


def alert_record(
    org: Organisation,
    alert_id: int,
    agent: Agent,
    data: Body,
    *,
    created: int,
    reported: int,
    updated: int,
    judgement: Judgement,
) -> Body:
    """Build the record of one state of an alert; `data` is that of the activity which announces it. Times in µs."""
    dice = Dice(org.seed, _ALERT, alert_id)
    place = org.places[agent.place]
    body: Body = {
        "agentDetectionInfo": {
            "accountId": place.account_id,
            "machineType": machine_type(agent),
            "name": agent.name,
            "osFamily": agent.os_family,
            "osName": agent.os_name,
            "osRevision": os_revision(agent),
            "siteId": place.site_id,
            "uuid": agent.uuid,
            "version": agent.version,
        },
        # Not in the vendor's document, but on every console.
        "agentRealtimeInfo": {
            "id": agent.id,
            "infected": False,
            "isActive": True,
            "isDecommissioned": False,
            "machineType": machine_type(agent),
            "name": agent.name,
            "os": agent.os_family,
            "uuid": agent.uuid,
        },
        "alertInfo": _alert_info(alert_id, data, dice, (created, reported, updated), judgement),
        "containerInfo": dict.fromkeys(("id", "image", "labels", "name")),
        "kubernetesInfo": dict.fromkeys(_CLUSTER),
        "ruleInfo": _rule(data),
        "sourceParentProcessInfo": _process(data, "sourceparentprocess", dice),
        "sourceProcessInfo": _process(data, "sourceprocess", dice),
        "targetProcessInfo": _target(dice),
    }
    return drift(dice, body)
