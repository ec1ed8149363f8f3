"""Rows to Arrow tables, leaf by leaf: a nested dict per event would cost more than the mapping itself.

What rows share stands in one place in memory and becomes columns once per table, however many rows have it. Only what
is a row's own is converted for each, in batches that are gone before the next one comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from sentinelone_collector.normalize.blocks import Part
from sentinelone_collector.normalize.columns import JOINED, Row
from sentinelone_collector.normalize.grouping import gathered, members, places
from sentinelone_collector.normalize.nodes import Node, array_of, encoded, encoded_nodes, node_at, nodes, struct_of
from sentinelone_collector.normalize.pages import page_of
from sentinelone_collector.normalize.rows import Rows, placed
from sentinelone_collector.normalize.schema import encoded_schema, event_schema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["TableBuilder", "to_table"]


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as a table of the event schema; raise `ValueError` for an attribute that it does not declare."""
    builder = TableBuilder()
    builder.add(placed(rows))
    return builder.table()


class TableBuilder:
    """Takes rows in batches and makes one table of them."""

    def __init__(self) -> None:
        self._own = _Own()
        self._shared: list[_Shared] = []
        self.rows = 0

    def add(self, rows: Rows) -> None:
        """Take a batch of rows, each with as many parts.

        Where batches end the chunks of the table's columns end, which a Parquet writer's pages follow: the bytes of a
        file tell in what batches its rows came.
        """
        if not len(rows):
            return
        page = page_of(rows)
        if not self.rows:
            self._shared = [_Shared() for _ in page.layers]
        for layer, (addresses, parts) in zip(self._shared, page.layers, strict=True):
            layer.add(addresses, parts)
        self._own.add(page.columns, self.rows, len(rows))
        self.rows += len(rows)

    def table(self) -> pa.Table:
        """Return all rows so far in the event schema; raise `ValueError` for an attribute that it does not declare."""
        return self._table(nodes(), event_schema())

    def encoded_table(self) -> pa.Table:
        """Do as `table`, with texts that repeat as dictionaries."""
        return self._table(encoded_nodes(), encoded_schema())

    def _table(self, attributes: Sequence[Node], schema: pa.Schema) -> pa.Table:
        import pyarrow as pa

        layers = [*(layer.columns() for layer in self._shared), self._own.columns(self.rows)]
        held: dict[str, list[_Column]] = {}
        for layer in layers:
            for path, column in layer.items():
                held.setdefault(path, []).append(column)
        objects = {path[:place] for path in held for place, letter in enumerate(path) if letter == "."}
        return pa.Table.from_arrays([self._build(node, held, objects) for node in attributes], schema=schema)

    def _build(self, node: Node, held: Mapping[str, list[_Column]], objects: set[str]) -> Any:
        columns = held.get(node.path)
        if columns is not None:
            if node.encoded:
                columns = [column._replace(values=encoded(_whole(column.values), node.type)) for column in columns]
            return _joined(node, columns, self.rows) if node.path == JOINED else _latest(columns)
        if node.path in objects and node.fields:
            children = [_whole(self._build(child, held, objects)) for child in node.children]
            return struct_of(node, children, self.rows)
        return node.nulls(self.rows)


class _Column(NamedTuple):
    """An attribute of one layer: its values, and which of them each row has, None where they are one a row."""

    values: Any
    places: Any = None

    def array(self) -> Any:
        """Return the value of each row."""
        return self.values if self.places is None else self.values.take(self.places)


class _Shared:
    """One part of every row: the distinct mappings, and which of them each row has."""

    def __init__(self) -> None:
        self._parts: dict[int, Part] = {}  # also keeps their mappings alive, so that no address is used twice
        self._addresses: list[np.ndarray] = []

    def add(self, addresses: np.ndarray, parts: Sequence[Part]) -> None:
        self._parts.update((id(part), part) for part in parts)
        self._addresses.append(addresses)

    def _distinct(self) -> tuple[list[Mapping[str, Any]], np.ndarray]:
        """Return the distinct mappings as they come first, and the place among them of each row's."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        rows: Any = pa.array(np.concatenate(self._addresses))
        encoded = rows.dictionary_encode()  # in the order in which they come first
        mappings = list(chain.from_iterable(part.mappings for part in self._parts.values()))
        addresses: Any = pa.array(np.concatenate([part.of_mappings for part in self._parts.values()]))
        found = pc.index_in(encoded.dictionary, addresses).to_pylist()
        return list(map(mappings.__getitem__, found)), encoded.indices.to_numpy()

    def columns(self) -> dict[str, _Column]:
        """Return the columns of the distinct mappings, those with the same attributes one after the other."""
        import numpy as np
        import pyarrow as pa

        distinct, rows = self._distinct()
        groups = members(map(tuple, distinct))
        columns = gathered((paths, [distinct[index].values() for index in found]) for paths, found in groups.items())
        moved = np.array(places(groups.values(), len(distinct)), np.int32)
        where = pa.array(moved[rows])
        return {path: _Column(array_of(node_at(path), values), where) for path, values in columns.items()}


class _Own:
    """What rows have for themselves, as arrays of one batch each."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[Any]] = {}
        self._filled: dict[str, int] = {}

    def add(self, columns: Mapping[str, Any], before: int, count: int) -> None:
        for path, column in columns.items():
            self._fill(path, before)
            self._pieces[path].append(column)
            self._filled[path] = before + count

    def _fill(self, path: str, count: int) -> None:
        absent = count - self._filled.get(path, 0)
        pieces = self._pieces.setdefault(path, [])
        if absent:
            pieces.append(node_at(path).nulls(absent))
        self._filled[path] = count

    def columns(self, count: int) -> dict[str, _Column]:
        import pyarrow as pa

        for path in self._pieces:
            self._fill(path, count)
        return {path: _Column(pa.chunked_array(pieces)) for path, pieces in self._pieces.items()}


def _latest(columns: Sequence[_Column]) -> Any:
    """Return each row's value from the last layer that has one."""
    import pyarrow.compute as pc

    arrays = [column.array() for column in reversed(columns)]
    return arrays[0] if len(arrays) == 1 else pc.coalesce(*arrays)


def _whole(array: Any) -> Any:
    """Return a column in one piece."""
    import pyarrow as pa

    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _joined(node: Node, columns: Sequence[_Column], count: int) -> Any:
    """Return the lists of all layers as one list for each row, null where all are empty."""
    import numpy as np
    import pyarrow as pa

    starts, lengths = np.zeros((count, len(columns)), np.int64), np.zeros((count, len(columns)), np.int64)
    begin = 0
    for index, column in enumerate(columns):
        lists = _whole(column.values)
        sizes = lists.value_lengths().fill_null(0).to_numpy()
        ends = begin + np.cumsum(sizes)
        places = slice(None) if column.places is None else column.places.to_numpy()
        starts[:, index], lengths[:, index] = (ends - sizes)[places], sizes[places]
        begin += int(sizes.sum())
    items = pa.concat_arrays([_whole(column.values).flatten() for column in columns])
    each = lengths.ravel()
    order = np.arange(each.sum()) + np.repeat(starts.ravel() - (np.cumsum(each) - each), each)
    whole = lengths.sum(axis=1)
    offsets: Any = pa.array(np.concatenate(([0], np.cumsum(whole))), pa.int32())
    taken = items.take(pa.array(order))
    return pa.ListArray.from_arrays(offsets, taken, type=node.type, mask=pa.array(whole == 0))
