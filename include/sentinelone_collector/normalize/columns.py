"""Rows to Arrow tables and back to OCSF JSON events.

A row is a flat dict from an attribute's dotted path (`actor.user.name`) to its value; lists of objects are lists of
dicts. Rows become columns leaf by leaf, without a nested dict per event, which would cost more than the mapping itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_collector.normalize.schema import declared, event_schema, json_columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Row", "iter_events", "to_event", "to_table"]

Row = dict[str, Any]
_BATCH = 4096


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as a table of the event schema; raise `ValueError` for an attribute that it does not declare."""
    import pyarrow as pa

    count = len(rows)
    columns: dict[str, list[Any]] = {}
    for index, row in enumerate(rows):
        for path, value in row.items():
            column = columns.get(path)
            if column is None:
                column = columns[path] = [None] * count
            column[index] = value
    schema = event_schema()
    builder = _Builder(columns, count)
    arrays = [builder.build(field.name, field.type) for field in schema]
    if columns:
        raise ValueError(f"attributes missing from event_schema.json: {', '.join(sorted(columns))}")
    return pa.Table.from_arrays(arrays, schema=schema)


class _Builder:
    """Takes columns out of a dict and gives arrays; what is left at the end was not declared."""

    def __init__(self, columns: dict[str, list[Any]], count: int) -> None:
        self._columns = columns
        self._count = count
        self._prefixes = {path[:place] for path in columns for place, letter in enumerate(path) if letter == "."}

    def build(self, path: str, kind: Any) -> Any:
        import pyarrow as pa

        if path in self._columns:
            return _array(self._columns.pop(path), kind)
        if path in self._prefixes and pa.types.is_struct(kind):
            children = [self.build(f"{path}.{field.name}", field.type) for field in kind]
            return _struct(children, kind)
        return pa.nulls(self._count, kind)


def _array(values: Sequence[Any], kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_list(kind):
        ends = list(accumulate((len(value) if value else 0 for value in values), initial=0))
        offsets = [None if value is None else start for value, start in zip(values, ends, strict=False)]
        items = list(chain.from_iterable(value for value in values if value))
        return pa.ListArray.from_arrays(
            pa.array([*offsets, ends[-1]], pa.int32()), _array(items, kind.value_type), type=kind
        )
    if pa.types.is_struct(kind):
        children = [
            _array([None if value is None else value.get(field.name) for value in values], field.type) for field in kind
        ]
        return _struct(children, kind)
    return pa.array(values, kind)


def _struct(children: list[Any], kind: Any) -> Any:
    """Return the objects, null where one holds nothing, so that readers see no empty objects."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = None
    for child in children:
        if child.null_count < len(child):
            absent = child.is_null()
            mask = absent if mask is None else pc.and_(mask, absent)
    if mask is None:
        return pa.nulls(len(children[0]), kind)
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)


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
