"""The node of a unified alert, with every field that the schema knows."""

from __future__ import annotations

from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import MS, SECOND, iso
from sentinelone_collector.simulator.org import Agent, Organisation, Place, User
from sentinelone_collector.simulator.tables.computers import domain_of, last_user, machine_type, os_revision, registered
from sentinelone_collector.simulator.tables.version import Body

__all__ = ["Subject", "Triage", "ms_text", "unified_record"]

_NODE = 201
_CLASSES = {
    "PUA": "PUA",
    "Trojan": "TROJAN",
    "Malware": "MALWARE",
    "Adware": "ADWARE",
    "Infostealer": "INFOSTEALER",
}
_SEVERITIES = {"PUA": "LOW", "Adware": "LOW", "Trojan": "HIGH", "Infostealer": "CRITICAL"}


class Subject(NamedTuple):
    """What an alert is about; times in µs. `agent` is an index or -1, `person` whom an identity alert concerns."""

    external_id: str
    product: str
    agent: int
    detected: int
    created: int
    told: Body
    person: User | None


class Triage(NamedTuple):
    """What changes in the life of a unified alert."""

    status: str
    verdict: str
    assignee: User | None
    result: str | None
    note: bool


def ms_text(us: int) -> str:
    """Write a time (µs) with three fraction digits."""
    return iso(us)[:-4] + "Z"


def _scope(place: Place) -> Body:
    return {
        "accountId": place.account_id,
        "accountName": place.account_name,
        "groupName": place.group_name,
        "siteName": place.site_name,
    }


def _real_scope(place: Place) -> Body:
    def level(key: str | None, name: str | None) -> Body | None:
        return {"id": key, "name": name} if key else None

    return {
        "account": level(place.account_id, place.account_name),
        "group": level(place.group_id, place.group_name),
        "site": level(place.site_id, place.site_name),
    }


def _asset(org: Organisation, agent: Agent, at: int) -> Body:
    kind = machine_type(agent)
    return {
        "accessible": True,
        "agentUuid": agent.uuid,
        "agentVersion": agent.version,
        "assetTypeClassifier": None,
        "category": "Server" if kind == "server" else "Workstation",
        "connectivityToConsole": "ONLINE",
        "decommissioned": False,
        "id": f"asset-{agent.uuid[:20]}",
        "lastLoggedInUser": last_user(org, agent, at) or None,
        "name": agent.name,
        "origin": "",
        "osType": agent.os_family.upper(),
        "osVersion": f"{agent.os_name} {os_revision(agent)}",
        "pendingReboot": False,
        "policy": "protect",
        "role": "",
        "status": "ACTIVE",
        "subcategory": kind.capitalize(),
        "type": None,
    }


def _detected_asset(org: Organisation, agent: Agent, place: Place, at: int) -> Body:
    return {
        "accessible": True,
        "asset": {
            "agentVersion": agent.version,
            "consoleIpAddress": None,
            "domain": domain_of(agent),
            "ipV4": agent.ip,
            "ipV6": None,
            "lastLoggedInUser": last_user(org, agent, at) or None,
            "osName": agent.os_name,
            "osRevision": os_revision(agent),
            "osType": agent.os_family.upper(),
            "policy": None,
            "subscriptionTime": ms_text(registered(agent)),
        },
        "cloud": None,
        "kubernetes": None,
        "origin": "",
        "scope": _scope(place),
    }


def _process(subject: Subject, dice: Dice) -> Body | None:
    told = subject.told
    if subject.product == "IDENTITY":
        return None
    star = subject.product == "STAR"
    file = {
        "certSubject": "",
        "md5": told.get("sourceprocessmd5") if star else told.get("md5"),
        "name": told.get("sourceprocessname") if star else told.get("threatName"),
        "path": told.get("sourceprocessfilepath") if star else told.get("filePath"),
        "sha1": told.get("sourceprocesssha1") if star else told.get("sha1"),
        "sha256": told.get("sourceprocesssha256") if star else told.get("sha256"),
    }
    parent = told.get("sourceparentprocessname") if star else dice.pick(("explorer.exe", "chrome.exe"))
    return {"cmdLine": told.get("sourceprocesscommandline"), "file": file, "parentName": parent}


