"""Events as documents of the index.

A document holds all words of an event (`text`, a `=` between values, so that no phrase spans two of them), its words by
attribute (`fields`: `<path>=<word>`, numbers as `<path>=<number>`), when it happened, and what a list of results shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from sentinelone_collector.lake import ParsedKey, object_key
from sentinelone_collector.normalize.schema import declared, json_columns
from sentinelone_collector.search.fields import INSTANCE, STREAM
from sentinelone_collector.search.results import Row
from sentinelone_collector.search.words import NOT_SEARCHED, Value, values_below, words

__all__ = ["FACETS", "TOKENIZER", "field_term", "index_schema", "moment_of", "number_term", "rank_of", "read_documents"]

TOKENIZER = "given"
FACETS = ("class", "severity", "instance", "stream")
_BREAK = "="
_BATCH = 4096
_RANK_BITS = 22  # of a uid's checksum, below the milliseconds: makes the order of one millisecond's events certain


def rank_of(moment: int, uid: str) -> int:
    """Return the place of an event in the order of time, milliseconds first; equal only by rare chance."""
    bounded = min(max(moment, 0), (1 << 41) - 1)
    return bounded << _RANK_BITS | crc32(uid.encode()) >> (32 - _RANK_BITS)


def moment_of(rank: int) -> int:
    """Return the milliseconds of a rank."""
    return rank >> _RANK_BITS


def field_term(path: str, word: str) -> str:
    """Return the term of a word in an attribute."""
    return f"{path}={word}"


def number_term(path: str, value: float) -> str:
    """Return the term of a number in an attribute."""
    return f"{path}={int(value) if float(value).is_integer() else value}"


@cache
def index_schema() -> Any:
    """Return the schema of every index; a change needs a new number of the folder's format."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    for name in ("text", "fields"):
        builder.add_text_field(name, tokenizer_name=TOKENIZER, index_option="position")
    builder.add_integer_field("moment", indexed=True, fast=True)
    builder.add_unsigned_field("rank", indexed=True, fast=True)
    builder.add_unsigned_field("window", indexed=True, fast=True)
    for name in FACETS:
        builder.add_text_field(name, tokenizer_name="raw", fast=True, index_option="basic")
    builder.add_text_field("kind", tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field("row", stored=True)
    return builder.build()


def read_documents(path: Path, place: ParsedKey, number: int) -> Iterator[Any]:
    """Yield a document for each event of a window's file; `number` is what the index calls these bytes."""
    import pyarrow.parquet as pq
    import tantivy

    schema = index_schema()
    columns = [name for name in declared() if name not in NOT_SEARCHED]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=columns, use_threads=False):
            for fields in _batch_fields(batch, place):
                yield tantivy.Document.from_dict({**fields, "window": number, "kind": "event"}, schema)


def _batch_fields(batch: Any, place: ParsedKey) -> Iterator[dict[str, Any]]:
    leaves = [leaf for name in batch.schema.names for leaf in _leaves(name, batch.column(name))]
    source = f"{_named(INSTANCE, place.instance)} {_named(STREAM, place.stream)}"
    texts: list[dict[str, None]] = [{} for _ in range(batch.num_rows)]
    named = [[source] for _ in range(batch.num_rows)]
    for path, values in leaves:
        _add_column(path, values, texts, named)
    by_path = dict(leaves)
    shown = {name: by_path.get(path) for name, path in _SHOWN.items()}
    fixed = _fixed(place)
    for line in range(batch.num_rows):
        row = _row({name: values[line] for name, values in shown.items() if values is not None}, *fixed)
        yield {
            "text": f" {_BREAK} ".join(texts[line]),
            "fields": " ".join(named[line]),
            "moment": row.moment,
            "rank": rank_of(row.moment, row.uid),
            "class": row.class_name or "",
            "severity": row.severity or "",
            "instance": row.instance,
            "stream": row.stream,
            "row": msgspec.msgpack.encode(row),
        }


