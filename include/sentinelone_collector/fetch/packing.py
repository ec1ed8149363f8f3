"""What the passes over a window brought, as one raw object and its counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sentinelone_collector.fetch.identity import identity_reader
from sentinelone_collector.fetch.pack import merged, pack, read_part
from sentinelone_collector.fetch.parts import COUNTED, READ_TWICE, Part
from sentinelone_collector.fetch.union import Union, line_order
from sentinelone_collector.lake import sha256_of
from sentinelone_collector.results import PassCount
from sentinelone_collector.source.endpoint import Endpoint, Pass

__all__ = ["Packed", "Reading", "count_of", "pack_in_turn", "pack_united", "weakest"]


class Reading(NamedTuple):
    """What one pass brought: its slices by time."""

    by: Pass
    parts: list[Part]


class Packed(NamedTuple):
    """A raw object that is ready to be stored, and what it adds up to; see `Fetched` for the counts."""

    path: Path
    size: int
    sha256: str
    expected: int
    lines: int
    first: int | None
    last: int | None
    kept: int = 0
    later: int = 0
    later_received: int = 0


def pack_in_turn(endpoint: Endpoint, parts: Sequence[Part], path: Path) -> Packed:
    """Write the slices of the only pass one behind the other, lines without a time at the end."""
    untimed = [part.untimed_path for part in parts if part.untimed_size]

    def pieces() -> Iterator[bytes]:
        for part in parts:
            yield from read_part(part.path)
        yield from merged(untimed, line_order(identity_reader(endpoint)))

    size = pack(pieces(), sum(part.size + part.untimed_size for part in parts), path)
    times = [time for part in parts for time in (part.first, part.last) if time is not None]
    return Packed(
        path,
        size,
        sha256_of(path),
        expected=sum(part.expected for part in parts),
        lines=sum(part.lines for part in parts),
        first=min(times, default=None),
        last=max(times, default=None),
    )


def pack_united(
    endpoint: Endpoint, readings: Sequence[Reading], stored: Sequence[Path], path: Path, *, end: int
) -> Packed:
    """Write what belongs to the window, each record or version once: of all passes, and of the stored lines.

    `end` is the window's, in microseconds since 1970.
    """
    union = Union([reading.parts for reading in readings], stored, identity_reader(endpoint), end)
    size = pack(union.text(), union.size, path)
    return Packed(
        path,
        size,
        sha256_of(path),
        expected=union.expected,
        lines=union.lines,
        first=union.first,
        last=union.last,
        kept=union.kept,
        later=union.later,
        later_received=union.later_received,
    )


def count_of(reading: Reading) -> PassCount:
    """Return the counts of one pass."""
    return PassCount(
        by=reading.by.time_field,
        expected=sum(part.expected for part in reading.parts),
        received=sum(part.received for part in reading.parts),
        proof=weakest(part.proof for part in reading.parts),
    )


def weakest(proofs: Iterable[str]) -> str:
    """Return `counted` where all are, else `read-twice`."""
    return READ_TWICE if READ_TWICE in set(proofs) else COUNTED