def _words(subject: Subject) -> Body:
    """Give name, class, severity and the analytics of each kind of alert."""
    told = subject.told
    if subject.product == "EDR":
        kind = str(told.get("classification"))
        return {
            "analytics": {
                "category": "Reputation",
                "name": "Agent Policy",
                "typeValue": str(told.get("detectionType") or "static").upper(),
                "uid": None,
            },
            "classification": _CLASSES.get(kind, "UNKNOWN"),
            "confidenceLevel": str(told.get("confidenceLevel") or "").upper() or None,
            "name": f"{told.get('threatName')} detected as {kind}",
            "severity": _SEVERITIES.get(kind, "MEDIUM"),
        }
    if subject.product == "STAR":
        return {
            "analytics": {
                "category": "Rule",
                "name": told.get("rulename"),
                "typeValue": "RULE",
                "uid": str(told.get("ruleid")),
            },
            "classification": "UNKNOWN",
            "confidenceLevel": None,
            "name": told.get("rulename"),
            "severity": str(told.get("severity") or "E_LOW").removeprefix("E_"),
        }
    return {
        "analytics": {"category": "Identity", "name": "Many failed log-ins", "typeValue": "DYNAMIC", "uid": None},
        "classification": "UNKNOWN",
        "confidenceLevel": "SUSPICIOUS",
        "name": "Many failed log-ins from one address",
        "severity": "HIGH",
    }


def _slo(subject: Subject, triage: Triage, dice: Dice) -> Body | None:
    if not dice.chance(1, 5):
        return None
    target = subject.created + 4 * 3600 * SECOND
    done = triage.status == "RESOLVED"
    data = {
        "actionComplete": done,
        "actionDue": 0,
        "completion": 100 if done else 0,
        "completionTime": None,
        "status": "COMPLETED" if done else "ON_TIME",
        "target": 14_400,
        "targetTime": ms_text(target),
    }
    return {"timeToResolveData": data, "timeToResponseData": None}


def unified_record(org: Organisation, name: str, subject: Subject, updated: int, triage: Triage) -> Body:
    """Build the node of one state of a unified alert, with all fields; times in µs."""
    dice = Dice(org.seed, _NODE, int(subject.external_id))
    agent = org.agents[subject.agent] if subject.agent >= 0 else None
    person = subject.person
    place = org.places[agent.place] if agent else org.places[person.place if person else 0]
    assets = [_asset(org, agent, subject.detected)] if agent else []
    seen = ms_text(subject.detected)
    assignee = triage.assignee
    body: Body = {
        **_words(subject),
        "aiInvestigation": None,
        "analystVerdict": triage.verdict,
        "asset": {"id": assets[0]["id"], "name": assets[0]["name"], "type": "ENDPOINT"} if assets else None,
        "assets": assets,
        "assignee": {"email": assignee.email, "fullName": assignee.name, "userId": assignee.id} if assignee else None,
        "attackSurfaces": ["ENDPOINT"] if agent else ["IDENTITY"],
        "availableActionIds": None,
        "createdAt": ms_text(subject.created),
        "dataSources": ["SentinelOne"],
        "description": "" if dice.chance(1, 10) else None,
        "detectedAt": seen,
        "detectionSource": {"product": subject.product, "vendor": "SentinelOne"},
        "detectionTime": {
            "assets": [_detected_asset(org, agent, place, subject.detected)] if agent else [],
            "attacker": {"host": None, "ip": subject.told.get("ipAddress")} if person else None,
            "scope": _scope(place),
            "targetUser": {"domain": "ALDERMOOR", "emailAddress": person.email, "name": person.name}
            if person
            else None,
        },
        "exclusionHash": None,
        "externalId": subject.external_id,
        "firstSeenAt": seen,
        "id": name,
        "lastSeenAt": ms_text(subject.detected + dice.below(3) * 500 * MS),
        "noteExists": triage.note,
        "process": _process(subject, dice),
        "realTime": {"scope": _real_scope(place)},
        "result": triage.result,
        "sloDetails": _slo(subject, triage, dice),
        "status": triage.status,
        "storylineId": subject.told.get("storyline") or subject.told.get("sourceprocessstoryline"),
        "ticketId": None,
        "updatedAt": ms_text(updated),
    }
    return body
