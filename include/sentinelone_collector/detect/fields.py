"""The fields that rules may name: dotted OCSF names, resolved to SQL over the events' Parquet columns.

`unmapped.data.newValue`, or any other name below `unmapped`, reads the vendor's own JSON as text. Its keys are looked
up as written and in small letters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

__all__ = ["CODE", "Catalogue", "Column", "Columns", "Kind", "event_catalogue", "folded", "literal"]

CODE = "metadata.event_code"
Kind = Literal["text", "number", "bool", "texts", "numbers"]
_LISTS: dict[str, Kind] = {"text": "texts", "number": "numbers"}


def literal(text: str) -> str:
    """Return the text as an SQL literal; raise `ValueError` for a NUL character, which no literal can hold."""
    if "\0" in text:
        raise ValueError("a value holds a NUL character")
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Column:
    """One field: the SQL expression that reads it from an event `e`, what kind of value it holds, and as which type."""

    sql: str
    kind: Kind
    type: str = "VARCHAR"
    paths: tuple[str, ...] = ()  # of vendor data: where in `unmapped` the value may be, first come first served


class Catalogue:
    """All fields of an Arrow schema of events, which is made at the first question."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def schema(self) -> Any:
        """The Arrow schema itself."""
        return self._make()

    def resolve(self, name: str) -> Column | None:
        """Return the field's column, None where the schema has no such field (or it is an object, not a value)."""
        top, *rest = name.split(".")
        if top == "unmapped":
            return _vendor_column(rest)
        index = self.schema.get_field_index(top)
        return None if index < 0 else _walk(f'e."{top}"', self.schema.field(index).type, rest)


def _vendor_column(keys: list[str]) -> Column | None:
    if not keys or not all(keys) or any('"' in key or "\\" in key for key in keys):
        return None
    # Consoles spell some keys both ways: `newStatus` and, in later records, `newstatus`
    spellings = dict.fromkeys([tuple(keys), tuple(key.lower() for key in keys)])
    paths = ["$" + "".join(f'."{key}"' for key in spelling) for spelling in spellings]
    return Column("", "text", paths=tuple(paths))


def _walk(sql: str, kind: Any, rest: list[str]) -> Column | None:
    import pyarrow as pa

    for position, key in enumerate(rest):
        if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
            inner = _walk("x", kind.value_type, rest[position:])
            if inner is None or inner.kind not in _LISTS:
                return None
            return Column(f"list_transform({sql}, lambda x: {inner.sql})", _LISTS[inner.kind], f"{inner.type}[]")
        if not pa.types.is_struct(kind) or kind.get_field_index(key) < 0:
            return None
        sql = f"struct_extract({sql}, {literal(key)})"
        kind = kind.field(kind.get_field_index(key)).type
    if pa.types.is_list(kind):
        element = _scalar(kind.value_type)
        return None if element not in _LISTS else Column(sql, _LISTS[element], f"{_sql_type(kind.value_type)}[]")
    scalar = _scalar(kind)
    return None if scalar is None else Column(sql, scalar, _sql_type(kind))


def _sql_type(kind: Any) -> str:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_floating(kind):
        return "DOUBLE"
    return "BIGINT" if pa.types.is_integer(kind) else "VARCHAR"


def _scalar(kind: Any) -> Kind | None:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else None


def _is_there(name: str, columns: Mapping[str, Any]) -> bool:
    inner = columns
    for key in name.split("."):
        kind = inner.get(key)
        if kind is None:
            return False
        if kind.id == "list":
            kind = kind.children[0][1]
        inner = dict(kind.children) if kind.id == "struct" else {}
    return True


@dataclass
class Columns:
    """The fields that a set of rules reads, each under a short alias so that one pass computes it once."""

    catalogue: Catalogue
    aliases: dict[str, str] = field(default_factory=dict)
    used: dict[str, Column] = field(default_factory=dict)

    def use(self, name: str) -> tuple[str, Kind]:
        """Return the field's alias and kind; raise `KeyError` where there is no such field."""
        if name not in self.aliases:
            column = self.catalogue.resolve(name)
            if column is None:
                raise KeyError(name)
            self.aliases[name] = f"f{len(self.aliases)}"
            self.used[name] = column
        return self.aliases[name], self.used[name].kind

    def selection(self, there: Mapping[str, Any]) -> str:
        """Return the SQL that reads every used field from an event `e`; what is not there is null of its type.

        `there` are DuckDB's types of the columns that the events have.
        """
        read = [
            f"CAST({column.sql if _is_there(name, there) else 'NULL'} AS {column.type}) AS {self.aliases[name]}"
            for name, column in self.used.items()
            if not column.paths
        ]
        vendor = 'e."unmapped"' if "unmapped" in there else "NULL"
        return ", ".join([*read, f"CAST({vendor} AS VARCHAR) AS unmapped"])

    def guard(self, codes: Collection[str], others: Sequence[str]) -> str:
        """Return the SQL that says of a row of `derived` whether its event code, or another predicate, lets it pass."""
        tests = list(others)
        if codes:
            alias, _ = self.use(CODE)
            # What has no letters is equal as it stands, and can be compared with what Parquet knows of a whole block
            subject = alias if all(code.lower() == code.upper() for code in codes) else folded(alias)
            tests.append(f"{subject} IN ({', '.join(literal(code) for code in sorted(codes))})")
        return " OR ".join(tests) or "false"

    @property
    def read(self) -> str:
        """The aliases of what `selection` reads, vendor data left out."""
        return ", ".join(self.aliases[name] for name, column in self.used.items() if not column.paths)

    def derived(self, rows: str) -> str:
        """Return the SQL of the rows of `selection` with what follows from them: vendor data, texts in small letters.

        All vendor data is read at once, since parsing it is dear.
        """
        places = {path: place for place, path in enumerate(self._paths, 1)}
        derived = []
        for name, column in self.used.items():
            alias = self.aliases[name]
            value = alias
            if column.paths:
                value = f"coalesce({', '.join(f'vendor[{places[path]}]' for path in column.paths)})"
                derived.append(f"{value} AS {alias}")
            if column.kind == "text":
                derived.append(f"lower({value}) AS {folded(alias)}")
        paths = ", ".join(literal(path) for path in self._paths)
        parsed = f"SELECT *, json_extract_string(unmapped, [{paths}]::VARCHAR[]) AS vendor FROM {rows}"  # noqa: S608  # names made here
        return f"(SELECT {', '.join(['*', *derived])} FROM ({parsed}))"  # noqa: S608  # names made here

    @property
    def _paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for column in self.used.values() for path in column.paths))


def folded(alias: str) -> str:
    """Return the alias of a text field's value in small letters."""
    return f"{alias}_folded"


@lru_cache(maxsize=1)
def event_catalogue() -> Catalogue:
    """Return the fields of the events that normalize writes."""
    from sentinelone_collector.normalize.schema import event_schema

    return Catalogue(event_schema)
