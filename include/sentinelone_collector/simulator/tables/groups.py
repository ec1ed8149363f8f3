"""Groups of computers; their records change when computers leave or somebody edits them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from sentinelone_collector.simulator._dice import Dice, mix
from sentinelone_collector.simulator._time import DAY, HOUR, MS, id_ms, iso
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.org import Place
from sentinelone_collector.simulator.tables.agents import Agents
from sentinelone_collector.simulator.tables.version import END, Body, Version, lag, newest

__all__ = ["Groups"]

_GROUP, _EDIT = 181, 182
_EVERY = 9


class Groups:
    """The groups of all sites; edited every ninth day, `at` is `updatedAt`."""

    stream = "groups"

    def __init__(self, history: History, agents: Agents) -> None:
        self._history, self._org, self._agents = history, history.org, agents
        self._places = [place for place in self._org.places if place.level == "group"]

    def current(self, now: int, low: int = 0, high: int = END) -> Sequence[Version]:
        """List the groups as they are shown at `now`, changed in [low, high)."""
        shown = (newest(self._states(place, now), now) for place in self._places)
        return [version for version in shown if version and low <= version.at < high]

    def versions(self, low: int, high: int, now: int) -> Iterator[Version]:
        """Yield all states that began in [low, high) and were shown until `now`."""
        for place in self._places:
            for version in self._states(place, now):
                if low <= version.at < high and version.visible <= now:
                    yield version

    def _states(self, place: Place, now: int) -> Iterator[Version]:
        group_id = int(str(place.group_id))
        created = id_ms(group_id) * MS + 402
        yield self._version(place, group_id, created, created + 635_000)
        for day in range(self._history.origin // DAY, now // DAY + 1):
            draw = mix(self._org.seed, _EDIT, group_id, day)
            if draw % _EVERY == 0:
                yield self._version(place, group_id, created, day * DAY + (draw >> 8) % (23 * HOUR))

    def _version(self, place: Place, group_id: int, created: int, at: int) -> Version:
        visible = at + lag(self._org.seed, self._history.late_share, group_id, at)
        return Version(group_id, at, visible, created, place, partial(self._record, place, group_id, created, at))

    def _record(self, place: Place, group_id: int, created: int, at: int) -> Body:
        dice = Dice(self._org.seed, _GROUP, group_id)
        gone = self._agents.uninstalled(at)
        number = self._org.places.index(place)
        members = Counter(agent.place for agent in self._org.agents if agent.index not in gone)
        default = place.group_name == "Default Group"
        return {
            "createdAt": iso(created),
            "creator": "Anneke Abara",
            "creatorId": str(dice.big_id()),
            "description": None if default else f"{place.group_name}, {place.site_name}",
            "filterId": None,
            "filterName": None,
            "id": str(group_id),
            "inherits": default or dice.chance(1, 2),
            "isDefault": default,
            "name": place.group_name,
            "rank": None,
            "registrationToken": dice.hex(64),
            "siteId": place.site_id,
            "totalAgents": members[number],
            "type": "static",
            "updatedAt": iso(at),
        }
