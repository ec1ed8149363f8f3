"""Rows that became columns before they were rows: what the quick way makes of many lines at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentinelone_collector.normalize.columns import FlatRow

__all__ = ["AnyRow", "Block", "PlacedRow"]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: Arrow columns of what each of them has for itself, by path, and the parts that they share with others.

    `parts` are as many lists as a row has parts, each with one mapping for every row. `more` are attributes that only
    few of the rows have, by the row's number.
    """

    columns: Mapping[str, Any]
    parts: Sequence[Sequence[Mapping[str, Any]]]
    more: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


PlacedRow = tuple[int, str, Block, int]
"""A row of a block on its way to a table: time, uid, the block, and its number there."""

AnyRow = FlatRow | PlacedRow
