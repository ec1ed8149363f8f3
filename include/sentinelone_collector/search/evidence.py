"""What stands behind a result: the whole event, the record as the console sent it, and the hits that name it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sentinelone_collector.errors import LakeError, UsageError
from sentinelone_collector.lake import ParsedKey, Storage, object_key, parse_key
from sentinelone_collector.normalize.columns import events_with_ids
from sentinelone_collector.search.results import Row

__all__ = ["read_event", "read_events", "related_hits", "whole_events"]

_HIT_COLUMNS = ("hit_id", "incident_id", "rule_id", "rule_title", "level", "kind", "summary", "event_uids", "last_time")


def _place(key: str) -> ParsedKey:
    place = parse_key(key)
    if place is None or place.part != "events":
        raise UsageError(f"{key!r} is no object of events; take the key from a search's result")
    return place


def read_event(lake: Storage, key: str, uid: str) -> dict[str, Any]:
    """Return one OCSF event of a window; `raw_data` in it holds the record's bytes as text.

    Raise `UsageError` for a key that no window has, and `LakeError` where the event is no longer there.
    """
    found = read_events(lake, key, [uid])
    if uid not in found:
        raise LakeError(f"{lake.url}/{key} no longer holds event {uid}: its window was collected again; search again")
    return found[uid]


def read_events(lake: Storage, key: str, uids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return those of the events that a window holds, by uid; one row group in memory at a time."""
    import pyarrow as pa

    _place(key)
    with lake.local(key) as path:
        if path is None:
            return {}
        try:
            return {event["metadata"]["uid"]: event for event in events_with_ids(path, uids)}
        except (pa.ArrowException, KeyError, OSError) as error:
            raise LakeError(f"{lake.url}/{key} is no file of events ({error}); collect its window again") from error


def whole_events(lake: Storage, rows: Sequence[Row]) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Yield results with their whole events, in the order given; those collected anew meanwhile are left out."""
    by_key: dict[str, list[str]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row.uid)
    found: Mapping[str, Mapping[str, Any]] = {key: read_events(lake, key, uids) for key, uids in by_key.items()}
    for row in rows:
        event = found[row.key].get(row.uid)
        if event is not None:
            yield row, event


def related_hits(lake: Storage, key: str, uid: str) -> list[dict[str, Any]]:
    """Return the hits of the event's window that name it among their events, the earliest first."""
    import pyarrow.parquet as pq

    place = _place(key)
    with lake.local(object_key("hits", place.instance, place.stream, place.window)) as path:
        rows = [] if path is None else pq.read_table(path, columns=list(_HIT_COLUMNS)).to_pylist()
    return [{**row, "event_uids": len(row["event_uids"])} for row in rows if uid in row["event_uids"]]
