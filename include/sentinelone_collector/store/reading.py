"""Queries for incidents; imported inside tasks only."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (  # noqa: TID253  # imported inside tasks only
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
)

from sentinelone_collector.detect.ruleset import LEVELS
from sentinelone_collector.errors import UsageError
from sentinelone_collector.store.incidents import Event, Incident, IncidentHit, Note
from sentinelone_collector.store.tables import history, hits, incidents, notes
from sentinelone_collector.store.terms import Term

__all__ = ["conditions", "counts", "listed", "present_status", "resolve", "whole"]

_ID = re.compile(r"[0-9a-f]{6,32}")
_SHOWN_HITS = 1000


def present_status(now: str) -> ColumnElement[str]:
    """Return the status of now: a snooze that has run out reads open."""
    woken = and_(incidents.c.status == "snoozed", incidents.c.snooze_until <= now)
    return case((woken, "open"), else_=incidents.c.status)


def conditions(
    *,
    now: str,
    status: str | None,
    family: str | None,
    level: str | None,
    classification: str | None,
    rule: str | None,
    instance: str | None,
    text: str | None,
    since: datetime | None,
    until: datetime | None,
    superseded: bool,
    kind: str | None = None,
    attacker: str | None = None,
    victim: str | None = None,
    assignee: str | None = None,
    technique: str | None = None,
    account: str | None = None,
    role: str | None = None,
    terms: Sequence[Term] = (),
    instances: Collection[str] | None = None,
) -> list[ColumnElement[bool]]:
    """Return the filters as conditions; raise `UsageError` for an unknown level.

    `attacker` and `victim` are looked for, `technique` is an ATT&CK 18 id; of incidents of many instances, one of
    `instances` is enough.
    """
    if level not in {None, *LEVELS}:
        raise UsageError(f"there is no level {level!r}; there are {', '.join(LEVELS)}")
    table = incidents.c
    found: list[ColumnElement[bool]] = [] if superseded else [table.superseded.is_(False)]
    exact = (
        (table.family, family),
        (table.classification, classification),
        (table.rule_id, rule),
        (table.kind, kind),
        (table.assignee, assignee),
        (table.account, account),
        (table.role, role),
    )
    found += [column == value for column, value in exact if value is not None]
    inside = ((table.attacker, attacker), (table.victim, victim))
    found += [column.icontains(value, autoescape=True) for column, value in inside if value]
    if technique is not None:
        found.append(_has_technique(technique))
    if instances is not None:
        found.append(_has_hit(hits.c.instance.in_(sorted(instances))))
    if status is not None:
        found.append(present_status(now) == status)
    if level is not None:
        found.append(table.severity_id > LEVELS.index(level))
    if instance is not None:
        found.append(_of_instance(instance))
    found += [_holds(term, now) if term.equal else not_(_holds(term, now)) for term in terms]
    if text:
        columns = (table.title, table.summary, table.attacker, table.victim, table.entity, table.rule_id, table.id)
        found.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if since is not None:
        found.append(table.last_seen >= int(since.timestamp() * 1000))
    if until is not None:
        found.append(table.first_seen < int(until.timestamp() * 1000))
    return found


def _of_instance(slug: str) -> ColumnElement[bool]:
    return _has_hit(hits.c.instance == slug)


def _has_hit(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(hits.c.incident_id == incidents.c.id, condition).correlate(incidents)


def _has_technique(technique: str) -> ColumnElement[bool]:
    return incidents.c.attacks.contains(json.dumps(technique), autoescape=True)


def _holds(term: Term, now: str) -> ColumnElement[bool]:
    """Return whether a field has a value, whatever the letters' case; what is empty has the value of no letters."""
    if term.field == "instance":
        return _of_instance(term.value.lower())
    if term.field == "technique":
        return _has_technique(term.value.upper())
    if term.field == "id":
        return incidents.c.id.startswith(term.value.lower(), autoescape=True)
    if term.field == "rule":  # people know rules by id and by title
        return or_(*(_is(column, term.value) for column in (incidents.c.rule_id, incidents.c.title)))
    return _is(present_status(now) if term.field == "status" else incidents.c[term.field], term.value)


