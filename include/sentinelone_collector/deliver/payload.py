"""What is delivered of a window: its events, each with the labels of the hits that the window has on it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_collector.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Payload", "read_labels"]

_HIT_COLUMNS = ("rule_id", "family", "event_uids")
_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Payload:
    """The events of one (instance, stream, window); `labels` maps an event's `metadata.uid` to its sorted labels."""

    instance: str
    stream: str
    window: Window
    events: Path
    labels: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        return f"{self.instance}/{self.stream} {self.window}"

    def key(self, suffix: str) -> str:
        """Return the key that only the window decides, in Hive-style partitions."""
        return f"instance={self.instance}/stream={self.stream}/day={self.window.day}/{self.window.name}{suffix}"

    def iter_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events as OCSF JSON events, in order of time, then uid."""
        from sentinelone_collector.normalize import iter_events

        for event in iter_events(self.events):
            metadata = event["metadata"]
            labels = self.labels.get(metadata["uid"])
            if labels is not None:
                metadata["labels"] = _merged(metadata.get("labels"), labels)
            yield event

    def write_ndjson(self, path: Path, *, compressed: bool) -> int:
        """Write one event a line with sorted keys, and return how many; the same events give the same bytes."""
        encode = msgspec.json.Encoder(order="deterministic").encode
        records = 0
        with ExitStack() as stack:
            file: Any = stack.enter_context(path.open("wb"))
            if compressed:
                # neither the file's name nor the clock may get into the bytes
                file = stack.enter_context(
                    gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_GZIP_LEVEL, mtime=0)
                )
            for event in self.iter_events():
                file.write(encode(event) + b"\n")
                records += 1
        return records

    def write_parquet(self, path: Path) -> int:
        """Write the events in the schema and row groups of the lake's event file, and return how many."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.events) as source:
            schema = source.schema_arrow
            with pq.ParquetWriter(
                path, schema, compression="zstd", compression_level=_ZSTD_LEVEL, store_schema=False
            ) as writer:
                for number in range(source.num_row_groups):
                    group = source.read_row_group(number)
                    writer.write_table(self._labelled(group), row_group_size=group.num_rows)
            return int(source.metadata.num_rows)

    def _labelled(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        if not self.labels:
            return table
        metadata: Any = table.column("metadata").combine_chunks()
        uids = metadata.field("uid").to_pylist()
        present = metadata.field("labels").to_pylist()
        labels = [
            _merged(old, self.labels[uid]) if uid in self.labels else old
            for uid, old in zip(uids, present, strict=True)
        ]
        kind = metadata.type
        children = [
            pa.array(labels, field.type) if field.name == "labels" else child
            for field, child in zip(kind, metadata.flatten(), strict=True)
        ]
        column = pa.StructArray.from_arrays(children, fields=list(kind), mask=metadata.is_null())
        return table.set_column(table.schema.get_field_index("metadata"), table.schema.field("metadata"), column)


def _merged(present: list[str] | None, labels: tuple[str, ...]) -> list[str]:
    return sorted({*(present or ()), *labels})


def read_labels(hits: Path) -> tuple[dict[str, tuple[str, ...]], int]:
    """Return the labels that a hits file gives, by event uid, and the number of its hits.

    An event gets `rule:<id>` and `family:<name>` of every hit that names it.
    """
    import pyarrow.parquet as pq

    found: dict[str, set[str]] = {}
    with pq.ParquetFile(hits) as file:
        for batch in file.iter_batches(columns=list(_HIT_COLUMNS)):
            for rule, family, uids in zip(*(batch.column(name).to_pylist() for name in _HIT_COLUMNS), strict=True):
                for uid in uids:
                    found.setdefault(uid, set()).update((f"rule:{rule}", f"family:{family}"))
        return {uid: tuple(sorted(labels)) for uid, labels in found.items()}, int(file.metadata.num_rows)
