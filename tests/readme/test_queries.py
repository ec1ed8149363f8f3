"""The statements of docs/queries.md run as they stand, on a small lake of both kinds of stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard

from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize import normalize
from sentinelone_collector.normalize.schema import declared, event_schema
from sentinelone_collector.windows import Window

from .conftest import ROOT, blocks, page

if TYPE_CHECKING:
    import duckdb

DAY = Window(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
GOLDEN = ROOT / "tests" / "normalize" / "golden"
VIEW, *QUERIES = blocks(page("docs/queries.md"), "sql")


def _activities() -> Iterator[dict[str, Any]]:
    for path in sorted((GOLDEN / "activities").glob("*.ndjson")):
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)["record"]
    yield {"id": "2619400000000000001", "createdAt": "2026-11-22T09:00:00.000000Z", "activityType": 999_999}
    exclusion = {
        "activityType": 3008,
        "data": {"username": "anna@example.com", "value": "C:\\Tools", "exclusionType": "path"},
    }
    failure = {"activityType": 133, "data": {"username": "anna@example.com", "ipAddress": "192.0.2.7"}}
    on_pc = {"activityType": 71, "agentId": "77", "data": {"computerName": "PC-77"}}
    for number, record in enumerate((exclusion, failure, on_pc)):
        yield {"id": str(2_619_400_000_000_000_002 + number), "createdAt": "2026-11-22T09:00:01.000000Z", **record}


def _threats() -> Iterator[dict[str, Any]]:
    for hour, status in ((10, "unresolved"), (14, "in_progress"), (22, "resolved")):
        info = {
            "threatId": "1733000000000000001",
            "threatName": "dropper.exe",
            "createdAt": "2026-11-22T10:00:00.000000Z",
            "updatedAt": f"2026-11-22T{hour}:00:00.000000Z",
            "incidentStatus": status,
            "analystVerdict": "true_positive",
        }
        yield {"id": info["threatId"], "threatInfo": info, "agentRealtimeInfo": {"agentComputerName": "PC-77"}}


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A connection with the page's view over a lake that holds each golden activity, and three states of a threat."""
    import duckdb

    folder = tmp_path_factory.mktemp("lake")
    lake = FolderStorage(folder)
    for stream, records in (("activities", _activities()), ("threats", _threats())):
        lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        with lake.scratch() as scratch:
            path = Path(scratch, "raw")
            path.write_bytes(zstandard.ZstdCompressor().compress(lines))
            lake.put(object_key("raw", "emea", stream, DAY), path)
        assert normalize("emea", stream, DAY, console="console.example.com", lake=lake).quarantined == 0
    connection = duckdb.connect()
    connection.sql(VIEW.replace("'lake/", f"'{folder}/"))
    return connection


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_a_query_finds_something(events: duckdb.DuckDBPyConnection, query: str) -> None:
    found = events.sql(query)
    rows = found.fetchall()
    assert rows
    for index, name in enumerate(found.columns):
        if name not in {"privileges", "whom"}:
            assert any(row[index] is not None for row in rows), name


def test_the_last_state_of_a_threat_is_the_resolved_one(events: duckdb.DuckDBPyConnection) -> None:
    [state] = next(events.sql(query).fetchall() for query in QUERIES if "QUALIFY" in query)
    assert (state[0], state[4], state[5]) == ("1733000000000000001", "Resolved", "True Positive")
    [closed] = next(events.sql(query).fetchall() for query in QUERIES if "median" in query)
    assert closed == ("emea", 1, 12.0)


def test_athena_s_table_has_the_columns_of_the_event_files() -> None:
    text = page("docs/reference/athena.sql")
    columns = text.split("(\n", 1)[1].split("\n)\n", 1)[0].split(",\n")
    assert [column.split("`")[1] for column in columns] == list(declared())
    assert text.count("struct<") + text.count("array<") == _containers(event_schema())


def _containers(fields: Any) -> int:
    import pyarrow as pa

    count = 0
    for field in fields:
        kind = field.type
        while pa.types.is_list(kind):
            count, kind = count + 1, kind.value_type
        if pa.types.is_struct(kind):
            count += 1 + _containers(kind)
    return count
