"""Mutations of the built-in rules: each literal changed once, and a sample of the rule has to notice."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinelone_collector.detect import load_ruleset, test_rules
from sentinelone_collector.detect.keys import PERSON
from sentinelone_collector.rules import BUILT_IN

FILES = sorted(BUILT_IN.rglob("*.yaml"))
FOLDERS = sorted({path.parent.name for path in FILES})
Document = dict[str, Any]
_AT_ONCE = 6
_EVERY = "*"
# Mutants that do what the rule does, with the reason; (rule, what was changed)
_ANY_ONE = "one event is enough, so neither the span nor the group matters"
_LONGEST = {"days": 366}
_TEXTS: dict[str, dict[str, str]] = {"usual": {}, "of": {"entity": "tenant", "tenant": "entity"}}
_LEARNED = (
    "what is high is learned from the tenant's own logins; telling these apart takes more of them than a sample has"
)
EQUIVALENT: dict[tuple[str, str], str] = {
    ("ul-019", "quantile 0.00999"): _LEARNED,
    ("ul-019", "quantile 0.9995"): _LEARNED,
    ("ub-009-signs", "span -1"): _ANY_ONE,
    ("ub-009-signs", "span +3"): _ANY_ONE,
    ("ub-009-signs", "no grouping"): _ANY_ONE,
    ("ub-015", "weight of critical -1"): "with two incidents more, as three rules ask for, it is above the sum anyway",
    ("ub-015", "weight of critical +1"): "with two incidents more, as three rules ask for, it is above the sum anyway",
}


@cache
def _documents(path: Path) -> tuple[Document, ...]:
    return tuple(yaml.load_all(path.read_text(), yaml.CSafeLoader))


@cache
def _home() -> dict[str, Path]:
    return {document["name"]: path for path in FILES for document in _documents(path)}


def _literals(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: C901  # one branch for each kind of value
    """Yield a detection item with one literal changed, and what was changed."""
    if isinstance(value, bool):
        yield str(value), not value
    elif isinstance(value, str):
        yield value, value + "0"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "condition":
                continue
            for what, changed in [(inner, "metadata.uid")] if key.endswith("|fieldref") else _literals(inner):
                yield f"{key} {what}", {**value, key: changed}
            if "." in key:
                field, *modifiers = key.split("|")
                other = "|".join(["metadata.log_name" if field != "metadata.log_name" else "message", *modifiers])
                yield f"field {field}", {other if at == key else at: inner for at, inner in value.items()}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            for what, changed in _literals(inner):
                yield what, [*value[:number], changed, *value[number + 1 :]]


def _correlations(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield a correlation with its threshold, span, grouping or order changed."""
    body = document["correlation"]

    def changed(**parts: Any) -> Document:
        return {**document, "correlation": {key: value for key, value in {**body, **parts}.items() if value}}

    condition = body.get("condition")
    if isinstance(condition, dict):
        for step in (-1, 1):
            if condition["gte"] + step > 0:
                yield f"threshold {step:+}", changed(condition={**condition, "gte": condition["gte"] + step})
    elif condition:
        yield "not", changed(condition=condition.replace("not ", ""))
    seconds = _seconds(body["timespan"])
    for step in (-1, max(1, seconds // 20)):
        if step < 0 or seconds + step <= 7 * 86_400:
            yield f"span {step:+}", changed(timespan=f"{seconds + step}s")
    if body["group-by"] != [PERSON]:  # which says that it sums hits, and can't be left out
        yield "no grouping", changed(**{"group-by": None})
    if body["type"] == "temporal_ordered" and not document["x-incident"].keys() & {"unless", "match"}:
        yield "any order", changed(type="temporal")


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[text[-1]]


def _detectors(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield an anomaly rule with one parameter of its detector changed."""
    block = document["detector"]

    def changed(name: str, value: Any) -> tuple[str, Document]:
        return f"{name} {value}", {**document, "detector": {**block, name: value}}

    for name, value in block.items():
        if isinstance(value, int):
            most = _LONGEST.get(name, value + 1)
            yield from (changed(name, value + step) for step in (-1, 1) if 0 < value + step <= most)
        elif isinstance(value, float):
            # Of a probability the order of magnitude counts
            other = min(value * 100, (1 + value) / 2) if value < 1 else value * 10
            yield from (changed(name, one) for one in (value / (100 if value < 1 else 10), other))
        elif isinstance(value, list) and len(value) > 1:
            yield from (changed(name, [one for one in value if one != left]) for left in value)
        elif name in _TEXTS:
            yield changed(name, _TEXTS[name].get(value, f"{value}0"))


def _extensions(document: Document) -> Iterator[tuple[str, Document]]:  # noqa: C901  # one branch for each key
    """Yield a rule with what its block adds to Sigma changed."""
    block = document["x-incident"]

    def changed(**parts: Any) -> Document:
        return {**document, "x-incident": {key: value for key, value in {**block, **parts}.items() if value}}

    if block.get("direction") and "detection" in document:
        yield "direction", changed(direction={"on": "off", "off": "on"}[block["direction"]])
    if block.get("unless"):
        yield "unless", changed(unless=None)
    if block.get("match"):
        yield "match", changed(match=None)
        for number, name in enumerate(block["match"]["later"]):
            later = [*block["match"]["later"][:number], *block["match"]["later"][number + 1 :]]
            yield f"match {name}", changed(match={**block["match"], "later": later})
    for name, weight in block.get("weights", {}).items():
        for step in (-1, 1):
            yield f"weight of {name} {step:+}", changed(weights={**block["weights"], name: max(weight + step, 0.001)})
    for kind, limits in block.get("require", {}).items():
        for name, limit in limits.items():
            for step in (-1, 1):
                if limit + step > 0:
                    require = {**block["require"], kind: {**limits, name: limit + step}}
                    yield f"{kind} {name} {step:+}", changed(require=require)


def _mutants(documents: tuple[Document, ...]) -> Iterator[tuple[str, list[Document]]]:
    for number, document in enumerate(documents):
        found: list[tuple[str, Document]] = []
        for what, detection in _literals(document.get("detection", {})):
            found.append((what, {**document, "detection": detection}))
        if "correlation" in document:
            found += _correlations(document)
        if "detector" in document:
            found += _detectors(document)
        if "x-incident" in document:
            found += _extensions(document)
        for what, changed in found:
            left = [*documents[:number], changed, *documents[number + 1 :]]
            gone = document.get("x-incident", {}).get("unless") if what == "unless" else None
            yield what, [one for one in left if one["name"] != gone]


def _renamed(documents: list[Document], number: int) -> list[Document]:
    """Return the documents under names of their own, so that many mutants stand in one set of rules."""
    names = {document["name"]: f"{document['name']}_m{number}_{documents[-1]['name']}" for document in documents}
    names = {old: re.sub("[^a-z0-9]", "_", new) for old, new in names.items()}

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): rename(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [rename(inner) for inner in value]
        return re.sub(r"[\w-]+", lambda word: names.get(word[0], word[0]), value) if isinstance(value, str) else value

    renamed = copy.deepcopy(documents)
    for document in renamed:
        document["name"] = names[document["name"]]
        if "correlation" in document:
            body = document["correlation"]
            document["correlation"] = {
                **body,
                **{key: rename(body[key]) for key in ("rules", "aliases") if key in body},
            }
            if isinstance(body.get("condition"), str):
                document["correlation"]["condition"] = rename(body["condition"])
            block = document["x-incident"]
            document["x-incident"] = {
                **block,
                **{key: rename(block[key]) for key in ("weights", "unless") if key in block},
            }
    return renamed


def _needed(documents: tuple[Document, ...]) -> set[Path]:
    """Return the files of the rules that the documents refer to, at any depth."""
    own = {document["name"] for document in documents}
    used = {name for document in documents for name in document.get("correlation", {}).get("rules", ())} - own
    if _EVERY in used:
        return {path for path in FILES if not _sums(path)}
    files = {_home()[name] for name in used}
    return files.union(*(_needed(_documents(path)) for path in files))


def _sums(path: Path) -> bool:
    return any(document.get("correlation", {}).get("rules") == [_EVERY] for document in _documents(path))


def _batches(paths: list[Path]) -> Iterator[list[Path]]:
    """Yield some files at a time; what sums up the hits of all rules must not find the mutants of others."""
    plain = [path for path in paths if not _sums(path)]
    yield from ([path] for path in paths if _sums(path))
    yield from (plain[first : first + _AT_ONCE] for first in range(0, len(plain), _AT_ONCE))


def _survivors(folder: Path, paths: list[Path]) -> tuple[set[tuple[str, str]], int]:
    """Return which mutants of the files no sample notices, and how many were tried."""
    described: dict[str, tuple[str, str]] = {}
    written = [
        document
        for other in sorted(set().union(*(_needed(_documents(path)) for path in paths)))
        for document in _documents(other)
    ]
    for path in paths:
        documents = _documents(path)
        for number, (what, mutant) in enumerate(_mutants(documents)):
            renamed = _renamed(mutant, number)
            written += renamed
            described[renamed[-1]["name"]] = (documents[-1]["name"], what)
    folder.mkdir()
    (folder / "mutants.yaml").write_text(yaml.dump_all(written, sort_keys=False, Dumper=yaml.CSafeDumper))
    ruleset = load_ruleset(folder)
    assert [str(problem) for problem in ruleset.problems] == []
    return {described[one.rule] for one in test_rules(ruleset, *described) if one.passed}, len(described)


@pytest.mark.parametrize("family", FOLDERS)
def test_a_change_of_any_literal_is_noticed_by_a_sample(tmp_path: Path, family: str) -> None:
    paths = [path for path in FILES if path.parent.name == family]
    survivors: set[tuple[str, str]] = set()
    tried = 0
    for place, batch in enumerate(_batches(paths)):
        found, number = _survivors(tmp_path / str(place), batch)
        survivors |= found
        tried += number
    assert tried > 40
    assert sorted(survivors) == sorted(key for key in EQUIVALENT if _home()[key[0]].parent.name == family)
