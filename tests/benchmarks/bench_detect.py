"""How long tagging takes: a live window with its look-back, a day of history, and the rule set's own start.

Run with `python tests/benchmarks/bench_detect.py`; it prints a line per measurement and is no test.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentinelone_collector.detect import Ruleset, load_ruleset, tag
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize.schema import event_schema
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.store import open_store
from sentinelone_collector.windows import DAY, Window

START = datetime(2026, 1, 14, tzinfo=UTC)
TEN = timedelta(minutes=10)
CODES = ("27", "27", "27", "133", "5009", "90", "61", "64", "3008", "67", "4008", "47")


def events(number: int, window: Window, seed: int) -> Any:
    import pyarrow as pa

    chance = random.Random(seed)
    begin = int(window.start.timestamp() * 1000)
    width = int((window.end - window.start).total_seconds() * 1000)
    rows = [
        {
            "time": begin + chance.randrange(width),
            "metadata": {"uid": f"{seed}-{n}", "event_code": chance.choice(CODES), "labels": ["direction:off"]},
            "actor": {"user": {"name": f"user{chance.randrange(500)}"}},
            "user": {"name": f"user{chance.randrange(500)}"},
            "src_endpoint": {"ip": f"10.0.{chance.randrange(256)}.{chance.randrange(256)}"},
            "device": {"uid": f"pc{chance.randrange(5000)}"},
            "unmapped": json.dumps({"data": {"scopeLevel": "Group", "newStatus": "Active"}}),
        }
        for n in range(number)
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["time"]), schema=event_schema())


def measured(label: str, work: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    took = f"{time.perf_counter() - wall:8.2f} s wall {time.process_time() - cpu:8.2f} s cpu"
    sys.stdout.write(f"{label:60} {took}\n")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-window", type=int, default=200, help="events in each ten-minute window")
    parser.add_argument("--per-day", type=int, default=100_000, help="events in the day of history")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake, store = FolderStorage(folder / "lake"), open_store(f"sqlite:///{folder / 's1c.db'}")
        ruleset: Ruleset = measured("load the built-in rules", lambda: load_ruleset(BUILT_IN))
        instance = Instance(slug="bench", name="bench", connection_id="c", live_since=START + DAY)

        def run(window: Window) -> Any:
            return tag(
                instance,
                "activities",
                window,
                console="c",
                lake=lake,
                store=store,
                ruleset=ruleset,
                now=lambda: datetime(2026, 2, 1, tzinfo=UTC),
            )

        def put(window: Window, number: int, seed: int) -> None:
            import pyarrow.parquet as pq

            with lake.scratch() as scratch:
                pq.write_table(events(number, window, seed), scratch / "e", compression="zstd")
                lake.put(object_key("events", "bench", "activities", window), scratch / "e")

        put(Window(START, START + DAY), options.per_day, 0)
        result = measured(f"tag a day of {options.per_day} events", lambda: run(Window(START, START + DAY)))
        sys.stdout.write(f"{'':60} {result.hits} hits, {result.incidents} incidents\n")
        windows = [Window(START + DAY + n * TEN, START + DAY + (n + 1) * TEN) for n in range(144)]
        for number, window in enumerate(windows):
            put(window, options.per_window, number + 1)
        measured("tag a window with one day of look-back in 144 files", lambda: run(windows[-1]))
        measured("tag the window a day before it, with that one tagged", lambda: run(windows[0]))
        store.close()


if __name__ == "__main__":
    main()
