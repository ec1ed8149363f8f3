"""Slices of a window: how it is cut until the console's count can be trusted, and how one is read until it agrees."""

from __future__ import annotations

import hashlib
import logging
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from sentinelone_collector.errors import CursorRejected, IncompleteWindow, ProtocolError
from sentinelone_collector.fetch.identity import Identity, identity_reader, iso_of
from sentinelone_collector.fetch.pack import write_part
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint

__all__ = ["Part", "Slice", "Slicer", "shared_keys"]

_TARGET_PAGES = 5
_TRIES = 3
_MILLISECOND = 1000

_log = logging.getLogger(__name__)


class Slice(NamedTuple):
    """A half-open span in microseconds since 1970, and the console's count for it."""

    start: int
    end: int
    expected: int

    def __str__(self) -> str:
        return f"[{iso_of(self.start)}, {iso_of(self.end)})"


class Part(NamedTuple):
    """One slice as it was read: its lines in order, in files, and what they add up to.

    `keys` holds one 64-bit digest per record, `size` and `untimed_size` are bytes before compression.
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


@dataclass
class _Walk:
    """One reading of a slice from its first page to its last."""

    received: int = 0
    kept: dict[str, tuple[Identity, bytes]] = field(default_factory=dict)

    def take(self, identity: Identity, record: bytes) -> None:
        self.received += 1
        known = self.kept.get(identity.key)
        if known is None or _version(identity, record) > _version(*known):
            self.kept[identity.key] = (identity, record)

    def digest(self) -> bytes:
        """Return a digest that is the same for the same records in any order."""
        return hashlib.sha256(b"\n".join(sorted(record for _, record in self.kept.values()))).digest()


def _version(identity: Identity, record: bytes) -> tuple[int, bytes]:
    return (-1 if identity.updated is None else identity.updated, record)


@dataclass(frozen=True)
class Slicer:
    """Counts, cuts and reads slices of one endpoint; `filters` are sent with every request."""

    console: Console
    endpoint: Endpoint
    filters: Mapping[str, str]

    def count(self, start: int, end: int) -> Slice:
        """Ask the console how many records lie in the span (microseconds since 1970)."""
        return Slice(start, end, self.console.count(self.endpoint, self._query(start, end)))

    def whole(self, piece: Slice) -> bool:
        """Say whether the slice is read as it is: small enough, or too narrow to be cut."""
        small = piece.expected <= _TARGET_PAGES * self.endpoint.page_size and not self._capped(piece.expected)
        return small or piece.end - piece.start == 1

    def halves(self, piece: Slice) -> tuple[Slice, Slice]:
        """Cut a slice in two; raise `IncompleteWindow` where the console's counts for the halves never add up."""
        middle = (piece.start + piece.end) // 2
        left, right = self.count(piece.start, middle), self.count(middle, piece.end)
        for attempt in range(_TRIES):
            added = left.expected + right.expected
            if added == piece.expected or (self._capped(piece.expected) and added >= piece.expected):
                return left, right
            self.console.pause(2.0**attempt)
            piece = self.count(piece.start, piece.end)
            left, right = self.count(piece.start, middle), self.count(middle, piece.end)
        raise IncompleteWindow(
            f"slice {piece}: the console counts {piece.expected} records, but {left.expected} and {right.expected} in "
            f"its halves around {iso_of(middle)}, {_TRIES} times in a row; run the window again later"
        )

    def read(self, piece: Slice, folder: Path) -> Part:
        """Read a slice until its distinct records are as many as the console counts, and write them to the folder.

        Raise `IncompleteWindow` where that never happens, `ProtocolError` where the cursors never lead to an end or
        a record lies outside of the slice.
        """
        read_identity = identity_reader(self.endpoint)
        found, rejected = -1, None
        for attempt in range(_TRIES + 1):
            if attempt:
                self.console.pause(2.0 ** (attempt - 1))
                piece = self.count(piece.start, piece.end)
            try:
                walk = self._walk(piece, read_identity)
                if self._proven(piece, walk, read_identity):
                    return _written(piece, walk, folder, expected=max(piece.expected, len(walk.kept)))
            except CursorRejected as error:
                rejected = error
                _log.warning("slice %s: restarted: %s", piece, error)
            else:
                rejected, found = None, len(walk.kept)
                _log.warning("slice %s: %d distinct records, %d expected: read again", piece, found, piece.expected)
        if rejected is not None:
            raise ProtocolError(f"slice {piece}: restarted {_TRIES} times without reaching its end; last: {rejected}")
        raise IncompleteWindow(
            f"slice {piece}: expected {piece.expected} records, as the console counts, but {found} distinct ones came, "
            f"also after reading {_TRIES} times more; run the window again later"
        )

    def _proven(self, piece: Slice, walk: _Walk, read_identity: Callable[[bytes], Identity]) -> bool:
        if not self._capped(piece.expected):
            return len(walk.kept) == piece.expected
        # the count says "as many or more" only, and time can't be cut finer: two equal readings stand in for it
        narrow = piece.end - piece.start == 1 and len(walk.kept) >= piece.expected
        return narrow and self._walk(piece, read_identity).digest() == walk.digest()

    def _walk(self, piece: Slice, read_identity: Callable[[bytes], Identity]) -> _Walk:
        walk = _Walk()
        limit = 3 * piece.expected + 10 * self.endpoint.page_size
        for page in self.console.iter_pages(self.endpoint, self._query(piece.start, piece.end)):
            for record in page.records:
                identity = read_identity(record)
                self._check_inside(piece, identity)
                walk.take(identity, record)
            if walk.received > limit and not self._capped(piece.expected):
                raise CursorRejected(f"{walk.received} records came where {piece.expected} are counted")
        return walk

    def _check_inside(self, piece: Slice, identity: Identity) -> None:
        time = identity.time
        if time is None:
            return
        # some services cut the time they show, not the one they filter by, to milliseconds
        early = _MILLISECOND - 1 if time % _MILLISECOND == 0 else 0
        if not piece.start - early <= time < piece.end:
            raise ProtocolError(
                f"slice {piece}: record {identity.key} lies at {iso_of(time)}, outside of the slice: the "
                f"console does not keep to {self.endpoint.time_field}__gte and __lt; report it"
            )

    def _query(self, start: int, end: int) -> dict[str, str]:
        name = self.endpoint.time_field
        return {**self.filters, f"{name}__gte": iso_of(start), f"{name}__lt": iso_of(end)}

    def _capped(self, count: int) -> bool:
        return self.endpoint.count_cap is not None and count >= self.endpoint.count_cap


