"""How long tagging takes with three months of baseline behind it, as a multiple of tagging without any.

Run with `python tests/benchmarks/bench_tag_baseline.py`; it prints a line per measurement and is no test. Each
figure is of a fresh process, which has to load what it uses, as a task has.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentinelone_collector.detect import load_ruleset, tag
from sentinelone_collector.detect.anomaly.counters import Counter, day_number
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize.schema import event_schema
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.store import open_store
from sentinelone_collector.windows import DAY, Window

START = datetime(2026, 5, 4, tzinfo=UTC)
TEN = timedelta(minutes=10)


def logins(store: Any, users: int, days: int) -> int:
    """Write counters as days of two or three logins a user leave them."""
    chance, rows = random.Random(1), 0
    for day in range(1, days + 1):
        window = Window(START - day * DAY, START - (day - 1) * DAY)
        counters = []
        for user in range(users):
            for _ in range(chance.choice((2, 3))):
                slot = min(95, max(0, int(chance.gauss(44, 9))))
                home = chance.random() < 0.3
                ip = f"10.{user % 250}.{1 if home else 0}.7"
                asn = str(64500 + user % 7 + 20 * home)
                facts = [ip, "DE", "50.1", "8.6", asn, "sso", "UI", "Admin", "account", "", None, str(slot), "0"]
                moment = int(window.start.timestamp() * 1000) + slot * 900_000
                counters.append(Counter("login", f"u{user}", json.dumps(facts), 1, moment, moment))
        store.replace_counters("bench", "activities", window, digest=str(day), counters=counters)
        rows += len(counters)
    assert day_number(START) > days
    return rows


def events(window: Window, unusual: bool) -> Any:
    import pyarrow as pa

    begin = int(window.start.timestamp() * 1000)
    rows = []
    for n in range(200):
        login = n % 20 == 0
        user = {"name": f"u{n}", "type": "Admin"}
        rows.append(
            {
                "time": begin + n * 1000,
                "metadata": {"uid": f"{begin}-{n}", "event_code": "27" if login else "5009", "labels": []},
                "actor": {"user": user} if login else None,
                "user": user if login else None,
                "src_endpoint": {
                    "ip": "198.51.100.7" if unusual else f"10.{n % 250}.0.7",
                    "location": {"country": "BR" if unusual else "DE", "lat": 50.1, "long": 8.6},
                    "autonomous_system": {"number": 65000 if unusual else 64500 + n % 7},
                },
                "unmapped": json.dumps({"data": {"source": "sso", "sourceType": "UI"}}),
            }
        )
    return pa.Table.from_pylist(rows, schema=event_schema())


def prepare(folder: Path, options: argparse.Namespace) -> None:
    import pyarrow.parquet as pq

    lake = FolderStorage(folder / "lake")
    for name, days in (("none", 0), ("baseline", options.days)):
        store = open_store(f"sqlite:///{folder / name}.db")
        rows = logins(store, options.users, days)
        store.close()
        sys.stdout.write(f"{name}: {rows} logins of {options.users} users in {days} days\n")
    for hour, unusual in ((9, False), (3, True)):
        window = Window(START + timedelta(hours=hour), START + timedelta(hours=hour) + TEN)
        with lake.scratch() as scratch:
            pq.write_table(events(window, unusual), scratch / "e", compression="zstd")
            lake.put(object_key("events", "bench", "activities", window), scratch / "e")


def run(folder: Path, name: str, hour: int) -> None:
    store = open_store(f"sqlite:///{folder / name}.db")
    ruleset = load_ruleset(BUILT_IN)
    before = time.process_time()
    result = tag(
        Instance(slug="bench", name="bench", connection_id="c", live_since=START),
        "activities",
        Window(START + timedelta(hours=hour), START + timedelta(hours=hour) + TEN),
        console="c",
        lake=FolderStorage(folder / "lake"),
        store=store,
        ruleset=ruleset,
        now=lambda: START + DAY,
    )
    sys.stdout.write(json.dumps({"cpu": time.process_time() - before, "hits": result.hits}))
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--run", nargs=3, metavar=("FOLDER", "STORE", "HOUR"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(Path(options.run[0]), options.run[1], int(options.run[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), options)
        floor = 0.0
        for store, hour, what in (
            ("none", 9, "a window of 200 events, nothing before"),
            ("baseline", 9, "the same with the baseline, usual logins"),
            ("baseline", 3, "the same with the baseline, ten unusual logins"),
        ):
            command = [sys.executable, __file__, "--run", name, store, str(hour)]
            done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            floor = floor or done["cpu"]
            sys.stdout.write(f"{what:50} {done['cpu']:6.2f} s cpu, {done['cpu'] / floor:4.1f} x, {done['hits']} hits\n")


if __name__ == "__main__":
    main()
