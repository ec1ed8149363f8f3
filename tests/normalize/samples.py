"""Records of every activity type in the shape that a console sends them, made from the routing table's own words.

They are the beginning of a golden line only: once written (see `test_every_type.py`) the line is what is reviewed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_FIRST_ID = 2_619_400_000_000_000_000
_PEOPLE = (
    {"username": "ines.ortega@example.com", "role": "Admin", "ipAddress": "192.0.2.44", "sourceType": "UI"},
    {"username": "Joonas Virtanen", "role": "IR Team", "ipAddress": "2001:db8::44", "sourceType": "UI"},
    {
        "username": "automation",
        "role": "Config Editor",
        "ipAddress": "192.0.2.90, 198.51.100.90",
        "sourceType": "API",
        "realUser": "ines.ortega@example.com",
    },
)
_SCOPE = {
    "accountName": "Northwind",
    "fullScopeDetails": "Site Berlin of Account Northwind",
    "fullScopeDetailsPath": "Global / Northwind / Berlin",
    "scopeLevel": "Site",
    "scopeName": "Berlin",
    "siteName": "Berlin",
}
_AGENT = {"computerName": "srv-berlin-07", "externalIp": "198.51.100.24", "uuid": "0f4e1c2d3b4a59687786a5b4c3d2e1f0"}
_SHA1 = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"
_FILE = {
    "fileContentHash": _SHA1,
    "fileDisplayName": "invoice.pdf.exe",
    "filePath": "\\Device\\HarddiskVolume3\\Users\\mara\\Downloads\\invoice.pdf.exe",
    "threatClassification": "Trojan",
    "threatClassificationSource": "Cloud",
}
_ALERT = {
    "alertid": 2_620_000_000_000_000_021,
    "rulename": "Office spawns a shell",
    "ruleid": 2_620_000_000_000_000_022,
    "ruledescription": "An office program starts a command line.",
    "severity": "E_HIGH",
    "detectedat": "2026-11-22T10:06:48Z",
    "origagentname": "srv-berlin-07",
    "origagentmachinetype": "server",
    "origagentosfamily": "windows",
    "origagentosname": "Windows Server 2022",
    "origagentosrevision": "20348",
    "origagentversion": "25.1.2.400",
    "agentipv4": "203.0.113.7,203.0.113.8",
    "sourceprocessname": "cmd.exe",
    "sourceprocesspid": 4242,
    "sourceprocesscommandline": "cmd /c whoami",
    "sourceprocessfilepath": "C:\\Windows\\System32\\cmd.exe",
    "sourceprocesssha1": _SHA1,
    "sourceprocessusername": "NORTHWIND\\mara",
    "sourceparentprocesspid": 991,
    "sourceparentprocessname": "winword.exe",
    "dstip": "203.0.113.200",
    "dstport": 443,
    "dnsrequest": "files.example.net",
    "loginsusername": "mara",
    "loginaccountdomain": "NORTHWIND",
}
_OBJECTS: Mapping[str, Mapping[str, Any]] = {
    "policy": {"policyName": "Berlin servers", "policy": {"id": "1480000000000000051"}, "attr": "REMOTE_SHELL"},
    "role": {"roleName": "Helpdesk", "roleId": "1480000000000000061"},
    "exclusion": {"osFamily": "windows", "description": "Ticket CHG-1007"},
    "blocklist": {"value": _SHA1, "osFamily": "linux"},
    "rule": {"ruleName": "Office spawns a shell", "ruleId": 2_620_000_000_000_000_022, "ruleType": "events"},
    "device_rule": {"ruleName": "Allow headsets", "ruleId": 71, "interface": "USB", "action": "Allow"},
    "firewall_rule": {"ruleName": "Block SMB out", "ruleId": 72, "action": "Block", "direction": "outbound"},
    "quarantine_rule": {"ruleName": "Allow the mail host", "ruleId": 73, "action": "Allow", "protocol": "TCP"},
    "threat": _FILE,
    "remediation": {**_FILE, "globalStatus": "success"},
    "alert": _ALERT,
    "scan": {"status": "started"},
    "incident": {"alertId": "2620000000000000031", "alertName": "Mailbox forwarded to another domain"},
    "peripheral": {
        "deviceName": "Flash Disk",
        "deviceClass": "E0h",
        "interface": "USB",
        "vendorId": "0a12",
        "productId": "c0de",
        "eventId": "{00000000-0000-4000-8000-000000000001}",
        "lastLoggedInUserName": "mara",
        "ruleName": "Block storage",
    },
    "connection": {
        "action": "Block",
        "numberOfEvents": 3,
        "processId": 1820,
        "processName": "\\device\\harddiskvolume2\\windows\\system32\\svchost.exe",
        "reportedProtocol": "TCP",
        "reportedLocalHost": "203.0.113.7",
        "reportedLocalPort": "50123",
        "reportedRemoteHost": "198.51.100.200",
        "reportedRemotePort": "445",
        "ruleId": 72,
        "ruleName": "Block SMB out",
    },
}
_RESOURCES: Mapping[str, Mapping[str, Any]] = {
    "Agent package": {"packageName": "Agent 25.1.2 for Windows", "packageId": "81"},
    "Cloud account": {"cloudAccountName": "northwind-prod", "cloudAccountId": "82"},
    "Credential": {"credentialName": "deploy-berlin", "credentialId": "83"},
    "Credential group": {"credentialGroupName": "Berlin", "credentialGroupId": "84"},
    "Device label": {"labelName": "printer"},
    "Device tag": {"tagName": "Lab"},
    "Discovered device": {"deviceName": "printer-3"},
    "Dynamic group": {"groupName": "Servers"},
    "File hash": {"fileContentHash": _SHA1},
    "Firewall tag": {"tagName": "Mail"},
    "Location": {"locationName": "Office Berlin", "locationId": "85"},
    "Marketplace app": {"applicationName": "Ticket bridge", "applicationId": "86"},
    "Mobile device": {"deviceName": "phone-17", "deviceId": "87"},
    "Network": {"networkName": "203.0.113.0/24"},
    "Network quarantine tag": {"tagName": "Forensics"},
    "Scheduled report": {"reportName": "Weekly threats", "reportId": "88"},
    "Script": {"scriptName": "Collect logs", "scriptId": "89"},
    "Tag": {"tagName": "VIP", "tagId": "90"},
    "UEM connection": {"connectionName": "UEM Berlin"},
    "Workflow": {"workflowName": "Isolate on alert", "workflowId": "91"},
}
_ON_ENDPOINT = frozenset({"agent", "alert", "connection", "device", "peripheral", "remediation", "scan", "threat"})
_CHANGES: Mapping[str, tuple[str, str]] = {
    "oldRole": ("Viewer", "Admin"),
    "oldIncidentStatusTitle": ("Unresolved", "Resolved"),
    "oldAnalystVerdictTitle": ("Undefined", "False positive"),
    "oldAnalystVerdict": ("undefined", "true_positive"),
    "oldConfidenceLevel": ("suspicious", "malicious"),
    "originalStatus": ("Not mitigated", "Mitigated"),
    "oldStatus": ("New", "In progress"),
    "oldSeverity": ("LOW", "CRITICAL"),
    "oldTicketId": ("CHG-1", "CHG-2"),
}


def samples(row: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the records that show a row of the routing table: one for each direction or outcome that it knows."""
    for number, changes in enumerate(_variants(row)):
        yield _record(row, number, changes)


