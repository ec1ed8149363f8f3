"""One-line summaries in plain words: `{attacker} turned 2FA off for {victim}`."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["fields_of", "fill"]

_SLOT = re.compile(r"\{([\w.-]+)\}")
_OWN = frozenset({"attacker", "victim", "count", "span", "words", "observed"})


def fields_of(template: str) -> tuple[str, ...]:
    """Return the names of events' fields that the template shows."""
    return tuple(name for name in dict.fromkeys(_SLOT.findall(template)) if name not in _OWN)


def fill(template: str, value: Callable[[str], str | None]) -> str:
    """Return the template with each slot filled; a value that is not known reads `unknown`."""
    return _SLOT.sub(lambda match: value(match[1]) or "unknown", template)
