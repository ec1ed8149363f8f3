"""What people do with incidents: find, read, close, snooze, reopen, assign, note; every change is in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.console.context import Context
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.ports import Right
from sentinelone_collector.detect.evidence import Evidence, evidence_of
from sentinelone_collector.errors import UsageError
from sentinelone_collector.store import Incident, IncidentHit, Overview
from sentinelone_collector.windows import as_utc, iso, parse_time

__all__ = [
    "MOST_EVENTS",
    "SPANS",
    "AssignForm",
    "CloseForm",
    "NoteForm",
    "ReopenForm",
    "SnoozeForm",
    "assign",
    "close",
    "evidence_for",
    "find_incident",
    "hit_of",
    "moment_of",
    "note",
    "overview",
    "reopen",
    "since_of",
    "snooze",
]

MOST_CHANGED = 200
MOST_EVENTS = 200
_LONGEST_SNOOZE = timedelta(days=366)
_UNKNOWN = "There is no incident {!r} that you may see."
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}

Id = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{6,32}$", max_length=32)]
NoteText = Annotated[str, Field(max_length=4000)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class _Bulk(_Form):
    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_CHANGED)]
    note: NoteText = ""


class CloseForm(_Bulk):
    """Incidents to close, why, and words that are kept with the change."""

    reason: Literal[
        "further_action", "acceptable_risk", "compensating_control", "threat_not_valid", "not_concluded", "other"
    ]


class SnoozeForm(_Bulk):
    """Incidents to put aside, for some hours or until a UTC time."""

    hours: Annotated[int, Field(ge=1, le=8784)] = 24
    until: Annotated[str, Field(max_length=40)] = ""


class ReopenForm(_Bulk):
    """Incidents to open again."""


class AssignForm(_Bulk):
    """Incidents to give to somebody; an empty name means nobody."""

    assignee: Annotated[str, Field(max_length=200)] = ""


class NoteForm(_Form):
    """A note."""

    text: Annotated[str, Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True, slots=True)
class HitEvidence:
    """A hit with its events, each as one OCSF event and the text of its record; None where that is not shown."""

    hit: IncidentHit
    found: Evidence
    events: tuple[tuple[dict[str, Any], str | None], ...]


def overview(ctx: Context) -> Overview:
    """Return the incidents that the user may see."""
    return Overview(ctx.site.store, _visible(ctx))


def _visible(ctx: Context) -> Collection[str] | None:
    seen = Overview.seen_instances(ctx.site.store)
    allowed = [slug for slug in seen if ctx.may(Right.VIEW, slug)]
    return None if len(allowed) == len(seen) else allowed


def moment_of(text: str, field: str) -> datetime | None:
    """Return a moment that somebody typed, None for nothing; raise `Refused` (422) for what is no time."""
    if not text.strip():
        return None
    try:
        return as_utc(parse_time(text))
    except (UsageError, OverflowError):
        sentence = "Write a UTC time like 2026-11-22T10:00:00Z or 2026-11-22."
        raise Refused(422, f"{field}: {sentence}", fields={field: sentence}) from None


def find_incident(ctx: Context, incident_id: str) -> Incident:
    """Return an incident with the hits of instances that the user may see; raise `Refused` (404) for any other."""
    try:
        found = ctx.site.store.get_incident(incident_id, now=ctx.now())
    except UsageError as error:
        text = str(error) if "more than one" in str(error) else _UNKNOWN.format(incident_id)
        raise Refused(404, text) from None
    allowed = tuple(slug for slug in found.instances if ctx.may(Right.VIEW, slug))
    if found.instances and not allowed:
        raise Refused(404, _UNKNOWN.format(incident_id))
    hits = tuple(hit for hit in found.hits if hit.instance in allowed)
    return msgspec.structs.replace(found, instances=allowed, hits=hits)


def hit_of(incident: Incident, hit_id: str) -> IncidentHit:
    """Return one hit of an incident; raise `Refused` (404) where it has none of that id."""
    for hit in incident.hits:
        if hit.hit_id == hit_id:
            return hit
    raise Refused(404, f"Incident {incident.short_id} has no hit {hit_id!r}, or none that is shown.")


def evidence_for(ctx: Context, hit: IncidentHit, *, most: int = MOST_EVENTS) -> HitEvidence:
    """Return a hit's events from the lake, the latest `most` of those that it names.

    Records as they were sent may hold secrets: they are shown to those only who may run the collection.
    """
    content = hit.content
    uids = content["event_uids"][-most:]
    span = {"first": content["time"], "last": content["last_time"]}
    found = evidence_of(ctx.site.lake, hit.instance, hit.stream, uids, **span)
    raw = ctx.may(Right.RUN, hit.instance)
    events = tuple(
        ({name: value for name, value in event.items() if name != "raw_data"}, event.get("raw_data") if raw else None)
        for event in found.events
    )
    return HitEvidence(hit, found, events)


def close(ctx: Context, form: CloseForm) -> dict[str, Any]:
    """Close incidents; new evidence opens them again."""
    store, who, now = ctx.site.store, ctx.user.name, ctx.now()

    def one(incident_id: str) -> Incident:
        return store.close_incident(incident_id, form.reason, form.note, author=who, now=now)

    return _each(ctx, form.ids, one, action="close incident", done="closed", detail=_detail(form.reason, form.note))


def snooze(ctx: Context, form: SnoozeForm) -> dict[str, Any]:
    """Put incidents aside until a moment, after which they read open again."""
    store, who, now = ctx.site.store, ctx.user.name, ctx.now()
    until = moment_of(form.until, "until") or now + timedelta(hours=form.hours)
    if not now < until <= now + _LONGEST_SNOOZE:
        raise Refused(422, "Some fields are not right.", fields={"until": "Choose a moment within the next year."})

    def one(incident_id: str) -> Incident:
        return store.snooze_incident(incident_id, until, form.note, author=who, now=now)

    done, detail = f"snoozed until {iso(until.replace(microsecond=0))}", _detail(f"until {iso(until)}", form.note)
    return _each(ctx, form.ids, one, action="snooze incident", done=done, detail=detail)


def reopen(ctx: Context, form: ReopenForm) -> dict[str, Any]:
    """Open closed or snoozed incidents again."""
    store, who, now = ctx.site.store, ctx.user.name, ctx.now()

    def one(incident_id: str) -> Incident:
        return store.reopen_incident(incident_id, form.note, author=who, now=now)

    return _each(ctx, form.ids, one, action="reopen incident", done="open again", detail=form.note)


def assign(ctx: Context, form: AssignForm) -> dict[str, Any]:
    """Give incidents to somebody, or to nobody."""
    store, who, now = ctx.site.store, ctx.user.name, ctx.now()

    def one(incident_id: str) -> Incident:
        return store.assign_incident(incident_id, form.assignee, form.note, author=who, now=now)

    done = f"assigned to {form.assignee}" if form.assignee else "assigned to nobody"
    detail = _detail(form.assignee or "nobody", form.note)
    return _each(ctx, form.ids, one, action="assign incident", done=done, detail=detail)


def note(ctx: Context, incident_id: str, form: NoteForm) -> dict[str, Any]:
    """Add a note to an incident."""
    found = _changeable(ctx, incident_id)
    changed = ctx.site.store.add_note(found.id, form.text, author=ctx.user.name, now=ctx.now())
    ctx.audit("note incident", found.id, form.text)
    return {"message": "The note is added.", "changed": [changed.id], "refused": []}


def _detail(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _changeable(ctx: Context, incident_id: str) -> Incident:
    incident = find_incident(ctx, incident_id)
    for slug in incident.instances or (None,):
        ctx.require(Right.RUN, slug)
    return incident


def _each(
    ctx: Context, ids: Sequence[str], change: Callable[[str], Incident], *, action: str, done: str, detail: str
) -> dict[str, Any]:
    """Change each incident by itself: what can't be changed is named and stops no other; raise if none can."""
    changed: list[str] = []
    refused: list[tuple[str, Refused]] = []
    for incident_id in dict.fromkeys(ids):
        try:
            found = _changeable(ctx, incident_id)
        except Refused as error:
            refused.append((incident_id, error))
            continue
        change(found.id)
        ctx.audit(action, found.id, detail)
        changed.append(found.id)
    if not changed:
        raise refused[0][1]
    count = "The incident is" if len(changed) == 1 else f"{len(changed)} incidents are"
    words = f" {len(refused)} could not be changed: {refused[0][1].text}" if refused else ""
    return {
        "message": f"{count} {done}.{words}",
        "changed": changed,
        "refused": [{"id": incident_id, "why": error.text} for incident_id, error in refused],
    }


def since_of(span: str, now: datetime) -> datetime | None:
    """Return the begin of one of `SPANS` that ends now, None for any other text."""
    return now.astimezone(UTC) - SPANS[span] if span in SPANS else None
