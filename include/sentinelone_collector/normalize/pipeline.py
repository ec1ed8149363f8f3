"""The normalize task: one window's raw records to its events, and what can't be an event to quarantine."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.errors import LakeError, RecordError
from sentinelone_collector.lake import Storage, object_key, sha256_of
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.ordering import Unsorted, in_order, merged, pages
from sentinelone_collector.normalize.rawfile import QuarantineFile, raw_texts
from sentinelone_collector.normalize.record import Context, decode_record
from sentinelone_collector.normalize.rows import Rows, placed
from sentinelone_collector.normalize.schema import UNIQUE_COLUMNS, encoded_schema, leaf_columns, text_columns
from sentinelone_collector.normalize.streams import get_stream
from sentinelone_collector.normalize.table import UNKNOWN_TYPE
from sentinelone_collector.normalize.tables import TableBuilder
from sentinelone_collector.results import Normalized
from sentinelone_collector.source.endpoint import Stream
from sentinelone_collector.windows import Window, iso

if TYPE_CHECKING:
    import numpy as np

__all__ = ["normalize"]

_ROW_GROUP = 40_000  # rows; part of the bytes of every event file, as is where pages end
_AT_ONCE = 4 << 20  # bytes of lines that are mapped together; few enough for the processor's cache
# Bytes of a raw object for which the quick way is worth its start: that takes as long as mapping some ten thousand
# records one by one.
_MANY = 1 << 20
_PAGE = 1_000  # rows of a page of the long texts, about a megabyte
_CODE = "metadata.event_code"
_STATISTICS = ("time", "class_uid", "metadata.event_code", "severity_id")


def normalize(
    instance: str,
    stream: str,
    window: Window,
    *,
    console: str,
    lake: Storage,
    addresses: AddressBook | None = None,
) -> Normalized:
    """Turn a window's raw records into OCSF events and return the counts.

    Reads the `raw` object, writes `events` (also without a row) and, where there is something to hold, `quarantine`.
    `console` is the host of the console, part of every event id; `addresses` says where source addresses are. The same
    raw bytes and the same book give the same events bytes; where the lake holds them already nothing is written, else
    the window's receipt goes first, since a window with a receipt is complete. Raise `ConfigurationError` for an
    unknown stream or a damaged address database, and `LakeError` where the raw object is missing or damaged.
    """
    source = get_stream(stream)
    raw_key = object_key("raw", instance, stream, window)
    with lake.scratch() as folder, lake.local(raw_key) as raw:
        if raw is None:
            raise LakeError(f"{lake.url}/{raw_key} is missing; fetch window {window} of {instance}/{stream} first")
        context = Context(console, stream, addresses)
        many = raw.stat().st_size >= _MANY
        quick = source.quick_reader(context) if many and source.quick_reader else None
        work = _Work(source, context, quick, raw, f"{lake.url}/{raw_key}", folder)
        work.run()
        _publish(lake, work, instance, stream, window)
        return Normalized(
            instance=instance,
            stream=stream,
            start=iso(window.start),
            end=iso(window.end),
            events=work.events,
            quarantined=work.quarantined,
            events_sha256=work.events_sha256,
            unknown_types=dict(sorted(work.unknown.items())),
            addresses="" if addresses is None else addresses.digest,
        )


@dataclass(slots=True)
class _Work:
    """One pass over a raw object; results stand in its attributes, files in its folder."""

    stream: Stream
    context: Context
    quick: Callable[[Lines], tuple[Rows, np.ndarray]] | None
    raw: Path
    name: str
    folder: Path
    events: int = 0
    quarantined: int = 0
    events_sha256: str = ""
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def events_file(self) -> Path:
        return self.folder / "events.parquet"

    @property
    def quarantine_file(self) -> Path:
        return self.folder / "quarantine.ndjson.zst"

    def run(self) -> None:
        with _no_garbage_collection(), _small_pages() if self.quick is None else nullcontext():
            try:
                self._write(sort_on_disk=False)
            except Unsorted:
                self._write(sort_on_disk=True)
        self.events_sha256 = sha256_of(self.events_file)

    def _write(self, *, sort_on_disk: bool) -> None:
        self.events = 0
        self.unknown.clear()
        with QuarantineFile(self.quarantine_file) as quarantine:
            if sort_on_disk:
                batches = merged(self._good(quarantine), lambda some: self._rows(Lines.joined(some))[0], self.folder)
            else:
                batches = in_order(rows for _, _, rows in self._mapped(quarantine))
            self._write_groups(batches)
        self.quarantined = quarantine.records

    def _good(self, quarantine: QuarantineFile) -> Iterator[bytes]:
        """Yield the lines that have rows; the others go to quarantine."""
        for lines, bad, _ in self._mapped(quarantine):
            yield from (line for number, line in enumerate(lines) if number not in bad)

    def _mapped(self, quarantine: QuarantineFile) -> Iterator[tuple[Lines, Mapping[int, str], Rows]]:
        """Yield some lines at a time, what is wrong with bad ones, and the others' rows; bad ones go to quarantine."""
        for text in raw_texts(self.raw, self.name, size=_AT_ONCE):
            lines = Lines.of(text)
            rows, bad = self._rows(lines)
            for number, error in bad.items():
                quarantine.add(lines[number], error)
            yield lines, bad, rows

    def _rows(self, lines: Lines) -> tuple[Rows, Mapping[int, str]]:
        """Return the rows of lines, and by number what is wrong with those that can't have one."""
        import numpy as np

        if self.quick is None:
            rows, numbers, bad = self._slowly(lines, range(len(lines)))
            return rows, bad
        quick, known = self.quick(lines)
        if len(known) == len(lines):
            return quick, {}
        rows, numbers, bad = self._slowly(lines, np.setdiff1d(np.arange(len(lines)), known).tolist())
        return Rows.joined((quick, rows)).taken(np.argsort(np.concatenate((known, np.array(numbers, np.int64))))), bad

    def _slowly(self, lines: Lines, numbers: Iterable[int]) -> tuple[Rows, list[int], Mapping[int, str]]:
        """Return the rows of some lines the long way, their numbers, and what is wrong with the others."""
        rows, good, bad = [], [], {}
        for number in numbers:
            try:
                rows.append(self._long_way(lines[number]))
            except RecordError as error:
                bad[number] = str(error)
            else:
                good.append(number)
        return placed(rows), good, bad

    def _long_way(self, line: bytes) -> Row:
        text, record = decode_record(line)
        row: Row = self.stream.map_record(record, text, self.context)
        return row

    def _write_groups(self, several: Iterable[Rows]) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetWriter(self.events_file, encoded_schema(), **_parquet_settings()) as writer:
            group = TableBuilder()
            for rows in pages(several, _PAGE):
                group.add(rows)
                self._count_unknown(rows)
                if group.rows == _ROW_GROUP:
                    self._write_group(writer, group)
                    group = TableBuilder()
            if group.rows:
                self._write_group(writer, group)

    def _write_group(self, writer: Any, group: TableBuilder) -> None:
        writer.write_table(group.encoded_table(), row_group_size=_ROW_GROUP)
        self.events += group.rows

    def _count_unknown(self, rows: Rows) -> None:
        for address, block in rows.blocks.items():
            if block.listed or not block.parts:
                continue
            for number in rows.numbers[rows.addresses == address].tolist():
                parts = [part.of(number) for part in block.parts]
                if UNKNOWN_TYPE in parts[0].get("metadata.labels", ()):
                    self.unknown[next((part[_CODE] for part in parts if _CODE in part), "none")] += 1


