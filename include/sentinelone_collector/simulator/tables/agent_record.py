"""The record of a computer, in the shape that GET /agents sends."""

from __future__ import annotations

from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import DAY, HOUR, MS, SECOND, iso
from sentinelone_collector.simulator.org import Agent, Organisation, Place
from sentinelone_collector.simulator.tables.computers import (
    domain_of,
    interfaces,
    last_user,
    machine_type,
    os_revision,
    registered,
)
from sentinelone_collector.simulator.tables.version import Body, drift

__all__ = ["Status", "agent_record"]

_AGENT, _MOMENT = 171, 172
_INSTALLERS = {"windows": ".msi", "linux": ".deb", "macos": ".pkg"}
_NEWEST = "25.1.1.12"


class Status(NamedTuple):
    """What changes on a computer; times in µs, 0 for none. `scan` is begin and end of the last whole scan."""

    active: bool = True
    decommissioned: bool = False
    uninstalled: bool = False
    leaving: bool = False
    session: bool = False
    scanning: int = 0
    scan: tuple[int, int] = (0, 0)
    policy: int = 0
    contacts: int = 0
    logins: int = 0


def _directory(agent: Agent, user: str) -> Body:
    domain = "DC=aldermoor,DC=example,DC=com"
    joined = agent.os_family == "windows"
    person = f"CN={user},OU=Users,{domain}" if joined and user else None
    return {
        "computerDistinguishedName": f"CN={agent.name},OU=Computers,{domain}" if joined else None,
        "computerMemberOf": [f"CN=Büro,OU=Groups,{domain}"] if joined else [],
        "lastUserDistinguishedName": person,
        "lastUserMemberOf": [f"CN=Staff,OU=Groups,{domain}"] if person else [],
        "mail": None,
        "userPrincipalName": f"{user}@aldermoor.example.com" if person else None,
    }


def _tags(org: Organisation, dice: Dice) -> Body:
    if not dice.chance(1, 6):
        return {}
    user = dice.pick(org.users)
    tag = {
        "assignedAt": iso(1_690_000_000 * SECOND + dice.below(1 << 30) * 20_000),
        "assignedBy": user.name,
        "assignedById": user.id,
        "id": str(dice.big_id()),
        "key": "VIP",
        "value": dice.pick(("ja", "yes", "")),
    }
    return {"sentinelone": [tag]}


def _hardware(agent: Agent, dice: Dice) -> Body:
    cores = dice.pick((2, 4, 8, 16))
    mac = agent.os_family == "macos"
    return {
        "coreCount": cores,
        "cpuCount": cores,
        "cpuId": "Apple M3" if mac else "Intel(R) Core(TM) i7-10750H CPU @ 2.60GHz",
        "machineSid": f"S-1-5-21-{dice.below(1 << 30)}-{dice.below(1 << 30)}" if agent.os_family == "windows" else None,
        "machineType": machine_type(agent),
        "modelName": dice.pick(("Contoso - Book 14", "Contoso - Tower 5", "VirtualBox")),
        "osArch": "ARM64" if mac else "64 bit",
        "osName": agent.os_name,
        "osRevision": os_revision(agent),
        "osType": agent.os_family,
        "osUsername": None,
        "serialNumber": dice.hex(10).upper(),
        # Some report bytes where all others report megabytes.
        "totalMemory": 2**54 + 1 if dice.chance(1, 60) else dice.pick((8_192, 16_258, 32_768)),
    }


def _scan(status: Status) -> Body:
    begin, end = status.scan
    return {
        "fullDiskScanLastUpdatedAt": iso(status.scanning or end),
        "lastSuccessfulScanDate": iso(end),
        "scanAbortedAt": None,
        "scanFinishedAt": None if status.scanning else iso(end),
        "scanStartedAt": iso(status.scanning or begin),
        "scanStatus": "started" if status.scanning else "finished",
    }


def _place(place: Place) -> Body:
    return {
        "accountId": place.account_id,
        "accountName": place.account_name,
        "groupId": place.group_id,
        "groupName": place.group_name,
        "siteId": place.site_id,
        "siteName": place.site_name,
    }


