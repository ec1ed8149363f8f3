"""The re-count of collected windows, for records that became visible only after their window was read.

A console shows an activity when it has stored it, and an endpoint that was offline reports days late what was plugged
in: the time that windows are cut by is older by then. Nothing announces such records, but the console counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sentinelone_collector.fetch.identity import microseconds
from sentinelone_collector.fetch.parts import COUNTED
from sentinelone_collector.fetch.slices import Slice, Slicer
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import Receipt
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Stream
from sentinelone_collector.source.scope import scope_filters
from sentinelone_collector.windows import Window, parse_time

__all__ = ["Recounted", "can_recount", "recount"]

_AT_ONCE = 25_000  # records; half of where the console stops counting activities
_PATIENCE = 120.0  # seconds; who asks asks again later


class Recounted(NamedTuple):
    """A window that was collected with `expected` records, of which the console counts `counted` now."""

    window: Window
    expected: int
    counted: int

    def __str__(self) -> str:
        told = f"{self.window}: the console counts {self.counted} records, {self.expected} were collected"
        return told if self.grown else f"{told}: some were deleted there, or the token sees less than before"

    @property
    def grown(self) -> bool:
        """Whether the console has records that were not there when the window was read."""
        return self.counted > self.expected


class _Collected(NamedTuple):
    start: datetime
    window: Window
    expected: int


def can_recount(stream: Stream) -> bool:
    """Say whether a later count tells something; records that change leave the window that they were counted in."""
    endpoint = stream.endpoint
    return endpoint.counts and endpoint.record_version is None and not endpoint.passes


def recount(instance: Instance, stream: Stream, receipts: Iterable[Receipt], *, console: Console) -> list[Recounted]:
    """Return those of complete windows of which the console counts more or fewer records than before, by time.

    Neighbours are counted in one request, and apart where their sum is not as before: a record that came in one window
    is not seen while another one is gone from a window beside it. Left out are windows that no count has proven. Raise
    the errors of `Console`.
    """
    filters = scope_filters(instance.scope)
    slicer = Slicer(console.begin(patience=_PATIENCE), stream.endpoint, stream.endpoint.readings[0], filters)
    windows = [
        _Collected(parse_time(receipt.collected_from), receipt.span, receipt.expected)
        for receipt in receipts
        if receipt.proof == COUNTED
    ]
    return [found for group in _neighbours(sorted(windows)) for found in _differing(slicer, group)]


def _neighbours(windows: Iterable[_Collected]) -> Iterator[list[_Collected]]:
    """Yield windows without a gap between them, as many as can be counted at once."""
    group: list[_Collected] = []
    for one in windows:
        if group and (group[-1].window.end != one.start or _expected([*group, one]) > _AT_ONCE):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _expected(group: Sequence[_Collected]) -> int:
    return sum(one.expected for one in group)


def _differing(slicer: Slicer, group: Sequence[_Collected]) -> list[Recounted]:
    span = slicer.count(microseconds(group[0].start), microseconds(group[-1].window.end))
    counted = _counted(slicer, span)
    if counted == _expected(group):
        return []
    if len(group) == 1:
        return [Recounted(group[0].window, group[0].expected, counted)]
    middle = len(group) // 2
    return _differing(slicer, group[:middle]) + _differing(slicer, group[middle:])


def _counted(slicer: Slicer, piece: Slice) -> int:
    """Return the count of a slice; of one that is too large to be counted, that of its halves."""
    if piece.expected is None or not slicer.capped(piece.expected) or slicer.whole(piece):
        return piece.expected or 0
    return sum(_counted(slicer, half) for half in slicer.halves(piece))
