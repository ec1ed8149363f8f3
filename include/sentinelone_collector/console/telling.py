"""An incident in plain words and in order of time: pure functions of what the store holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sentinelone_collector.console.catalogue import KINDS
from sentinelone_collector.console.rendering import ago
from sentinelone_collector.detect import Rule
from sentinelone_collector.store import Incident

__all__ = ["REASONS", "Line", "headline", "story", "timeline"]

REASONS = {
    "further_action": "Further action is taken elsewhere",
    "acceptable_risk": "Acceptable risk",
    "compensating_control": "Compensating control in place",
    "threat_not_valid": "Not a valid threat",
    "not_concluded": "Not concluded",
    "other": "Other",
}
_MOST_HITS = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline: when, who or where, what, and the hit that it is about."""

    at: datetime
    who: str
    kind: str
    text: str
    hit_id: str = ""


def headline(incident: Incident) -> str:
    """Return the status with what belongs to it: reason, or until when."""
    if incident.superseded:
        return "No longer holds"
    if incident.status == "closed":
        reason = REASONS.get(incident.status_reason or "", incident.status_reason or "")
        return f"Closed: {reason}" if reason else "Closed"
    if incident.status == "snoozed":
        return f"Snoozed until {incident.snooze_until}"
    return "Open"


def story(incident: Incident, rule: Rule | None) -> list[str]:
    """Return what happened as sentences: what was seen, how often and when, why it matters."""
    sentences = [incident.summary if incident.summary.endswith((".", "!", "?")) else f"{incident.summary}."]
    sentences.append(_when(incident))
    if incident.attacker or incident.victim:
        by = f"It was done by {incident.attacker}" if incident.attacker else "Who did it is not known"
        to = f" and concerns {incident.victim}." if incident.victim else "."
        sentences.append(by + to)
    found = KINDS.get(incident.kind, incident.kind).lower()
    where = ", ".join(incident.instances) or "no instance any more"
    sentences.append(f"The {found} {incident.rule_id} found it in {where}.")
    if rule is not None and rule.spec is not None:
        sentences.append(rule.spec.reason)
        if rule.version != incident.rule_version:
            sentences.append("The rule has changed since: collecting the windows again applies the present one.")
    if incident.note:
        sentences.append(incident.note)
    if incident.superseded:
        sentences.append("It no longer holds: after its windows were collected again, no hit is left.")
    return sentences


def _when(incident: Incident) -> str:
    first, last = _moment(incident.first_seen), _moment(incident.last_seen)
    times = "once" if incident.count == 1 else f"{incident.count:,} times"
    if first == last:
        return f"It was seen {times}, at {_text(first)}."
    span = ago(last - first) if last - first >= timedelta(seconds=1) else "less than a second"
    return f"It was seen {times}, from {_text(first)} to {_text(last)} ({span})."


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def timeline(incident: Incident) -> list[Line]:
    """Return the latest hits, all notes and the history of the status in order of time."""
    return sorted(_lines(incident), key=lambda line: line.at)


def _lines(incident: Incident) -> Iterator[Line]:
    for hit in incident.hits[-_MOST_HITS:]:
        content = hit.content
        yield Line(_moment(content["last_time"]), hit.instance, "hit", str(content["summary"]), hit.hit_id)
    for event in incident.history:
        detail = REASONS.get(event.detail, event.detail)
        yield Line(datetime.fromisoformat(event.at), event.author, event.kind, detail)
    for note in incident.notes:
        yield Line(datetime.fromisoformat(note.at), note.author, "note", note.text)
