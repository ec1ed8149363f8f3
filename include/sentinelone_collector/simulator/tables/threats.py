"""Threats: found, mitigated, judged and resolved, as the activities about them say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import DAY, HOUR, MINUTE, MS, SECOND
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.org import Place
from sentinelone_collector.simulator.records import Entry, place_of, record
from sentinelone_collector.simulator.tables.mentions import Mentions
from sentinelone_collector.simulator.tables.threat_record import State, threat_record
from sentinelone_collector.simulator.tables.version import END, Body, Cache, Version, lag, newest

__all__ = ["Change", "Note", "Threat", "Threats"]

_LIFE = 101
_FOUND = frozenset({18, 19, 4003})
"""Activities that say a threat was found; without one, it was found before the first thing said of it."""

_KNOWN, _LISTED = 200_000, 8_192
_UNSAID = 40 * HOUR  # the longest time between a find without an activity and the first one about it
_NOTE_LAG = 10 * MS  # the change that a note is has its time a little before the activity's


class Change(NamedTuple):
    """One state of a threat, from `at` on (µs)."""

    at: int
    visible: int
    state: State


class Note(NamedTuple):
    """What a person wrote about a threat."""

    at: int
    visible: int
    author: int


class Threat(NamedTuple):
    """A threat with its whole life; `said` are the activities about it."""

    id: int
    agent: int
    place: Place
    created: int
    said: tuple[Entry, ...]
    changes: tuple[Change, ...]
    notes: tuple[Note, ...]


def _words(value: object) -> str:
    return str(value)


def _after(entry: Entry, data: Body, state: State) -> State:
    """Give the state that an activity leaves behind."""
    kind = entry.kind.type
    if kind in {2001, 2004}:
        action = "kill" if kind == 2001 else "quarantine"  # noqa: PLR2004  # an activity type
        return state._replace(mitigation="mitigated", actions=(*state.actions, (action, entry.at)))
    if kind == 4008:  # noqa: PLR2004  # an activity type
        return state._replace(mitigation="mitigated")
    if kind == 2028:  # noqa: PLR2004  # an activity type
        return state._replace(incident=_words(data["newIncidentStatus"]))
    if kind == 2030:  # noqa: PLR2004  # an activity type
        return state._replace(verdict=_words(data["newAnalystVerdict"]))
    return state


class Threats:
    """All threats that the activity log speaks of."""

    stream = "threats"

    def __init__(self, history: History, mentions: Mentions) -> None:
        self._history, self._mentions, self._org = history, mentions, history.org
        self._lives: Cache[Threat] = Cache(_KNOWN)
        self._records: Cache[Body] = Cache(_LISTED)

    def lives(self, until: int) -> Iterator[Threat]:
        """Yield all threats found until then (µs), and some that are not yet; the log may speak of one later."""
        for name, entries in self._mentions.threats(until + _UNSAID):
            yield self._lives.get(name, partial(self._make_life, name, entries))

    def find(self, threat_id: int, now: int) -> Threat | None:
        """Give a threat that is shown at `now`."""
        for threat in self.lives(now):
            if threat.id == threat_id and any(change.visible <= now for change in threat.changes):
                return threat
        return None

    def current(self, now: int, low: int = 0, high: int = END) -> Sequence[Version]:
        """List the threats as they are shown at `now`, changed in [low, high)."""
        shown = (newest(self._versions(threat), now) for threat in self.lives(now))
        return [version for version in shown if version and low <= version.at < high]

    def versions(self, low: int, high: int, now: int) -> Iterator[Version]:
        """Yield all states that began in [low, high) and were shown until `now`."""
        for threat in self.lives(now):
            for version in self._versions(threat):
                if low <= version.at < high and version.visible <= now:
                    yield version

    def _versions(self, threat: Threat) -> Iterator[Version]:
        for number, change in enumerate(threat.changes):
            make = partial(self.record, threat, number)
            noted = any(note.at - change.at < _NOTE_LAG for note in threat.notes)
            marks = frozenset({"note"}) if noted else frozenset[str]()
            yield Version(threat.id, change.at, change.visible, threat.created, threat.place, make, marks=marks)

    def record(self, threat: Threat, number: int) -> Body:
        """Give the record of the n-th state of a threat; nobody may change it."""
        return self._records.get((threat.id, number), partial(self._make_record, threat, number))

    def _make_record(self, threat: Threat, number: int) -> Body:
        first = threat.said[0]
        data = record(self._org, first)["data"]
        change = threat.changes[number]
        return threat_record(
            self._org,
            threat.id,
            self._org.agents[threat.agent],
            data if isinstance(data, dict) else {},
            created=threat.created,
            updated=change.at,
            state=change.state,
        )

    def _make_life(self, name: str, said: tuple[Entry, ...]) -> Threat:
        first, dice = said[0], Dice(self._org.seed, _LIFE, int(name))
        found = first.kind.type in _FOUND
        before = dice.between(6 * MINUTE // MS, _UNSAID // MS) * MS - dice.below(1000)
        created = first.at - dice.between(1 * MS, 9 * MS) if found else first.at - before
        state = State(incident="unresolved", verdict="undefined", mitigation="not_mitigated", actions=(), auto=False)
        if data := self._data(first):
            state = state._replace(incident=_words(data.get("oldIncidentStatus", state.incident)))
        visible = first.visible if found else created + lag(self._org.seed, self._history.late_share, int(name))
        changes = [Change(created - dice.between(0, 5 * MS), visible, state)]
        if not found:  # the agent acted by itself, long before a person looked
            at = created + dice.between(60 * MS, 220 * MS)
            state = state._replace(mitigation="mitigated", actions=(("kill", at - 40 * MS), ("quarantine", at)))
            changes.append(Change(at, visible + 200 * MS, state))
        for entry in said[1:] if found else said:
            state = _after(entry, self._data(entry), state)
            at = max(entry.at - dice.between(1 * MS, 9 * MS), changes[-1].at + 1)
            changes.append(Change(at, max(entry.visible, visible), state))
        changes.extend(self._ending(int(name), changes[-1], dice))
        notes = tuple(Note(e.at, e.visible, e.user) for e in said if e.kind.type == 4020)  # noqa: PLR2004  # a type
        place = place_of(self._org, first)
        return Threat(int(name), first.agent, place, created, said, tuple(changes), notes)

    def _data(self, entry: Entry) -> Body:
        data = record(self._org, entry)["data"]
        return data if isinstance(data, dict) else {}

    def _ending(self, key: int, last: Change, dice: Dice) -> Iterator[Change]:
        """Yield what the console does by itself: a second opinion of the cloud, and closing what is mitigated."""
        at, state = last.at, last.state
        if dice.chance(1, 6):
            at += dice.between(40 * SECOND // MS, 20 * MINUTE // MS) * MS + dice.below(1000)
            state = state._replace(cloud=True)
            yield Change(at, at + lag(self._org.seed, self._history.late_share, key, 1), state)
        if state.incident != "resolved" and dice.chance(3, 4):
            at += dice.between(HOUR // MS, 3 * DAY // MS) * MS + dice.below(1000)
            state = state._replace(incident="resolved", auto=True)
            yield Change(at, at + lag(self._org.seed, self._history.late_share, key, 2), state)
