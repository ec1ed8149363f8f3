"""MITRE ATT&CK for people: names and tactics of techniques, from a table of our own (Enterprise, version 18)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sentinelone_collector.detect import Rule

__all__ = ["TACTICS", "Cell", "Column", "Technique", "matrix_of", "technique_of", "techniques_of"]

TACTICS = {
    "reconnaissance": "Reconnaissance",
    "resource-development": "Resource Development",
    "initial-access": "Initial Access",
    "execution": "Execution",
    "persistence": "Persistence",
    "privilege-escalation": "Privilege Escalation",
    "defense-evasion": "Defense Evasion",
    "credential-access": "Credential Access",
    "discovery": "Discovery",
    "lateral-movement": "Lateral Movement",
    "collection": "Collection",
    "command-and-control": "Command and Control",
    "exfiltration": "Exfiltration",
    "impact": "Impact",
}
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique; `tactics` are keys of `TACTICS`, empty where the table does not know it."""

    id: str
    name: str
    tactics: tuple[str, ...]

    @property
    def title(self) -> str:
        """Its name, after that of the technique that it is a part of."""
        parent, _, sub = self.id.partition(".")
        above = technique_of(parent).name if sub else ""
        return f"{above}: {self.name}" if above else self.name

    @property
    def url(self) -> str:
        """Its page at MITRE."""
        return f"https://attack.mitre.org/techniques/{self.id.replace('.', '/')}/"


@dataclass(frozen=True, slots=True)
class Cell:
    """One technique of a column, and the names of its rules."""

    technique: Technique
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One tactic and those of its techniques that rules have."""

    tactic: str
    title: str
    cells: tuple[Cell, ...]


@cache
def _table() -> dict[str, Technique]:
    text = resources.files("sentinelone_collector.console").joinpath("attack_table.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["technique"]: Technique(row["technique"], row["name"], tuple(row["tactics"].split())) for row in rows}


def technique_of(name: str) -> Technique:
    """Return a technique by its id; one that the table does not know has no name and no tactic."""
    return _table().get(name) or Technique(name, "", ())


def techniques_of(names: Iterable[str]) -> list[Technique]:
    """Return techniques by their ids, in their order."""
    return [technique_of(name) for name in names]


def matrix_of(rules: Sequence[Rule]) -> list[Column]:
    """Return all tactics in ATT&CK's order with the techniques of the rules; unknown techniques come last."""
    by_technique: dict[str, list[str]] = {}
    for rule in rules:
        for name in rule.attacks:
            by_technique.setdefault(name, []).append(rule.name)
    cells = [Cell(technique_of(name), tuple(by_technique[name])) for name in sorted(by_technique)]
    columns = [_column(tactic, title, cells) for tactic, title in TACTICS.items()]
    other = tuple(cell for cell in cells if not cell.technique.tactics)
    return columns + ([Column(_OTHER, "Other", other)] if other else [])


def _column(tactic: str, title: str, cells: Sequence[Cell]) -> Column:
    return Column(tactic, title, tuple(cell for cell in cells if tactic in cell.technique.tactics))
