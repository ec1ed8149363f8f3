"""OCSF 1.8.0 ids and their captions, as far as the product emits them.

Source: https://schema.ocsf.io/1.8.0; a test compares every caption with the packaged schema.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

__all__ = [
    "ACTIVITIES",
    "CLASSES",
    "MACHINES",
    "OTHER",
    "SYSTEMS",
    "VERSION",
    "Observable",
    "caption",
    "classification",
    "observable",
]

VERSION: Final = "1.8.0"
OTHER: Final = 99

_CATEGORIES = MappingProxyType(
    {
        1: "System Activity",
        2: "Findings",
        3: "Identity & Access Management",
        4: "Network Activity",
        5: "Discovery",
        6: "Application Activity",
        7: "Remediation",
    }
)
CLASSES = MappingProxyType(
    {
        1010: "Peripheral Activity",
        2004: "Detection Finding",
        3001: "Account Change",
        3002: "Authentication",
        3004: "Entity Management",
        3005: "User Access Management",
        4001: "Network Activity",
        5001: "Device Inventory Info",
        5003: "User Inventory Info",
        6002: "Application Lifecycle",
        6003: "API Activity",
        6007: "Scan Activity",
        7001: "Remediation Activity",
    }
)
ACTIVITIES = MappingProxyType(
    {
        1010: ("Connect", "Disconnect", "Enable", "Disable", "Eject"),
        2004: ("Create", "Update", "Close"),
        3001: (
            "Create",
            "Enable",
            "Password Change",
            "Password Reset",
            "Disable",
            "Delete",
            "Attach Policy",
            "Detach Policy",
            "Lock",
            "MFA Factor Enable",
            "MFA Factor Disable",
            "Unlock",
        ),
        3002: (
            "Logon",
            "Logoff",
            "Authentication Ticket",
            "Service Ticket Request",
            "Service Ticket Renew",
            "Preauth",
            "Account Switch",
        ),
        3004: (
            "Create",
            "Read",
            "Update",
            "Delete",
            "Move",
            "Enroll",
            "Unenroll",
            "Enable",
            "Disable",
            "Activate",
            "Deactivate",
            "Suspend",
            "Resume",
        ),
        3005: ("Assign Privileges", "Revoke Privileges"),
        4001: ("Open", "Close", "Reset", "Fail", "Refuse", "Traffic", "Listen"),
        5001: ("Log", "Collect"),
        5003: ("Log", "Collect"),
        6002: ("Install", "Remove", "Start", "Stop", "Restart", "Enable", "Disable", "Update"),
        6003: ("Create", "Read", "Update", "Delete"),
        6007: (
            "Started",
            "Completed",
            "Cancelled",
            "Duration Violation",
            "Pause Violation",
            "Error",
            "Paused",
            "Resumed",
            "Restarted",
            "Delayed",
        ),
        7001: ("Isolate", "Evict", "Restore", "Harden", "Detect"),
    }
)
_CAPTIONS = MappingProxyType(
    {
        "severity": MappingProxyType(
            {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: "Other"}
        ),
        "status": MappingProxyType({0: "Unknown", 1: "Success", 2: "Failure", 99: "Other"}),
        "finding_status": MappingProxyType(
            {
                0: "Unknown",
                1: "New",
                2: "In Progress",
                3: "Suppressed",
                4: "Resolved",
                5: "Archived",
                6: "Deleted",
                99: "Other",
            }
        ),
        "device": MappingProxyType({0: "Unknown", 1: "Server", 2: "Desktop", 3: "Laptop"}),
        "action": MappingProxyType({0: "Unknown", 1: "Allowed", 2: "Denied", 3: "Observed"}),
        "agent": MappingProxyType({1: "Endpoint Detection and Response"}),
        "analytic": MappingProxyType(
            {
                0: "Unknown",
                1: "Rule",
                2: "Behavioral",
                3: "Statistical",
                4: "Learning (ML/DL)",
                5: "Fingerprinting",
            }
        ),
        "confidence": MappingProxyType({0: "Unknown", 1: "Low", 2: "Medium", 3: "High"}),
        "cpu_architecture": MappingProxyType({1: "x86", 2: "ARM"}),
        "direction": MappingProxyType({0: "Unknown", 1: "Inbound", 2: "Outbound"}),
        "disposition": MappingProxyType(
            {
                0: "Unknown",
                1: "Allowed",
                2: "Blocked",
                3: "Quarantined",
                10: "Exonerated",
                11: "Corrected",
                12: "Partially Corrected",
                15: "Detected",
            }
        ),
        "integrity": MappingProxyType({0: "Unknown", 1: "Untrusted", 2: "Low", 3: "Medium", 4: "High", 5: "System"}),
        "malware": MappingProxyType(
            {
                0: "Unknown",
                1: "Adware",
                2: "Backdoor",
                3: "Bot",
                4: "Bootkit",
                5: "DDOS",
                6: "Downloader",
                7: "Dropper",
                8: "Exploit-Kit",
                9: "Keylogger",
                10: "Ransomware",
                11: "Remote-Access-Trojan",
                13: "Resource-Exploitation",
                14: "Rogue-Security-Software",
                15: "Rootkit",
                16: "Screen-Capture",
                17: "Spyware",
                18: "Trojan",
                19: "Virus",
                20: "Webshell",
                21: "Wiper",
                22: "Worm",
            }
        ),
        "peripheral": MappingProxyType({0: "Unknown", 1: "External Storage", 4: "Printer", 7: "Webcam"}),
        "verdict": MappingProxyType(
            {0: "Unknown", 1: "False Positive", 2: "True Positive", 4: "Suspicious", 5: "Benign"}
        ),
        "os": MappingProxyType({0: "Unknown", 100: "Windows", 200: "Linux", 300: "macOS"}),
        "hash": MappingProxyType({0: "Unknown", 1: "MD5", 2: "SHA-1", 3: "SHA-256"}),
        "observable": MappingProxyType(
            {
                1: "Hostname",
                2: "IP Address",
                3: "MAC Address",
                4: "User Name",
                5: "Email Address",
                7: "File Name",
                8: "Hash",
                9: "Process Name",
                10: "Resource UID",
                13: "Command Line",
            }
        ),
    }
)
MACHINES: Final = MappingProxyType({"unknown": 0, "server": 1, "desktop": 2, "laptop": 3})
"""Types of a device by the vendor's words."""

