"""Measure detection: all built-in rules over a million events, a noisy ten-minute window, and a backtest.

`python tests/benchmarks/bench_detect.py [--events N] [--lake FOLDER]` prints one JSON document. The events are a day of
a simulated console's activities, with attacks in it, that went through normalize; its further days are copies with
other times and ids, in files as the lake holds them. Seconds are of wall time and of CPU of all threads; `floor` is
DuckDB counting one event code over the same files in the same run, and reading the columns that the rules use, so that
runs on different machines can be compared. With `--lake` the events are kept in that folder and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import zstandard

from sentinelone_collector.detect import backtest, load_ruleset, tag
from sentinelone_collector.detect.correlate import detectors_of
from sentinelone_collector.detect.engine import ParquetEvents, find_hits, open_engine
from sentinelone_collector.detect.tag import events_between, local_sources
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize import normalize
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.simulator import Simulator
from sentinelone_collector.store import open_store
from sentinelone_collector.windows import DAY, Window

LAST = datetime(2026, 1, 31, tzinfo=UTC)  # the midnight after the history; the live day follows
TEN = timedelta(minutes=10)
CONSOLE = "console.example.com"
STREAM = "activities"
LIVE, HISTORY = "live", "history"
STORIES = ("takeover", "brute-force", "insider", "mass-uninstall")


def _instance(slug: str) -> Instance:
    return Instance(slug=slug, name=slug, connection_id="c", live_since=LAST)


def _write_raw(lake: FolderStorage, slug: str, window: Window, records: list[bytes]) -> None:
    with lake.scratch() as folder:
        path = folder / "raw"
        path.write_bytes(zstandard.compress(b"".join(line + b"\n" for line in records)))
        lake.put(object_key("raw", slug, STREAM, window), path)
    normalize(slug, STREAM, window, console=CONSOLE, lake=lake)


def _copy(lake: FolderStorage, source: Any, window: Window, days: int) -> None:
    """Write the day of `source` as that of `window`, `days` earlier, with ids of its own."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source)
    first = file.metadata.row_group(0)
    columns = [first.column(n) for n in range(first.num_columns)]
    names = [column.path_in_schema for column in columns]
    packed = {column.path_in_schema: column.compression.lower() for column in columns}
    table = file.read()
    shift = pa.scalar(int(days * DAY / timedelta(milliseconds=1)), pa.int64())
    metadata = table["metadata"].combine_chunks()
    parts = {field.name: metadata.field(field.name) for field in metadata.type}
    parts["uid"] = pc.binary_join_element_wise(parts["uid"], str(days), "-")
    fields = [metadata.type.field(name) for name in parts]
    place = {name: table.schema.get_field_index(name) for name in ("time", "metadata")}
    table = table.set_column(place["time"], table.schema.field("time"), pc.subtract(table["time"], shift))
    table = table.set_column(place["metadata"], "metadata", pa.StructArray.from_arrays(parts.values(), fields=fields))
    dictionary = [name for name in names if name not in {"raw_data", "unmapped", "message", "metadata.uid", "time"}]
    with lake.scratch() as folder:
        pq.write_table(
            table,
            folder / "events",
            row_group_size=first.num_rows,
            compression={name: "none" if how == "uncompressed" else how for name, how in packed.items()},
            use_dictionary=dictionary,
            store_schema=False,
        )
        lake.put(object_key("events", HISTORY, STREAM, window), folder / "events")