def _variants(row: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    field = row["direction"].split(" ")[0]
    if field and not field.startswith("="):
        names = row["change"].split()
        states = {"on": ("Draft", "Active"), "off": ("Active", "Disabled"), "unknown": ("Active", "Expired")}
        for value in ("on", "off", "unknown"):
            if names:
                yield dict(zip(names[:2], states[value], strict=True))
            else:
                yield {field: {"on": True, "off": "disabled", "unknown": "not inherited"}[value]}
    elif row["change"]:
        old, new = row["change"].split()[:2]
        before, after = _CHANGES.get(old, ("Servers", "Kiosks"))
        yield {old: before, new: after}
        if row["object"] == "role_change":
            yield {old: after, new: after, "modifiedFields": ["fullName"], "fullName": "Mara Lind"}
    elif row["object"] == "peripheral":
        yield {"eventType": "connected"}
        yield {"eventType": "disconnected"}
        yield {"deviceName": None, "deviceClass": None}
    elif row["object"] == "connection":
        yield {"reportedDirection": "outbound"}
        yield {"reportedDirection": "inbound"}
        yield {"reportedRemoteHost": None, "reportedLocalHost": "", "processId": None}
    else:
        yield {}


def _record(row: Mapping[str, str], number: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    kind, on_endpoint = int(row["id"]), _on_endpoint(row)
    data = _SCOPE | (_AGENT if on_endpoint else {}) | _who(row) | _what(row) | changes
    data = {name: value for name, value in data.items() if value is not None}
    top: dict[str, Any] = {
        "id": str(_FIRST_ID + kind * 16 + number),
        "activityType": kind,
        "createdAt": f"2026-11-22T10:{kind % 60:02d}:{number:02d}.250999Z",
        "accountId": "1480000000000000001",
        "accountName": "Northwind",
        "siteId": "1480000000000000021",
        "siteName": "Berlin",
    }
    if on_endpoint:
        top |= {"agentId": "1733000000000000042", "groupId": "1480000000000000031", "groupName": "Servers"}
    if row["object"] in {"threat", "remediation"}:
        top["threatId"] = "2620000000000000011"
    if row["actor"] not in {"agent", "system", "cloud", "detection"}:
        top["userId"] = "1480000000000000777"
    if kind == 133:  # a failed login, whose reason stands there
        top["comments"] = "invalid password"
    if kind == 16:  # an agent that was updated
        top["agentUpdatedVersion"] = "25.1.2.400"
    return top | {"primaryDescription": f"Sample of {row['name'] or 'a type without a name'}.", "data": data}


def _on_endpoint(row: Mapping[str, str]) -> bool:
    about = row["object"] in _ON_ENDPOINT or (row["object"] == "event" and row["group"] not in {"", "ranger"})
    return about or row["actor"] == "agent"


def _who(row: Mapping[str, str]) -> dict[str, Any]:
    person: dict[str, Any] = dict(_PEOPLE[int(row["id"]) % len(_PEOPLE)])
    if row["actor"] in {"agent", "system", "detection"}:
        return {"username": "mara@example.net"} if row["object"] == "user" else {}
    if row["actor"] == "cloud":
        return {"username": "unknown"}
    if row["object"] in {"user", "role_change"}:
        return {**person, "byUser": person["username"], "username": "mara@example.net", "role": "Viewer"}
    if row["actor"] == "scan":
        return {"system": True, "username": None}
    return person


def _what(row: Mapping[str, str]) -> dict[str, Any]:
    if row["object"] == "resource":
        return dict(_RESOURCES.get(row["detail"], {}))
    told = dict(_OBJECTS.get(row["object"], {}))
    if row["object"] == "exclusion":
        told["value"] = _SHA1 if row["detail"] == "hash" else "C:\\Ledger\\*"
    return told
