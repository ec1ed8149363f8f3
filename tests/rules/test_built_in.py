"""The built-in rules: each does what its samples say, and no literal of a rule may change unnoticed."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    assert {one.rule for one in results} == {rule.name for rule in built_in.incident_rules}


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
        for code in _codes(rule.document["detection"])
        if not any(
            "direction:" in label for row in table[int(code)].bases.values() for label in row.get("metadata.labels", ())
        )
    }
    assert without == set()


def test_the_label_of_unknown_types_is_that_of_normalize(built_in: Ruleset) -> None:
    assert built_in.get("ub-017").document["detection"]["unknown"] == {"metadata.labels": UNKNOWN_TYPE}


# Mutations: each literal of a condition, each threshold and timespan, changed once; some sample has to notice.


def _mutants(value: Any) -> Iterator[Any]:
    """Yield copies of a detection item, each with one literal changed or left out."""
    if isinstance(value, str):
        yield value + "0"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "condition":
                continue
            for changed in ["metadata.uid"] if key.endswith("|fieldref") else _mutants(inner):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            for changed in _mutants(inner):
                yield [*value[:number], changed, *value[number + 1 :]]


def _mutated(documents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for number, document in enumerate(documents):
        for detection in _mutants(document.get("detection", {})):
            yield [*documents[:number], {**document, "detection": detection}, *documents[number + 1 :]]
        if document.get("x-incident", {}).get("direction"):
            changed = copy.deepcopy(document)
            changed["x-incident"]["direction"] = {"on": "off", "off": "on"}[changed["x-incident"]["direction"]]
            yield [*documents[:number], changed, *documents[number + 1 :]]
        if "correlation" in document:
            for step in (-1, 1):
                changed = copy.deepcopy(document)
                changed["correlation"]["condition"]["gte"] += step
                yield [*documents[:number], changed, *documents[number + 1 :]]
            changed = copy.deepcopy(document)
            changed["correlation"]["timespan"] = "20d"
            yield [*documents[:number], changed, *documents[number + 1 :]]


def test_a_change_of_any_literal_is_noticed_by_a_sample(tmp_path: Path) -> None:
    everything = {document["name"]: document for path in FILES for document in yaml.safe_load_all(path.read_text())}
    survivors, tried = [], 0
    for path in FILES:
        documents = list(yaml.safe_load_all(path.read_text()))
        bases = documents[-1].get("correlation", {}).get("rules", ())
        documents = [everything[name] for name in bases if len(documents) == 1] + documents
        folder = tmp_path / path.stem
        folder.mkdir()
        described: dict[str, str] = {}
        for number, mutant in enumerate(_mutated(documents)):
            renamed = _renamed(mutant, number)
            (folder / f"{number}.yaml").write_text(yaml.dump_all(renamed, sort_keys=False, Dumper=yaml.CSafeDumper))
            described[renamed[-1]["name"]] = f"{path.name} {_difference(documents, mutant)}"
        ruleset = load_ruleset(folder)
        assert [str(problem) for problem in ruleset.problems] == []
        survivors += [described[one.rule] for one in test_rules(ruleset, *described) if one.passed]
        tried += len(described)
    assert tried > 300
    assert survivors == [], "\n".join(survivors)


def _renamed(documents: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    renamed = copy.deepcopy(documents)
    names = {document["name"]: f"{document['name']}-m{number}-{documents[-1]['name']}" for document in documents}
    for document in renamed:
        document["name"] = names[document["name"]]
        if "correlation" in document:
            document["correlation"]["rules"] = [names[name] for name in document["correlation"]["rules"]]
    return renamed


def _difference(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str:
    old, new = (
        yaml.dump_all(documents, sort_keys=False, Dumper=yaml.CSafeDumper).splitlines() for documents in (before, after)
    )
    return "; ".join(f"{a.strip()} -> {b.strip()}" for a, b in zip(old, new, strict=False) if a != b)[:160]