def _state(agent: Agent, at: int, status: Status, moment: Dice) -> Body:
    """Give what changes with time."""
    roaming = machine_type(agent) == "laptop" and moment.chance(1, 2)
    seen = at - moment.between(1, 400) * MS
    address = f"192.168.{moment.below(4)}.{moment.between(2, 250)}" if roaming else agent.ip
    return {
        "activeThreats": 0,
        "externalIp": f"198.18.{agent.index % 256}.{moment.between(2, 254)}" if roaming else agent.external_ip,
        "groupIp": agent.external_ip.rpartition(".")[0] + ".x",
        "inRemoteShellSession": status.session,
        "infected": False,
        "isActive": status.active,
        "isDecommissioned": status.decommissioned,
        "isPendingUninstall": status.leaving,
        "isUninstalled": status.uninstalled,
        "lastActiveDate": iso(seen),
        "lastIpToMgmt": address,
        "networkStatus": "connected" if status.active or not roaming else "disconnected",
        "osStartTime": iso((at // DAY * DAY - moment.between(1, 200) * HOUR) // SECOND * SECOND).replace(".000000", ""),
        "policyUpdatedAt": iso(status.policy) if status.policy else None,
        "userActionsNeeded": ["reboot_needed"] if moment.chance(1, 25) else [],
    }


def agent_record(org: Organisation, agent: Agent, at: int, status: Status) -> Body:
    """Build the record of a computer as its change at a time (µs) left it."""
    dice, moment = Dice(org.seed, _AGENT, agent.index), Dice(org.seed, _MOMENT, agent.index, at)
    place, user = org.places[agent.place], last_user(org, agent, at)
    body: Body = {
        **_hardware(agent, dice),
        **_place(place),
        **_scan(status),
        **_state(agent, at, status, moment),
        "activeDirectory": _directory(agent, user),
        "activeProtection": ["edr"],
        "agentVersion": agent.version,
        "allowRemoteShell": True,
        "appsVulnerabilityStatus": dice.pick(("patch_required", "up_to_date", "not_applicable")),
        "cloudProviders": {},
        "computerName": agent.name,
        "consoleMigrationStatus": "N/A",
        "containerizedWorkloadCounts": None,
        "createdAt": iso(registered(agent)),
        "detectionState": None,
        "domain": domain_of(agent),
        "encryptedApplications": dice.chance(1, 3),
        "externalId": "",
        "firewallEnabled": True,
        "firstFullModeTime": None,
        "groupUpdatedAt": None,
        "hasContainerizedWorkload": False,
        "id": agent.id,
        "installerType": _INSTALLERS[agent.os_family],
        "isAdConnector": False,
        "isHyperAutomate": False,
        "isUpToDate": agent.version == _NEWEST,
        "lastLoggedInUserName": user,
        "licenseKey": "",
        "locationEnabled": True,
        "locationType": dice.pick(("fallback", "not_applicable")),
        "locations": [{"id": str(dice.big_id()), "name": "Fallback", "scope": "global"}] if dice.chance(3, 4) else None,
        "missingPermissions": ["user_action_needed_fda"] if agent.os_family == "macos" and dice.chance(1, 3) else [],
        "mitigationMode": "protect",
        "mitigationModeSuspicious": "detect",
        "networkInterfaces": interfaces(agent),
        "networkQuarantineEnabled": False,
        "operationalState": "na",
        "operationalStateExpiration": None,
        "proxyStates": None,
        "rangerStatus": "Enabled",
        "rangerVersion": "23.4.0.9",
        "registeredAt": iso(registered(agent)),
        "remoteProfilingState": "disabled",
        "remoteProfilingStateExpiration": None,
        "showAlertIcon": False,
        "storageName": None,
        "storageType": None,
        "tags": _tags(org, dice),
        "threatRebootRequired": False,
        "updatedAt": iso(at),
        "uuid": agent.uuid,
    }
    return drift(dice, dict(sorted(body.items())))
