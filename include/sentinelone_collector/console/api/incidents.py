"""Incidents over JSON: list, count, show with events, close, snooze, reopen, assign, note."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.console.context import Ctx
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.incidents import (
    AssignForm,
    CloseForm,
    NoteForm,
    ReopenForm,
    SnoozeForm,
    assign,
    close,
    evidence_for,
    find_incident,
    hit_of,
    moment_of,
    note,
    overview,
    reopen,
    since_of,
    snooze,
)
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.detect import LEVELS
from sentinelone_collector.errors import UsageError
from sentinelone_collector.store import SORTS, STATUSES, Incident, IncidentFilter, Overview, split_terms

__all__ = ["Listed", "Wanted", "filter_of", "router"]

router = new_router(prefix="/api/incidents", tags=["incidents"])
_Word = Annotated[str, Field(max_length=200)]
_PLAIN = (
    *("classification", "family", "kind", "rule", "instance", "attacker", "victim", "assignee", "technique"),
    *("account", "role"),
)


class Wanted(BaseModel):
    """Filters, order and page of a list of incidents; an empty text is no filter.

    `level` is the least one, `attacker`, `victim` and `text` are looked for; `text` may hold comparisons such as
    `Classification = "admin:activity"`. `range` (1h, 24h, 7d, 30d) stands for a `since` that moves along.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    status: _Word = ""
    level: _Word = ""
    classification: _Word = ""
    family: _Word = ""
    kind: _Word = ""
    rule: _Word = ""
    instance: _Word = ""
    attacker: _Word = ""
    victim: _Word = ""
    assignee: _Word = ""
    technique: _Word = ""
    account: _Word = ""
    role: _Word = ""
    text: _Word = ""
    range: Annotated[str, Field(max_length=4)] = ""
    since: Annotated[str, Field(max_length=40)] = ""
    until: Annotated[str, Field(max_length=40)] = ""
    superseded: bool = False
    sort: Annotated[str, Field(max_length=20)] = "last_seen"
    order: Annotated[str, Field(pattern="^(asc|desc)$")] = "desc"
    size: Annotated[int, Field(ge=1, le=200)] = 50
    page: Annotated[int, Field(ge=1, le=100_000)] = 1


class Listed(Wanted):
    """A list of incidents over JSON; `facets` asks for numbers by value, too."""

    facets: bool = False


def filter_of(wanted: Wanted, now: datetime) -> IncidentFilter:
    """Return the filter that is wanted; raise `Refused` (422) with a sentence at a field that won't do."""
    for field, value, known in (
        ("status", wanted.status, STATUSES),
        ("level", wanted.level, LEVELS),
        ("sort", wanted.sort, SORTS),
    ):
        if value and value not in known:
            raise Refused(422, f"{field}: choose one of {', '.join(known)}.", fields={field: "There is no such value."})
    try:
        terms, words = split_terms(wanted.text)
    except UsageError as error:
        raise Refused(422, f"text: {error}", fields={"text": str(error)}) from None
    return IncidentFilter(
        **{name: getattr(wanted, name) or None for name in (*_PLAIN, "status", "level")},
        text=words or None,
        terms=terms,
        since=moment_of(wanted.since, "since") or since_of(wanted.range, now),
        until=moment_of(wanted.until, "until"),
        superseded=wanted.superseded,
    )


@router.get("")
def listed(ctx: Ctx, wanted: Annotated[Listed, Query()]) -> dict[str, Any]:
    """Return a page of incidents, and by status how many pass the filters and how many there are.

    With `facets` also how many incidents have each value of a field, by the filters of the other fields.
    """
    wish, seen, now = filter_of(wanted, ctx.now()), overview(ctx), ctx.now()
    found = seen.page(
        wish,
        now=now,
        sort=wanted.sort or "last_seen",
        descending=wanted.order == "desc",
        limit=wanted.size + 1,
        offset=(wanted.page - 1) * wanted.size,
    )
    return {
        "incidents": _rows(seen, found[: wanted.size]),
        "counts": _counts(seen.counts(wish, now=now)),
        **({"facets": seen.facets(wish, now=now)} if wanted.facets else {}),
        "page": wanted.page,
        "more": len(found) > wanted.size,
    }


def _rows(seen: Overview, found: list[Incident]) -> list[dict[str, Any]]:
    noted = seen.note_counts([incident.id for incident in found])
    return [{**incident.to_dict(), "note_count": noted.get(incident.id, 0)} for incident in found]


def _counts(counts: dict[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    return {name: {"filtered": some, "total": total} for name, (some, total) in counts.items()}


@router.get("/{incident_id}")
def show(incident_id: str, ctx: Ctx) -> dict[str, Any]:
    """Return an incident with its hits, notes and history, by its id or the first six or more characters of it."""
    return find_incident(ctx, incident_id).to_dict()


@router.get("/{incident_id}/hits/{hit_id}/events")
def events(incident_id: str, hit_id: str, ctx: Ctx) -> dict[str, Any]:
    """Return the events of a hit as OCSF events, with the text of each record for those who may start runs.

    `missing` are ids of events that the lake does not hold any more.
    """
    evidence = evidence_for(ctx, hit_of(find_incident(ctx, incident_id), hit_id))
    return {
        "events": [{"event": event, "raw": raw} for event, raw in evidence.events],
        "missing": list(evidence.found.missing),
    }


@router.post("/close")
def close_some(form: CloseForm, ctx: Ctx) -> dict[str, Any]:
    """Close incidents for a reason; new evidence opens them again."""
    return close(ctx, form)


@router.post("/snooze")
def snooze_some(form: SnoozeForm, ctx: Ctx) -> dict[str, Any]:
    """Put incidents aside for some hours, or until a moment."""
    return snooze(ctx, form)


@router.post("/reopen")
def reopen_some(form: ReopenForm, ctx: Ctx) -> dict[str, Any]:
    """Open closed or snoozed incidents again."""
    return reopen(ctx, form)


@router.post("/assign")
def assign_some(form: AssignForm, ctx: Ctx) -> dict[str, Any]:
    """Give incidents to somebody, or to nobody."""
    return assign(ctx, form)


@router.post("/{incident_id}/notes")
def add_note(incident_id: str, form: NoteForm, ctx: Ctx) -> dict[str, Any]:
    """Add a note to an incident."""
    return note(ctx, incident_id, form)
