"""Rule files to drafts: YAML, then pySigma's parser, then our own block; what a file alone can say wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.rule.base import SigmaYAMLLoader

from sentinelone_collector.detect.correlation_rules import bases_of
from sentinelone_collector.detect.keys import CORRELATION_KEYS, KEYS, PLACES
from sentinelone_collector.detect.locate import Places, documents
from sentinelone_collector.detect.risk_rules import is_risk_rule
from sentinelone_collector.detect.ruleset import LEVELS
from sentinelone_collector.detect.spec import IncidentSpec
from sentinelone_collector.errors import RuleError

__all__ = ["BLOCK", "Draft", "read_drafts"]

BLOCK: Final = "x-incident"
_NAME = re.compile(r"[a-z][a-z0-9_-]{1,63}")
_LOGSOURCE = {"product": "sentinelone", "service": "console"}


@dataclass
class Draft:
    """One document of a rule file on its way to a rule.

    `bases` are the rules that a correlation counts, `uses` these and those that it wants not to have hit; `silenced`
    rules give no hits of their own, since a correlation stands for them.
    """

    path: Path
    document: dict[str, Any]
    places: Places
    sigma: SigmaRule | SigmaCorrelationRule
    spec: IncidentSpec | None = None
    bases: list[str] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    silenced: bool = False

    @property
    def name(self) -> str:
        """The name that other rules and incidents call it by."""
        return str(self.document.get("name"))

    @property
    def over_hits(self) -> bool:
        """Whether it counts hits of rules, and no events."""
        return is_risk_rule(self.sigma)

    def error(self, text: str, *path: str | int) -> RuleError:
        """Return what is wrong at a path of the document, with the file's line and column."""
        return _located(text, self.path, self.places, path)


def _located(text: str, file: Path, places: Places, path: Sequence[str | int]) -> RuleError:
    place = places.of(path)
    return RuleError(text, path=file, line=place.line, column=place.column)


def read_drafts(file: Path, problems: list[RuleError]) -> Iterator[Draft]:
    """Yield the drafts of a rule file; what is wrong with it or with one of its documents adds to the problems."""
    try:
        text = file.read_text("utf-8")
        places = documents(text)
        found = [document for document in yaml.load_all(text, SigmaYAMLLoader) if document is not None]  # a safe loader
    except (OSError, UnicodeDecodeError) as error:
        problems.append(RuleError(f"can't be read: {error}", path=file))
        return
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = (mark.line + 1, mark.column + 1) if mark else (None, None)
        problems.append(RuleError(f"is no YAML: {error.problem}", path=file, line=where[0], column=where[1]))
        return
    except yaml.YAMLError as error:
        problems.append(RuleError(f"is no YAML: {error}", path=file))
        return
    for document, place in zip(found, places, strict=True):
        try:
            yield _draft(file, document, place)
        except RuleError as error:
            problems.append(error)


def _draft(file: Path, document: Any, places: Places) -> Draft:
    if not isinstance(document, dict):
        raise _located("a rule is a mapping of keys and values", file, places, ())
    kind = SigmaCorrelationRule if "correlation" in document else SigmaRule
    try:
        sigma: SigmaRule | SigmaCorrelationRule = kind.from_dict(document, collect_errors=True)
        errors = sigma.errors
    except (SigmaError, TypeError, AttributeError, ValueError) as error:
        raise _located(str(error), file, places, PLACES.get(type(error).__name__, ())) from error
    for wrong in errors:
        default = ("correlation",) if "correlation" in document else ("detection",)
        raise _located(str(wrong), file, places, PLACES.get(type(wrong).__name__, default)) from wrong
    draft = Draft(file, document, places, sigma)
    _check_head(draft)
    draft.spec = _spec(draft)
    if isinstance(sigma, SigmaCorrelationRule) and not draft.over_hits:
        draft.bases = bases_of(sigma)
        draft.uses = list(dict.fromkeys([*draft.bases, *(draft.spec.unless if draft.spec else ())]))
    return draft


def _check_head(draft: Draft) -> None:
    document = draft.document
    for key in document:
        if key not in KEYS:
            raise draft.error(f"a rule has no key {key!r}", str(key))
    for key in document.get("correlation", ()):
        if key not in CORRELATION_KEYS:
            raise draft.error(f"a correlation has no key {key!r}", "correlation", str(key))
    if not isinstance(document.get("name"), str) or not _NAME.fullmatch(document["name"]):
        raise draft.error("a rule has a name of small letters, digits, - and _, like aa-010", "name")
    if not document.get("title"):
        raise draft.error("a rule has a title", "title")
    if "correlation" not in document and document.get("logsource") != _LOGSOURCE:
        raise draft.error("the logsource of a rule is {product: sentinelone, service: console}", "logsource")
    if document.get("level") not in LEVELS and (BLOCK in document or "level" in document):
        raise draft.error(f"a rule has a level, one of {', '.join(LEVELS)}", "level")
    if document.get("id") is None:
        raise draft.error("a rule has an id, a UUID", "id")


def _spec(draft: Draft) -> IncidentSpec | None:
    block = draft.document.get(BLOCK)
    if block is None:
        if isinstance(draft.sigma, SigmaCorrelationRule):
            raise draft.error(f"a correlation has a block {BLOCK}", "correlation")
        return None
    try:
        return IncidentSpec.model_validate(block)
    except ValidationError as error:
        first = error.errors()[0]
        steps = [step for step in first["loc"] if not (isinstance(step, str) and "[" in step)]
        name = ".".join(str(step) for step in steps)
        raise draft.error(f"{BLOCK}.{name}: {first['msg']}", BLOCK, *steps) from error
