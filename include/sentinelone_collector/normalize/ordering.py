"""Rows in order of (time, uid), in groups of fixed size, within bounded memory.

The raw object is in order of the console's time already, so a short look ahead sorts it. Where it is not, sorted runs
of raw lines go to disk and are merged; both ways give the same rows in the same groups.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from sentinelone_collector.normalize.columns import Row

__all__ = ["GROUP", "LOOK_AHEAD", "Unsorted", "in_order", "merged"]

GROUP: Final = 20_000  # rows of a row group; part of the bytes of every event file
LOOK_AHEAD: Final = 4_000  # rows that are held back to sort what is nearly sorted


class Unsorted(Exception):  # it never leaves this room
    """The rows are further out of order than the look ahead reaches."""


def _key(row: Row) -> tuple[int, str]:
    return row["time"], row["metadata.uid"]


def in_order(rows: Iterable[Row], *, group: int = GROUP, look_ahead: int = LOOK_AHEAD) -> Iterator[list[Row]]:
    """Yield nearly sorted rows in groups, sorted; raise `Unsorted` where a row comes too late for its group."""
    rows = iter(rows)
    held: list[Row] = []
    last = (0, "")
    while True:
        held.extend(islice(rows, group + look_ahead - len(held)))
        if not held:
            return
        held.sort(key=_key)
        if _key(held[0]) < last:
            raise Unsorted
        ready, held = held[:group], held[group:]
        last = _key(ready[-1])
        yield ready


def merged(
    lines: Iterable[bytes], to_row: Callable[[bytes], Row], folder: Path, *, group: int = GROUP, run: int = GROUP
) -> Iterator[list[Row]]:
    """Yield the rows of lines in any order in sorted groups, through sorted runs of lines in a folder.

    Only one run is in memory at a time; each line is mapped twice.
    """
    lines = iter(lines)
    paths: list[Path] = []
    while batch := list(islice(lines, run)):
        batch.sort(key=lambda line: _key(to_row(line)))
        paths.append(folder / f"run-{len(paths)}")
        with paths[-1].open("wb") as file:
            file.writelines(line + b"\n" for line in batch)
    rows = heapq.merge(*(_rows(path, to_row) for path in paths), key=_key)
    while ready := list(islice(rows, group)):
        yield ready


def _rows(path: Path, to_row: Callable[[bytes], Row]) -> Iterator[Row]:
    with path.open("rb") as file:
        for line in file:
            yield to_row(line[:-1])
