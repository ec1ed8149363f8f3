"""The one schema of all event files, frozen in `event_schema.json`.

Attributes keep their OCSF names and nesting; an attribute that an event lacks is null. `json` columns (`unmapped`, and
`data` of evidences and enrichments) hold JSON text, since their keys are the vendor's and change from record to record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "UNIQUE_COLUMNS",
    "declared",
    "encoded_schema",
    "event_schema",
    "json_columns",
    "leaf_columns",
    "text_columns",
]

UNIQUE_COLUMNS: Final = frozenset(
    {
        "message",
        "metadata.original_event_uid",
        "metadata.original_time",
        "metadata.uid",
        "raw_data",
        "time",
        "unmapped",
    }
)
"""Columns whose values are unique or long; those of all others repeat, and a dictionary of them is worth its price."""


@cache
def declared() -> Mapping[str, Any]:
    """Return the declared attributes: a type's name, a dict for an object, a list of one for a list."""
    text = files(__package__).joinpath("event_schema.json").read_text("utf-8")
    fields: dict[str, Any] = json.loads(text)
    return fields


@cache
def event_schema() -> pa.Schema:
    """Return the Arrow schema that every event file has, whatever its stream."""
    import pyarrow as pa

    return pa.schema([pa.field(name, _arrow_type(spec)) for name, spec in declared().items()])


@cache
def encoded_schema() -> pa.Schema:
    """Return the same schema with texts that repeat as dictionaries, which a Parquet writer takes as they are."""
    import pyarrow as pa

    return pa.schema([_encoded(field, field.name) for field in event_schema()])


def _encoded(field: Any, path: str) -> Any:
    import pyarrow as pa

    kind: Any = field.type
    if pa.types.is_struct(kind):
        return field.with_type(pa.struct([_encoded(inner, f"{path}.{inner.name}") for inner in kind]))
    if pa.types.is_list(kind):
        return field.with_type(pa.list_(_encoded(kind.value_field, f"{path}.{kind.value_field.name}")))
    if pa.types.is_string(kind) and path not in UNIQUE_COLUMNS:
        return field.with_type(pa.dictionary(pa.int32(), kind))
    return field


def _arrow_type(spec: Any) -> pa.DataType:
    import pyarrow as pa

    if isinstance(spec, dict):
        return pa.struct([pa.field(name, _arrow_type(inner)) for name, inner in spec.items()])
    if isinstance(spec, list):
        # Parquet names the items of a list so; another name would come back changed.
        return pa.list_(pa.field("element", _arrow_type(spec[0])))
    leaves: dict[str, pa.DataType] = {
        "string": pa.string(),
        "json": pa.string(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
        "double": pa.float64(),
    }
    return leaves[spec]


@cache
def json_columns() -> frozenset[str]:
    """Return the dotted paths of the columns that hold JSON text."""
    return frozenset(_json_paths(declared(), ""))


def _json_paths(spec: Any, path: str) -> list[str]:
    if isinstance(spec, list):
        return _json_paths(spec[0], path)
    if isinstance(spec, Mapping):
        return [
            found for name, inner in spec.items() for found in _json_paths(inner, f"{path}.{name}" if path else name)
        ]
    return [path] if spec == "json" else []


@cache
def leaf_columns() -> tuple[str, ...]:
    """Return the dotted paths of all Parquet columns, in order, as Parquet names them."""
    return tuple(path for path, _ in _leaf_paths(declared(), ""))


@cache
def text_columns() -> frozenset[str]:
    """Return the dotted paths of the Parquet columns that hold texts."""
    return frozenset(path for path, kind in _leaf_paths(declared(), "") if kind in {"string", "json"})


def _leaf_paths(spec: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(spec, list):
        yield from _leaf_paths(spec[0], f"{path}.list.element")
    elif isinstance(spec, Mapping):
        for name, inner in spec.items():
            yield from _leaf_paths(inner, f"{path}.{name}" if path else name)
    else:
        yield path, spec
