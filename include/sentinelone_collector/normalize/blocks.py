"""Blocks: some rows as columns, before they stand in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.grouping import by_path
from sentinelone_collector.normalize.nodes import array_of, node_at

__all__ = ["Block", "PlacedRow", "placed", "scattered"]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: Arrow columns of what each of them has for itself, by path, and the parts that they share with others.

    `parts` are as many lists as a row has parts, each with one mapping for every row. `listed` says that the types of
    all records are in the product's tables.
    """

    columns: Mapping[str, Any]
    parts: Sequence[Sequence[Mapping[str, Any]]]
    listed: bool = False


PlacedRow = tuple[int, str, Block, int]
"""A row of a block on its way to a table: time, uid, the block, and its number there."""


def placed(rows: Sequence[Row]) -> list[PlacedRow]:
    """Return rows, each with as many parts, as those of one block.

    Raise `ValueError` for an attribute unknown to the schema.
    """
    if not rows:
        return []
    values = by_path([(tuple(row), tuple(row.values())) for row in rows])
    columns = {path: array_of(node_at(path), found) for path, found in values.items()}
    block = Block(columns, list(zip(*(row.parts for row in rows), strict=True)))
    return [(row["time"], row["metadata.uid"], block, number) for number, row in enumerate(rows)]


def scattered(rows: Mapping[int, Mapping[str, Any]], count: int) -> dict[str, Any]:
    """Return the attributes of some of `count` rows, given by their numbers, as columns; null for the others."""
    found: dict[str, list[Any]] = {}
    for number, row in rows.items():
        for path, value in row.items():
            column = found.get(path)
            if column is None:
                column = found[path] = [None] * count
            column[number] = value
    return {path: array_of(node_at(path), values) for path, values in found.items()}
