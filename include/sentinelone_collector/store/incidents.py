"""What the store tells about incidents, in plain records."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["CLOSE_REASONS", "STATUSES", "Event", "Incident", "IncidentHit", "Note"]

STATUSES = ("open", "snoozed", "closed")
CLOSE_REASONS = (
    "further_action",
    "acceptable_risk",
    "compensating_control",
    "threat_not_valid",
    "not_concluded",
    "other",
)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote about an incident; `at` is ISO 8601 in UTC."""

    at: str
    author: str
    text: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an incident: opened, closed, snoozed, reopened, superseded, restored."""

    at: str
    author: str
    kind: str
    detail: str


class IncidentHit(msgspec.Struct, frozen=True, kw_only=True):
    """One hit of an incident and the window that it lies in; `content` are the hit's own fields."""

    instance: str
    stream: str
    window: str
    hit_id: str
    content: dict[str, Any]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident; `first_seen`, `last_seen` and `bucket` are epoch milliseconds, other times ISO 8601 texts in UTC.

    `count` is the number of its hits. `status` is the present one: a snooze that has run out reads open. Hits, notes
    and history are filled where one incident is asked for, and empty in lists. `account` and `role` are the SentinelOne
    account and the acting console user's role by the latest hit, None where its event does not name them.
    """

    id: str
    rule_id: str
    rule_version: str
    title: str
    summary: str
    family: str
    classification: str
    level: str
    severity_id: int
    kind: str
    note: str | None
    console: str
    entity: str
    bucket: int
    attacker: str | None
    victim: str | None
    attacks: tuple[str, ...]
    attacks_v19: tuple[str, ...]
    count: int
    first_seen: int
    last_seen: int
    superseded: bool
    status: str
    status_reason: str | None
    status_changed_at: str | None
    snooze_until: str | None
    created_at: str
    assignee: str | None = None
    account: str | None = None
    role: str | None = None
    instances: tuple[str, ...] = ()
    hits: tuple[IncidentHit, ...] = ()
    notes: tuple[Note, ...] = ()
    history: tuple[Event, ...] = ()

    @property
    def short_id(self) -> str:
        """The first six characters of the id, for people."""
        return self.id[:6]

    def to_dict(self) -> dict[str, Any]:
        """Return the incident as plain JSON types, with its short id."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {"short_id": self.short_id, **plain}
