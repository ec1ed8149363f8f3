"""Write `rules.md` from the rule files: `python docs/generate.py`."""  # noqa: INP001  # a script beside the pages

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sentinelone_collector.detect import Rule, Ruleset, load_ruleset
from sentinelone_collector.detect.spec import FAMILIES
from sentinelone_collector.rules import BUILT_IN

__all__ = ["PAGE", "rules_page"]

PAGE = Path(__file__).resolve().parent / "rules.md"
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
        "opens no incident. Techniques are those of MITRE ATT&CK 18.",
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


if __name__ == "__main__":
    PAGE.write_text(rules_page(load_ruleset(BUILT_IN)), encoding="utf-8")