def prepare(lake: FolderStorage, events: int, per_day: int) -> None:
    """Fill the lake: a day of live windows, and days of history before it, the last of them through normalize."""
    begin = LAST - DAY
    stories = [f"{name}@{moment.isoformat()}" for name in STORIES for moment in (begin + DAY / 2, LAST + DAY / 2)]
    made = Simulator(seed=7, days=2, records_per_day=per_day, scenarios=stories, now=lambda: LAST + DAY)
    whole = Window(begin, LAST)
    _write_raw(lake, HISTORY, whole, made.truth(begin, LAST))
    with lake.local(object_key("events", HISTORY, STREAM, whole)) as source:
        for days in range(1, -(-events // per_day)):
            _copy(lake, source, Window(begin - days * DAY, LAST - days * DAY), days)
    for window in _instance(LIVE).calendar.touching(LAST, LAST + DAY):
        _write_raw(lake, LIVE, window, made.truth(window.start, window.end))


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return the result and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    took = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return result, {name: round(value, 2) for name, value in took.items()}


def _floors(paths: list[Path], used: Iterator[str]) -> dict[str, Any]:
    files = "[" + ", ".join(f"'{path}'" for path in paths) + "]"
    columns = ", ".join(f"count({name})" for name in used)
    connection = open_engine()
    counted = f"SELECT count(*) FROM read_parquet({files}) e WHERE e.metadata.event_code = '27'"  # own files
    read = f"SELECT {columns} FROM read_parquet({files}, union_by_name = true) e"  # own files
    _, count = measured(lambda: connection.execute(counted).fetchall())
    _, whole = measured(lambda: connection.execute(read).fetchall())
    return {"one_code": count, "all_columns": whole}


def million(lake: FolderStorage, rounds: int) -> dict[str, Any]:
    """Evaluate all built-in rules over all events of the history at once."""
    ruleset = load_ruleset(BUILT_IN)
    windows = events_between(lake, HISTORY, STREAM, LAST - 400 * DAY, LAST)
    detectors = detectors_of(ruleset.incident_rules)
    best: dict[str, Any] = {}
    with local_sources(lake, HISTORY, STREAM, windows) as sources:
        catalogue = ruleset.columns.catalogue
        resolved = (catalogue.resolve(name) for name in ruleset.columns.aliases)
        used = [column.sql for column in resolved if column is not None and column.sql]
        floor = _floors([source.path for source in sources], iter([*used, 'e."unmapped"']))
        events, wanted = ParquetEvents(sources), frozenset(range(len(sources)))
        for _ in range(rounds):
            looked, took = measured(partial(find_hits, ruleset, detectors, events, wanted, console=CONSOLE))
            if not best or took["seconds"] < best["seconds"]:
                best = took | {"hits": len(looked.found)}
    ratio = round(best["seconds"] / floor["all_columns"]["seconds"], 2)
    return best | {"days": len(windows), "floor": floor, "ratio_to_all_columns": ratio}


def one_window(folder: Path, number: int) -> dict[str, Any]:
    """Tag one live window with a fresh process's costs; `number` is its place in the day."""
    begin = time.process_time()
    ruleset = load_ruleset(BUILT_IN, cache=folder / "cache")
    loaded = time.process_time() - begin
    window = list(_instance(LIVE).calendar.touching(LAST, LAST + DAY))[number]
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    begin = time.process_time()
    tagged = tag(
        _instance(LIVE),
        STREAM,
        window,
        console=CONSOLE,
        lake=FolderStorage(folder / "lake"),
        store=store,
        ruleset=ruleset,
        now=lambda: LAST + DAY,
    )
    took = time.process_time() - begin
    store.close()
    whole = sum(os.times()[:2])
    return {"hits": tagged.hits, "load": round(loaded, 2), "tag": round(took, 2), "process": round(whole, 2)}


def live(folder: Path) -> dict[str, Any]:
    """Tag windows at noon and at the day's end, each in a process of its own; all figures are CPU seconds."""
    found = {}
    for number in (72, 143):
        command = [sys.executable, __file__, "--window", str(number), "--lake", str(folder)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)  # this file
        found[f"window_{number}"] = json.loads(answer.stdout)
    return found


def backtests(lake: FolderStorage, days: int) -> dict[str, Any]:
    """Backtest an event rule and a correlation over the last days of the history."""
    ruleset = load_ruleset(BUILT_IN)
    found = {}
    begin, instances = LAST - days * DAY, [_instance(HISTORY)]
    for name in ("aa-010", "ul-003"):
        run = partial(backtest, name, instances, begin, LAST, lake=lake, ruleset=ruleset)
        (result, *_), took = measured(run)
        found[name] = took | {"windows": result.windows, "hits": result.count}
    found["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return found


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--per-day", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lake", type=Path, help="folder to keep the events in")
    parser.add_argument("--only", choices=("million", "live", "backtest"))
    parser.add_argument("--window", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.window is not None:
        json.dump(one_window(options.lake, options.window), sys.stdout)
        return
    with tempfile.TemporaryDirectory(prefix="bench-detect-") as name:
        folder = options.lake or Path(name)
        lake = FolderStorage(folder / "lake")
        if not (folder / "ready").exists():
            prepare(lake, options.events, options.per_day)
            (folder / "ready").touch()
        parts = {
            "million": lambda: million(lake, options.rounds),
            "live": lambda: live(folder),
            "backtest": lambda: backtests(lake, -(-options.events // options.per_day)),
        }
        chosen = [options.only] if options.only else list(parts)
        json.dump({name: parts[name]() for name in chosen}, sys.stdout, indent=2)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
