"""Rule files to rules: their drafts, those that they refer to, then the compiled condition.

Every step adds to the problems and goes on with the rules that are left, so that one wrong file stops no other.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from sentinelone_collector.detect.anomaly.judge import Judge, read_detector
from sentinelone_collector.detect.building import ACCOUNT, ROLE
from sentinelone_collector.detect.correlation_rules import read_correlation
from sentinelone_collector.detect.drafts import BLOCK, Draft, read_drafts
from sentinelone_collector.detect.fields import Columns
from sentinelone_collector.detect.predicates import NotExpressible, UnknownField, event_codes, predicate, spared_codes
from sentinelone_collector.detect.risk_rules import read_risk
from sentinelone_collector.detect.ruleset import LEVELS, Correlation, Risk, Rule
from sentinelone_collector.detect.samples import checked_events
from sentinelone_collector.detect.spec import IncidentSpec
from sentinelone_collector.detect.templates import fields_of
from sentinelone_collector.errors import RuleError

__all__ = ["read_rules"]

_OUTPUT_FIELDS = (  # what every hit is described and allowed by, whatever its rule
    "actor.user.name",
    "actor.user.email_addr",
    "actor.user.uid",
    "user.name",
    "user.email_addr",
    "src_endpoint.ip",
    "metadata.labels",
    "unmapped.data.siteName",
    *ACCOUNT,
    *ROLE,
)


def read_rules(files: Iterable[Path], columns: Columns) -> tuple[list[Rule], list[RuleError]]:
    """Return the rules of the files and what is wrong with the rest; `columns` collects the fields they use."""
    problems: list[RuleError] = []
    drafts: dict[str, Draft] = {}
    for file in files:
        for draft in read_drafts(file, problems):
            known = drafts.setdefault(draft.name, draft)
            if known is not draft:
                problems.append(draft.error(f"a rule named {draft.name} is in {known.path} already", "name"))
    for name in _OUTPUT_FIELDS:
        columns.use(name)
    _resolve(drafts, problems)
    rules: dict[str, Rule] = {}
    for draft in _bases_first(drafts, problems):
        try:
            rules[draft.name] = _rule(draft, rules, columns)
        except RuleError as error:
            problems.append(error)
    _check_risks(rules, drafts, problems)
    return list(rules.values()), problems


def _check_risks(rules: dict[str, Rule], drafts: dict[str, Draft], problems: list[RuleError]) -> None:
    """Drop the rules over hits that name a rule which gives none."""
    hitting = [rule.name for rule in rules.values() if rule.emits and rule.spec and rule.risk is None]
    for name, risk in [(rule.name, rule.risk) for rule in rules.values() if rule.risk is not None]:
        idle = [pattern for pattern in risk.rules if not fnmatch.filter(hitting, pattern)]
        if idle:
            problems.append(drafts[name].error(f"no rule {', '.join(idle)} gives hits", "correlation", "rules"))
            del rules[name]


def _resolve(drafts: dict[str, Draft], problems: list[RuleError]) -> None:
    """Drop correlations whose bases can't be used and base rules that nobody uses; mark the silenced ones."""
    used: set[str] = set()
    for draft in list(drafts.values()):
        if not isinstance(draft.sigma, SigmaCorrelationRule) or draft.over_hits:
            continue
        wrong = _unusable(draft, drafts)
        if wrong:
            problems.append(draft.error(wrong, "correlation", "rules"))
            del drafts[draft.name]
            continue
        used.update(draft.uses)
        for name in draft.bases if not draft.sigma.generate else ():
            drafts[name].silenced = True
    for draft in list(drafts.values()):
        if draft.spec is None and draft.name not in used:
            text = f"the rule has no block {BLOCK} and no correlation uses it; add the block with its samples"
            problems.append(draft.error(text))
            del drafts[draft.name]


def _unusable(draft: Draft, drafts: dict[str, Draft]) -> str | None:
    missing = [name for name in draft.uses if name not in drafts]
    if missing:
        return f"there is no rule {', '.join(missing)}"
    over_hits = [name for name in draft.uses if drafts[name].over_hits]
    if over_hits:
        return f"{', '.join(over_hits)} follows from hits, and a correlation counts events"
    return None if draft.bases else "a correlation names the rules that it counts"


def _bases_first(drafts: dict[str, Draft], problems: list[RuleError]) -> list[Draft]:
    """Return the drafts so that each comes after those that it uses; those that use themselves are a problem."""
    ordered: dict[str, Draft] = {}
    left = dict(sorted(drafts.items()))
    while left:
        ready = [name for name, draft in left.items() if not any(used in left for used in draft.uses)]
        if not ready:
            problems.extend(
                draft.error("the rules refer to each other in a circle", "correlation", "rules")
                for draft in left.values()
            )
            break
        for name in ready:
            ordered[name] = left.pop(name)
    return list(ordered.values())


def _rule(draft: Draft, rules: dict[str, Rule], columns: Columns) -> Rule:
    broken = [name for name in draft.uses if name not in rules]
    if broken:
        raise draft.error(f"{', '.join(broken)} can't be used, see its own problem", "correlation", "rules")
    where = None if isinstance(draft.sigma, SigmaCorrelationRule) else _where(draft, columns)
    correlation, risk = _over_time(draft, rules, columns)
    judge = _judge(draft)
    if draft.spec is not None:
        _check_fields(draft, draft.spec, columns)
        _check_samples(draft, draft.spec, columns)
    tagged = tuple(
        sorted({f"T{tag.name[1:]}" for tag in draft.sigma.tags if re.fullmatch(r"t\d{4}(\.\d{3})?", tag.name)})
    )
    stated = draft.spec.attack_versions.v18 if draft.spec else None
    return Rule(
        name=draft.name,
        title=str(draft.document["title"]),
        level=str(draft.document.get("level", LEVELS[0])),
        document=draft.document,
        path=draft.path,
        line=draft.places.of(()).line,
        version=_version(draft.document, [rules[name].version for name in draft.uses]),
        attacks=tagged if stated is None else stated,
        where=where,
        correlation=correlation,
        judge=judge,
        risk=risk,
        spec=draft.spec,
        emits=draft.spec is not None and not draft.silenced,
        codes=_codes(draft),
        spared=_spared(draft),
    )


