"""Measure the normalize task: activities per CPU second, and how much memory a large window takes.

`python tests/benchmarks/bench_normalize.py [--records N] [--rounds N]` prints one JSON document. Figures are CPU
seconds of this process; `ratio` sets them against decoding the same lines and nothing else, measured in the same run,
so that runs on different machines can be compared. Memory is the peak of a process that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize import event_schema, normalize
from sentinelone_collector.windows import Window

WINDOW = Window(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
KINDS = (71, 90, 92, 43, 16, 5126, 5232, 5009, 27, 133, 33, 2001, 3008, 76, 67, 3630)
_ROUND = 100_000  # records
_PLACE = {"accountName": "Northwind", "siteName": "Berlin", "groupName": "Servers", "scopeLevel": "Group"}


def activities(count: int) -> Iterator[bytes]:
    """Yield activities of about 1.1 kB, spread evenly over the window."""
    step = timedelta(days=1) / count
    for number in range(count):
        at = (WINDOW.start + number * step).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        agent, person = number * 7919 % 5000, number * 104729 % 400
        host, user = f"srv-{agent:04d}.corp.example.com", f"Person {person}"
        data = {
            **_PLACE,
            "computerName": host,
            "externalIp": f"198.51.100.{agent % 250}",
            "uuid": f"{agent * 2654435761 % 2**64:032x}",
            "username": user,
            "userScope": "account",
            "role": "SOC",
            "ipAddress": f"192.0.2.{person % 250}",
            "newValue": number % 3 == 0,
            "fullScopeDetails": "Group Servers in Site Berlin of Account Northwind",
            "fullScopeDetailsPath": "Global / Northwind / Berlin / Servers",
            "commandId": 2**60 + number,
        }
        record = {
            "accountId": "1480000000000000001",
            "accountName": "Northwind",
            "activityType": KINDS[number % len(KINDS)],
            "activityUuid": f"{number:08x}-7c1d-4a7e-9d36-0b7f6f9f1c11",
            "agentId": str(1_733_000_000_000_000_000 + agent),
            "agentUpdatedVersion": None,
            "comments": None,
            "createdAt": at,
            "data": data,
            "description": None,
            "groupId": "1480000000000000031",
            "groupName": "Servers",
            "hash": None,
            "id": str(2_619_000_000_000_000_000 + number * 8_388_608),
            "osFamily": None,
            "primaryDescription": f"The management user {user} did something with {host} for this measurement.",
            "secondaryDescription": None,
            "siteId": "1480000000000000021",
            "siteName": "Berlin",
            "threatId": None,
            "updatedAt": at,
            "userId": str(1_480_000_000_000_000_000 + person),
        }
        yield msgspec.json.encode(record)


def _write_raw(lake: FolderStorage, count: int) -> int:
    """Write the window's raw object without holding it in memory; return the bytes of its lines."""
    size = 0
    with lake.scratch() as folder:
        path = folder / "raw"
        with path.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as writer:
            for line in activities(count):
                size += len(line)
                writer.write(line + b"\n")
        lake.put(object_key("raw", "bench", "activities", WINDOW), path)
    return size


def _decode_only(lines: list[bytes]) -> float:
    decode = msgspec.json.Decoder().decode
    begin = time.process_time()
    for line in lines:
        decode(line)
    return len(lines) / (time.process_time() - begin)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _speed(folder: Path, rounds: int) -> dict[str, Any]:
    """Alternate decoding and normalizing, so that both meet the same load of the machine; keep the best of each."""
    lake = FolderStorage(folder)
    _write_raw(lake, _ROUND)
    lines = list(activities(_ROUND))
    floors, speeds = [], []
    for _ in range(rounds):
        floors.append(_decode_only(lines))
        begin = time.process_time()
        normalize("bench", "activities", WINDOW, console="console.example.com", lake=lake)
        speeds.append(_ROUND / (time.process_time() - begin))
    ratios = [speed / floor for speed, floor in zip(speeds, floors, strict=True)]
    return {
        "events_per_cpu_second": {"best": round(max(speeds)), "median": round(statistics.median(speeds))},
        "decode_only_per_cpu_second": {"best": round(max(floors)), "median": round(statistics.median(floors))},
        "ratio": {"best": round(max(speeds) / max(floors), 3), "median": round(statistics.median(ratios), 3)},
    }


def _memory(folder: Path, count: int, answer: Any) -> None:
    """Run the task in a process of its own, so that its peak of memory is its own."""
    event_schema()
    before = _peak_mb()
    result = normalize("bench", "activities", WINDOW, console="console.example.com", lake=FolderStorage(folder))
    answer.put({"events": result.events, "peak_mb": round(_peak_mb()), "peak_mb_before": round(before)})


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000, help="of the window whose memory is measured")
    parser.add_argument("--rounds", type=int, default=7, help="of the measurement of speed")
    options = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="bench-normalize-") as folder:
        # Memory first: a new process inherits the peak of the one that starts it.
        size = _write_raw(FolderStorage(Path(folder, "memory")), options.records)
        answer = processes.Queue()
        process = processes.Process(target=_memory, args=(Path(folder, "memory"), options.records, answer))
        process.start()
        report = answer.get()
        process.join()
        speed = _speed(Path(folder, "speed"), options.rounds)
    sizes = {"records": options.records, "record_bytes": round(size / options.records)}
    json.dump({**sizes, **speed, **report}, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
