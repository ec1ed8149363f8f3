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

    `parts` hold those that it shares with other events; they stand in one place in memory and become columns at once.
    Every row of a batch has as many parts. A later part takes precedence, and a row's own attribute before all.
    """

    __slots__ = ("parts",)
    parts: tuple[Mapping[str, Any], ...]

    def whole(self) -> dict[str, Any]:
        """Return shared and own attributes together."""
        merged: dict[str, Any] = {}
        for part in self.parts:
            merged.update(part)
        merged.update(self)
        return merged


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as a table of the event schema; raise `ValueError` for an attribute that it does not declare."""
    import pyarrow as pa

    shared = zip(*(row.parts for row in rows), strict=True)
    builder = _Builder([_Layer(rows), *reversed([_shared_layer(parts) for parts in shared])], len(rows))
    arrays = [builder.build(node) for node in _nodes()]
    if builder.left:
        raise ValueError(f"attributes missing from event_schema.json: {', '.join(sorted(builder.left))}")
    return pa.Table.from_arrays(arrays, schema=event_schema())


class _Layer:
    """Mappings as columns of values; `places` says which mapping each row has, None if each row has its own.

    Mappings with the same attributes stand together, so that they become columns at once.
    """

    def __init__(self, mappings: Sequence[Mapping[str, Any]], places: Sequence[int] | None = None) -> None:
        import pyarrow as pa

        groups: dict[tuple[str, ...], list[int]] = {}
        for index, mapping in enumerate(mappings):
            groups.setdefault(tuple(mapping), []).append(index)
        columns: dict[str, list[Any]] = {}
        done = 0
        for paths, members in groups.items():
            held = zip(*(mappings[index].values() for index in members), strict=True)
            for path, values in zip(paths, held, strict=True):
                column = columns.setdefault(path, [])
                column.extend([None] * (done - len(column)))
                column.extend(values)
            done += len(members)
        for column in columns.values():
            column.extend([None] * (done - len(column)))
        self.columns = columns
        if len(groups) > 1:
            moved = dict(zip(chain.from_iterable(groups.values()), range(done), strict=True))
            places = [moved[place] for place in (range(done) if places is None else places)]
        self._places = places
        self._take = None if places is None else pa.array(places, pa.int32())

    def array(self, node: _Node) -> Any:
        """Return an attribute for each row as an Arrow array."""
        array = _array(node, self.columns[node.path])
        return array if self._take is None else array.take(self._take)

    def values(self, path: str) -> list[Any]:
        """Return an attribute for each row as a list."""
        column = self.columns[path]
        return column if self._places is None else [column[place] for place in self._places]


def _shared_layer(parts: Sequence[Mapping[str, Any]]) -> _Layer:
    places: dict[int, int] = {}
    distinct: list[Mapping[str, Any]] = []
    taken = []
    for part in parts:
        place = places.setdefault(id(part), len(distinct))
        if place == len(distinct):
            distinct.append(part)
        taken.append(place)
    return _Layer(distinct, None if len(distinct) == len(parts) else taken)


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
    """Gives the arrays of a batch from its layers, those that take precedence first.

    `left` holds the attributes that were not asked for.
    """

    def __init__(self, layers: Sequence[_Layer], count: int) -> None:
        self._layers = layers
        self._count = count
        self.left: set[str] = set().union(*(layer.columns for layer in layers))
        self._objects = {path[:place] for path in self.left for place, letter in enumerate(path) if letter == "."}

    def build(self, node: _Node) -> Any:
        if node.path in self.left:
            self.left.remove(node.path)
            return self._column(node)
        if node.path in self._objects and node.fields:
            return _struct(node, [self.build(child) for child in node.children], self._count)
        return node.nulls(self._count)

    def _column(self, node: _Node) -> Any:
        layers = [layer for layer in self._layers if node.path in layer.columns]
        if len(layers) == 1:
            return layers[0].array(node)
        values = layers[0].values(node.path)
        for layer in layers[1:]:
            values = [
                below if value is None else value for value, below in zip(values, layer.values(node.path), strict=True)
            ]
        return _array(node, values)


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
        return _kept(dict(zip(_names_of_items(path), value, strict=True)), path)
    if isinstance(value, list):
        return [inner for inner in (_kept(item, path) for item in value) if inner is not None] or None
    return value


@cache
def _names_of_items(path: str) -> tuple[str, ...]:
    spec: Any = declared()
    for name in path.split("."):
        spec = spec[name]
    return tuple(spec[0])


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
