"""MITRE ATT&CK in findings: from the vendor's tactics and techniques to OCSF's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.values import text

__all__ = ["attacks"]

# Consoles don't say which version they mean; this is the last one that has all the tactics they name.
_VERSION: Final = "18.1"
_TECHNIQUE: Final = re.compile(r"(T\d{4})(\.\d{3})?")
_TACTICS: Final[Mapping[str, str]] = {
    "Reconnaissance": "TA0043",
    "Resource Development": "TA0042",
    "Initial Access": "TA0001",
    "Execution": "TA0002",
    "Persistence": "TA0003",
    "Privilege Escalation": "TA0004",
    "Defense Evasion": "TA0005",
    "Credential Access": "TA0006",
    "Discovery": "TA0007",
    "Lateral Movement": "TA0008",
    "Collection": "TA0009",
    "Command and Control": "TA0011",
    "Exfiltration": "TA0010",
    "Impact": "TA0040",
}
_BY_WORD: Final = {name.lower(): (name, uid) for name, uid in _TACTICS.items()}


def attacks(indicators: Iterable[Section]) -> list[dict[str, Any]]:
    """Return the attacks of `indicators[].tactics[].techniques[]`, each pair of tactic and technique once, in order.

    What MITRE does not know, such as the vendor's own categories, is left out. The fields do not count as mapped:
    the indicators say what was seen, and belong together.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for indicator in indicators:
        for tactic in indicator.items("tactics"):
            name, uid = _BY_WORD.get((text(tactic.peek("name")) or "").lower(), ("", ""))
            techniques = [match for item in tactic.items("techniques") if (match := _technique(item)) is not None]
            for match in techniques:
                found.setdefault((uid, match[0]), _attack(name, uid, match))
            if name and not techniques:
                found.setdefault((uid, ""), _attack(name, uid, None))
    return list(found.values())


def _technique(item: Section) -> re.Match[str] | None:
    return _TECHNIQUE.fullmatch((text(item.peek("name")) or "").strip())


def _attack(name: str, uid: str, match: re.Match[str] | None) -> dict[str, Any]:
    attack: dict[str, Any] = {"version": _VERSION}
    if name:
        attack["tactic"] = {"uid": uid, "name": name}
    if match is not None:
        attack["technique"] = {"uid": match[1]}
        if match[2]:
            attack["sub_technique"] = {"uid": match[0]}
    return attack
