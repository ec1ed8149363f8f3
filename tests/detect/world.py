"""A small installation for tests: a lake in a folder, an SQLite store, one instance, hand-made events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentinelone_collector.detect import Hit, Ruleset, read_hits, tag
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize.schema import event_schema
from sentinelone_collector.results import Tagged
from sentinelone_collector.store import Store, open_store
from sentinelone_collector.windows import Window

CONSOLE = "console.example"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIVE_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
# a rule that waits a quarter of an hour for what does not happen
ABSENT = """\
title: Switched off
id: 33333333-3333-4333-8333-333333333331
name: absent_off
logsource: {product: sentinelone, service: console}
detection:
  s: {metadata.event_code: "67", metadata.labels: "direction:off"}
  condition: s
---
title: Switched on
id: 33333333-3333-4333-8333-333333333332
name: absent_on
logsource: {product: sentinelone, service: console}
detection:
  s: {metadata.event_code: "67", metadata.labels: "direction:on"}
  condition: s
---
title: Off for a quarter of an hour
id: 33333333-3333-4333-8333-333333333333
name: absent
correlation:
  type: temporal
  rules: [absent_off, absent_on]
  group-by: [user.name]
  timespan: 15m
  condition: absent_off and not absent_on
level: high
x-incident:
  family: endpoint
  classification: recon
  reason: why
  recommendation: what
  dedup: {keys: [user.name], window: 10m}
  tests:
    base: {metadata.event_code: "67", user.name: x}
    hits: [[{metadata.labels: ["direction:off"]}], [{metadata.labels: ["direction:off"], user.name: y}]]
    misses: [[{metadata.labels: ["direction:on"]}], [{metadata.labels: []}]]
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def event(uid: str, when: datetime, code: str, *, labels: Iterable[str] = (), **names: Any) -> dict[str, Any]:
    """Return one event; `names` are `actor`, `user`, `ip`, `device`, `entity` (texts) and `data` (vendor's)."""
    row: dict[str, Any] = {
        "time": int(when.timestamp() * 1000),
        "metadata": {"uid": uid, "event_code": code, "labels": list(labels)},
    }
    if "actor" in names:
        row["actor"] = {"user": {"name": names["actor"]}}
    if "user" in names:
        row["user"] = {"name": names["user"]}
    if "ip" in names:
        row["src_endpoint"] = {"ip": names["ip"]}
    if "device" in names:
        row["device"] = {"uid": names["device"]}
    if "entity" in names:
        row["entity"] = {"name": names["entity"]}
    if "data" in names:
        row["unmapped"] = json.dumps({"data": names["data"]})
    return row


def failures(
    number: int, first: datetime, every: timedelta, *, prefix: str = "f", user: str = "bob"
) -> list[dict[str, Any]]:
    return [event(f"{prefix}{n}", first + n * every, "133", user=user, ip="203.0.113.9") for n in range(number)]


def instance(slug: str = "emea", **settings: Any) -> Instance:
    return Instance(slug=slug, name=slug, connection_id="c", live_since=LIVE_SINCE, **settings)


def write_events(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = sorted(rows, key=lambda row: (row["time"], row["metadata"]["uid"]))
    pq.write_table(pa.Table.from_pylist(ordered, schema=event_schema()), path)


@dataclass
class World:
    folder: Path
    ruleset: Ruleset
    instance: Instance = field(default_factory=instance)
    stream: str = "activities"
    url: str = ""

    def __post_init__(self) -> None:
        self.lake = FolderStorage(self.folder / "lake")
        self.store: Store = open_store(self.url or f"sqlite:///{self.folder / 's1c.db'}")

    def put(self, window: Window, rows: Iterable[dict[str, Any]]) -> None:
        """Write the events of a window: those of the rows that lie in it."""
        inside = [row for row in rows if datetime.fromtimestamp(row["time"] / 1000, UTC) in window]
        with self.lake.scratch() as folder:
            path = folder / "events.parquet"
            write_events(path, inside)
            self.lake.put(object_key("events", self.instance.slug, self.stream, window), path)

    def tag(self, window: Window, now: datetime = NOW) -> Tagged:
        return tag(
            self.instance,
            self.stream,
            window,
            console=CONSOLE,
            lake=self.lake,
            store=self.store,
            ruleset=self.ruleset,
            now=lambda: now,
        )

    def collect(self, rows: list[dict[str, Any]], start: datetime, end: datetime) -> list[Window]:
        """Put the events of all windows of a range, then tag them in order."""
        windows = list(self.instance.calendar.touching(start, end))
        for window in windows:
            self.put(window, rows)
        for window in windows:
            self.tag(window)
        return windows

    def hits(self, window: Window) -> list[Hit]:
        path = self.folder / "lake" / object_key("hits", self.instance.slug, self.stream, window)
        return list(read_hits(path))

    def hit_files(self) -> dict[str, bytes]:
        root = self.folder / "lake" / "hits"
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.parquet"))}

    def incidents(self) -> list[dict[str, Any]]:
        """Return the content of all incidents: all that does not say when the collector or a person did something."""
        told = ("created_at", "status_changed_at", "notes", "history", "hits")
        found = self.store.list_incidents(now=NOW, limit=10_000)
        whole = [self.store.get_incident(incident.id, now=NOW).to_dict() for incident in found]
        hits = [sorted((hit["window"], hit["hit_id"], str(hit["content"])) for hit in one["hits"]) for one in whole]
        return sorted(
            (
                {key: value for key, value in one.items() if key not in told} | {"evidence": ids}
                for one, ids in zip(whole, hits, strict=True)
            ),
            key=lambda one: one["id"],
        )
