"""The rules as the console shows them: read anew when a file of the own rules changes, as plain records."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from sentinelone_collector.console.context import Context
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.detect import Rule, Ruleset
from sentinelone_collector.instances import Instance
from sentinelone_collector.instances.model import AllowEntry
from sentinelone_collector.pipeline import Installation

__all__ = ["FAMILY_TITLES", "KINDS", "allowed_by", "find_rule", "kind_of", "off_by", "rule_row", "ruleset_of"]

FAMILY_TITLES: Mapping[str, str] = {
    "administrative_actions": "Administrative actions",
    "user_login_ad": "Log-ins",
    "user_behavior_ad": "Behaviour of users",
    "endpoint": "Endpoints",
}
KINDS: Mapping[str, str] = {"event": "Rule", "correlation": "Correlation", "anomaly": "Anomaly"}
_Files = tuple[tuple[str, int, int], ...]
_lock = threading.Lock()
_known: dict[tuple[str, _Files], Ruleset] = {}


def ruleset_of(site: Installation) -> Ruleset:
    """Return all rules; those of the own folder as they are on disk now."""
    key = (str(site.settings.rules or ""), _files(site.settings.rules))
    with _lock:  # reading takes seconds: one thread does it, the others wait for what it finds
        if key not in _known:
            for old in [each for each in _known if each[0] == key[0]]:
                del _known[old]
            _known[key] = replace(site).ruleset
        return _known[key]


def _files(folder: Path | None) -> _Files:
    if folder is None or not folder.is_dir():
        return ()
    stats = ((path, path.stat()) for path in sorted(folder.rglob("*.y*ml")))
    return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


def find_rule(ctx: Context, name: str) -> Rule:
    """Return a rule that gives hits; raise `Refused` (404) for any other name."""
    rule = ruleset_of(ctx.site).by_name.get(name.lower())
    if rule is None or rule.spec is None:
        raise Refused(404, f"There is no rule {name!r}.")
    return rule


def kind_of(rule: Rule) -> str:
    """Return how a rule finds: `event`, `correlation` or `anomaly`."""
    if rule.judge is not None:
        return "anomaly"
    return "event" if rule.correlation is None and rule.risk is None else "correlation"


def rule_row(rule: Rule) -> dict[str, Any]:
    """Return a rule as `s1c rules list` does, with what people read about it."""
    spec = rule.spec
    false_positives = rule.document.get("falsepositives") or []
    return {
        "id": rule.name,
        "title": rule.title,
        "level": rule.level,
        "family": spec.family if spec else None,
        "classification": spec.classification if spec else None,
        "kind": kind_of(rule),
        "visibility": spec.visibility if spec else None,
        "attacks": list(rule.attacks),
        "attacks_v19": list(rule.attacks_v19),
        "version": rule.version,
        "file": str(rule.path),
        "description": " ".join(str(rule.document.get("description", "")).split()),
        "reason": spec.reason if spec else "",
        "recommendation": spec.recommendation if spec else "",
        "false_positives": [str(each) for each in false_positives],
        "allow": [msgspec.to_builtins(entry.model_dump(mode="json")) for entry in (spec.allow if spec else ())],
    }


def off_by(rule: Rule, instance: Instance) -> list[str]:
    """Return the entries of an instance's inventory file that turn the rule off."""
    return [pattern for pattern in instance.rules.disable if fnmatchcase(rule.name, pattern.lower())]


def allowed_by(rule: Rule, entries: Iterable[AllowEntry]) -> list[AllowEntry]:
    """Return the allow entries that concern the rule."""
    return [entry for entry in entries if fnmatchcase(rule.name, entry.rule.lower())]
