"""`s1c incidents`: what people work on."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentinelone_collector.commands.output import AsJson, Moment, emit, say, table
from sentinelone_collector.pipeline import Installation, utc_now

if TYPE_CHECKING:
    from sentinelone_collector.store import Incident

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List, show, close, snooze, reopen, assign and note incidents.")
_Id = Annotated[str, typer.Argument(metavar="ID", help="The incident's id, or its first six or more characters.")]
_Note = Annotated[str, typer.Option(help="Words that are kept with the change.")]


def _row(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.short_id,
        "level": incident.level,
        "status": incident.status,
        "last_seen": _time(incident.last_seen),
        "title": incident.title,
        "attacker": incident.attacker,
        "victim": incident.victim,
        "assignee": incident.assignee,
        "count": incident.count,
        "instance": list(incident.instances),
    }


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="open, snoozed or closed.")] = None,
    family: Annotated[str | None, typer.Option()] = None,
    level: Annotated[str | None, typer.Option(help="The least level, informational to critical.")] = None,
    rule: Annotated[str | None, typer.Option()] = None,
    instance: Annotated[str | None, typer.Option()] = None,
    text: Annotated[str | None, typer.Option(help="Looked for in title, summary, attacker and victim.")] = None,
    from_: Annotated[Any, typer.Option("--from", parser=Moment.parser, metavar="TIME")] = None,
    to: Annotated[Any, typer.Option("--to", parser=Moment.parser, metavar="TIME")] = None,
    superseded: Annotated[bool, typer.Option(help="Also those that no longer hold.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List incidents, the latest first."""
    site = Installation.from_environment()
    found = site.store.list_incidents(
        now=utc_now(),
        status=status,
        family=family,
        level=level,
        rule=rule,
        instance=instance,
        text=text,
        since=from_,
        until=to,
        superseded=superseded,
        limit=limit,
    )
    if as_json:
        emit([incident.to_dict() for incident in found])
        return
    table(
        [_row(incident) for incident in found],
        ["id", "level", "status", "last_seen", "title", "attacker", "victim", "count", "instance"],
    )
    counts = site.store.count_incidents(now=utc_now())
    say(f"{len(found)} shown; in all " + ", ".join(f"{number} {name}" for name, number in counts.items()) + ".")


@app.command()
def show(incident_id: _Id, as_json: AsJson = False) -> None:
    """Show one incident with its hits, notes and history."""
    incident = Installation.from_environment().store.get_incident(incident_id, now=utc_now())
    if as_json:
        emit(incident.to_dict())
        return
    row = _row(incident) | {"id": incident.id, "summary": incident.summary, "first_seen": _time(incident.first_seen)}
    row |= {"rule": f"{incident.rule_id} ({incident.rule_version[:12]})", "att&ck": list(incident.attacks)}
    table([{"field": name, "value": value} for name, value in row.items()], ["field", "value"])
    events = [{"at": note.at, "who": note.author, "what": f"note: {note.text}"} for note in incident.notes]
    events += [{"at": item.at, "who": item.author, "what": f"{item.kind} {item.detail}"} for item in incident.history]
    table(sorted(events, key=lambda item: item["at"]), ["at", "who", "what"])
    say(f"{incident.count} hits; --json shows them with their events.")


@app.command()
def close(
    incident_id: _Id,
    reason: Annotated[str, typer.Option(help="E.g. threat_not_valid, acceptable_risk, further_action.")] = "other",
    note: _Note = "",
    as_json: AsJson = False,
) -> None:
    """Close an incident; new evidence opens it again."""
    store = Installation.from_environment().store
    _changed(store.close_incident(incident_id, reason, note, author=_author(), now=utc_now()), as_json=as_json)


@app.command()
def snooze(
    incident_id: _Id,
    until: Annotated[
        Any, typer.Option(parser=Moment.parser, metavar="TIME", help="Default: 24 hours from now.")
    ] = None,
    note: _Note = "",
    as_json: AsJson = False,
) -> None:
    """Put an incident aside until a moment."""
    store, now = Installation.from_environment().store, utc_now()
    moment = until or now + timedelta(days=1)
    _changed(store.snooze_incident(incident_id, moment, note, author=_author(), now=now), as_json=as_json)


@app.command()
def reopen(incident_id: _Id, note: _Note = "", as_json: AsJson = False) -> None:
    """Open a closed or snoozed incident again."""
    store = Installation.from_environment().store
    _changed(store.reopen_incident(incident_id, note, author=_author(), now=utc_now()), as_json=as_json)


@app.command()
def assign(
    incident_id: _Id,
    assignee: Annotated[str, typer.Argument(help="Who works on it; an empty name means nobody.")],
    note: _Note = "",
    as_json: AsJson = False,
) -> None:
    """Give an incident to somebody."""
    store = Installation.from_environment().store
    _changed(store.assign_incident(incident_id, assignee, note, author=_author(), now=utc_now()), as_json=as_json)


@app.command("note")
def add_note(incident_id: _Id, text: Annotated[str, typer.Argument()], as_json: AsJson = False) -> None:
    """Add a note to an incident."""
    store = Installation.from_environment().store
    _changed(store.add_note(incident_id, text, author=_author(), now=utc_now()), as_json=as_json)


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "s1c"


def _changed(incident: Incident, *, as_json: bool) -> None:
    if as_json:
        emit(incident.to_dict())
    say(f"{incident.short_id} {incident.title}: {incident.status}")