def _over_time(draft: Draft, rules: dict[str, Rule], columns: Columns) -> tuple[Correlation | None, Risk | None]:
    if not isinstance(draft.sigma, SigmaCorrelationRule) or draft.spec is None:
        return None, None
    try:
        if draft.over_hits:
            return None, read_risk(draft.sigma, draft.spec)
        return read_correlation(draft.sigma, draft.spec, rules, columns), None
    except (NotExpressible, UnknownField) as error:
        place = (BLOCK,) if BLOCK in str(error) else ("correlation",)
        raise draft.error(str(error), *place) from error


def _codes(draft: Draft) -> frozenset[str] | None:
    if not isinstance(draft.sigma, SigmaRule):
        return None
    found = [event_codes(condition.parsed) for condition in draft.sigma.detection.parsed_condition]
    known = [codes for codes in found if codes is not None]
    return frozenset.union(*known) if known and len(known) == len(found) else None


def _spared(draft: Draft) -> frozenset[str]:
    if not isinstance(draft.sigma, SigmaRule):
        return frozenset()
    found = [spared_codes(condition.parsed) for condition in draft.sigma.detection.parsed_condition]
    return frozenset.intersection(*found) if found else frozenset()


def _judge(draft: Draft) -> Judge | None:
    block = draft.document.get("detector")
    if block is None:
        return None
    if isinstance(draft.sigma, SigmaCorrelationRule):
        raise draft.error("a rule has a detector or a correlation, which may use rules with detectors", "detector")
    try:
        return read_detector(block)
    except ValidationError as error:
        first = error.errors()[0]
        steps = [str(step) for step in first["loc"]]
        raise draft.error(f"detector.{'.'.join(steps)}: {first['msg']}", "detector", *steps) from error
    except ValueError as error:
        raise draft.error(str(error), "detector", "type") from error


def _where(draft: Draft, columns: Columns) -> str:
    sigma = draft.sigma
    if not isinstance(sigma, SigmaRule):  # for the type checker: correlations have bases and do not come here
        raise draft.error("a correlation counts other rules", "correlation", "rules")
    parts = []
    for number, condition in enumerate(sigma.detection.parsed_condition):
        try:
            parts.append(predicate(condition.parsed, columns))
        except SigmaError as error:
            raise draft.error(str(error), "detection", "condition", number) from error
        except UnknownField as error:
            raise draft.error(str(error), *_place_of_field(draft.document["detection"], error.name)) from error
        except NotExpressible as error:
            raise draft.error(str(error), "detection") from error
    where = "(" + " OR ".join(parts) + ")"
    if draft.spec is not None and draft.spec.direction is not None:
        opposite = "on" if draft.spec.direction == "off" else "off"
        labels, _ = columns.use("metadata.labels")
        where = f"({where} AND NOT coalesce(list_contains({labels}, 'direction:{opposite}'), false))"
    return where


def _place_of_field(detection: dict[str, Any], name: str) -> tuple[str | int, ...]:
    def search(value: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if str(key).split("|")[0] == name or inner == name:
                    return (*path, str(key))
                found = search(inner, (*path, str(key)))
                if found:
                    return found
        if isinstance(value, list):
            for index, inner in enumerate(value):
                found = search(inner, (*path, index))
                if found:
                    return found
        return None

    return search(detection, ("detection",)) or ("detection",)


def _check_fields(draft: Draft, spec: IncidentSpec, columns: Columns) -> None:
    wanted: list[tuple[str, tuple[str, ...]]] = [
        *((name, ("attacker",)) for name in spec.attacker),
        *((name, ("victim",)) for name in spec.victim),
        *((name, ("dedup", "keys")) for name in spec.dedup.keys),
        *((name, ("summary",)) for name in fields_of(spec.summary or "")),
    ]
    for name, place in wanted:
        try:
            _, kind = columns.use(name)
        except KeyError:
            raise draft.error(str(UnknownField(name)), BLOCK, *place) from None
        if kind in {"texts", "numbers"} and place[0] == "dedup":
            raise draft.error(f"{name} is a list and can't be a dedup key", BLOCK, *place)


def _check_samples(draft: Draft, spec: IncidentSpec, columns: Columns) -> None:
    if spec.tests.baseline:
        try:
            checked_events(spec.tests.baseline, spec.tests.base, columns.catalogue.schema, repeated=False)
        except ValueError as error:
            raise draft.error(f"sample: {error}", BLOCK, "tests", "baseline") from error
    for kind, samples in (("hits", spec.tests.hits), ("misses", spec.tests.misses)):
        for number, sample in enumerate(samples):
            try:
                checked_events(sample, spec.tests.base, columns.catalogue.schema, repeated=False)
            except ValueError as error:
                raise draft.error(f"sample: {error}", BLOCK, "tests", kind, number) from error


def _version(document: dict[str, Any], bases: list[str]) -> str:
    block = {key: value for key, value in (document.get(BLOCK) or {}).items() if key != "tests"}
    content = json.dumps([{**document, BLOCK: block}, bases], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:12]
