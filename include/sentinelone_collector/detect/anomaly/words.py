"""Plain words for what detectors say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["did", "hour", "listed", "named", "number", "percent"]

_DID: Final = {
    "login": "logged in",
    "failure": "failed to log in",
    "act": "acted",
    "remote": "reached into hosts",
    "verdict": "judged threats",
    "account": "was created",
    "loss": "lost an agent",
    "threat": "had a threat",
}
_FACTS: Final = {
    "country": "from {}",
    "asn": "from AS{}",
    "network": "from the network {}",
    "ip": "from {}",
    "method": "by {}",
    "source": "through {}",
    "kind": "from a {} address",
    "code": "with activity {}",
    "site": "in site {}",
    "host": "on {}",
    "verdict": "as {}",
}
_FEW: Final = 3


def did(feature: str) -> str:
    """Return what somebody does whom a feature counts: `logged in`."""
    return _DID[feature]


def named(fact: str, value: object) -> str:
    """Return a fact in words: `from BR`."""
    return _FACTS.get(fact, f"with {fact} {{}}").format(value)


def listed(values: Sequence[tuple[str, float]]) -> str:
    """Return values with counts, the first few: `DE (212), FR (9) and 3 others`."""
    shown = [f"{value} ({count})" for value, count in values[:_FEW]]
    rest = len(values) - len(shown)
    if rest:
        shown.append(f"{rest} other{'s' if rest > 1 else ''}")
    return _joined(shown)


def _joined(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def number(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 day`, `3 days`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Return a share in percent, exact enough for small ones."""
    return f"{100 * share:.3g} %"


def hour(slot: float) -> str:
    """Return a quarter of an hour of the day, 0 to 95, as a UTC time."""
    return f"{int(slot) // 4:02d}:{int(slot) % 4 * 15:02d}"