SYSTEMS: Final = MappingProxyType({"windows": 100, "linux": 200, "macos": 300, "osx": 300})
"""Types of an operating system by the vendor's words."""

_OBSERVABLES = dict(_CAPTIONS["observable"])
Observable = tuple[str, int, str, str]


def caption(kind: str, number: int) -> str:
    """Return the schema's caption of an id; `kind` is e.g. `severity` or `finding_status`. Raise `KeyError`."""
    return _CAPTIONS[kind][number]


def classification(class_uid: int, activity_id: int, *, source_name: str = "Other") -> dict[str, Any]:
    """Return the eight classification attributes of an event.

    An activity of 99 carries the vendor's own name, as the schema asks for; every other one the schema's caption.
    Raise `KeyError` or `IndexError` for ids that the schema does not have.
    """
    class_name = CLASSES[class_uid]
    standard = "Other" if activity_id == OTHER else ACTIVITIES[class_uid][activity_id - 1]
    return {
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": class_uid // 1000,
        "category_name": _CATEGORIES[class_uid // 1000],
        "activity_id": activity_id,
        "activity_name": source_name if activity_id == OTHER else standard,
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{class_name}: {standard}",
    }


def observable(name: str, type_id: int, value: str) -> Observable:
    """Return one entry of `observables`: the attribute's path, its type and its value."""
    return name, type_id, _OBSERVABLES[type_id], value