def _is(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    return func.lower(func.coalesce(column, "")) == func.lower(value)


def listed(
    connection: Connection,
    filters: Sequence[ColumnElement[bool]],
    *,
    now: str,
    limit: int,
    offset: int,
    order: Sequence[ColumnElement[Any]] = (),
) -> list[Incident]:
    """Return the incidents that pass the filters, in this order or the latest first."""
    query = (
        select(incidents, present_status(now).label("present"))
        .where(*filters)
        .order_by(*(order or (incidents.c.last_seen.desc(),)), incidents.c.id)
        .limit(limit)
        .offset(offset)
    )
    rows = connection.execute(query).mappings().all()
    of_instance: dict[str, list[str]] = {}
    pairs = (
        select(hits.c.incident_id, hits.c.instance)
        .where(hits.c.incident_id.in_([row["id"] for row in rows]))
        .distinct()
        .order_by(hits.c.instance)
    )
    for incident_id, instance in connection.execute(pairs):
        of_instance.setdefault(incident_id, []).append(instance)
    return [_incident(row, instances=tuple(of_instance.get(row["id"], ()))) for row in rows]


def counts(connection: Connection, *, now: str) -> dict[str, int]:
    """Return the number of incidents by present status."""
    status = present_status(now).label("present")
    query = select(status, func.count()).where(incidents.c.superseded.is_(False)).group_by(status)
    found = {row[0]: row[1] for row in connection.execute(query)}
    return {name: found.get(name, 0) for name in ("open", "snoozed", "closed")}


def resolve(connection: Connection, incident_id: str) -> str:
    """Return the whole id; raise `UsageError` where none, or more than one, begins so."""
    wanted = incident_id.strip().lower()
    if not _ID.fullmatch(wanted):
        raise UsageError(f"{incident_id!r} is no incident id; an id is 6 to 32 of 0-9 and a-f")
    query = select(incidents.c.id).where(incidents.c.id.startswith(wanted)).order_by(incidents.c.id).limit(2)
    found = list(connection.execute(query).scalars())
    if len(found) != 1:
        problem = "more than one incident has" if found else "no incident has"
        raise UsageError(f"{problem} an id that begins with {wanted}; `s1c incidents list` shows them")
    return str(found[0])


def whole(connection: Connection, incident_id: str, *, now: str) -> Incident:
    """Return one incident with its latest hits, its notes and its history."""
    found = resolve(connection, incident_id)
    query = select(incidents, present_status(now).label("present")).where(incidents.c.id == found)
    row = connection.execute(query).mappings().one()
    of_incident = (
        select(hits)
        .where(hits.c.incident_id == found)
        .order_by(hits.c.last_time.desc(), hits.c.hit_id, hits.c.instance, hits.c.stream, hits.c.window)
        .limit(_SHOWN_HITS)
    )
    shown = [
        IncidentHit(
            instance=hit["instance"],
            stream=hit["stream"],
            window=hit["window"],
            hit_id=hit["hit_id"],
            content=json.loads(hit["content"]),
        )
        for hit in connection.execute(of_incident).mappings()
    ]
    noted = connection.execute(select(notes).where(notes.c.incident_id == found).order_by(notes.c.id)).mappings()
    logged = connection.execute(select(history).where(history.c.incident_id == found).order_by(history.c.id)).mappings()
    return _incident(
        row,
        instances=tuple(sorted({hit.instance for hit in shown})),
        hits=tuple(reversed(shown)),
        notes=tuple(Note(at=note["at"], author=note["author"], text=note["text"]) for note in noted),
        history=tuple(
            Event(at=line["at"], author=line["author"], kind=line["kind"], detail=line["detail"]) for line in logged
        ),
    )


def _incident(row: Any, **rest: Any) -> Incident:
    values = {name: row[name] for name in incidents.c.keys()}  # noqa: SIM118  # a column collection, no dictionary
    values["status"] = row["present"]
    values["attacks"] = tuple(json.loads(values["attacks"]))
    values["attacks_v19"] = tuple(json.loads(values["attacks_v19"]))
    return Incident(**values, **rest)
