"""How long a search takes over a month of events, beside a floor measured in the same run.

`python tests/benchmarks/bench_search.py [--lake FOLDER] [--days N] [--per-day N] [--rounds N]` prints one JSON
document: milliseconds for the newest 50 of 40 mixed queries, cold (every index newly opened) and warm, and for each
query alone; `ratio` sets the slowest of twenty against listing the lake's windows and nothing else. Without `--lake` it
makes a lake of ten-minute windows from simulated activities first, which takes minutes for a million events. An index
beside a given lake (`FOLDER-search`) is kept and used again. `--duckdb` scans the same Parquet files instead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize import normalize
from sentinelone_collector.search import Budget, LogSearch, Scope, ShardCache, parse_query
from sentinelone_collector.search.listing import list_days
from sentinelone_collector.simulator import Simulator
from sentinelone_collector.windows import DAY, Window

END = datetime(2026, 11, 22, tzinfo=UTC)
TEN = timedelta(minutes=10)
SCOPE = Scope((("emea", "activities"),))
QUERIES = (
    *("", "*", "logged", "user", "sentinelone", "the", "agent", "tag"),  # common words
    *("2596150271410831367", "f1e8351a67dae096aa2b6b3c66d84139", "zzzznothing", "nothing AND zzzz", "no-such-host-77"),
    *('"management user"', '"logged in to the"', '"attached the tag"', '"words that never stand"', "198.51.100.173"),
    *("svc*", "srv-e8*", "ip:198.51.100.1*", "a*", "zzzz*", "PC-*"),
    *(
        "user:svc*",
        "ip:198.51.100.173",
        "class:authentication",
        "severity:high",
        "severity_id:>=3",
        "type:27",
        "type:3653",
    ),
    *("host:srv-e81460", "unmapped.data.role:SOC", "message:uninstalled", "user:nobody.at.all"),
    *("logged OR tag", "user -logged", "NOT user", "(tag OR group) -svc* severity:informational", "-sentinelone"),
)


def make_lake(lake: FolderStorage, days: int, per_day: int) -> None:
    """Write a window every ten minutes, each with the events of its time."""
    simulator = Simulator(seed=11, users=400, records_per_day=per_day, days=days + 1, now=lambda: END)
    for number in range(days):
        begin = END - (days - number) * DAY
        lines: list[list[bytes]] = [[] for _ in range(144)]
        for line in simulator.truth(begin, begin + DAY):
            at = datetime.fromisoformat(json.loads(line)["createdAt"])
            lines[int((at - begin) / TEN)].append(line)
        for place, found in enumerate(lines):
            window = Window(begin + place * TEN, begin + (place + 1) * TEN)
            raw = zstandard.compress(b"".join(line + b"\n" for line in found))
            lake.put(object_key("raw", "emea", "activities", window), raw)
            normalize("emea", "activities", window, console="console.example.com", lake=lake)


def timed(work: Callable[[], Any]) -> float:
    """Return the milliseconds that the work takes."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def percentiles(figures: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(figures, n=20, method="inclusive")
    return {"p50": round(statistics.median(figures), 1), "p95": round(cuts[18], 1), "max": round(max(figures), 1)}


def measure(lake: FolderStorage, cache: Path, rounds: int) -> dict[str, Any]:
    def new_search() -> LogSearch:
        return LogSearch(lake, ShardCache(cache, lake.url, most_bytes=1 << 40))

    search, begin = new_search(), time.process_time()
    for _ in search.prepare(SCOPE, budget=Budget(1e9, size=1 << 60)):
        pass
    indexing = time.process_time() - begin
    total = search.counts(parse_query(""), SCOPE, budget=Budget()).total
    floors, warm, cold, counts = [], [], [], []
    each: dict[str, list[float]] = {text: [] for text in QUERIES}
    for _ in range(rounds):
        for text in QUERIES:
            query = parse_query(text)
            floors.append(timed(lambda: list_days(lake, SCOPE)))
            each[text].append(timed(lambda query=query: search.page(query, SCOPE, budget=Budget())))  # type: ignore[misc]
            warm.append(each[text][-1])
            counts.append(timed(lambda query=query: search.counts(query, SCOPE, budget=Budget())))  # type: ignore[misc]
    for text in QUERIES:
        fresh, query = new_search(), parse_query(text)
        cold.append(timed(lambda fresh=fresh, query=query: fresh.page(query, SCOPE, budget=Budget())))  # type: ignore[misc]
    return {
        "events": total,
        "windows": sum(len(found) for found in list_days(lake, SCOPE).values()),
        "index_mb": sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) >> 20,
        "index_cpu_seconds_now": round(indexing, 1),
        "floor_listing_ms": percentiles(floors),
        "warm_ms": percentiles(warm),
        "cold_ms": percentiles(cold),
        "counts_ms": percentiles(counts),
        "ratio": round(percentiles(warm)["p95"] / percentiles(floors)["p50"], 2),
        "each_ms": {text: round(statistics.median(figures), 1) for text, figures in each.items()},
    }


def scan_with_duckdb(lake: FolderStorage) -> dict[str, Any]:
    """Time the same kind of question asked of the Parquet files themselves, newest files first."""
    import duckdb

    files = [str(Path(lake.url) / one.key) for found in list_days(lake, SCOPE).values() for one in found]
    figures: dict[str, Any] = {"files": len(files)}
    connection = duckdb.connect(config={"threads": 2})
    for name, word in (("common word", "logged"), ("no hit", "zzzznothing")):
        found = 0
        begin = time.perf_counter()
        for at in range(0, len(files), 144):  # a day at a time, so that a common word can stop early
            rows = connection.execute(
                "SELECT time, message FROM read_parquet(?) WHERE contains(lower(raw_data), ?) "
                "ORDER BY time DESC LIMIT 50",
                [files[at : at + 144], word],
            ).fetchall()
            found += len(rows)
            if found >= 50:
                break
        figures[name] = {"seconds": round(time.perf_counter() - begin, 2), "files_read": at + 144}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--per-day", type=int, default=33_400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duckdb", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder: Path = options.lake or Path(name) / "lake"
        lake = FolderStorage(folder)
        if not (folder / "events").exists():
            make_lake(lake, options.days, options.per_day)
        cache = folder.with_name(f"{folder.name}-search")
        result = scan_with_duckdb(lake) if options.duckdb else measure(lake, cache, options.rounds)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
