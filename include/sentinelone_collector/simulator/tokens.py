"""API tokens: text, owner's scope, expiry, and the quota each of them has."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator.org import Place

__all__ = ["ROLES", "Quota", "Scope", "Token", "token_text"]

_TOKEN = 41


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token may see; two empty tuples mean the whole console."""

    account_ids: tuple[str, ...] = ()
    site_ids: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """Give the level in the console's words: tenant, account or site."""
        return "site" if self.site_ids else "account" if self.account_ids else "tenant"

    def covers(self, place: Place) -> bool:
        """Say whether a record of a place may be seen."""
        if self.level == "tenant":
            return True
        return place.account_id in self.account_ids or place.site_id in self.site_ids


ROLES: Final[Mapping[str, frozenset[str] | None]] = {
    "Log reader": None,
    "Threat reader": frozenset({"Accounts.view", "Activity Page.view", "Sites.view", "Threats.view"}),
    "Activity reader": frozenset({"Accounts.view", "Activity Page.view", "Sites.view"}),
}
"""The roles a token may have, with their rights; None stands for all that can be read."""


@dataclass(frozen=True, slots=True)
class Token:
    """One API token; times are aware UTC datetimes without fraction."""

    text: str
    scope: Scope
    created: datetime
    expires: datetime
    role: str = "Log reader"

    def may(self, permission: str) -> bool:
        """Say whether the role holds a right."""
        rights = ROLES[self.role]
        return rights is None or permission in rights

    def alive(self, now: datetime) -> bool:
        """Say whether the token is still accepted."""
        return now < self.expires


def _part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).decode().rstrip("=")


def token_text(seed: int, number: int) -> str:
    """Make the text of the n-th token of a seed, in the form of a JWT."""
    dice = Dice(seed, _TOKEN, number)
    header = {"kid": "simulated", "alg": "ES256"}
    claims = {"sub": "service-user", "domain": "simulator.example", "jti": dice.uuid()}
    signature = base64.urlsafe_b64encode(bytes.fromhex(dice.hex(64) + dice.hex(64))).decode().rstrip("=")
    return f"{_part(header)}.{_part(claims)}.{signature}"


class Quota:
    """Token buckets: a rate (calls per second) and a burst for each key."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, key: tuple[str, str], rate: float, burst: int) -> bool:
        """Take one call from a key's bucket; false where it is empty."""
        now = self._monotonic()
        with self._lock:
            level, then = self._levels.get(key, (float(burst), now))
            level = min(float(burst), level + (now - then) * rate)
            allowed = level >= 1
            self._levels[key] = (level - 1 if allowed else level, now)
            return allowed
