"""Rows to Arrow tables and back to OCSF JSON events.

A row is flat: from an attribute's dotted path (`actor.user.name`) to its value; lists of objects are lists of
dicts, or of tuples with all attributes in the order of the schema.
Rows become columns leaf by leaf, without a nested dict per event, which would cost more than the mapping itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_collector.normalize.schema import declared, event_schema, json_columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Row", "iter_events", "to_event", "to_table"]

_BATCH = 4096


class Row(dict[str, Any]):
    """The attributes of one event by dotted path.

    `base` holds those that it shares with all events of its kind; they stand in one place in memory and become columns
    at once. A row's own attribute takes precedence.
    """

    __slots__ = ("base",)
    base: Mapping[str, Any]

    def whole(self) -> dict[str, Any]:
        """Return shared and own attributes together."""
        return {**self.base, **self}


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as a table of the event schema; raise `ValueError` for an attribute that it does not declare."""
    import pyarrow as pa

    count = len(rows)
    columns: dict[str, list[Any]] = {}
    places: dict[int, int] = {}
    bases: list[Mapping[str, Any]] = []
    kinds: list[int] = []
    for index, row in enumerate(rows):
        for path, value in row.items():
            column = columns.get(path)
            if column is None:
                column = columns[path] = [None] * count
            column[index] = value
        place = places.setdefault(id(row.base), len(bases))
        if place == len(bases):
            bases.append(row.base)
        kinds.append(place)
    builder = _Builder(columns, bases, kinds)
    arrays = [builder.build(node) for node in _nodes()]
    if builder.left:
        raise ValueError(f"attributes missing from event_schema.json: {', '.join(sorted(builder.left))}")
    return pa.Table.from_arrays(arrays, schema=event_schema())


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
        """Return an array of nulls; most attributes are absent from most batches, which share these."""
        import pyarrow as pa

        found = self._nulls.get(count)
        if found is None:
            self._nulls = {count: pa.nulls(count, self.type)}  # batches are mostly of one size
            found = self._nulls[count]
        return found


@cache
def _nodes() -> tuple[_Node, ...]:
    return tuple(_Node(field.name, field) for field in event_schema())


class _Builder:
    """Gives the arrays of a batch; `left` holds the attributes that were not asked for."""

    def __init__(self, columns: dict[str, list[Any]], bases: Sequence[Mapping[str, Any]], kinds: Sequence[int]) -> None:
        import pyarrow as pa

        self._columns = columns
        self._bases = bases
        self._kinds = kinds
        self._take = pa.array(kinds, pa.int32())
        self.left = set(columns).union(*bases)
        self._objects = {path[:place] for path in self.left for place, letter in enumerate(path) if letter == "."}

    def build(self, node: _Node) -> Any:
        if node.path in self.left:
            self.left.remove(node.path)
            return self._column(node)
        if node.path in self._objects and node.fields:
            return _struct(node, [self.build(child) for child in node.children], len(self._kinds))
        return node.nulls(len(self._kinds))

    def _column(self, node: _Node) -> Any:
        own = self._columns.get(node.path)
        shared = [base.get(node.path) for base in self._bases]
        if own is None:
            return _array(node, shared).take(self._take)
        if any(value is not None for value in shared):
            own = [shared[kind] if value is None else value for value, kind in zip(own, self._kinds, strict=True)]
        return _array(node, own)


def _array(node: _Node, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    if node.item is not None:
        ends = list(accumulate((len(value) if value else 0 for value in values), initial=0))
        offsets = [None if value is None else start for value, start in zip(values, ends, strict=False)]
        items = list(chain.from_iterable(value for value in values if value))
        return pa.ListArray.from_arrays(
            pa.array([*offsets, ends[-1]], pa.int32()), _array(node.item, items), type=node.type
        )
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


def to_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as an OCSF JSON event: nested, without what is null or empty, JSON columns as objects."""
    event: dict[str, Any] = {}
    for path, value in row.items():
        kept = _kept(value, path)
        if kept is None:
            continue
        *parents, name = path.split(".")
        place = event
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = kept
    return event


def _kept(value: Any, path: str) -> Any:
    if isinstance(value, str):
        return msgspec.json.decode(value) if path in json_columns() else value
    if isinstance(value, dict):
        kept = {name: _kept(inner, f"{path}.{name}") for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None} or None
    if isinstance(value, tuple):
        return _kept(dict(zip(declared()[path][0], value, strict=True)), path)
    if isinstance(value, list):
        return [inner for inner in (_kept(item, path) for item in value) if inner is not None] or None
    return value


def iter_events(source: Path | str | pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the events of an event file, or of a table, as OCSF JSON events, in their order.

    Nulls and empty objects are left out and `unmapped` is an object again.
    """
    import pyarrow.parquet as pq

    if isinstance(source, Path | str):
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from _batch_events(batch)
    else:
        for batch in source.to_batches(max_chunksize=_BATCH):
            yield from _batch_events(batch)


def _batch_events(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    leaves = [leaf for name in declared() for leaf in _leaves(name, batch.column(name))]
    paths = [path for path, _ in leaves]
    for values in zip(*(column for _, column in leaves), strict=True):
        yield to_event({path: value for path, value in zip(paths, values, strict=True) if value is not None})


def _leaves(path: str, array: Any) -> Iterator[tuple[str, list[Any]]]:
    import pyarrow as pa

    if array.null_count == len(array):
        return
    if pa.types.is_struct(array.type):
        for field, child in zip(array.type, array.flatten(), strict=True):
            yield from _leaves(f"{path}.{field.name}", child)
    else:
        yield path, array.to_pylist()
