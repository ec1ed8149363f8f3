"""`s1c incidents`: what people work on."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentinelone_collector.commands.output import AsJson, Moment, emit, say, table
from sentinelone_collector.pipeline import Installation, utc_now
from sentinelone_collector.store import SORTS, IncidentFilter, Overview, split_terms

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
    classification: Annotated[str | None, typer.Option(help="E.g. admin:activity.")] = None,
    kind: Annotated[str | None, typer.Option(help="Detection source: event, correlation or anomaly.")] = None,
    rule: Annotated[str | None, typer.Option()] = None,
    instance: Annotated[str | None, typer.Option()] = None,
    attacker: Annotated[str | None, typer.Option(help="Part of a name or address.")] = None,
    victim: Annotated[str | None, typer.Option(help="Part of the target's name.")] = None,
    account: Annotated[str | None, typer.Option(help="The SentinelOne account.")] = None,
    role: Annotated[str | None, typer.Option(help="The acting console user's role.")] = None,
    assignee: Annotated[str | None, typer.Option()] = None,
    technique: Annotated[str | None, typer.Option(help="ATT&CK 18, e.g. T1110.001.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Words in title, summary, people and ids, or e.g. 'Role != \"Admin\"'.")
    ] = None,
    from_: Annotated[Any, typer.Option("--from", parser=Moment.parser, metavar="TIME")] = None,
    to: Annotated[Any, typer.Option("--to", parser=Moment.parser, metavar="TIME")] = None,
    superseded: Annotated[bool, typer.Option(help="Also those that no longer hold.")] = False,
    sort: Annotated[str, typer.Option(help=f"One of {', '.join(SORTS)}.")] = "last_seen",
    ascending: Annotated[bool, typer.Option(help="The least first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List incidents, the latest first."""
    seen = Overview(Installation.from_environment().store)
    terms, words = split_terms(text or "")
    wanted = IncidentFilter(
        status=status,
        family=family,
        level=level,
        classification=classification,
        kind=kind,
        rule=rule,
        instance=instance,
        attacker=attacker,
        victim=victim,
        account=account,
        role=role,
        assignee=assignee,
        technique=technique,
        text=words or None,
        since=from_,
        until=to,
        superseded=superseded,
        terms=terms,
    )
    now = utc_now()
    found = seen.page(wanted, now=now, sort=sort, descending=not ascending, limit=limit)
    if as_json:
        emit([incident.to_dict() for incident in found])
        return
    table(
        [_row(incident) for incident in found],
        ["id", "level", "status", "last_seen", "title", "attacker", "victim", "count", "instance"],
    )
    counts = seen.counts(wanted, now=now)
    told = ", ".join(f"{some} of {total} {name}" for name, (some, total) in counts.items())
    say(f"{len(found)} shown; by status {told} match.")


@app.command()
def show(incident_id: _Id, as_json: AsJson = False) -> None:
    """Show one incident with its hits, notes and history."""
    incident = Installation.from_environment().store.get_incident(incident_id, now=utc_now())
    if as_json:
        emit(incident.to_dict())
        return
    row = _row(incident) | {"id": incident.id, "summary": incident.summary, "first_seen": _time(incident.first_seen)}
    row |= {"account": incident.account, "role": incident.role}
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
