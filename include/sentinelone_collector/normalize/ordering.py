"""Rows in order of (time, uid), within bounded memory.

The raw object is in order of the console's time already, so a short look ahead sorts it. Where it is not, sorted runs
of raw lines go to disk and are merged; both ways give the same rows in the same order.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final

from sentinelone_collector.normalize.blocks import PlacedRow

__all__ = ["BATCH", "Unsorted", "in_order", "merged"]

BATCH: Final = 1_000  # rows that are mapped and turned into columns at once; few enough for the processor's cache
_LOOK_AHEAD: Final = 1_000  # rows held back, so that a straggler finds its place
_MOST_HELD: Final = 20_000  # rows of one millisecond that are held back together
_RUN: Final = 20_000  # lines of a sorted run on disk
_AT_ONCE: Final = 100  # lines of each run that are mapped at once


class Unsorted(Exception):  # it never leaves this room
    """The rows are further out of order than the look ahead reaches."""


_time = itemgetter(0)
_key = itemgetter(0, 1)


def in_order(
    rows: Iterable[PlacedRow], *, batch: int = BATCH, look_ahead: int = _LOOK_AHEAD, most_held: int = _MOST_HELD
) -> Iterator[list[PlacedRow]]:
    """Yield nearly sorted rows sorted, in lists of some `batch` rows; raise `Unsorted` where a row comes too late.

    Rows of one millisecond come in any order, so a millisecond is held back until it is complete.
    """
    rows = iter(rows)
    held: list[PlacedRow] = []
    last = (0, "")
    while fresh := list(islice(rows, batch)):
        held += fresh
        held.sort(key=_key)
        if _key(held[0]) < last:
            raise Unsorted
        cut = len(held) - look_ahead
        if cut > 0:
            whole = bisect_left(held, _time(held[cut]), key=_time)
            cut = whole if whole or len(held) < most_held else cut
        if cut > 0:
            last = _key(held[cut - 1])
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held


def merged(
    lines: Iterable[bytes],
    to_rows: Callable[[Sequence[bytes]], Sequence[PlacedRow]],
    folder: Path,
    *,
    batch: int = BATCH,
    run: int = _RUN,
) -> Iterator[list[PlacedRow]]:
    """Yield the rows of lines in any order sorted, in lists of `batch`, through sorted runs of lines in a folder.

    Only one run is in memory at a time; each line is mapped twice.
    """
    lines = iter(lines)
    paths: list[Path] = []
    while chunk := list(islice(lines, run)):
        keyed = sorted(zip(map(_key, _mapped(chunk, to_rows)), chunk, strict=True), key=itemgetter(0))
        paths.append(folder / f"run-{len(paths)}")
        with paths[-1].open("wb") as file:
            file.writelines(line + b"\n" for _, line in keyed)
    rows = heapq.merge(*(_rows(path, to_rows) for path in paths), key=_key)
    while ready := list(islice(rows, batch)):
        yield ready


def _rows(path: Path, to_rows: Callable[[Sequence[bytes]], Sequence[PlacedRow]]) -> Iterator[PlacedRow]:
    with path.open("rb") as file:
        yield from _mapped((line[:-1] for line in file), to_rows)


def _mapped(lines: Iterable[bytes], to_rows: Callable[[Sequence[bytes]], Sequence[PlacedRow]]) -> Iterator[PlacedRow]:
    lines = iter(lines)
    while some := list(islice(lines, _AT_ONCE)):
        yield from to_rows(some)
