"""A record that changes: its versions, and the one that is shown."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from threading import RLock
from typing import Generic, NamedTuple, Protocol, TypeVar

from sentinelone_collector.simulator._dice import Dice, mix
from sentinelone_collector.simulator._time import MINUTE, SECOND
from sentinelone_collector.simulator.history import LATE_MAX
from sentinelone_collector.simulator.org import Place

__all__ = ["END", "Body", "Cache", "Table", "Version", "drift", "lag", "newest"]

Body = dict[str, object]
T = TypeVar("T")

END = 1 << 62
"""A time (µs) after all others."""

_LAG = 91
_TAIL_SHARE = 0.003
_TAIL_MAX = 240 * SECOND


class Version(NamedTuple):
    """One state of a record, from one change to the next; times in µs since 1970.

    `at` is the time by which the stream is windowed (its last change, or the time of the event); the console
    shows the state from `visible` on. `make` gives the record as it is sent; nobody may change it. `marks` say
    what the record itself doesn't tell, for filters.
    """

    id: int
    at: int
    visible: int
    created: int
    place: Place
    make: Callable[[], Body]
    name: str = ""
    marks: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Give the id as it is sent."""
        return self.name or str(self.id)


class Table(Protocol):
    """The records of a stream."""

    @property
    def stream(self) -> str:
        """Give the stream's name."""

    def current(self, now: int, low: int = 0, high: int = END) -> Sequence[Version]:
        """List what is shown at `now` with `at` in [low, high): each record once, in its newest state."""

    def versions(self, low: int, high: int, now: int) -> Iterator[Version]:
        """Yield all states with `at` in [low, high) that were shown at some time until `now`."""


class Cache(Generic[T]):
    """Keep the last `most` values that were made; safe between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = RLock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give the value of a key; made where it is not there."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            made = self._kept[key] = make()
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return made


def lag(seed: int, late_share: float, *key: int) -> int:
    """Give the time (µs) after which a change is shown: below two seconds, minutes for a few, hours for late ones."""
    draw = mix(seed, _LAG, *key)
    chance, length = (draw >> 32) / (1 << 32), (draw & 0xFFFFFFFF) / (1 << 32)
    if chance < late_share:
        return 10 * MINUTE + int(length * (LATE_MAX - 10 * MINUTE))
    if chance > 1 - _TAIL_SHARE:
        return 2 * SECOND + int(length * (_TAIL_MAX - 2 * SECOND))
    return 20_000 + int(length * length * 1_900_000)


def newest(versions: Iterable[Version], now: int) -> Version | None:
    """Pick the last state (in order of time) that is visible at `now`."""
    found = None
    for version in versions:
        if version.visible <= now and (found is None or version.at >= found.at):
            found = version
    return found


def drift(dice: Dice, body: Body) -> Body:
    """Change the shape of one record in eight, as releases of the console do: absent or empty instead of null."""
    roll = dice.below(200)
    if roll < 12:  # noqa: PLR2004  # 6 %: trimmed, at the top and one level below
        return _trimmed(body)
    if roll < 20:  # noqa: PLR2004  # 4 %: empty text in place of null, one level below the top
        for part in body.values():
            if isinstance(part, dict):
                part.update({name: "" for name in _TEXTS if name in part and part[name] is None})
    elif roll < 25:  # noqa: PLR2004  # 2.5 %: null where there is nothing to list
        body.update({name: None for name, value in body.items() if value in ([], {})})
    return body


_TEXTS = (
    "agentIpV6", "certificateId", "commandline", "dnsRequest", "dnsResponse", "dstIp", "externalTicketId",
    "maliciousProcessArguments", "md5", "name", "node", "publisherName", "registryPath", "srcIp", "user",
)  # fmt: skip


def _trimmed(body: Body) -> Body:
    return {
        name: {key: inner for key, inner in value.items() if inner is not None} if isinstance(value, dict) else value
        for name, value in body.items()
        if value is not None
    }
