"""Computers: each has a few changes a day, as a function of (computer, day), and stories leave their marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice, mix
from sentinelone_collector.simulator._time import DAY, HOUR, MINUTE, MS, SECOND
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.org import Agent
from sentinelone_collector.simulator.scenarios import Placed
from sentinelone_collector.simulator.tables.agent_record import Status, agent_record
from sentinelone_collector.simulator.tables.computers import machine_type, registered
from sentinelone_collector.simulator.tables.version import END, Body, Cache, Version, lag, newest

__all__ = ["Agents"]

_DAY_OF, _LAST, _SCAN = 161, 162, 163
_WEEK = 7
_ASLEEP = 25  # one in so many was put away before the data begins
_UNINSTALLED, _ASKED = 51, frozenset({50, 52})
_MARKS = frozenset({54, 3200, 3203})
_SESSION = 20 * MINUTE
_LISTED, _DAYS = 16_384, 65_536


class _Change(NamedTuple):
    """One change of a computer's record; `what` is a word of this module."""

    at: int
    what: str


class Agents:
    """The computers of the organisation; `at` is `updatedAt`."""

    stream = "agents"

    def __init__(self, history: History, placed: Sequence[Placed]) -> None:
        self._history, self._org = history, history.org
        self._first_day = history.origin // DAY
        self._records: Cache[Body] = Cache(_LISTED)
        self._changes: Cache[tuple[tuple[_Change, Status], ...]] = Cache(_DAYS)
        self._marks: Cache[dict[int, list[_Change]]] = Cache(_DAYS)
        stories = [draft for story in placed for draft in story.drafts if draft.agent >= 0]
        self._gone = {draft.agent: draft.at for draft in stories if draft.kind.type == _UNINSTALLED}

    def uninstalled(self, at: int) -> frozenset[int]:
        """List the indexes of computers whose agent was removed by a time (µs)."""
        return frozenset(agent for agent, gone in self._gone.items() if gone <= at)

    def current(self, now: int, low: int = 0, high: int = END) -> Sequence[Version]:
        """List all computers as they are shown at `now`, changed in [low, high)."""
        shown = (self._shown(agent, now) for agent in self._org.agents)
        return [version for version in shown if version and low <= version.at < high]

    def versions(self, low: int, high: int, now: int) -> Iterator[Version]:
        """Yield all states that began in [low, high) and were shown until `now`."""
        last = min(high, now + 1) // DAY
        for agent in self._org.agents:
            days = (self._day(agent, day) for day in range(max(self._first_day, low // DAY), last + 1))
            states = (version for day in days for version in day)
            for version in (self._base(agent), *states):
                if low <= version.at < high and version.visible <= now:
                    yield version

    def _shown(self, agent: Agent, now: int) -> Version | None:
        day = now // DAY
        while day >= self._first_day:
            # A change that is late may be shown after the next one, but no later than a day.
            if found := newest(self._day(agent, day), now):
                return found
            day -= 1
        return self._base(agent)

    def _base(self, agent: Agent) -> Version:
        """Give the state before the data begins."""
        at = self._history.origin - mix(self._org.seed, _LAST, agent.index) % (9 * HOUR) - SECOND
        asleep = self._asleep(agent)
        if asleep:
            at -= mix(self._org.seed, _LAST, agent.index, 1) % (40 * DAY)
        status = Status(active=not asleep, decommissioned=asleep, scan=self._scan(agent, at))
        return self._version(agent, at, status)

    def _asleep(self, agent: Agent) -> bool:
        return mix(self._org.seed, _LAST, agent.index, 2) % _ASLEEP == 0

    def _day(self, agent: Agent, day: int) -> list[Version]:
        made = self._changes.get((agent.index, day), partial(self._make_day, agent, day))
        return [self._version(agent, change.at, status) for change, status in made]

    def _version(self, agent: Agent, at: int, status: Status) -> Version:
        visible = at + lag(self._org.seed, 0.0, agent.index, at)
        make = partial(self._record, agent, at, status)
        place = self._org.places[agent.place]
        return Version(int(agent.id), at, visible, registered(agent), place, make)

    def _record(self, agent: Agent, at: int, status: Status) -> Body:
        return self._records.get((agent.index, at), partial(agent_record, self._org, agent, at, status))

    def _make_day(self, agent: Agent, day: int) -> tuple[tuple[_Change, Status], ...]:
        """Follow the computer through a day; what it was before has no influence but through the calendar."""
        if self._asleep(agent) and not self._touched(agent, day):
            return ()
        gone = self._gone.get(agent.index, END)
        status, made = Status(scan=self._scan(agent, day * DAY)), []
        last = -1
        for change in sorted((*self._routine(agent, day), *self._touched(agent, day))):
            if change.at > gone:
                break
            status = self._apply(agent, status, change)
            last = max(change.at, last + 1)
            made.append((_Change(last, change.what), status))
        return tuple(made)

    def _touched(self, agent: Agent, day: int) -> list[_Change]:
        return self._marks.get(day, partial(self._marks_of, day)).get(agent.index, [])

    def _marks_of(self, day: int) -> dict[int, list[_Change]]:
        """Collect what the log says was done to computers on a day."""
        words = {54: "decommission", 3200: "shell", 3203: "shell ends", _UNINSTALLED: "uninstalled"}
        words.update(dict.fromkeys(_ASKED, "uninstall asked"))
        marks: dict[int, list[_Change]] = {}
        for draft in self._history.drafts(day):
            if draft.agent >= 0 and draft.kind.type in words:
                found = marks.setdefault(draft.agent, [])
                found.append(_Change(draft.at, words[draft.kind.type]))
                if draft.kind.type == 3200 and (draft.at + _SESSION) // DAY == day:  # noqa: PLR2004  # a type
                    found.append(_Change(draft.at + _SESSION, "shell ends"))
        return marks

    def _routine(self, agent: Agent, day: int) -> Iterator[_Change]:
        """Yield the changes of an ordinary day: contact, log-in, scan once a week, laptops that leave."""
        laptop = machine_type(agent) == "laptop"
        if laptop and (day + 3) % _WEEK >= 5:  # noqa: PLR2004  # Saturday and Sunday
            return
        dice = Dice(self._org.seed, _DAY_OF, agent.index, day)
        start, end = (6 * HOUR, 17 * HOUR) if laptop else (0, 23 * HOUR)
        for _ in range(dice.between(2, 5)):
            at = day * DAY + start + dice.below((end - start) // MS) * MS + dice.below(1000)
            yield _Change(at, dice.pick(("contact", "contact", "login", "policy")))
        begin, finish = self._scan_times(agent, day)
        if begin:
            yield _Change(begin, "scan begins")
            yield _Change(finish, "scan ends")
        if laptop:
            yield _Change(day * DAY + end + dice.below(HOUR // MS) * MS, "leave")

    def _scan_times(self, agent: Agent, day: int) -> tuple[int, int]:
        """Give begin and end (µs) of the weekly scan if it is on that day, else zeros."""
        if (day + agent.index) % _WEEK:
            return 0, 0
        dice = Dice(self._org.seed, _SCAN, agent.index, day)
        begin = day * DAY + 11 * HOUR + dice.below(5 * HOUR // MS) * MS + 321
        return begin, begin + dice.between(25 * MINUTE // MS, 4 * HOUR // MS) * MS + 77

    def _scan(self, agent: Agent, at: int) -> tuple[int, int]:
        """Give begin and end of the last scan that had ended by a time."""
        day = at // DAY - (at // DAY + agent.index) % _WEEK
        while (times := self._scan_times(agent, day))[1] > at:
            day -= _WEEK
        return times

    def _apply(self, agent: Agent, status: Status, change: _Change) -> Status:
        at, what = change
        if what == "scan begins":
            return status._replace(scanning=at)
        if what == "scan ends":
            return status._replace(scanning=0, scan=self._scan(agent, at))
        made: dict[str, Status] = {
            "contact": status._replace(active=True, decommissioned=False, contacts=status.contacts + 1),
            "login": status._replace(active=True, decommissioned=False, logins=status.logins + 1),
            "policy": status._replace(policy=at),
            "leave": status._replace(active=False, session=False),
            "decommission": status._replace(active=False, decommissioned=True),
            "shell": status._replace(session=True, active=True),
            "shell ends": status._replace(session=False),
            "uninstall asked": status._replace(leaving=True),
            "uninstalled": status._replace(leaving=False, uninstalled=True, decommissioned=True, active=False),
        }
        return made[what]
