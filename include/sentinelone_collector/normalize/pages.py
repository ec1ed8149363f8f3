"""A page of rows as columns: rows of any blocks, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sentinelone_collector.normalize.blocks import Block, Part
from sentinelone_collector.normalize.nodes import node_at
from sentinelone_collector.normalize.rows import Rows

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Page", "page_of"]


class Page(NamedTuple):
    """Some rows in their order: an Arrow array for each path that any has for itself, and their parts by layer.

    A layer tells where the mapping of each row stands in memory, and the parts of blocks that these mappings are from.
    """

    columns: Mapping[str, Any]
    layers: Sequence[tuple[np.ndarray, Sequence[Part]]]


def page_of(rows: Rows) -> Page:
    """Return rows, at least one and each with as many parts, as columns."""
    import numpy as np

    addresses = np.unique(rows.addresses).tolist()
    if len(addresses) == 1:
        return _of_block(rows.blocks[addresses[0]], rows.numbers)
    where = [np.flatnonzero(rows.addresses == address) for address in addresses]
    return _of_blocks([rows.blocks[address] for address in addresses], where, rows.numbers)


def _of_block(block: Block, numbers: np.ndarray) -> Page:
    """Return rows of one block; neighbouring ones without a copy of what they have for themselves."""
    return Page(_taken(block, numbers), [(part.addresses[numbers], [part]) for part in block.parts])


def _taken(block: Block, numbers: np.ndarray) -> dict[str, Any]:
    import pyarrow as pa

    if _in_steps(numbers):
        begin, count = int(numbers[0]), len(numbers)
        return {path: column.slice(begin, count) for path, column in block.columns.items()}
    places: Any = pa.array(numbers)
    return {path: column.take(places) for path, column in block.columns.items()}


def _of_blocks(blocks: Sequence[Block], where: Sequence[np.ndarray], numbers: np.ndarray) -> Page:
    """Return rows of several blocks; `where` says which of the rows each block has, `numbers` their numbers there."""
    import numpy as np
    import pyarrow as pa

    pieces = [_taken(block, numbers[theirs]) for block, theirs in zip(blocks, where, strict=True)]
    places = np.concatenate(where)
    order: Any = None if _in_steps(places) else pa.array(np.argsort(places))
    columns = {}
    for path in dict.fromkeys(path for piece in pieces for path in piece):
        node = node_at(path)
        found = [
            piece[path] if path in piece else node.nulls(len(theirs))
            for piece, theirs in zip(pieces, where, strict=True)
        ]
        column = pa.concat_arrays(found)
        columns[path] = column if order is None else column.take(order)
    return Page(
        columns, [_layer(parts, where, numbers) for parts in zip(*(block.parts for block in blocks), strict=True)]
    )


def _in_steps(numbers: np.ndarray) -> bool:
    """Say whether each number is the one before and one."""
    import numpy as np

    return bool((np.diff(numbers) == 1).all())


def _layer(
    parts: Sequence[Part], where: Sequence[np.ndarray], numbers: np.ndarray
) -> tuple[np.ndarray, Sequence[Part]]:
    import numpy as np

    addresses = np.empty(len(numbers), np.int64)
    for part, theirs in zip(parts, where, strict=True):
        addresses[theirs] = part.addresses[numbers[theirs]]
    return addresses, parts
