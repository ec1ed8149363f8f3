"""Rules: the catalogue with its ATT&CK matrix, and one rule with all that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import yaml
from fastapi import Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.console.api.rules import hits_of_days
from sentinelone_collector.console.attack import TACTICS, matrix_of, technique_of, techniques_of
from sentinelone_collector.console.catalogue import (
    FAMILY_TITLES,
    KINDS,
    allowed_by,
    find_rule,
    kind_of,
    off_by,
    rule_row,
    ruleset_of,
)
from sentinelone_collector.console.charts import columns_chart, days_of
from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.incidents import overview
from sentinelone_collector.console.listing import Nav
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.registering import file_version
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.detect import LEVELS, Rule
from sentinelone_collector.instances import Instance
from sentinelone_collector.instances.model import AllowEntry
from sentinelone_collector.store import IncidentFilter

__all__ = ["NAV", "router"]

NAV = Nav(50, "Rules", "/rules")
router = new_router()

_DAYS = 30
_TONES = {"critical": "bad", "high": "bad", "medium": "warn", "low": "info", "informational": "off"}
_MOST_SAMPLES = 40
_Word = Annotated[str, Field(max_length=200)]


@dataclass(frozen=True, slots=True)
class _Setting:
    """What one instance makes of a rule."""

    instance: Instance
    off_by: list[str]
    allow: list[AllowEntry]
    version: str
    may_edit: bool


class Wish(BaseModel):
    """What the address of the catalogue says; `off` is an instance that has the rules turned off."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    family: _Word = ""
    level: _Word = ""
    technique: _Word = ""
    text: _Word = ""
    off: _Word = ""


@router.get("/rules", include_in_schema=False)
def rules(ctx: Ctx, wish: Annotated[Wish, Query()]) -> HTMLResponse:
    """Show the rules by family, and which techniques they cover."""
    ruleset = ruleset_of(ctx.site)
    instances = ctx.instances()
    now = ctx.now()
    chosen = [rule for rule in ruleset.incident_rules if _passes(rule, wish)]
    if wish.off:
        tuned = ctx.instance(wish.off)
        chosen = [rule for rule in chosen if off_by(rule, tuned)]
    return ctx.page(
        "rules.html",
        title=NAV.title,
        families=[(title, of) for name, title in FAMILY_TITLES.items() if (of := _of_family(chosen, name))],
        matrix=matrix_of(ruleset.incident_rules),
        problems=ruleset.problems,
        hits=overview(ctx).hits_by_rule(now - timedelta(_DAYS), now),
        off={rule.name: [one.slug for one in instances if off_by(rule, one)] for rule in chosen},
        instances=instances,
        shown=len(chosen),
        total=len(ruleset.incident_rules),
        wanted=wish,
        titles=FAMILY_TITLES,
        levels=LEVELS,
        tones=_TONES,
        kinds=KINDS,
        kind_of=kind_of,
        technique=technique_of(wish.technique) if wish.technique else None,
        days=_DAYS,
    )


def _of_family(chosen: Sequence[Rule], family: str) -> list[Rule]:
    return [rule for rule in chosen if rule.spec and rule.spec.family == family]


def _passes(rule: Rule, wish: Wish) -> bool:
    told = f"{rule.name} {rule.title} {rule.document.get('description', '')}".lower()
    return (
        (not wish.family or (rule.spec is not None and rule.spec.family == wish.family))
        and (not wish.level or rule.level == wish.level)
        and (not wish.technique or wish.technique in rule.attacks)
        and wish.text.lower() in told
    )


@router.get("/rules/{rule_id}", include_in_schema=False)
def one_rule(rule_id: str, ctx: Ctx) -> HTMLResponse:
    """Show one rule."""
    rule = find_rule(ctx, rule_id)
    now, seen = ctx.now(), overview(ctx)
    counts, first, last = hits_of_days(ctx, rule.name, _DAYS)
    instances = ctx.instances()
    open_counts = seen.counts(IncidentFilter(rule=rule.name), now=now)
    return ctx.page(
        "rule.html",
        title=rule.title,
        section=NAV.title,
        rule=rule,
        row=rule_row(rule),
        family=FAMILY_TITLES[rule.spec.family] if rule.spec else "",
        techniques=techniques_of(rule.attacks),
        tactics=TACTICS,
        tones=_TONES,
        kinds=KINDS,
        source=_source(rule),
        samples=_samples(rule),
        chart=columns_chart(days_of(counts, first, last)),
        hits=sum(counts.values()),
        days=_DAYS,
        counts=open_counts,
        settings=[_setting(ctx, rule, instance) for instance in instances],
        runnable=[one for one in instances if ctx.may(Right.RUN, one.slug)],
        may_test=ctx.may(Right.RUN),
        start=(now - timedelta(7)).date().isoformat(),
        end=(now + timedelta(1)).date().isoformat(),
    )


def _setting(ctx: Context, rule: Rule, instance: Instance) -> _Setting:
    return _Setting(
        instance=instance,
        off_by=off_by(rule, instance),
        allow=allowed_by(rule, instance.rules.allow),
        version=file_version(ctx.site.settings.instances / f"{instance.slug}.yaml"),
        may_edit=ctx.may(Right.RECONNECT, instance.slug),
    )


def _source(rule: Rule) -> str:
    try:
        return rule.path.read_text(encoding="utf-8")
    except OSError as error:
        return f"{rule.path} can't be read: {error.strerror}"


def _samples(rule: Rule) -> list[tuple[str, int, str]]:
    """Return what is expected, the number and the text of each sample; events that all of them share come first."""
    if rule.spec is None:
        return []
    tests = rule.spec.tests
    found = [("every sample", 0, _yaml(tests.base))] if tests.base else []
    for expected, samples in (("hit", tests.hits), ("miss", tests.misses)):
        found += [(expected, number, _yaml(sample)) for number, sample in enumerate(samples[:_MOST_SAMPLES], 1)]
    return found


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))
