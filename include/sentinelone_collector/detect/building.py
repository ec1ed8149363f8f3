"""From a match to a hit: ids, entity, attacker and victim, the words that explain it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from sentinelone_collector.detect.anomaly.analysis import Analysis
from sentinelone_collector.detect.hits import Hit, digest_id
from sentinelone_collector.detect.ruleset import LEVELS, Rule
from sentinelone_collector.detect.spec import IncidentSpec
from sentinelone_collector.detect.templates import fill
from sentinelone_collector.errors import RuleError
from sentinelone_collector.instances.model import duration_text

__all__ = ["ACCOUNT", "ROLE", "Fields", "build_hit", "who_of"]

Fields = dict[str, Any]  # dotted name -> value of the event that completed the hit
DIRECTION_UNKNOWN = "direction unknown"
COLD = "the baseline is still too short to raise an incident"
COMMON = "the tenant has so many of these that one more raises no incident"
ACCOUNT = ("device.org.name", "user.org.name", "entity.org.name", "unmapped.data.accountName", "metadata.tenant_uid")
ROLE = ("actor.user.type", "user.type")
_WHO = ("actor.user.name", "actor.user.email_addr", "actor.user.uid", "src_endpoint.ip", "unmapped.data.siteName")
_WHO_SIGNS_IN = ("user.name", "user.email_addr")
_AUTHENTICATION = "user_login_ad"
_ENDPOINT = "endpoint"  # whose events name processes' users, if any
_ACTOR = ("actor.user.name", "actor.user.email_addr", "actor.user.uid")
_ACCOUNT = ("user.name", "user.email_addr", "user.uid")


def build_hit(
    rule: Rule,
    fields: Fields,
    *,
    console: str,
    kind: Literal["event", "correlation", "anomaly"],
    identity: str,
    times: tuple[int, int],
    uids: Sequence[str],
    count: int,
    analysis: Analysis | None = None,
    level: str | None = None,
) -> Hit:
    """Return the hit of a rule on an event, or on several whose last one is given by `fields`.

    `identity` tells this hit from others of the rule (the event's uid); `times` are the first and last, in ms. A cold
    or common `analysis` gives an observation; `level` replaces that of the rule.
    """
    spec = rule.spec
    if spec is None:
        raise RuleError(f"{rule.name} has no block x-incident and gives no hits", path=rule.path, line=rule.line)
    attacker, victim = _first(fields, spec.attacker), _first(fields, spec.victim)
    stated, note = _level(rule, spec, fields)
    visibility = spec.visibility
    if analysis is not None and analysis.cold:
        stated, note, level, visibility = LEVELS[0], COLD, None, "observation"
    elif analysis is not None and analysis.common:
        note, visibility = COMMON, "observation"
    level = level or stated
    entity = _entity(spec, fields, attacker)
    width = int(spec.dedup.window.total_seconds() * 1000)
    bucket = times[1] // width * width
    if analysis is not None:
        told = analysis.words.replace("{who}", victim or attacker or "somebody")
        analysis = msgspec.structs.replace(analysis, words=told)
    words = {"attacker": attacker, "victim": victim, "count": str(count), "span": _span(rule)}
    words |= {"words": analysis.words, "observed": analysis.observed} if analysis else {}
    template = spec.summary or f"{rule.title}: {{attacker}} -> {{victim}}"
    return Hit(
        hit_id=digest_id("hit", rule.name, console, identity),
        incident_id=digest_id("incident", rule.name, console, entity, str(bucket))
        if visibility == "incident"
        else None,
        rule_id=rule.name,
        rule_version=rule.version,
        rule_title=rule.title,
        family=spec.family,
        classification=spec.classification,
        visibility=visibility,
        level=level,
        severity_id=LEVELS.index(level) + 1,
        kind=kind,
        event_uids=tuple(uids),
        event_count=count,
        time=times[0],
        last_time=times[1],
        bucket=bucket,
        entity=entity,
        attacker=attacker,
        victim=victim,
        summary=fill(template, lambda name: words[name] if name in words else _text(fields.get(name))),
        note=note,
        attacks=rule.attacks,
        attacks_v19=rule.attacks_v19,
        analysis=analysis,
        person=_person(rule, spec, fields),
        account=_first(fields, ACCOUNT),
        role=_first(fields, ROLE if spec.family == _AUTHENTICATION else ROLE[:1]),
    )


def who_of(rule: Rule, hit: Hit, fields: Fields) -> list[str]:
    """Return the names, addresses and sites that allow entries are compared with.

    A correlation is about its attacker and entity only: the person of its last event says nothing about the others.
    """
    found = [hit.attacker, *hit.entity.split(" | ")]
    if hit.kind == "event":
        names = _WHO + (_WHO_SIGNS_IN if rule.spec and rule.spec.family == _AUTHENTICATION else ())
        found += [_text(fields.get(name)) for name in names]
    return [name for name in found if name]


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value if item is not None) or None
    return None if value is None or value == "" else str(value)


def _first(fields: Fields, names: Sequence[str]) -> str | None:
    return next((text for name in names if (text := _text(fields.get(name))) is not None), None)


def _entity(spec: IncidentSpec, fields: Fields, attacker: str | None) -> str:
    parts = [_text(fields.get(name)) for name in spec.dedup.keys] if spec.dedup.keys else [attacker]
    return " | ".join((part or "unknown").lower() for part in parts)


def _person(rule: Rule, spec: IncidentSpec, fields: Fields) -> str | None:
    """Return whose doing this is.

    What counts or compares several events is one person's doing only where it is told apart by person: the last event
    says nothing about who did the others.
    """
    names = _ACCOUNT if spec.family == _AUTHENTICATION else _ACTOR
    single = rule.correlation is None and rule.judge is None
    if spec.family == _ENDPOINT or not (single or set(names).intersection(spec.dedup.keys)):
        return None
    return _first(fields, names)


def _level(rule: Rule, spec: IncidentSpec, fields: Fields) -> tuple[str, str | None]:
    if spec.direction is None or f"direction:{spec.direction}" in (fields.get("metadata.labels") or ()):
        return rule.level, None
    return LEVELS[max(rule.severity_id - 2, 0)], DIRECTION_UNKNOWN


def _span(rule: Rule) -> str | None:
    spanning = rule.correlation or rule.risk
    return duration_text(spanning.span) if spanning else None