def _leaves(path: str, array: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns that hold something, objects taken apart."""
    import pyarrow as pa

    if array.null_count == len(array):
        return
    if pa.types.is_struct(array.type):
        for field, child in zip(array.type, array.flatten(), strict=True):
            yield from _leaves(f"{path}.{field.name}", child)
    else:
        yield path, array.to_pylist()


def _add_column(path: str, values: list[Any], texts: list[dict[str, None]], named: list[list[str]]) -> None:
    """Add a column's words to each line's; equal values are cut into words once."""
    vendors = path in json_columns()
    known: dict[Any, tuple[str, tuple[str, ...]]] = {}
    for line, value in enumerate(values):
        if value is None:
            continue
        if vendors:
            found = _pieces(path, msgspec.json.decode(value))
        elif isinstance(value, list):
            found = _list_pieces(path, value)
        else:
            found = known.get(value) or known.setdefault(value, _pieces(path, value))
        named[line].append(found[0])
        for text in found[1]:
            texts[line][text] = None


def _pieces(path: str, value: Any) -> tuple[str, tuple[str, ...]]:
    """Return the terms of an attribute's values, and the words of each value that is text or a number."""
    terms: list[str] = []
    texts: list[str] = []
    before = ""
    for inner_path, inner in _inner_values(path, value):
        if inner_path == before:
            terms.append(_BREAK)
        before = inner_path
        term, text = _piece(inner_path, inner, isinstance(inner, bool))
        terms.append(term)
        if text:
            texts.append(text)
    return " ".join(terms), tuple(texts)


def _list_pieces(path: str, items: list[Any]) -> tuple[str, tuple[str, ...]]:
    """As `_pieces`, for a list; its items, objects of a few values, come again and again."""
    found = [
        _item_pieces(path, tuple(item.items()))
        if isinstance(item, dict) and not any(isinstance(inner, list | dict) for inner in item.values())
        else _pieces(path, [item])
        for item in items
    ]
    return f" {_BREAK} ".join(terms for terms, _ in found), tuple(text for _, texts in found for text in texts)


@lru_cache(maxsize=50_000)
def _item_pieces(path: str, item: tuple[tuple[str, Value], ...]) -> tuple[str, tuple[str, ...]]:
    return _pieces(path, [dict(item)])


def _inner_values(path: str, value: Any) -> Iterator[tuple[str, Value]]:
    if not isinstance(value, list) or path not in _lists_with_json():
        yield from values_below(path, value)
        return
    for inner_path, inner in values_below(path, value):
        if isinstance(inner, str) and inner_path in json_columns():
            yield from values_below(inner_path, msgspec.json.decode(inner))
        else:
            yield inner_path, inner


@cache
def _lists_with_json() -> frozenset[str]:
    return frozenset(path.rpartition(".")[0] for path in json_columns())


@lru_cache(maxsize=200_000)
def _piece(path: str, value: Value, is_bool: bool) -> tuple[str, str]:  # True and 1 are equal keys
    if is_bool:
        return _named(path, str(value)), ""
    text = " ".join(words(str(value)))
    return (_named(path, value) if isinstance(value, str) else number_term(path, value)), text


def _named(path: str, text: str) -> str:
    return " ".join([f"{path}={word}" for word in words(text)])


_SHOWN = {
    "uid": "metadata.uid",
    "time": "time",
    "class_name": "class_name",
    "activity_name": "activity_name",
    "event_code": "metadata.event_code",
    "severity": "severity",
    "status": "status",
    "message": "message",
    "user": "actor.user.name",
    "user_2": "user.name",
    "user_3": "actor.user.email_addr",
    "ip": "src_endpoint.ip",
    "ip_2": "device.ip",
    "host": "device.hostname",
    "host_2": "src_endpoint.hostname",
}


def _fixed(place: ParsedKey) -> tuple[dict[str, Any], int, int]:
    """Return what all rows of a window share, and the first and last millisecond of the window."""
    first, end = (int(edge.timestamp() * 1000) for edge in (place.window.start, place.window.end))
    return {"key": object_key(*place), "instance": place.instance, "stream": place.stream}, first, end - 1


def _row(event: Mapping[str, Any], shared: Mapping[str, Any], first: int, last: int) -> Row:
    """Return what a list of results shows of an event, given by the names of `_SHOWN`."""
    return Row(
        uid=event["uid"],
        time=event["time"],
        moment=min(max(event["time"], first), last),
        user=event.get("user") or event.get("user_2") or event.get("user_3"),
        ip=event.get("ip") or event.get("ip_2"),
        host=event.get("host") or event.get("host_2"),
        **dict[str, Any]({name: event.get(name) for name in _PLAIN}),
        **shared,
    )


_PLAIN = ("class_name", "activity_name", "event_code", "severity", "status", "message")
