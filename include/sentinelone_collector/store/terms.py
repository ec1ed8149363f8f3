"""What people write into the search of incidents: `Classification = "admin:activity"` beside plain words."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final, NamedTuple

from sentinelone_collector.errors import UsageError

__all__ = ["TERMS", "Term", "split_terms"]

# Both the words of the console's columns and those that users of Alert Logic's incident list know
TERMS: Final = MappingProxyType(
    {
        "account": "account",
        "assignee": "assignee",
        "attacker": "attacker",
        "classification": "classification",
        "correlation name": "rule",
        "deployment": "instance",
        "detection source": "kind",
        "family": "family",
        "id": "id",
        "incident id": "id",
        "instance": "instance",
        "level": "level",
        "mitre technique": "technique",
        "role": "role",
        "rule": "rule",
        "status": "status",
        "summary": "title",
        "target": "victim",
        "technique": "technique",
        "threat level": "level",
        "victim": "victim",
    }
)
_VALUES: Final = {("kind", "rule"): "event", ("level", "info"): "informational"}
_TERM = re.compile(r'(?P<before>[^"=!]*?)\s*(?P<sign>!=|=)\s*"(?P<value>[^"]*)"')
_AND = re.compile(r"^AND\s+|\s+AND$|^AND$")


class Term(NamedTuple):
    """One comparison: `field` is a value of `TERMS`; without `equal` the value is what the field must not be."""

    field: str
    equal: bool
    value: str


def split_terms(text: str) -> tuple[tuple[Term, ...], str]:
    """Return the comparisons in a text and the plain words that are left.

    A comparison is a name of `TERMS` in any letters, `=` or `!=`, and a value in double quotes; `AND` between them is
    the same as nothing. Raise `UsageError`, which lists the names, where another name stands before the sign.
    """
    terms: list[Term] = []
    words: list[str] = []
    end = 0
    for match in _TERM.finditer(text):
        name, before = _name(match["before"])
        if name is None:
            raise UsageError(
                f"{match['before'].split()[-1:] or ['nothing']} before {match['sign']} names no field of incidents; "
                f"there are {', '.join(TERMS)}"
            )
        field = TERMS[name]
        value = match["value"].strip()
        terms.append(Term(field, match["sign"] == "=", _VALUES.get((field, value.lower()), value)))
        words.append(before)
        end = match.end()
    words.append(text[end:])
    return tuple(terms), " ".join(filter(None, map(_plain, words))) if terms else text.strip()


def _name(before: str) -> tuple[str | None, str]:
    """Return the longest name at the end of a text, and what stands before it."""
    words = before.split()
    for first in range(len(words)):
        name = " ".join(words[first:]).lower()
        if name in TERMS:
            return name, " ".join(words[:first])
    return None, before


def _plain(words: str) -> str:
    words = words.strip()
    while (shorter := _AND.sub("", words).strip()) != words:
        words = shorter
    return words
