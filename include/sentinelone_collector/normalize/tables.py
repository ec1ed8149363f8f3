"""Rows to Arrow tables, leaf by leaf: a nested dict per event would cost more than the mapping itself.

What rows share stands in one place in memory and becomes columns once per table, however many rows have it. Only what
is a row's own is converted for each, in batches that are gone before the next one comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate, chain, repeat, takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sentinelone_collector.normalize.columns import JOINED, FlatRow, Row, flat
from sentinelone_collector.normalize.schema import event_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TableBuilder", "to_table"]


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as a table of the event schema; raise `ValueError` for an attribute that it does not declare."""
    builder = TableBuilder()
    builder.add([flat(row) for row in rows])
    return builder.table()


class TableBuilder:
    """Takes rows in batches and makes one table of them."""

    def __init__(self) -> None:
        self._own = _Own()
        self._shared: list[_Shared] = []
        self.rows = 0

    def add(self, rows: Sequence[FlatRow]) -> None:
        """Take a batch of rows, each with as many parts; raise `ValueError` for an attribute unknown to the schema.

        Where batches end the chunks of the table's columns end, which a Parquet writer's pages follow: the bytes of a
        file tell in what batches its rows came.
        """
        if not rows:
            return
        parts = list(zip(*map(itemgetter(4), rows), strict=True))
        if not self.rows:
            self._shared = [_Shared() for _ in parts]
        for layer, column in zip(self._shared, parts, strict=True):
            layer.add(column)
        self._own.add(rows, self.rows)
        self.rows += len(rows)

    def table(self) -> pa.Table:
        """Return all rows so far; raise `ValueError` for an attribute unknown to the schema."""
        import pyarrow as pa

        layers = [*(layer.columns() for layer in self._shared), self._own.columns(self.rows)]
        held: dict[str, list[_Column]] = {}
        for layer in layers:
            for path, column in layer.items():
                held.setdefault(path, []).append(column)
        objects = {path[:place] for path in held for place, letter in enumerate(path) if letter == "."}
        return pa.Table.from_arrays([self._build(node, held, objects) for node in _nodes()], schema=event_schema())

    def _build(self, node: _Node, held: Mapping[str, list[_Column]], objects: set[str]) -> Any:
        columns = held.get(node.path)
        if columns is not None:
            return _joined(node, columns, self.rows) if node.path == JOINED else _latest(columns)
        if node.path in objects and node.fields:
            children = [_whole(self._build(child, held, objects)) for child in node.children]
            return _struct(node, children, self.rows)
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
        self._parts: list[Mapping[str, Any]] = []  # also keeps them alive, so that no address is used twice
        self._addresses: list[Any] = []

    def add(self, parts: Sequence[Mapping[str, Any]]) -> None:
        import numpy as np

        self._parts.extend(parts)
        self._addresses.append(np.fromiter(map(id, parts), np.int64, len(parts)))

    def _distinct(self) -> tuple[list[Mapping[str, Any]], Any]:
        """Return the distinct mappings as they come first, and the place among them of each row's."""
        import numpy as np

        _, firsts, places = np.unique(np.concatenate(self._addresses), return_index=True, return_inverse=True)
        order = np.argsort(firsts)
        ranks = np.empty_like(order)
        ranks[order] = np.arange(len(order))
        return [self._parts[first] for first in firsts[order].tolist()], ranks[places]

    def columns(self) -> dict[str, _Column]:
        """Return the columns of the distinct mappings, those with the same attributes one after the other."""
        import numpy as np
        import pyarrow as pa

        distinct, rows = self._distinct()
        groups = _members(map(tuple, distinct))
        columns = _gathered((paths, [distinct[index].values() for index in found]) for paths, found in groups.items())
        moved = np.array(_places(groups.values(), len(distinct)), np.int32)
        places = pa.array(moved[rows])
        return {path: _Column(_array(_node(path), values), places) for path, values in columns.items()}


class _Own:
    """What rows have for themselves, as arrays of one batch each."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[Any]] = {}
        self._filled: dict[str, int] = {}

    def add(self, rows: Sequence[FlatRow], before: int) -> None:
        for path, values in _columns(rows).items():
            self._fill(path, before)
            self._pieces[path].append(_array(_node(path), values))
            self._filled[path] = before + len(rows)

    def _fill(self, path: str, count: int) -> None:
        absent = count - self._filled.get(path, 0)
        pieces = self._pieces.setdefault(path, [])
        if absent:
            pieces.append(_node(path).nulls(absent))

    def columns(self, count: int) -> dict[str, _Column]:
        import pyarrow as pa

        for path in self._pieces:
            self._fill(path, count)
        return {path: _Column(pa.chunked_array(pieces)) for path, pieces in self._pieces.items()}


def _columns(rows: Sequence[FlatRow]) -> dict[str, Sequence[Any]]:
    """Return the rows' own values by path, None where one lacks a path.

    All rows begin with the same paths, which is worth a shorter way; many have no others.
    """
    groups = _members(map(itemgetter(2), rows))
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, zip(*groups, strict=False))]
    begin = len(common)
    heads = map(itemgetter(3), rows) if len(groups) == 1 else map(itemgetter(slice(begin)), map(itemgetter(3), rows))
    columns: dict[str, Sequence[Any]] = dict(zip(common, zip(*heads, strict=True), strict=True))
    if len(groups) > 1:
        tails = ((paths[begin:], [rows[index][3][begin:] for index in found]) for paths, found in groups.items())
        place = _places(groups.values(), len(rows))
        columns |= {path: list(map(values.__getitem__, place)) for path, values in _gathered(tails).items()}
    return columns


def _members(shapes: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    """Return for each sequence of paths the numbers of those that have it."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, paths in enumerate(shapes):
        groups.setdefault(paths, []).append(index)
    return groups


