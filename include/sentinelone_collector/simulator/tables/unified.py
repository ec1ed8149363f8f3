"""Unified alerts: one for each threat and each rule's alert, and what identity detection finds in stories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import DAY, MINUTE, MS
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.org import Place, User
from sentinelone_collector.simulator.scenarios import Placed
from sentinelone_collector.simulator.tables.alerts import Alert, Alerts
from sentinelone_collector.simulator.tables.threats import Threat, Threats
from sentinelone_collector.simulator.tables.unified_record import Subject, Triage, unified_record
from sentinelone_collector.simulator.tables.version import END, Body, Cache, Version, lag, newest

__all__ = ["UnifiedAlerts"]

_UNIFIED = 191
_OPEN_DAYS = 30
_KNOWN, _LISTED = 200_000, 8_192
_VERDICTS = {
    "undefined": "UNDEFINED",
    "true_positive": "TRUE_POSITIVE_MALWARE",
    "false_positive": "FALSE_POSITIVE_BENIGN",
    "suspicious": "TRUE_POSITIVE_BENIGN_BUT_SUSPICIOUS",
}
_STATUSES = {"unresolved": "NEW", "in_progress": "IN_PROGRESS", "resolved": "RESOLVED"}


class _Life(NamedTuple):
    """A unified alert from its creation on: changes are (at, visible, triage), in order."""

    id: int
    name: str
    place: Place
    subject: Subject
    changes: tuple[tuple[int, int, Triage], ...]


def _name(key: int, ms: int, dice: Dice) -> str:
    """Write a UUID of version 7: it begins with the time."""
    text, rest = f"{ms:012x}", dice.hex(16)
    return f"{text[:8]}-{text[8:]}-7{rest[:3]}-8{rest[3:6]}-{key & 0xFFFFFFFFFFFF:012x}"


class UnifiedAlerts:
    """All unified alerts; `at` is `updatedAt`, and all times have whole milliseconds."""

    stream = "unified_alerts"

    def __init__(self, history: History, threats: Threats, alerts: Alerts, placed: Sequence[Placed]) -> None:
        self._history, self._org = history, history.org
        self._threats, self._alerts = threats, alerts
        self._placed = [story for story in placed if story.name in {"brute-force", "takeover"} and story.drafts]
        self._kept: Cache[_Life] = Cache(_KNOWN)
        self._records: Cache[Body] = Cache(_LISTED)

    def current(self, now: int, low: int = 0, high: int = END) -> Sequence[Version]:
        """List the alerts as they are shown at `now`, changed in [low, high)."""
        shown = (newest(self._versions(life), now) for life in self._lives(now))
        return [version for version in shown if version and low <= version.at < high]

    def versions(self, low: int, high: int, now: int) -> Iterator[Version]:
        """Yield all states that began in [low, high) and were shown until `now`."""
        for life in self._lives(now):
            for version in self._versions(life):
                if low <= version.at < high and version.visible <= now:
                    yield version

    def _lives(self, now: int) -> Iterator[_Life]:
        for threat in self._threats.lives(now):
            yield self._kept.get(("threat", threat.id), partial(self._of_threat, threat))
        for alert in self._alerts.lives(now):
            yield self._kept.get(("alert", alert.id), partial(self._of_alert, alert))
        for number, story in enumerate(self._placed):
            yield self._kept.get(("story", number), partial(self._of_story, story, number))

    def _versions(self, life: _Life) -> Iterator[Version]:
        for at, visible, triage in life.changes:
            make = partial(self._record, life, at, triage)
            yield Version(life.id, at, visible, life.subject.created, life.place, make, life.name)

    def _record(self, life: _Life, at: int, triage: Triage) -> Body:
        make = partial(unified_record, self._org, life.name, life.subject, at, triage)
        return self._records.get((life.id, at), make)

    def _life(
        self, key: int, place: Place, subject: Subject, changes: Sequence[tuple[int, int, Triage]], dice: Dice
    ) -> _Life:
        """Finish a life: whole milliseconds, each change after the one before, closed after thirty days."""
        ordered: list[tuple[int, int, Triage]] = []
        for at, visible, triage in changes:
            moment = max(at // MS * MS, ordered[-1][0] + MS) if ordered else at // MS * MS
            ordered.append((moment, max(visible, moment), triage))
        last = ordered[-1][2]
        if last.status != "RESOLVED":
            at = subject.created + _OPEN_DAYS * DAY + dice.between(4 * MINUTE // MS, 48 * MINUTE // MS) * MS
            at = max(at, ordered[-1][0] + MS)
            shown = at + lag(self._org.seed, self._history.late_share, key, 9)
            ordered.append((at, shown, last._replace(status="RESOLVED")))
        return _Life(key, _name(key, subject.created // MS, dice), place, subject, tuple(ordered))

    def _of_threat(self, threat: Threat) -> _Life:
        dice = Dice(self._org.seed, _UNIFIED, threat.id)
        detected = (threat.created - dice.between(60, 1_500) * MS) // MS * MS
        body = self._threats.record(threat, 0)
        info = body["threatInfo"]
        created = detected + dice.between(5, 60) * MS
        if dice.chance(1, 12):  # the detecting service's clock is ahead
            created = detected - dice.between(1_000, 56_000) * MS
        subject = Subject(
            str(threat.id), "EDR", threat.agent, detected, created, info if isinstance(info, dict) else {}, None
        )
        actor: User | None = None
        changes = []
        for change in threat.changes:
            state = change.state
            if state.incident != "unresolved" and not state.auto:
                actor = next((self._org.users[e.user] for e in threat.said if e.user >= 0), None)
            result = "MITIGATED" if state.mitigation == "mitigated" else "UNMITIGATED"
            triage = Triage(_STATUSES[state.incident], _VERDICTS[state.verdict], actor, result, bool(threat.notes))
            changes.append((max(change.at, created - 3 * MS), change.visible, triage))
        return self._life(threat.id, threat.place, subject, changes, dice)

    def _of_alert(self, alert: Alert) -> _Life:
        dice = Dice(self._org.seed, _UNIFIED, alert.id)
        detected = alert.created
        created = alert.reported // MS * MS
        subject = Subject(str(alert.id), "STAR", alert.agent, detected, created, alert.data, None)
        changes = []
        for at, visible, words, _ in alert.changes:
            status, verdict = (text.lower().replace(" ", "_") for text in words)
            changes.append((at, visible, Triage(_STATUSES[status], _VERDICTS[verdict], None, None, False)))
        return self._life(alert.id, alert.place, subject, changes, dice)

    def _of_story(self, story: Placed, number: int) -> _Life:
        """Make the identity alert of a story: many failed log-ins from one address, and who got in, if anybody."""
        dice = Dice(self._org.seed, _UNIFIED, number, story.start)
        logins = [draft for draft in story.drafts if draft.kind.type in {27, 133}]
        last = next((draft for draft in logins if draft.kind.type == 27), logins[-1])  # noqa: PLR2004  # a log-in
        key = dice.big_id()
        detected = (last.at + 4 * MINUTE) // MS * MS
        told: Body = {"ipAddress": last.facts.data.get("ipAddress")}
        subject = Subject(str(key), "IDENTITY", -1, detected, detected + 46 * MS, told, self._org.users[last.user])
        visible = detected + lag(self._org.seed, self._history.late_share, key)
        triage = Triage("NEW", "UNDEFINED", None, None, False)
        place = self._org.places[self._org.users[last.user].place]
        return self._life(key, place, subject, [(detected + 44 * MS, visible, triage)], dice)
