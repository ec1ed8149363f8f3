"""Results as files: CSV of what the list shows, NDJSON of whole events; written as they are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache

import msgspec

from sentinelone_collector.lake import Storage
from sentinelone_collector.search.evidence import whole_events
from sentinelone_collector.search.results import Row
from sentinelone_collector.windows import iso

__all__ = ["csv_lines", "ndjson_lines"]

_COLUMNS = (
    *("instance", "stream", "class_name", "activity_name", "event_code", "severity", "status"),
    *("user", "ip", "host", "message", "uid"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(batches: Iterable[Sequence[Row]]) -> Iterator[str]:
    """Yield CSV (RFC 4180) with a heading; a cell that a spreadsheet would take for a formula gets a `'` before it."""
    yield _csv([["time", *_COLUMNS]])
    for rows in batches:
        yield _csv([[_time(row.time), *(_cell(getattr(row, name)) for name in _COLUMNS)] for row in rows])


def _csv(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _time(milliseconds: int) -> str:
    return iso(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _cell(value: str | None) -> str:
    text = value or ""
    return f"'{text}" if text.startswith(_FORMULA) else text


def ndjson_lines(
    lake: Storage, batches: Iterable[Sequence[Row]], *, shows_raw: Callable[[str], bool] = lambda _: True
) -> Iterator[bytes]:
    """Yield whole OCSF events, one a line; raises as `whole_events` does.

    `shows_raw` says of an instance whether its events keep the record's text, which may hold secrets.
    """
    shown = cache(shows_raw)
    for rows in batches:
        for row, event in whole_events(lake, rows):
            if not shown(row.instance):
                event.pop("raw_data", None)
            yield msgspec.json.encode(event) + b"\n"
