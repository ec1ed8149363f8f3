"""Hits of a window in, incidents out: content that follows from the present hits alone; imported inside tasks only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update  # noqa: TID253  # imported inside tasks only

from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.people import PersonHit, person_hits
from sentinelone_collector.store import writing
from sentinelone_collector.store.tables import hits as hits_table
from sentinelone_collector.store.tables import incidents, seen_hits, tagged_windows
from sentinelone_collector.store.tables import person_hits as person_table
from sentinelone_collector.windows import Window

__all__ = ["person_hits_between", "replace_hits"]

_CHUNK = 200
Place = tuple[str, str, str]  # instance, stream, name of the window


def replace_hits(
    connection: Connection, place: Place, *, console: str, digest: str, hits: Sequence[Hit], at: str, author: str
) -> None:
    """Replace the hits of one window and recompute the incidents that had or have one of them."""
    counted = [hit for hit in hits if hit.incident_id is not None]
    touched = _remove(connection, place) | {str(hit.incident_id) for hit in counted}
    rows = [_row(place, console, hit) for hit in counted]
    for chunk in _chunks(rows):
        connection.execute(insert(hits_table), chunk)
    for ids in _chunks(sorted(touched)):
        _recompute(connection, ids, at=at, author=author)
    _replace_person_hits(connection, place, person_hits(hits, Window.from_name(place[2]), console=console))
    window = dict(zip(("instance", "stream", "window"), place, strict=True))
    row = {**window, "digest": digest, "hits": len(hits)}
    writing.upsert(connection, tagged_windows, [row], update_existing=True)


def _replace_person_hits(connection: Connection, place: Place, found: Sequence[PersonHit]) -> None:
    table, (instance, stream, window) = person_table, place
    here = (table.c.instance == instance, table.c.stream == stream, table.c.window == window)
    connection.execute(delete(table).where(*here))
    rows = [
        {
            "instance": instance,
            "stream": stream,
            "window": window,
            "hit_id": one.hit_id,
            "at": one.at,
            "content": msgspec.json.encode(one).decode(),
        }
        for one in found
    ]
    for chunk in _chunks(rows):
        connection.execute(insert(table), chunk)


def person_hits_between(connection: Connection, instance: str, stream: str, first: int, last: int) -> list[PersonHit]:
    """Return the hits of persons with a moment from `first` to `last`, epoch milliseconds, both inclusive."""
    table = person_table
    query = select(table.c.content).where(
        table.c.instance == instance, table.c.stream == stream, table.c.at >= first, table.c.at <= last
    )
    return [msgspec.json.decode(content, type=PersonHit) for content in connection.execute(query).scalars()]


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    items = list(items)
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))


def _remove(connection: Connection, place: Place) -> set[str]:
    instance, stream, window = place
    here = (hits_table.c.instance == instance, hits_table.c.stream == stream, hits_table.c.window == window)
    before = set(connection.execute(select(hits_table.c.incident_id).where(*here).distinct()).scalars())
    connection.execute(delete(hits_table).where(*here))
    return before


def _row(place: Place, console: str, hit: Hit) -> dict[str, Any]:
    instance, stream, window = place
    return {
        "instance": instance,
        "stream": stream,
        "window": window,
        "hit_id": hit.hit_id,
        "incident_id": hit.incident_id,
        "console": console,
        "last_time": hit.last_time,
        "content": msgspec.json.encode(hit).decode(),
    }


def _recompute(connection: Connection, ids: list[str], *, at: str, author: str) -> None:
    table = hits_table
    query = (
        select(table.c.incident_id, table.c.console, table.c.content)
        .where(table.c.incident_id.in_(ids))
        .order_by(
            table.c.incident_id, table.c.last_time, table.c.hit_id, table.c.instance, table.c.stream, table.c.window
        )
    )
    found: dict[str, dict[str, Hit]] = {}
    consoles: dict[str, str] = {}
    for incident_id, console, content in connection.execute(query):
        hit = msgspec.json.decode(content, type=Hit)
        found.setdefault(incident_id, {})[hit.hit_id] = hit
        consoles[incident_id] = console
    known = {
        row.id: row
        for row in connection.execute(
            select(incidents.c.id, incidents.c.status, incidents.c.superseded).where(incidents.c.id.in_(ids))
        )
    }
    for incident_id, of_incident in found.items():
        content = _content(list(of_incident.values()), consoles[incident_id])
        if incident_id not in known:
            row = {"id": incident_id, **content, "status": "open", "created_at": at}
            connection.execute(insert(incidents), [row])
            writing.log(connection, incident_id, "opened", content["summary"], author=author, at=at)
        else:
            connection.execute(update(incidents).where(incidents.c.id == incident_id).values(**content))
            _after_update(connection, known[incident_id], set(of_incident), at=at, author=author)
        pairs = [{"incident_id": incident_id, "hit_id": hit_id} for hit_id in of_incident]
        writing.upsert(connection, seen_hits, pairs, update_existing=False)
    for incident_id in known.keys() - found.keys():
        _supersede(connection, known[incident_id], at=at, author=author)


def _content(of_incident: list[Hit], console: str) -> dict[str, Any]:
    """Return the columns that follow from the hits, given in order of (last time, id); the latest one describes."""
    latest = of_incident[-1]
    severest = max(of_incident, key=lambda hit: (hit.severity_id, hit.last_time, hit.hit_id))
    return {
        "rule_id": latest.rule_id,
        "rule_version": latest.rule_version,
        "title": latest.rule_title,
        "summary": latest.summary,
        "family": latest.family,
        "classification": latest.classification,
        "level": severest.level,
        "severity_id": severest.severity_id,
        "kind": latest.kind,
        "note": severest.note,
        "console": console,
        "entity": latest.entity,
        "bucket": latest.bucket,
        "attacker": latest.attacker,
        "victim": latest.victim,
        "account": latest.account,
        "role": latest.role,
        "attacks": json.dumps(latest.attacks),
        "attacks_v19": json.dumps(latest.attacks_v19),
        "count": len(of_incident),
        "first_seen": min(hit.time for hit in of_incident),
        "last_seen": latest.last_time,
        "superseded": False,
    }


def _after_update(connection: Connection, before: Any, hit_ids: set[str], *, at: str, author: str) -> None:
    if before.superseded:
        writing.log(connection, before.id, "restored", "the incident has hits again", author=author, at=at)
    if before.status != "closed":
        return
    query = select(seen_hits.c.hit_id).where(seen_hits.c.incident_id == before.id)
    new = sorted(hit_ids - set(connection.execute(query).scalars()))
    if new:
        detail = f"new evidence: {len(new)} hit(s), first {new[0]}"
        writing.set_status(connection, before.id, "open", reason=None, until=None, author=author, at=at, detail=detail)


def _supersede(connection: Connection, before: Any, *, at: str, author: str) -> None:
    if before.superseded:
        return
    connection.execute(update(incidents).where(incidents.c.id == before.id).values(superseded=True, count=0))
    writing.log(connection, before.id, "superseded", "no hit is left", author=author, at=at)
