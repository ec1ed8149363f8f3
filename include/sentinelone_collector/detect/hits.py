"""Hits: what they hold, and their Parquet file, whose bytes depend on the hits alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import msgspec

from sentinelone_collector.detect.anomaly.analysis import Analysis

__all__ = ["MOST_EVENTS", "Hit", "digest_id", "hit_schema", "read_hits", "write_hits"]

MOST_EVENTS = 200  # that a hit names
_ROW_GROUP = 50_000


def digest_id(*parts: str) -> str:
    """Return 32 hex digits that depend on the parts and on nothing else."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One rule matching one event, or one correlation or anomaly; times are epoch milliseconds.

    `time` is when the first and `last_time` when the last of its events happened, `entity` is the dedup key, `person`
    the console user who did it (of logins, whose account it is), None where it is about nobody or about several;
    `bucket` the begin of the dedup span that holds `last_time`, `incident_id` None for an observation. `analysis`
    says of an anomaly which baseline it deviates from, `account` and `role` are the SentinelOne account and the acting
    console user's role as the last event names them. `event_uids` holds at most the latest `MOST_EVENTS` of
    `event_count` events, in order of time.
    """

    hit_id: str
    incident_id: str | None
    rule_id: str
    rule_version: str
    rule_title: str
    family: str
    classification: str
    visibility: Literal["incident", "observation"]
    level: str
    severity_id: int
    kind: Literal["event", "correlation", "anomaly"]
    event_uids: tuple[str, ...]
    event_count: int
    time: int
    last_time: int
    bucket: int
    entity: str
    attacker: str | None
    victim: str | None
    summary: str
    note: str | None
    attacks: tuple[str, ...]
    attacks_v19: tuple[str, ...]
    analysis: Analysis | None = None
    person: str | None = None
    account: str | None = None
    role: str | None = None

    @property
    def order(self) -> tuple[int, str, str]:
        """The order of hits in a file: by time, then rule, then id."""
        return (self.last_time, self.rule_id, self.hit_id)


@cache
def hit_schema() -> Any:
    """Return the Arrow schema of hits files; frozen, since readers outside the product rely on it."""
    import pyarrow as pa

    names = pa.list_(pa.field("element", pa.string()))
    required = {
        "hit_id": pa.string(),
        "incident_id": None,
        "rule_id": pa.string(),
        "rule_version": pa.string(),
        "rule_title": pa.string(),
        "family": pa.string(),
        "classification": pa.string(),
        "visibility": pa.string(),
        "level": pa.string(),
        "severity_id": pa.int32(),
        "kind": pa.string(),
        "event_uids": names,
        "event_count": pa.int64(),
        "time": pa.int64(),
        "last_time": pa.int64(),
        "bucket": pa.int64(),
        "entity": pa.string(),
        "attacker": None,
        "victim": None,
        "summary": pa.string(),
        "note": None,
        "attacks": names,
        "attacks_v19": names,
        "analysis": None,  # as JSON
        "person": None,
        "account": None,
        "role": None,
    }
    return pa.schema([pa.field(name, kind or pa.string(), nullable=kind is None) for name, kind in required.items()])


def write_hits(path: Path, hits: Iterable[Hit]) -> int:
    """Write the hits in their order and return how many they are; equal hits give equal bytes."""
    import pyarrow.parquet as pq

    rows = [msgspec.structs.asdict(hit) | {"analysis": _text(hit)} for hit in sorted(hits, key=lambda hit: hit.order)]
    pq.write_table(_table(rows), path, compression="zstd", row_group_size=_ROW_GROUP)
    return len(rows)


def _table(rows: Sequence[dict[str, Any]]) -> Any:
    import pyarrow as pa
    from pyarrow import json

    if not rows:
        return pa.Table.from_batches([], schema=hit_schema())
    # Arrow loads pandas to look at Python lists, a third of a second in each task; it reads JSON by itself
    content = b"\n".join(map(msgspec.json.encode, rows))
    table = json.read_json(
        BytesIO(content),
        read_options=json.ReadOptions(use_threads=False, block_size=len(content) + 1),
        parse_options=json.ParseOptions(explicit_schema=hit_schema(), unexpected_field_behavior="error"),
    )
    return table.cast(hit_schema())  # which also says what is never null


def read_hits(path: Path) -> Sequence[Hit]:
    """Return the hits of a file, in their order."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()  # files of earlier releases lack the last columns
    for row in rows:
        if row.get("analysis") is not None:
            row["analysis"] = msgspec.json.decode(row["analysis"])
    return msgspec.convert(rows, list[Hit])


def _text(hit: Hit) -> str | None:
    return None if hit.analysis is None else msgspec.json.encode(hit.analysis).decode()
