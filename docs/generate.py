"""Write `rules.md` and `attack-navigator.json` from the rule files: `python docs/generate.py`."""  # noqa: INP001  # a script beside the pages

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sentinelone_collector.detect import Rule, Ruleset, load_ruleset
from sentinelone_collector.detect.spec import FAMILIES
from sentinelone_collector.rules import BUILT_IN

__all__ = ["LAYER", "PAGE", "navigator_layer", "rules_page"]

PAGE = Path(__file__).resolve().parent / "rules.md"
LAYER = PAGE.with_name("attack-navigator.json")
_TITLES = {
    "administrative_actions": "Administrative actions",
    "user_login_ad": "Log-ins",
    "user_behavior_ad": "Behaviour of users",
    "endpoint": "Endpoints",
}


def rules_page(ruleset: Ruleset) -> str:
    """Return the page about all rules that give hits; the same rules give the same text."""
    rules = ruleset.incident_rules
    lines = [
        "# Rules",
        "",
        "<!-- Written by `python docs/generate.py` from the rule files; edit those. -->",
        "",
        f"{len(rules)} rules. `s1c rules show ID` shows one with its condition, reason, recommendation and samples;",
        "[writing-rules.md](writing-rules.md) says how to write your own. An *observation* gives hits and labels, and",
        "opens no incident. Techniques are those of MITRE ATT&CK 18; [attack-navigator.json](attack-navigator.json) is",
        "a layer for the ATT&CK Navigator with the rules of each technique.",
    ]
    for family in FAMILIES:
        chosen = [rule for rule in rules if rule.spec and rule.spec.family == family]
        if chosen:
            lines += ["", f"## {_TITLES[family]} (`{family}`)", "", *_table(chosen)]
    return "\n".join(lines) + "\n"


def _table(rules: list[Rule]) -> Iterator[str]:
    yield "| id | level | rule | raised when | ATT&CK |"
    yield "|---|---|---|---|---|"
    for rule in rules:
        description = " ".join(str(rule.document.get("description", "")).split())
        cells = (f"`{rule.name}`", _level(rule), _cell(rule.title), _cell(description), ", ".join(rule.attacks))
        yield f"| {' | '.join(cells)} |"


def _level(rule: Rule) -> str:
    observed = rule.spec is not None and rule.spec.visibility == "observation"
    return f"{rule.level}, observation" if observed else rule.level


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def navigator_layer(ruleset: Ruleset) -> str:
    """Return a layer for the ATT&CK Navigator: each technique with its rules, scored by how many they are."""
    by_technique: dict[str, list[str]] = {}
    for rule in ruleset.incident_rules:
        for technique in rule.attacks:
            by_technique.setdefault(technique, []).append(f"{rule.name} {rule.title}")
    layer = {
        "name": "SentinelOne Collector",
        "versions": {"attack": "18", "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"What {len(ruleset.incident_rules)} rules over SentinelOne console activities detect.",
        "techniques": [
            {"techniqueID": technique, "score": len(names), "comment": "\n".join(names), "showSubtechniques": True}
            for technique, names in sorted(by_technique.items())
        ],
        "gradient": {
            "colors": ["#d6e4f5", "#1f5fa8"],
            "minValue": 1,
            "maxValue": max(map(len, by_technique.values()), default=1),
        },
    }
    return json.dumps(layer, indent=2) + "\n"


if __name__ == "__main__":
    LAYER.write_text(navigator_layer(load_ruleset(BUILT_IN)), encoding="utf-8")
    PAGE.write_text(rules_page(load_ruleset(BUILT_IN)), encoding="utf-8")
