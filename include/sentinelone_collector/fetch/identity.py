"""What a raw record says about itself: its id, its time and its last change; nothing else of it is read here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from sentinelone_collector.source.endpoint import Endpoint, Pass
from sentinelone_collector.source.spans import members

__all__ = ["Identity", "identity_reader", "iso_of", "microseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_NUMBER = 40  # digits; an id beyond that is sorted as text


class Identity(NamedTuple):
    """What tells a record from others; times are microseconds since 1970, None where unreadable.

    `key` is the id, or a digest where there is none. `name` is what a window holds once: the key, with the version for
    records of which every version counts. `time` is that of the pass the record was read in, `latest` the latest of
    all passes' times, which decides the window that the record belongs to.
    """

    key: str
    time: int | None
    updated: int | None
    latest: int | None
    name: str

    @property
    def version(self) -> int:
        """The time of the last change, -1 where there is none."""
        return -1 if self.updated is None else self.updated

    @property
    def order(self) -> tuple[int, int, str]:
        """Sorts ids by their number, and what is no number behind them."""
        if self.key.isascii() and self.key.isdigit() and len(self.key) <= _LONGEST_NUMBER:
            return (0, int(self.key), self.key)
        return (1, 0, self.key)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def iso_of(time: int) -> str:
    """Return microseconds since 1970 as the API writes times, `2026-11-22T10:00:00.000000Z`."""
    return (_EPOCH + time * _MICROSECOND).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def identity_reader(endpoint: Endpoint, reading: Pass | None = None) -> Callable[[bytes], Identity]:
    """Return the function that reads the identity of one of the endpoint's records; it raises for no bytes at all.

    `reading` is the pass that the records come from, the first one where none is given.
    """
    times = [found.record_time for found in endpoint.readings]
    own = times.index(reading.record_time) if reading is not None else 0
    changed = endpoint.record_version or (*endpoint.record_time[:-1], "updatedAt")
    paths = (endpoint.record_id, changed, *times)
    shape: Any = _shape(paths)
    decoder = msgspec.json.Decoder(shape)

    def read(record: bytes) -> Identity:
        try:
            found = decoder.decode(record)
            values = [_attribute(found, path) for path in paths]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            values = [_member(record, path) for path in paths]
        key, updated = _key(values[0], record), _time(values[1])
        moments = [_time(value) for value in values[2:]]
        latest = max((moment for moment in moments if moment is not None), default=None)
        name = key if endpoint.record_version is None else f"{key}/{updated}"
        return Identity(key, moments[own], updated, latest, name)

    return read


def _shape(paths: tuple[tuple[str, ...], ...]) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any, Any]] = []
    for name in dict.fromkeys(path[0] for path in paths):
        deeper = tuple(path[1:] for path in paths if path[0] == name and len(path) > 1)
        fields.append((name, _shape(deeper) | None if deeper else Any, None))
    return msgspec.defstruct("Shape", fields)


def _attribute(found: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        found = getattr(found, name, None)
    return found


def _member(record: bytes, path: tuple[str, ...]) -> Any:
    """Find a value in a record that a parser refuses as a whole; None where even that fails."""
    try:
        for name in path:
            record = members(record).get(name, b"null")
        return msgspec.json.decode(record)
    except (ValueError, RecursionError):  # msgspec's and Unicode errors are ValueErrors, too
        return None


def _key(identifier: Any, record: bytes) -> str:
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        return str(identifier)
    if isinstance(identifier, str) and identifier:
        return identifier
    return f"sha256:{hashlib.sha256(record).hexdigest()}"


def _time(value: Any) -> int | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return microseconds(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    except (ValueError, OverflowError):
        return None
