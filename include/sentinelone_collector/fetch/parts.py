"""Readings of a slice on disk: one reading from first to last page, and the sorted files that it becomes."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from sentinelone_collector.fetch.identity import Identity
from sentinelone_collector.fetch.pack import write_part

__all__ = ["COUNTED", "READ_TWICE", "Part", "Walk", "shared_keys", "written"]

COUNTED = "counted"
READ_TWICE = "read-twice"


class Part(NamedTuple):
    """One slice as it was read: its lines in order, in files, and what they add up to.

    `keys` holds one 64-bit digest per record, `size` and `untimed_size` are bytes before compression, `proof` says what
    showed that nothing is missing.
    """

    start: int
    expected: int
    received: int
    lines: int
    first: int | None
    last: int | None
    path: Path
    size: int
    untimed_path: Path
    untimed_size: int
    keys: array[int]
    proof: str


@dataclass
class Walk:
    """One reading of a slice from its first page to its last.

    `edges` are records that were asked for with the slice but belong to its neighbours; `vouched` is the count that the
    only page said itself, None where there were more pages or it said none.
    """

    received: int = 0
    kept: dict[str, tuple[Identity, bytes]] = field(default_factory=dict)
    edges: set[str] = field(default_factory=set)
    vouched: int | None = None

    @property
    def distinct(self) -> int:
        """How many different records came, those of the neighbours too."""
        return len(self.kept) + len(self.edges)

    def take(self, identity: Identity, record: bytes) -> None:
        """Add a record; of two with one name the newer stays."""
        self.received += 1
        known = self.kept.get(identity.name)
        if known is None or (identity.version, record) > (known[0].version, known[1]):
            self.kept[identity.name] = (identity, record)

    def digest(self) -> bytes:
        """Return a digest that is the same for the same records in any order."""
        return hashlib.sha256(b"\n".join(sorted(record for _, record in self.kept.values()))).digest()


def written(walk: Walk, stem: Path, *, start: int, proof: str) -> Part:
    """Write a reading to files that begin with `stem`, in the order of raw objects."""
    timed, untimed = [], []
    for identity, record in walk.kept.values():
        if identity.latest is None:
            untimed.append((identity.order, record))
        else:
            timed.append((identity.latest, identity.order, record))
    timed.sort()
    untimed.sort()
    path, untimed_path = stem.with_name(f"{stem.name}.timed"), stem.with_name(f"{stem.name}.untimed")
    return Part(
        start=start,
        expected=len(walk.kept),
        received=walk.received,
        lines=len(walk.kept),
        first=timed[0][0] if timed else None,
        last=timed[-1][0] if timed else None,
        path=path,
        size=write_part(path, (line for *_, line in timed)),
        untimed_path=untimed_path,
        untimed_size=write_part(untimed_path, (line for _, line in untimed)) if untimed else 0,
        keys=array("Q", (_short_digest(name) for name in walk.kept)),
        proof=proof,
    )


def _short_digest(name: str) -> int:
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def shared_keys(parts: Iterable[Part]) -> bool:
    """Say whether two slices hold a record of the same id, and version where versions count.

    64-bit digests stand in for ids: for a million records the odds of a false alarm, which costs a second reading
    alone, are one in thirty million.
    """
    keys = sorted(key for part in parts for key in part.keys)
    return any(left == right for left, right in pairwise(keys))
