"""What the four tasks hand on: small frozen records that fit into an XCom; the data itself goes through the lake.

Times are ISO 8601 texts in UTC, sizes are bytes, digests are sha256 in hex over an object's bytes.
"""

from __future__ import annotations

from typing import Any, Self

import msgspec

from sentinelone_collector.windows import Window, parse_time

__all__ = ["Delivered", "Delivery", "Fetched", "Normalized", "PassCount", "Tagged"]


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """One task's result for one (instance, stream, window)."""

    instance: str
    stream: str
    start: str
    end: str

    @property
    def window(self) -> Window:
        """The window that the result is about."""
        return Window(parse_time(self.start), parse_time(self.end))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        result: dict[str, Any] = msgspec.to_builtins(self)
        return result

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Read a result from plain JSON types; raise `msgspec.ValidationError` where a field is missing."""
        return msgspec.convert(value, cls)


class PassCount(msgspec.Struct, frozen=True, kw_only=True):
    """One pass over a window: by which time, how many records the console counted, how many came, and what proves it.

    `proof` is `counted` where the distinct records are as many as the console counts, `read-twice` where a part of it
    can't be counted and two readings agreed.
    """

    by: str
    expected: int
    received: int
    proof: str


class Fetched(_Result, frozen=True, kw_only=True):
    """Raw records of a window, proven complete; `expected` is the console's own count of what belongs to the window.

    `fetched` counts records as received and `kept`, `duplicates` those among them that were received before, so that
    the raw object holds `fetched - duplicates` lines, which are `expected + kept`. `kept` are versions that were stored
    before and that the console shows no more. `later` records were shown too, but belong to a later window; `passes`
    tells each reading alone: their `expected` add up to `expected + later` and the records that several of them showed.
    """

    console: str  # host, and port where it is not the scheme's own; part of every event id
    collected_from: str  # later than start only in the window that holds the begin of the collection
    expected: int
    fetched: int
    duplicates: int
    first_time: str | None
    last_time: str | None
    raw_sha256: str
    raw_bytes: int
    requests: int
    fetched_at: str
    kept: int = 0
    later: int = 0
    proof: str = "counted"  # "read-twice" where it is that of any pass
    passes: tuple[PassCount, ...] = ()


class Normalized(_Result, frozen=True, kw_only=True):
    """OCSF events of a window; `events + quarantined` equals the lines of the raw object."""

    events: int
    quarantined: int
    events_sha256: str
    unknown_types: dict[str, int] = {}  # activityType -> records, for types without a row in the routing table
    unknown_names: dict[str, str] = {}  # activityType -> what the instance's console calls it, where it says so
    addresses: str = ""  # digest of the data that told where addresses are; empty where there was none


class Tagged(_Result, frozen=True, kw_only=True):
    """Hits of a window; `retagged` names other windows whose hits changed because of this one."""

    hits: int
    ruleset: str
    incidents: int  # incidents that a hit of this window belongs to
    retagged: tuple[str, ...] = ()


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One object, or one batch of pushes, at one destination."""

    destination: str
    target: str
    records: int
    sha256: str
    written: bool  # False: the destination held just these bytes already


class Delivered(_Result, frozen=True, kw_only=True):
    """What was delivered where; the receipt is written after it."""

    deliveries: tuple[Delivery, ...]
    receipt: str  # lake key
