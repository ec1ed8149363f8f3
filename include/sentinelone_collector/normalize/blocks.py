"""Blocks: some rows as columns, before they stand in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.grouping import by_path
from sentinelone_collector.normalize.nodes import array_of, node_at

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Block", "Part", "block_of", "scattered"]


@dataclass(frozen=True, eq=False)
class Part:
    """What some rows share with others, of one sort: mappings, and which of them each row has."""

    mappings: list[Mapping[str, Any]]
    places: np.ndarray

    def of(self, number: int) -> Mapping[str, Any]:
        """Return the mapping of a row."""
        found: Mapping[str, Any] = self.mappings[self.places[number]]
        return found

    @cached_property
    def of_mappings(self) -> np.ndarray:
        """Where each mapping stands in memory."""
        import numpy as np

        return np.fromiter(map(id, self.mappings), np.int64, len(self.mappings))

    @cached_property
    def addresses(self) -> np.ndarray:
        """Where the mapping of each row stands in memory."""
        found: np.ndarray = self.of_mappings[self.places]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: Arrow columns of what each of them has for itself, by path, and the parts that they share with others.

    `listed` says that the types of all records are in the product's tables.
    """

    columns: Mapping[str, Any]
    parts: Sequence[Part]
    listed: bool = False


def block_of(rows: Sequence[Row]) -> Block:
    """Return rows, each with as many parts, as a block; raise `ValueError` for an attribute unknown to the schema."""
    import numpy as np

    every = np.arange(len(rows))
    return Block(_columns(rows), [Part(list(part), every) for part in zip(*(row.parts for row in rows), strict=True)])


def scattered(rows: Mapping[int, Mapping[str, Any]], count: int) -> dict[str, Any]:
    """Return the attributes of some of `count` rows, given by their numbers, as columns; null for the others."""
    import numpy as np
    import pyarrow as pa

    if not rows:
        return {}
    numbers = list(rows)
    places, absent = np.zeros(count, np.int32), np.ones(count, np.bool_)
    places[numbers], absent[numbers] = np.arange(len(numbers)), False
    where = pa.array(places, mask=absent)
    return {path: column.take(where) for path, column in _columns(list(rows.values())).items()}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values = by_path([(tuple(row), tuple(row.values())) for row in rows])
    return {path: array_of(node_at(path), found) for path, found in values.items()}
