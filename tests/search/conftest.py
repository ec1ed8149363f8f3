"""Lakes of small invented events, a plain scan over them, and searches with indexes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.lake import FolderStorage, S3Storage, Storage, object_key
from sentinelone_collector.normalize.schema import event_schema
from sentinelone_collector.search import Budget, LogSearch, Scope, ShardCache, parse_query
from sentinelone_collector.search.query import Node
from sentinelone_collector.windows import Window

from .plain_scan import Scanned, scan

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOURCES = (("emea", "activities"), ("emea", "threats"), ("apac_2", "activities"))


def window(number: int) -> Window:
    """Return one of the hours from midnight on."""
    start = MIDNIGHT + number * HOUR
    return Window(start, start + HOUR)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def event(uid: str, at: datetime, **attributes: Any) -> dict[str, Any]:
    """Return a row of an event file; `unmapped` may be given as an object."""
    metadata = {"uid": uid, "original_event_uid": f"7{uid}", **attributes.pop("metadata", {})}
    unmapped = attributes.pop("unmapped", None)
    raw = json.dumps({"id": uid})
    row = {"time": ms(at), "metadata": metadata, "raw_data": raw, "class_uid": 6003, "class_name": "API Activity"}
    return {**row, "unmapped": None if unmapped is None else json.dumps(unmapped), **attributes}


@dataclass
class Room:
    """A lake, the search over it, and the same by plain scan."""

    lake: Storage
    search: LogSearch

    def put(
        self, span: Window, rows: Sequence[Mapping[str, Any]], instance: str = "emea", stream: str = "activities"
    ) -> str:
        """Write a window's events, as normalize does; return their key."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        key = object_key("events", instance, stream, span)
        table = pa.Table.from_pylist(
            sorted(rows, key=lambda row: (row["time"], row["metadata"]["uid"])), event_schema()
        )
        with self.lake.scratch() as folder:
            pq.write_table(table, folder / "events", compression="zstd", store_schema=False)
            self.lake.put(key, folder / "events")
        return key

    def found(self, query: str | Node, scope: Scope | None = None, *, page: int = 1000) -> list[str]:
        """Return the uids of all results in order, read page by page."""
        node = parse_query(query) if isinstance(query, str) else query
        uids: list[str] = []
        cursor = None
        while True:
            one = self.search.page(node, scope or Scope(SOURCES), budget=Budget(600), cursor=cursor, limit=page)
            assert len(one.rows) <= page
            uids += [row.uid for row in one.rows]
            cursor = one.cursor
            if cursor is None:
                return uids

    def scanned(self, query: str | Node, scope: Scope | None = None) -> list[str]:
        """Return the uids that a plain scan finds, newest first."""
        return [one.uid for one in self.scan(query, scope)]

    def scan(self, query: str | Node, scope: Scope | None = None) -> list[Scanned]:
        node = parse_query(query) if isinstance(query, str) else query
        return scan(self.lake, node, scope or Scope(SOURCES))


@pytest.fixture
def new_room(tmp_path: Path) -> Callable[..., Room]:
    return lambda lake, **options: _room(lake, tmp_path / "cache", **options)


def _room(lake: Storage, cache: Path, **options: Any) -> Room:
    return Room(lake, LogSearch(lake, ShardCache(cache, lake.url, **{"most_bytes": 1 << 30, **options})))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return _room(FolderStorage(tmp_path / "lake"), tmp_path / "cache")


@pytest.fixture(params=["folder", "s3"])
def any_room(request: pytest.FixtureRequest, tmp_path: Path) -> Room:
    if request.param == "folder":
        return request.getfixturevalue("room")
    server = request.getfixturevalue("s3_server")
    return _room(S3Storage(server.bucket, server.fresh_prefix(), server.client()), tmp_path / "cache")


def uids(rows: Iterable[Any]) -> list[str]:
    return [row.uid for row in rows]
