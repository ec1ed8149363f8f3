"""A small world to deliver in: a lake filled through the real normalizer, a store, destinations."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from sentinelone_collector.deliver import deliver
from sentinelone_collector.detect.hits import Hit, write_hits
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage, Storage, object_key
from sentinelone_collector.normalize import iter_events, normalize
from sentinelone_collector.results import Delivered, Fetched, Normalized, Tagged
from sentinelone_collector.store import open_store
from sentinelone_collector.windows import Window

CONSOLE = "console.example.test"
STREAM = "activities"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def window_at(number: int) -> Window:
    start = datetime(2026, 11, 22, 10, tzinfo=UTC) + number * timedelta(minutes=10)
    return Window(start, start + timedelta(minutes=10))


def records_of(window: Window, count: int, version: int = 0) -> list[dict[str, Any]]:
    times = [(window.start + timedelta(seconds=number)).isoformat() for number in range(count)]
    return [
        {
            "id": f"{window.name}-{number}",
            "activityType": 27,
            "createdAt": time,
            "updatedAt": time,
            "accountId": "1",
            "primaryDescription": f"user {number} logged in\n«version {version}»",
            "data": {"username": f"user{number}", "ipAddress": "192.0.2.1"},
        }
        for number, time in enumerate(times)
    ]


def a_hit(rule: str, uids: Sequence[str], *, family: str = "access", number: int = 0) -> Hit:
    return Hit(
        hit_id=f"{rule}-{number}",
        incident_id=None,
        rule_id=rule,
        rule_version="1",
        rule_title=rule.title(),
        family=family,
        classification="suspicious",
        visibility="incident",
        level="high",
        severity_id=4,
        kind="event",
        event_uids=tuple(uids),
        event_count=len(uids),
        time=0,
        last_time=0,
        bucket=0,
        entity="someone",
        attacker=None,
        victim=None,
        summary="what happened",
        note=None,
        attacks=(),
        attacks_v19=(),
    )


@dataclass(frozen=True)
class Results:
    """What the three tasks before deliver handed on."""

    fetched: Fetched
    normalized: Normalized
    tagged: Tagged

    @property
    def window(self) -> Window:
        return self.fetched.window

    def with_retagged(self, *windows: Window) -> Results:
        names = tuple(window.name for window in windows)
        return Results(self.fetched, self.normalized, msgspec.structs.replace(self.tagged, retagged=names))


@dataclass
class World:
    """One installation; `destinations` are entries as an inventory file has them."""

    lake: Storage
    store: Any
    base: Path
    destinations: Sequence[Mapping[str, Any]] = ({"type": "file", "path": "delivered"},)
    s3_client_for: Any = None
    slug: str = "emea"
    hits: dict[Window, list[Hit]] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        return {
            "slug": self.slug,
            "name": "EMEA",
            "connection_id": "sentinelone_emea",
            "live_since": "2026-11-22",
            "destinations": [dict(entry) for entry in self.destinations],
        }

    @property
    def instance(self) -> Instance:
        return Instance.model_validate(self.content)

    def key(self, part: str, window: Window) -> str:
        return object_key(part, self.slug, STREAM, window)

    def collect(self, window: Window, count: int = 5, *, version: int = 0, duplicates: int = 0) -> Results:
        """Do what fetch, normalize and tag do to the lake."""
        lines = b"".join(json.dumps(record).encode() + b"\n" for record in records_of(window, count, version))
        raw = zstandard.compress(lines)
        self.lake.put(self.key("raw", window), raw)
        normalized = normalize(self.slug, STREAM, window, console=CONSOLE, lake=self.lake)
        hits = self.tag(window, self.hits.get(window, []))
        start, end = normalized.start, normalized.end
        fetched = Fetched(
            instance=self.slug,
            stream=STREAM,
            start=start,
            end=end,
            console=CONSOLE,
            collected_from=start,
            expected=count,
            fetched=count + duplicates,
            duplicates=duplicates,
            first_time=start if count else None,
            last_time=end if count else None,
            raw_sha256=hashlib.sha256(raw).hexdigest(),
            raw_bytes=len(raw),
            requests=2,
            fetched_at="2026-11-22T12:00:00Z",
        )
        tagged = Tagged(
            instance=self.slug, stream=STREAM, start=start, end=end, hits=hits, ruleset="r" * 64, incidents=0
        )
        return Results(fetched, normalized, tagged)

    def tag(self, window: Window, hits: Iterable[Hit]) -> int:
        """Make these the window's hits in the lake."""
        self.hits[window] = list(hits)
        with self.lake.scratch() as folder:
            count = write_hits(folder / "hits", self.hits[window])
            self.lake.put(self.key("hits", window), folder / "hits")
        return count

    def deliver(self, results: Results, **overrides: Any) -> Delivered:
        arguments = {
            "fetched": results.fetched,
            "normalized": results.normalized,
            "tagged": results.tagged,
            "lake": self.lake,
            "store": self.store,
            "base": self.base,
            "code_version": "1.2.3",
            "s3_client_for": self.s3_client_for or no_s3,
            "now": lambda: NOW,
        }
        return deliver(self.instance, STREAM, results.window, **(arguments | overrides))

    def uids(self, window: Window) -> list[str]:
        return [event["metadata"]["uid"] for event in self.events(window)]

    def events(self, window: Window) -> list[dict[str, Any]]:
        """Return the lake's events of a window, without labels of hits."""
        with self.lake.local(self.key("events", window)) as path:
            assert path is not None
            return list(iter_events(path))

    def expected(self, window: Window) -> list[dict[str, Any]]:
        """Return what a destination must hold of a window, worked out apart from the product's code."""
        events = self.events(window)
        for event in events:
            uid = event["metadata"]["uid"]
            named = [hit for hit in self.hits.get(window, ()) if uid in hit.event_uids]
            labels = {f"rule:{hit.rule_id}" for hit in named} | {f"family:{hit.family}" for hit in named}
            if labels:
                event["metadata"]["labels"] = sorted(labels | set(event["metadata"].get("labels", ())))
        return events

    def delivered_files(self, folder: str = "delivered") -> dict[str, list[dict[str, Any]]]:
        """Return what a shipper sees below a folder: path -> events; half a file fails to parse."""
        root = self.base / folder
        return {
            path.relative_to(root).as_posix(): parse_ndjson(path)
            for path in sorted(root.rglob("*"))
            if path.is_file() and ".staging" not in path.parts
        }


def file_key(window: Window, suffix: str = ".ndjson") -> str:
    return f"instance=emea/stream=activities/day={window.day}/{window.name}{suffix}"


def parse_ndjson(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    assert not data or data.endswith(b"\n"), f"{path} breaks off"
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def no_s3(connection_id: str | None) -> Any:
    raise AssertionError("no S3 in this test")


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def world(tmp_path: Path, store_template: Path) -> Any:
    shutil.copy(store_template, tmp_path / "s1c.db")
    store = open_store(f"sqlite:///{tmp_path / 's1c.db'}")
    yield World(FolderStorage(tmp_path / "lake"), store, tmp_path)
    store.close()


@pytest.fixture
def s3_world(world: World, s3_server: Any) -> World:
    """Return a world whose only destination is a bucket of a real S3 server."""
    world.destinations = ({"type": "s3", "bucket": s3_server.bucket, "prefix": s3_server.fresh_prefix()},)
    client = s3_server.client()
    world.s3_client_for = lambda connection_id: client
    return world
