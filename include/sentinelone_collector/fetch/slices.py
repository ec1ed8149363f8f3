"""Slices of a window: how it is cut until the console's count can be trusted, and how one is read until it agrees."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sentinelone_collector.errors import CollectorError, CursorRejected, IncompleteWindow, ProtocolError
from sentinelone_collector.fetch.identity import Identity, identity_reader, iso_of
from sentinelone_collector.fetch.parts import COUNTED, READ_TWICE, Part, Walk, written
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint, Pass

__all__ = ["Slice", "Slicer"]

_TARGET_PAGES = 5
_TRIES = 3
_MILLISECOND = 1000

_log = logging.getLogger(__name__)


class Slice(NamedTuple):
    """A half-open span in microseconds since 1970, and the console's count for it, None where it can't count."""

    start: int
    end: int
    expected: int | None

    def __str__(self) -> str:
        return f"[{iso_of(self.start)}, {iso_of(self.end)})"


class _TooLarge(CollectorError):
    """More records came than one slice should have; never leaves this module."""


@dataclass(frozen=True)
class Slicer:
    """Counts, cuts and reads slices of one pass over an endpoint; `filters` are sent with every request."""

    console: Console
    endpoint: Endpoint
    reading: Pass
    filters: Mapping[str, str]

    @property
    def _moving(self) -> bool:
        """Whether records leave a slice while it is read, because they change and get a later time."""
        return self.endpoint.record_version is not None

    @property
    def _target(self) -> int:
        # what comes as one page comes with its own count, so that nothing can move in between
        return self.endpoint.page_size * (1 if self._moving else _TARGET_PAGES)

    def count(self, start: int, end: int) -> Slice:
        """Ask the console how many records lie in the span (microseconds since 1970)."""
        if not self.endpoint.counts:
            return Slice(start, end, None)
        return Slice(start, end, self.console.count(self.endpoint, self._query(start, end)))

    def whole(self, piece: Slice) -> bool:
        """Say whether the slice is read as it is: small enough, uncounted, or too narrow to be cut."""
        small = piece.expected is None or (piece.expected <= self._target and not self.capped(piece.expected))
        return small or self._middle(piece) is None

    def halves(self, piece: Slice) -> tuple[Slice, Slice]:
        """Cut a slice in two; raise `IncompleteWindow` where the console's counts for the halves never add up."""
        middle = self._middle(piece) or piece.end
        left, right = self.count(piece.start, middle), self.count(middle, piece.end)
        for attempt in range(_TRIES):
            if self._adds_up(piece, left, right):
                return left, right
            self.console.pause(2.0**attempt)
            piece = self.count(piece.start, piece.end)
            left, right = self.count(piece.start, middle), self.count(middle, piece.end)
        raise IncompleteWindow(
            f"slice {piece}: the console counts {piece.expected} records, but {left.expected} and {right.expected} in "
            f"its halves around {iso_of(middle)}, {_TRIES} times in a row; run the window again later"
        )

    def _middle(self, piece: Slice) -> int | None:
        grain = self.endpoint.grain
        middle = (piece.start + piece.end) // 2 // grain * grain
        return middle if piece.start < middle < piece.end else None

    def _adds_up(self, piece: Slice, left: Slice, right: Slice) -> bool:
        before, added = piece.expected or 0, (left.expected or 0) + (right.expected or 0)
        if added == before:
            return True
        if added > before:
            # a capped count says "or more"; where the filters are coarse both halves show what lies at the cut
            return self.capped(before) or self.endpoint.grain > 1
        # records that changed meanwhile have left; then a count from now on is no larger than the halves
        return self._moving and (self.count(piece.start, piece.end).expected or 0) <= added

    def read(self, piece: Slice, folder: Path) -> list[Part]:
        """Read a slice until it is proven complete, and write it to the folder.

        The distinct records must be as many as the console counts; where it can't count, two readings must agree, and
        the slice is cut as long as it is too large for one part. Raise `IncompleteWindow` where that never happens,
        `ProtocolError` where the cursors never lead to an end or a record lies outside of the slice.
        """
        stem = folder / f"{self.reading.time_field}.{piece.start}"
        if piece.expected is not None:
            return [self._read_counted(piece, piece.expected, stem)]
        try:
            return [self._read_twice(piece, stem)]
        except _TooLarge:
            middle = self._middle(piece) or piece.end
            pieces = (Slice(piece.start, middle, None), Slice(middle, piece.end, None))
            return [part for half in pieces for part in self.read(half, folder)]

    def _read_counted(self, piece: Slice, expected: int, stem: Path) -> Part:
        read_identity = identity_reader(self.endpoint, self.reading)
        walk, rejected = Walk(), None
        for attempt in range(_TRIES + 1):
            if attempt:
                self.console.pause(2.0 ** (attempt - 1))
                before, expected = expected, self.count(piece.start, piece.end).expected or 0
                steady = rejected is None and not self.capped(before)
                if self._moving and steady and expected <= walk.distinct <= before:
                    # what was counted before and not after has left, what came was there: all others were seen
                    return written(walk, stem, start=piece.start, proof=COUNTED)
            try:
                walk = self._walk(piece, read_identity, limit=None if self.capped(expected) else expected)
                proof = self._proof(piece, expected, walk, read_identity)
                if proof is not None:
                    return written(walk, stem, start=piece.start, proof=proof)
            except CursorRejected as error:
                rejected = error
                _log.warning("slice %s: restarted: %s", piece, error)
            else:
                rejected = None
                _log.warning("slice %s: %d distinct records, %d expected: read again", piece, walk.distinct, expected)
        if rejected is not None:
            raise ProtocolError(f"slice {piece}: restarted {_TRIES} times without reaching its end; last: {rejected}")
        raise IncompleteWindow(
            f"slice {piece}: expected {expected} records, as the console counts, but {walk.distinct} distinct ones "
            f"came, also after reading {_TRIES} times more; run the window again later"
        )

    def _proof(self, piece: Slice, expected: int, walk: Walk, read_identity: Callable[[bytes], Identity]) -> str | None:
        if not self.capped(expected):
            vouched = self._moving and walk.vouched == walk.distinct
            return COUNTED if vouched or walk.distinct == expected else None
        # the count says "as many or more" only, and time can't be cut finer: two equal readings stand in for it
        narrow = self._middle(piece) is None and walk.distinct >= expected
        return READ_TWICE if narrow and self._walk(piece, read_identity).digest() == walk.digest() else None

    def _read_twice(self, piece: Slice, stem: Path) -> Part:
        read_identity = identity_reader(self.endpoint, self.reading)
        known: Walk | None = None
        rejected: CursorRejected | None = None
        for attempt in range(_TRIES + 2):
            if attempt > 1:
                self.console.pause(2.0 ** (attempt - 2))
            try:
                walk = self._walk(piece, read_identity, most=None if self._middle(piece) is None else self._target)
            except CursorRejected as error:
                rejected = error
                _log.warning("slice %s: restarted: %s", piece, error)
                continue
            if known is not None and self._agree(known, walk):
                return written(known, stem, start=piece.start, proof=READ_TWICE)
            known = walk
        raise IncompleteWindow(
            f"slice {piece}: the console can't count these records, and {_TRIES + 2} readings never agreed, the last "
            f"with {known.distinct if known else 0} records{f' ({rejected})' if rejected else ''}; run the window "
            "again later"
        )

    def _agree(self, first: Walk, second: Walk) -> bool:
        if self._moving:  # what changed between the readings has left
            return second.kept.keys() <= first.kept.keys()
        return first.digest() == second.digest()

    def _walk(
        self,
        piece: Slice,
        read_identity: Callable[[bytes], Identity],
        *,
        limit: int | None = None,
        most: int | None = None,
    ) -> Walk:
        """Read a slice once; `limit` is the console's count, `most` what makes a slice too large, in records."""
        walk = Walk()
        slack = 10 * self.endpoint.page_size
        query = self._query(piece.start, piece.end)
        for number, page in enumerate(self.console.iter_pages(self.endpoint, query, self.reading.sort_by)):
            for record in page.records:
                identity = read_identity(record)
                if self._inside(piece, identity):
                    walk.take(identity, record)
                else:
                    walk.edges.add(identity.name)
            if most is not None and walk.distinct > most:
                raise _TooLarge
            counted = walk.distinct if limit is None else limit
            if walk.received > 3 * counted + slack:
                raise CursorRejected(f"{walk.received} records came where {counted} are counted")
            walk.vouched = page.total if number == 0 and page.cursor is None else None
        return walk

    def _inside(self, piece: Slice, identity: Identity) -> bool:
        """Say whether a record is the slice's own; raise `ProtocolError` for one that it does not even touch."""
        time, grain = identity.time, self.endpoint.grain
        if time is None or piece.start <= time < piece.end:
            return True
        if grain > 1 and piece.start - 2 * grain <= time < piece.end + 2 * grain:
            return False
        # some services cut the time they show, not the one they filter by, to milliseconds
        if grain == 1 and time % _MILLISECOND == 0 and piece.start - _MILLISECOND < time < piece.start:
            return True
        raise ProtocolError(
            f"slice {piece}: record {identity.key} lies at {iso_of(time)}, outside of the slice: the console does not "
            f"keep to the limits of {self.reading.time_field}; report it"
        )

    def _query(self, start: int, end: int) -> dict[str, str]:
        name = self.reading.time_field
        return {**self.filters, f"{name}__gte": iso_of(start), f"{name}__lt": iso_of(end)}

    def capped(self, count: int) -> bool:
        """Say whether a count means "as many or more"."""
        return self.endpoint.count_cap is not None and count >= self.endpoint.count_cap