def _gathered(groups: Iterable[tuple[Sequence[str], Sequence[Iterable[Any]]]]) -> dict[str, list[Any]]:
    """Return the values by path, group after group; each group are paths and the members' values in their order."""
    columns: dict[str, list[Any]] = {}
    done = 0
    for paths, members in groups:
        for path, values in zip(paths, zip(*members, strict=True), strict=True):
            column = columns.setdefault(path, [])
            column.extend(repeat(None, done - len(column)))
            column.extend(values)
        done += len(members)
    for column in columns.values():
        column.extend(repeat(None, done - len(column)))
    return columns


def _places(groups: Iterable[list[int]], count: int) -> list[int]:
    """Return where each of the members stands when they come group after group."""
    places = [0] * count
    for place, index in enumerate(chain.from_iterable(groups)):
        places[index] = place
    return places


class _Node:
    """One attribute of the schema, with what Arrow needs to build it."""

    def __init__(self, path: str, field: Any) -> None:
        import pyarrow as pa

        self.path = path
        self.name = field.name
        self.type = field.type
        self.fields: list[Any] = []
        self.item: _Node | None = None
        if pa.types.is_struct(field.type):
            self.fields = list(field.type)
        elif pa.types.is_list(field.type):
            self.item = _Node(f"{path}[]", field.type.value_field)
        self.children = [_Node(f"{path}.{child.name}", child) for child in self.fields]
        self._nulls: dict[int, Any] = {}

    def nulls(self, count: int) -> Any:
        """Return an array of nulls; most attributes are absent from most tables, which share these."""
        import pyarrow as pa

        found = self._nulls.get(count)
        if found is None:
            self._nulls = {count: pa.nulls(count, self.type)}  # tables are mostly of one size
            found = self._nulls[count]
        return found

    def walk(self) -> Iterable[_Node]:
        """Yield this attribute and those inside of it, without those of lists."""
        yield self
        for child in self.children:
            yield from child.walk()


@cache
def _nodes() -> tuple[_Node, ...]:
    return tuple(_Node(field.name, field) for field in event_schema())


@cache
def _by_path() -> dict[str, _Node]:
    return {node.path: node for top in _nodes() for node in top.walk()}


def _node(path: str) -> _Node:
    found = _by_path().get(path)
    if found is None:
        raise ValueError(f"attribute missing from event_schema.json: {path}")
    return found


def _latest(columns: Sequence[_Column]) -> Any:
    """Return each row's value from the last layer that has one."""
    import pyarrow.compute as pc

    arrays = [column.array() for column in reversed(columns)]
    return arrays[0] if len(arrays) == 1 else pc.coalesce(*arrays)


def _whole(array: Any) -> Any:
    """Return a column in one piece."""
    import pyarrow as pa

    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _joined(node: _Node, columns: Sequence[_Column], count: int) -> Any:
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


def _array(node: _Node, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    if node.item is not None:
        filled = values if all(values) else [value or () for value in values]
        offsets: list[int | None] = list(accumulate(map(len, filled), initial=0))
        items = list(chain.from_iterable(filled))
        if filled is not values:
            for index, value in enumerate(values):
                if value is None:
                    offsets[index] = None
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), _array(node.item, items), type=node.type)
    if node.fields:
        if values and type(values[0]) is tuple:
            parts: Iterable[Sequence[Any]] = zip(*values, strict=True)
        else:
            parts = ([None if value is None else value.get(child.name) for value in values] for child in node.children)
        children = [_array(child, part) for child, part in zip(node.children, parts, strict=True)]
        return _struct(node, children, len(values))
    return pa.array(values, node.type)


def _struct(node: _Node, children: list[Any], count: int) -> Any:
    """Return the objects, null where one holds nothing, so that readers see no empty objects."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = None
    for child in children:
        if child.null_count == 0:
            return pa.StructArray.from_arrays(children, fields=node.fields)
        if child.null_count < count:
            absent = child.is_null()
            mask = absent if mask is None else pc.and_(mask, absent)
    if mask is None:
        return node.nulls(count)
    return pa.StructArray.from_arrays(children, fields=node.fields, mask=mask)