def _parquet_settings() -> dict[str, Any]:
    """Return the writer's settings; they are part of the bytes of every event file."""
    leaves, texts = leaf_columns(), text_columns()
    # Numbers are few bytes already, and opening a compressor for each of their pages costs more than it saves.
    packed = {*texts, "time"}
    return {
        "compression": {name: "zstd" if name in packed else "none" for name in leaves},
        "compression_level": dict.fromkeys(packed, 1),  # 2 % larger than level 3 on a simulated day
        "use_dictionary": [name for name in leaves if name not in UNIQUE_COLUMNS],
        "write_statistics": list(_STATISTICS),
        "write_batch_size": _ROW_GROUP,
        # The Parquet types say all; the copy of the Arrow schema would double the size of a small file.
        "store_schema": False,
    }


def _publish(lake: Storage, work: _Work, instance: str, stream: str, window: Window) -> None:
    """Put what changed into the lake; the receipt goes first, and comes again with the next delivery."""
    events_key = object_key("events", instance, stream, window)
    quarantine_key = object_key("quarantine", instance, stream, window)
    quarantine_sha256 = sha256_of(work.quarantine_file) if work.quarantined else None
    new_events = lake.digest(events_key) != work.events_sha256
    new_quarantine = lake.digest(quarantine_key) != quarantine_sha256
    if new_events or new_quarantine:
        lake.delete(object_key("receipts", instance, stream, window))
    if new_quarantine:
        if work.quarantined:
            lake.put(quarantine_key, work.quarantine_file)
        else:
            lake.delete(quarantine_key)
    if new_events:
        lake.put(events_key, work.events_file)


@contextmanager
def _small_pages() -> Iterator[None]:
    """Let Arrow take memory from jemalloc where it is there; for windows with few records.

    Its default pool asks the kernel for huge pages, and clearing those costs a short task as much as mapping its
    records. In a long task they are worth it.
    """
    import pyarrow as pa

    before = pa.default_memory_pool()
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Rows hold no cycles; walking hundreds of thousands of them again and again costs more than mapping them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
