"""The built-in rules: each does what its samples say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sentinelone_collector.detect import Ruleset, load_ruleset, test_rules
from sentinelone_collector.detect.spec import FAMILIES
from sentinelone_collector.normalize.table import UNKNOWN_TYPE, routes
from sentinelone_collector.rules import BUILT_IN

FILES = sorted(BUILT_IN.rglob("*.yaml"))
_PREFIXES = {"aa": "administrative_actions", "ul": "user_login_ad", "ub": "user_behavior_ad", "ep": "endpoint"}


@pytest.fixture(scope="module")
def built_in() -> Ruleset:
    return load_ruleset(BUILT_IN)


def test_every_file_can_be_read(built_in: Ruleset) -> None:
    assert [str(problem) for problem in built_in.problems] == []
    assert {rule.path for rule in built_in} == set(FILES)


def test_every_rule_does_what_its_samples_say(built_in: Ruleset) -> None:
    results = test_rules(built_in)
    failed = {one.rule: [sample for sample in one.samples if not sample.passed] for one in results if not one.passed}
    assert failed == {}
    assert {one.rule for one in results} == {rule.name for rule in built_in if rule.spec is not None}


def test_each_family_has_rules_and_files_lie_in_its_folder(built_in: Ruleset) -> None:
    families = Counter(rule.spec.family for rule in built_in if rule.spec is not None)
    assert set(families) == set(FAMILIES)
    assert families["administrative_actions"] >= 24
    for rule in built_in.incident_rules:
        assert rule.spec is not None
        assert rule.path.parent.name == rule.spec.family == _PREFIXES[rule.name[:2]]
        assert rule.path.name.startswith(rule.name.replace("-", "_"))


def test_ids_and_titles_are_unique(built_in: Ruleset) -> None:
    for key in ("id", "title"):
        assert len({rule.document[key] for rule in built_in}) == len(built_in)


def test_every_technique_is_named_in_both_versions(built_in: Ruleset) -> None:
    for rule in built_in.incident_rules:
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", name) for name in rule.attacks + rule.attacks_v19)
        assert not any(name.startswith("T1562") for name in rule.attacks_v19)
        assert bool(rule.attacks) == bool(rule.attacks_v19)


def _codes(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "metadata.event_code":
                yield from ([inner] if isinstance(inner, str) else inner)
            else:
                yield from _codes(inner)


def test_rules_name_activity_types_that_normalize_knows(built_in: Ruleset) -> None:
    known = {str(number) for number in routes()}
    unknown = {rule.name: set(_codes(rule.document.get("detection", {}))) - known for rule in built_in}
    assert {name: codes for name, codes in unknown.items() if codes} == {}


def test_a_rule_that_asks_for_a_direction_watches_types_that_have_one(built_in: Ruleset) -> None:
    table = routes()
    without = {
        (rule.name, code)
        for rule in built_in
        if rule.spec is not None and rule.spec.direction is not None
        for code in _codes(rule.document.get("detection", {}))
        if not any(
            "direction:" in label for row in table[int(code)].bases.values() for label in row.get("metadata.labels", ())
        )
    }
    assert without == set()


def test_the_label_of_unknown_types_is_that_of_normalize(built_in: Ruleset) -> None:
    assert built_in.get("ub-017").document["detection"]["unknown"] == {"metadata.labels": UNKNOWN_TYPE}


def test_what_a_correlation_groups_by_decides_its_incident(built_in: Ruleset) -> None:
    # Otherwise events that come in later could move a hit to another incident and leave the first without any
    for rule in built_in.incident_rules:
        if rule.correlation is not None and rule.spec is not None and rule.correlation.kind != "temporal_ordered":
            groups = {name for names in rule.correlation.by.values() for name in names}
            assert set(rule.spec.dedup.keys) <= groups, rule.name


def test_every_rule_says_what_a_person_needs(built_in: Ruleset) -> None:
    for rule in built_in.incident_rules:
        assert all(rule.document.get(key) for key in ("description", "falsepositives", "level", "status", "date"))
        assert rule.name.startswith("ep-") or rule.attacks or rule.name == "ub-017", rule.name


def test_one_list_says_which_actions_are_sensitive(built_in: Ruleset) -> None:
    told = {
        rule.name: rule.document["detection"]["sensitive"]["metadata.event_code|re"]
        for rule in built_in
        if "sensitive" in rule.document.get("detection", {})
    }
    assert {"ub-001", "ub-001-role", "ub-002", "ub-005", "ub-007", "ub-008", "ub-016"} <= told.keys()
    [codes] = set(told.values())
    assert {int(code) for code in re.findall(r"\d+", codes)} <= routes().keys()
