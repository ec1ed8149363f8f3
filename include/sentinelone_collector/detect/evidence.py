"""The events that a hit names, read from the lake within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sentinelone_collector.detect.tag import events_between
from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake import Storage, object_key
from sentinelone_collector.windows import Window, iso

__all__ = ["Evidence", "evidence_of"]

_MOST_WINDOWS = 400
_SMALLEST = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Events in order of time, and the ids of those that were not found; `looked` is how many windows were read."""

    events: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]
    looked: int = 0


def evidence_of(
    lake: Storage,
    instance: str,
    stream: str,
    uids: Sequence[str],
    *,
    first: int,
    last: int,
    most_windows: int = _MOST_WINDOWS,
) -> Evidence:
    """Return the OCSF events with these ids that happened from `first` to `last`, epoch milliseconds, both inclusive.

    `raw_data` in an event holds the record's bytes as text. Windows are read from the latest back until every event is
    found, at most `most_windows` of them, and of each only the row groups that can hold one. Raise `LakeError` where
    an object is no file of events.
    """
    wanted = set(uids)
    found: dict[str, dict[str, Any]] = {}
    looked = 0
    for window in reversed(_windows(lake, instance, stream, first, last)):
        if looked == most_windows or len(found) == len(wanted):
            break
        looked += 1
        found |= _events(lake, object_key("events", instance, stream, window), wanted - found.keys(), (first, last))
    events = sorted(found.values(), key=lambda event: (event["time"], event["metadata"]["uid"]))
    return Evidence(tuple(events), tuple(uid for uid in dict.fromkeys(uids) if uid not in found), looked)


def _windows(lake: Storage, instance: str, stream: str, first: int, last: int) -> list[Window]:
    start, end = (datetime.fromtimestamp(moment / 1000, UTC) for moment in (first, last))
    return events_between(lake, instance, stream, start, end + _SMALLEST)


def _events(lake: Storage, key: str, wanted: set[str], span: tuple[int, int]) -> dict[str, dict[str, Any]]:
    import pyarrow as pa

    from sentinelone_collector.normalize.columns import events_with_ids

    with lake.local(key) as path:
        if path is None:
            return {}
        try:
            return {event["metadata"]["uid"]: event for event in events_with_ids(path, wanted, span)}
        except (pa.ArrowException, KeyError, OSError) as error:
            first = iso(datetime.fromtimestamp(span[0] / 1000, UTC))
            raise LakeError(
                f"{lake.url}/{key} is no file of events ({error}); collect the window at {first} again"
            ) from error
