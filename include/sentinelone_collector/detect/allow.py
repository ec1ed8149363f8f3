"""Which hits an installation does not want: rules that are off, and people who may do what a rule watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.ruleset import Rule
from sentinelone_collector.instances import RuleSettings

__all__ = ["is_allowed", "is_disabled"]


def is_disabled(rule: Rule, settings: RuleSettings) -> bool:
    """Say whether the rule is off; `aa-*` turns off every rule whose name begins so."""
    return any(fnmatchcase(rule.name, pattern.lower()) for pattern in settings.disable)


def is_allowed(rule: Rule, hit: Hit, who: Iterable[str], settings: RuleSettings) -> bool:
    """Say whether an entry of the inventory or of the rule itself permits this.

    `who` are the names, addresses and sites that the hit is about. An entry is valid to the end of the UTC day
    `expires`, by the time of the event: collecting an old window again gives what it gave then.
    """
    names = [name.lower() for name in who]
    at = datetime.fromtimestamp(hit.last_time / 1000, UTC)
    entries = [(entry.who, entry.expires) for entry in (rule.spec.allow if rule.spec else ())]
    entries += [(entry.who, entry.expires) for entry in settings.allow if fnmatchcase(rule.name, entry.rule.lower())]
    return any(_valid(expires, at) and any(_matcher(pattern)(name) for name in names) for pattern, expires in entries)


def _valid(expires: date | None, at: datetime) -> bool:
    return expires is None or at < datetime(expires.year, expires.month, expires.day, tzinfo=UTC) + timedelta(days=1)


def _matcher(pattern: str) -> Callable[[str], bool]:
    try:
        network = ip_network(pattern, strict=False)
    except ValueError:
        return lambda name: fnmatchcase(name, pattern.lower())

    def inside(name: str) -> bool:
        try:
            return ip_address(name) in network
        except ValueError:
            return False

    return inside