def _written(piece: Slice, walk: _Walk, folder: Path, *, expected: int) -> Part:
    timed, untimed = [], []
    for identity, record in walk.kept.values():
        if identity.time is None:
            untimed.append((identity.order, record))
        else:
            timed.append((identity.time, identity.order, record))
    timed.sort()
    untimed.sort()
    path, untimed_path = folder / f"{piece.start}.timed", folder / f"{piece.start}.untimed"
    return Part(
        start=piece.start,
        expected=expected,
        received=walk.received,
        lines=len(walk.kept),
        first=timed[0][0] if timed else None,
        last=timed[-1][0] if timed else None,
        path=path,
        size=write_part(path, (line for *_, line in timed)),
        untimed_path=untimed_path,
        untimed_size=write_part(untimed_path, (line for _, line in untimed)) if untimed else 0,
        keys=array("Q", (_short_digest(key) for key in walk.kept)),
    )


def _short_digest(key: str) -> int:
    data = key.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def shared_keys(parts: Iterable[Part]) -> bool:
    """Say whether two slices hold a record of the same id.

    64-bit digests stand in for ids: for a million records the odds of a false alarm, which costs a second reading
    alone, are one in thirty million.
    """
    keys = sorted(key for part in parts for key in part.keys)
    return any(left == right for left, right in pairwise(keys))
