"""Device events: those of the log that rules with a full record keep, one minute in twenty-four."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sentinelone_collector.simulator._dice import Dice, mix
from sentinelone_collector.simulator._time import DAY, MS, SECOND, iso, to_us
from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.records import Entry, place_of, record
from sentinelone_collector.simulator.tables.version import END, Body, Cache, Version, drift

__all__ = ["DeviceEvents"]

_KEPT, _EVENT = 151, 152
_SHARE = 24
_TYPES: Final = {5125: "blocked", 5126: "connected"}
_AHEAD, _BEHIND = 15 * SECOND, 171 * SECOND
_OTHER_ID = 1 << 22  # flips a bit that is no part of the time, so that ids differ from the activity's
_DAYS = 400


class DeviceEvents:
    """Events by the computer's clock (`eventTime`); `createdAt` is the console's, and that of the activity."""

    stream = "device_events"

    def __init__(self, history: History) -> None:
        self._history, self._org = history, history.org
        self._days: Cache[tuple[Version, ...]] = Cache(_DAYS)

    def current(self, now: int, low: int = 0, high: int = END) -> Sequence[Version]:
        """List the events of [low, high) by `eventTime` that are shown at `now`."""
        first = max(self._history.origin, low - _AHEAD) // DAY
        last = min(now, high + _BEHIND) // DAY
        return [
            version
            for day in range(first, last + 1)
            for version in self._days.get(day, partial(self._day, day))
            if version.visible <= now and low <= version.at < high
        ]

    def versions(self, low: int, high: int, now: int) -> Iterator[Version]:
        """Yield the events of [low, high); an event never changes."""
        yield from self.current(now, low, high)

    def _day(self, day: int) -> tuple[Version, ...]:
        minutes = (m for m in range(day * 1440, (day + 1) * 1440) if mix(self._org.seed, _KEPT, m) % _SHARE == 0)
        return tuple(
            self._version(entry)
            for minute in minutes
            for entry in self._history.bucket(minute).entries
            if entry.kind.type in _TYPES
        )

    def _version(self, entry: Entry) -> Version:
        data = record(self._org, entry)["data"]
        told: Body = data if isinstance(data, dict) else {}
        at = to_us(datetime.fromisoformat(str(told["eventTime"])))
        body = self._record(entry, told, at)
        return Version(int(str(body["id"])), at, entry.visible, entry.at, place_of(self._org, entry), lambda: body)

    def _record(self, entry: Entry, told: Body, at: int) -> Body:
        agent, dice = self._org.agents[entry.agent], Dice(self._org.seed, _EVENT, entry.id)
        bluetooth = told["interface"] == "Bluetooth"
        body: Body = {
            "accessPermission": dice.pick(("Read-Only", "Read-Write")) if not bluetooth else "Not-Applicable",
            "agentId": agent.id,
            "computerName": agent.name,
            "createdAt": iso(entry.at),
            "deviceClass": told["deviceClass"],
            "deviceId": dice.hex(8),
            "deviceName": told["deviceName"],
            "eventId": dice.uuid(),
            "eventTime": iso(at),
            "eventType": _TYPES[entry.kind.type],
            "id": str(entry.id ^ _OTHER_ID),
            "interface": told["interface"],
            "lastLoggedInUserName": told["lastLoggedInUserName"],
            "lmpVersion": told["lmpVersion"],
            "minorClass": "Headset" if bluetooth else None,
            "productId": told["productId"],
            "profileUuids": None,
            "ruleId": str(told["ruleId"]),
            "serviceClass": "20" if bluetooth else None,
            "uId": told["uid"],
            "updatedAt": iso(entry.at - dice.between(1 * MS, 12 * MS)),
            "vendorId": told["vendorId"],
        }
        if dice.chance(1, 20):
            body["deviceName"] = ""
        return drift(dice, body)
