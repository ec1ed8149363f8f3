"""Rows in order of (time, uid), within bounded memory.

The raw object is in order of the console's time already, so a short look ahead sorts it. Where it is not, sorted runs
of raw lines go to disk and are merged; both ways give the same rows in the same order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final

from sentinelone_collector.normalize.rows import Key, Rows

__all__ = ["Unsorted", "in_order", "merged", "pages"]

_LOOK_AHEAD: Final = 1_000  # rows held back, so that a straggler finds its place
_MOST_HELD: Final = 20_000  # rows of one millisecond that are held back together
_RUN: Final = 20_000  # lines of a sorted run on disk
_AT_ONCE: Final = 100  # lines of each run that are mapped at once
_BATCH: Final = 1_000


class Unsorted(Exception):  # it never leaves this room
    """The rows are further out of order than the look ahead reaches."""


def in_order(several: Iterable[Rows], *, look_ahead: int = _LOOK_AHEAD, most_held: int = _MOST_HELD) -> Iterator[Rows]:
    """Yield nearly sorted rows, given some at a time, sorted; raise `Unsorted` where a row comes too late.

    Rows of one millisecond come in any order, so a millisecond is held back until it is complete.
    """
    held: Rows | None = None
    last = (0, b"")
    for fresh in several:
        if not len(fresh):
            continue
        held = (fresh if held is None else Rows.joined((held, fresh))).sorted()
        if held.key(0) < last:
            raise Unsorted
        cut = len(held) - look_ahead
        if cut > 0:
            whole = int(held.times.searchsorted(held.times[cut]))
            cut = whole if whole or len(held) < most_held else cut
        if cut > 0:
            last = held.key(cut - 1)
            yield held.taken(slice(cut))
            held = held.taken(slice(cut, None))
    if held is not None and len(held):
        yield held


def pages(several: Iterable[Rows], size: int) -> Iterator[Rows]:
    """Yield rows in pages of one size, the last one shorter."""
    rest: Rows | None = None
    for rows in several:
        held = rows if rest is None else Rows.joined((rest, rows))
        whole = len(held) - len(held) % size
        yield from (held.taken(slice(begin, begin + size)) for begin in range(0, whole, size))
        rest = held.taken(slice(whole, None))
    if rest is not None and len(rest):
        yield rest


def merged(
    lines: Iterable[bytes],
    to_rows: Callable[[Sequence[bytes]], Rows],
    folder: Path,
    *,
    batch: int = _BATCH,
    run: int = _RUN,
) -> Iterator[Rows]:
    """Yield the rows of lines in any order sorted, `batch` at a time, through sorted runs of lines in a folder.

    `to_rows` gives a row for each line. Only one run is in memory at a time; each line is mapped twice.
    """
    lines = iter(lines)
    paths: list[Path] = []
    while chunk := list(islice(lines, run)):
        keyed = sorted(zip(_keys(chunk, to_rows), chunk, strict=True), key=itemgetter(0))
        paths.append(folder / f"run-{len(paths)}")
        with paths[-1].open("wb") as file:
            file.writelines(line + b"\n" for _, line in keyed)
    rows = heapq.merge(*(_rows(path, to_rows) for path in paths), key=itemgetter(0))
    while ready := list(islice(rows, batch)):
        yield Rows.joined([row for _, row in ready])


def _keys(lines: Iterable[bytes], to_rows: Callable[[Sequence[bytes]], Rows]) -> Iterator[Key]:
    lines = iter(lines)
    while some := list(islice(lines, _AT_ONCE)):
        yield from to_rows(some).sort_keys()


def _rows(path: Path, to_rows: Callable[[Sequence[bytes]], Rows]) -> Iterator[tuple[Key, Rows]]:
    with path.open("rb") as file:
        lines = (line[:-1] for line in file)
        while some := list(islice(lines, _AT_ONCE)):
            rows = to_rows(some)
            yield from ((key, rows.taken(slice(place, place + 1))) for place, key in enumerate(rows.sort_keys()))
