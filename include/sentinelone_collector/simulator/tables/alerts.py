"""Alerts of custom and platform rules, one for each activity that announces one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import DAY, HOUR, MINUTE, MS, SECOND
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.org import Place
from sentinelone_collector.simulator.records import Entry, place_of, record
from sentinelone_collector.simulator.tables.alert_record import Judgement, alert_record
from sentinelone_collector.simulator.tables.mentions import Mentions
from sentinelone_collector.simulator.tables.version import END, Body, Cache, Version, lag, newest

__all__ = ["Alert", "Alerts"]

_LIFE = 131
_KNOWN, _LISTED = 200_000, 8_192


class Alert(NamedTuple):
    """An alert with its whole life; times in µs. `changes` are (from, visible, judgement, does updatedAt move)."""

    id: int
    agent: int
    place: Place
    created: int
    reported: int
    data: Body
    changes: tuple[tuple[int, int, Judgement, bool], ...]


class Alerts:
    """All alerts that the activity log announces; windows go by `reportedAt`, which never changes."""

    stream = "alerts"

    def __init__(self, history: History, mentions: Mentions) -> None:
        self._history, self._mentions, self._org = history, mentions, history.org
        self._lives: Cache[Alert] = Cache(_KNOWN)
        self._records: Cache[Body] = Cache(_LISTED)

    def lives(self, until: int) -> Iterator[Alert]:
        """Yield the alerts announced on the days up to that of `until` (µs)."""
        for entry in self._mentions.alerts(until):
            yield self._lives.get(entry.id, partial(self._make_life, entry))

    def current(self, now: int, low: int = 0, high: int = END) -> Sequence[Version]:
        """List the alerts as they are shown at `now`, reported in [low, high)."""
        lives = (alert for alert in self.lives(now) if low <= alert.reported < high)
        # All states have one `at`, so the newest is the last one that is visible.
        shown = (newest(self._versions(alert), now) for alert in lives)
        return [version for version in shown if version]

    def versions(self, low: int, high: int, now: int) -> Iterator[Version]:
        """Yield all states of the alerts reported in [low, high) that were shown until `now`."""
        for alert in self.lives(now):
            if low <= alert.reported < high:
                yield from (version for version in self._versions(alert) if version.visible <= now)

    def _versions(self, alert: Alert) -> Iterator[Version]:
        for number, (_, visible, _, _) in enumerate(alert.changes):
            make = partial(self._record, alert, number)
            yield Version(alert.id, alert.reported, visible, alert.created, alert.place, make)

    def _record(self, alert: Alert, number: int) -> Body:
        return self._records.get((alert.id, number), partial(self._make_record, alert, number))

    def _make_record(self, alert: Alert, number: int) -> Body:
        moved = [at for at, _, _, tells in alert.changes[: number + 1] if tells]
        return alert_record(
            self._org,
            alert.id,
            self._org.agents[alert.agent],
            alert.data,
            created=alert.created,
            reported=alert.reported,
            updated=moved[-1],
            judgement=alert.changes[number][2],
        )

    def _make_life(self, entry: Entry) -> Alert:
        data = record(self._org, entry)["data"]
        told: Body = data if isinstance(data, dict) else {}
        alert_id = int(str(told["alertid"]))
        dice = Dice(self._org.seed, _LIFE, alert_id)
        reported = entry.at - dice.between(1 * MS, 9 * MS) - dice.below(1000)
        behind = dice.between(130, 5_000) * MS
        if dice.chance(1, 6):  # the computer was offline, or the rule runs by a schedule
            behind = dice.between(3 * MINUTE // MS, 9 * HOUR // MS) * MS
        created = (reported - behind) // MS * MS
        changes = [(reported, entry.visible, Judgement("Unresolved", "Undefined"), True)]
        changes.extend(self._changes(alert_id, reported, dice))
        return Alert(alert_id, entry.agent, place_of(self._org, entry), created, reported, told, tuple(changes))

    def _changes(self, alert_id: int, reported: int, dice: Dice) -> Iterator[tuple[int, int, Judgement, bool]]:
        """Yield what analysts do; only some of it moves `updatedAt`."""
        verdict = dice.pick(("True positive", "False positive", "Suspicious", "Undefined"))
        tells = dice.chance(1, 2)
        at = reported
        for step, words in enumerate((Judgement("In progress", "Undefined"), Judgement("Resolved", verdict))):
            if dice.chance(1, 3):
                return
            at += dice.between(10 * MINUTE // SECOND, 2 * DAY // SECOND) * SECOND + dice.below(1_000_000)
            yield at, at + lag(self._org.seed, self._history.late_share, alert_id, step), words, tells
