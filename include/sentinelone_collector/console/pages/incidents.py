"""Incidents: the list with its filters, and one incident with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import Query
from fastapi.responses import HTMLResponse
from pydantic import Field

from sentinelone_collector.console.api.incidents import Wanted, filter_of
from sentinelone_collector.console.attack import TACTICS, techniques_of
from sentinelone_collector.console.catalogue import FAMILY_TITLES, KINDS, ruleset_of
from sentinelone_collector.console.charts import Baseline, baseline_of
from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.incidents import MOST_EVENTS, evidence_for, find_incident, hit_of, overview
from sentinelone_collector.console.listing import Nav
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.console.telling import REASONS, headline, story, timeline
from sentinelone_collector.detect import LEVELS
from sentinelone_collector.detect.spec import CLASSIFICATIONS
from sentinelone_collector.errors import LakeError
from sentinelone_collector.store import SORTS, STATUSES, Incident, Overview

__all__ = ["COLUMNS", "NAV", "Shown", "router"]

NAV = Nav(40, "Incidents", "/incidents")
router = new_router()

COLUMNS = {
    "attacker": "Attacker",
    "last_seen": "Date",
    "instance": "Instance",
    "id": "Incident",
    "status": "Status",
    "title": "Summary",
    "victim": "Target",
    "level": "Level",
    "classification": "Classification",
    "rule": "Correlation name",
    "kind": "Detection source",
    "notes": "Notes",
    "tactic": "MITRE tactic",
    "technique": "MITRE technique",
    "account": "Account",
    "role": "Role",
    "assignee": "Assignee",
    "count": "Hits",
    "first_seen": "First seen",
}
_DEFAULT = ("level", "id", "title", "status", "attacker", "victim", "instance", "last_seen")
_SIZES = (25, 50, 100, 200)
_TONES = {"critical": "bad", "high": "bad", "medium": "warn", "low": "info", "informational": "off"}
_FREE = ("account", "role")  # their values are whatever the incidents have
_CHOICES: Mapping[str, Any] = {
    "statuses": STATUSES,
    "kinds": KINDS,
    "reasons": REASONS,
    "ranges": {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"},
    "sizes": _SIZES,
    "techniques_of": techniques_of,
    "tactics": TACTICS,
}
_SHOWN_HITS = 50
_SHOWN_EVENTS = 40


class Shown(Wanted):
    """What the address of the list says: filters, order, page, and which columns."""

    col: Annotated[tuple[str, ...], Field(max_length=len(COLUMNS))] = ()


def _links(ctx: Context, wanted: Shown) -> Callable[..., str]:
    """Return a function that gives the address of the same list with some values changed."""
    present = {name: value for name, value in wanted.model_dump(exclude_defaults=True).items() if value != ""}

    def link(**changes: Any) -> str:
        values = {name: value for name, value in (present | changes).items() if value not in ("", None, (), [])}
        if "page" not in changes:
            values.pop("page", None)
        query = urlencode(values, doseq=True)
        return f"{ctx.base}{NAV.path}{f'?{query}' if query else ''}"

    return link


@router.get("/incidents", include_in_schema=False)
def incidents(ctx: Ctx, wanted: Annotated[Shown, Query()]) -> HTMLResponse:
    """Show the incidents that pass the filters."""
    wish, seen, now = filter_of(wanted, ctx.now()), overview(ctx), ctx.now()
    found = seen.page(
        wish,
        now=now,
        sort=wanted.sort or "last_seen",
        descending=wanted.order == "desc",
        limit=wanted.size + 1,
        offset=(wanted.page - 1) * wanted.size,
    )
    counts = seen.counts(wish, now=now)
    rows = found[: wanted.size]
    return ctx.page(
        "incidents.html",
        title=NAV.title,
        rows=rows,
        more=len(found) > wanted.size,
        wanted=wanted,
        counts=counts,
        total=sum(total for _, total in counts.values()),
        matching=counts[wanted.status][0] if wanted.status else sum(some for some, _ in counts.values()),
        filtered=bool(wanted.model_dump(exclude_defaults=True, exclude={"col", "sort", "order", "size", "page"})),
        columns={name: COLUMNS[name] for name in _columns(wanted)},
        all_columns=COLUMNS,
        link=_links(ctx, wanted),
        notes=seen.note_counts([row.id for row in rows]) if "notes" in wanted.col else {},
        sortable=SORTS,
        tones=_TONES,
        may_change=ctx.may(Right.RUN),
        has_instances=bool(ctx.instances()),
        options=_options(ctx, wanted, seen.rules(now=now), seen.facets(wish, now=now)),
        **_CHOICES,
    )


def _options(
    ctx: Context, wanted: Wanted, rules: list[tuple[str, str]], facets: dict[str, dict[str, int]]
) -> dict[str, list[tuple[str, str, int]]]:
    """Return the choices of each filter: value, words, and how many incidents are left by it."""
    slugs = {*Overview.seen_instances(ctx.site.store), *(one.slug for one in ctx.instances())}
    known: dict[str, dict[str, str]] = {
        "level": {name: name.capitalize() for name in LEVELS},
        "classification": {name: name for name in CLASSIFICATIONS},
        "family": dict(FAMILY_TITLES),
        "kind": dict(KINDS),
        "rule": {name: f"{name} · {title}" for name, title in rules},
        "instance": {slug: slug for slug in sorted(slugs) if ctx.may(Right.VIEW, slug)},
        **{name: {value: value for value in (getattr(wanted, name), *facets[name]) if value} for name in _FREE},
    }
    above = {name: sum(facets["level"].get(each, 0) for each in LEVELS[at:]) for at, name in enumerate(LEVELS)}
    numbers = {**facets, "level": above}  # the filter names the least level
    return {
        name: [(value, text, numbers[name].get(value, 0)) for value, text in values.items()]
        for name, values in known.items()
    }


def _columns(wanted: Shown) -> tuple[str, ...]:
    chosen = [name for name in COLUMNS if name in wanted.col]
    # the default order puts first what people sort their work by
    return tuple(sorted(chosen, key=_place)) if chosen else _DEFAULT


def _place(name: str) -> int:
    return _DEFAULT.index(name) if name in _DEFAULT else len(_DEFAULT) + list(COLUMNS).index(name)


@router.get("/incidents/{incident_id}", include_in_schema=False)
def incident(
    incident_id: str,
    ctx: Ctx,
    hit: Annotated[str, Query(max_length=40)] = "",
    all_shown: Annotated[bool, Query(alias="all")] = False,  # a query parameter
) -> HTMLResponse:
    """Show one incident; `hit` is the one whose events are shown, the latest if empty, `all` lifts limits of lists."""
    found = find_incident(ctx, incident_id)
    rule = ruleset_of(ctx.site).by_name.get(found.rule_id)
    shown = hit_of(found, hit) if hit else (found.hits[-1] if found.hits else None)
    evidence, problem = None, ""
    if shown is not None:
        try:
            evidence = evidence_for(ctx, shown, most=MOST_EVENTS if all_shown else _SHOWN_EVENTS)
        except LakeError as error:
            problem = str(error)
    return ctx.page(
        "incident.html",
        title=found.title,
        section=NAV.title,
        incident=found,
        rule=rule,
        headline=headline(found),
        story=story(found, rule),
        baseline=_baseline(found, shown.hit_id if shown else ""),
        timeline=timeline(found),
        hits=found.hits[::-1] if all_shown else found.hits[: -_SHOWN_HITS - 1 : -1],
        shown=shown,
        evidence=evidence,
        problem=problem,
        pretty=_pretty,
        techniques=techniques_of(found.attacks),
        tactics=TACTICS,
        tones=_TONES,
        kinds=KINDS,
        reasons=REASONS,
        may_change=all(ctx.may(Right.RUN, slug) for slug in found.instances or (None,)),
        changes=ctx.site.store.list_changes(target=found.id, limit=50),
    )


def _baseline(found: Incident, hit_id: str) -> Baseline | None:
    """Return the baseline of the hit that is shown, or of the latest one that has any."""
    chosen = [hit for hit in found.hits if hit.hit_id == hit_id]
    told = (baseline_of(hit.content.get("analysis")) for hit in (*chosen, *reversed(found.hits)))
    return next((each for each in told if each is not None), None)


def _pretty(value: Any) -> str:
    """Return a value, or a text that is JSON, as indented JSON; any other text as it is."""
    try:
        content = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        return msgspec.json.format(content, indent=2).decode()
    except (msgspec.DecodeError, UnicodeError):
        return str(value)
