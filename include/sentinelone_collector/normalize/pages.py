"""A page of rows as columns: rows of any blocks, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sentinelone_collector.normalize.blocks import Block, PlacedRow
from sentinelone_collector.normalize.nodes import node_at

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Page", "page_of"]


class Page(NamedTuple):
    """Some rows in their order: an Arrow array for each path that any has for itself, and their parts by layer."""

    columns: Mapping[str, Any]
    parts: Sequence[Sequence[Mapping[str, Any]]]


def page_of(rows: Sequence[PlacedRow]) -> Page:
    """Return rows, at least one and each with as many parts, as columns."""
    numbers = list(map(itemgetter(3), rows))
    sources = list(map(itemgetter(2), rows))
    blocks = {id(block): block for block in sources}
    if len(blocks) == 1:
        return _of_block(sources[0], numbers)
    return _of_blocks(list(blocks.values()), list(map(id, sources)), numbers)


def _of_block(block: Block, numbers: list[int]) -> Page:
    """Return rows of one block; neighbouring ones without a copy of what they have for themselves."""
    return Page(_taken(block, numbers), [list(map(part.__getitem__, numbers)) for part in block.parts])


def _taken(block: Block, numbers: list[int]) -> dict[str, Any]:
    import pyarrow as pa

    begin, count = numbers[0], len(numbers)
    if numbers == list(range(begin, begin + count)):
        return {path: column.slice(begin, count) for path, column in block.columns.items()}
    places = pa.array(numbers, pa.int32())
    return {path: column.take(places) for path, column in block.columns.items()}


def _of_blocks(blocks: Sequence[Block], sources: list[int], numbers: list[int]) -> Page:
    """Return rows of several blocks; `sources` are the addresses of their blocks."""
    import numpy as np
    import pyarrow as pa

    addresses, rows = np.array(sources), np.array(numbers, np.int32)
    where = [np.flatnonzero(addresses == id(block)) for block in blocks]
    pieces = [_taken(block, rows[theirs].tolist()) for block, theirs in zip(blocks, where, strict=True)]
    order: Any = pa.array(np.argsort(np.concatenate(where)))
    columns = {}
    for path in dict.fromkeys(path for piece in pieces for path in piece):
        node = node_at(path)
        found = [
            piece[path] if path in piece else node.nulls(len(theirs))
            for piece, theirs in zip(pieces, where, strict=True)
        ]
        columns[path] = pa.concat_arrays(found).take(order)
    return Page(columns, [_parts(layer, where, rows) for layer in zip(*(block.parts for block in blocks), strict=True)])


def _parts(
    layer: Sequence[Sequence[Mapping[str, Any]]], where: Sequence[np.ndarray], rows: np.ndarray
) -> list[Mapping[str, Any]]:
    """Return one part of each row, from the lists of the blocks."""
    found: list[Any] = [None] * len(rows)
    for parts, theirs in zip(layer, where, strict=True):
        for place, number in zip(theirs.tolist(), rows[theirs].tolist(), strict=True):
            found[place] = parts[number]
    return found
