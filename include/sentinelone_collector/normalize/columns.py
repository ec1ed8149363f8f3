"""Rows, and events as OCSF JSON.

A row is flat: from an attribute's dotted path (`actor.user.name`) to its value; lists of objects are lists of
dicts, or of tuples with all attributes in the order of the schema.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_collector.normalize.schema import declared, json_columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["JOINED", "Row", "events_with_ids", "iter_events", "to_event"]

JOINED: Final = "observables"
"""The attribute whose lists add up: those of a row's parts in their order, then its own."""

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
        joined: list[Any] = []
        for layer in (*self.parts, self):
            merged.update(layer)
            joined += layer.get(JOINED, ())
        if joined:
            merged[JOINED] = joined
        return merged


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


def events_with_ids(path: Path, uids: Collection[str], span: tuple[int, int] | None = None) -> Iterator[dict[str, Any]]:
    """Yield those events of a file that have one of the ids; one row group in memory at a time.

    With a span of epoch milliseconds, both inclusive, row groups are left out whose times rule out an event of it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(sorted(uids), pa.string())
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            if span is not None and _outside(file.metadata.row_group(number), span):
                continue
            names: Any = file.read_row_group(number, columns=["metadata.uid"]).column("metadata").combine_chunks()
            mask: Any = pc.is_in(names.field("uid"), value_set=wanted)
            if pc.any(mask).as_py():
                yield from iter_events(file.read_row_group(number).filter(mask).combine_chunks())


def _outside(group: Any, span: tuple[int, int]) -> bool:
    """Say whether the statistics of a row group rule out that an event of it happened in the span."""
    columns = (group.column(number) for number in range(group.num_columns))
    times = next((column for column in columns if column.path_in_schema == "time"), None)
    if times is None or times.statistics is None or not times.statistics.has_min_max:
        return False
    return bool(times.statistics.max < span[0] or times.statistics.min > span[1])


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
