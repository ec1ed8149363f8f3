"""Receipts: what happened to one window of one stream; the presence of one means the window is complete."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sentinelone_collector.errors import LakeError, UsageError
from sentinelone_collector.lake.keys import day_prefix, object_key, parse_key, part_prefix
from sentinelone_collector.lake.storage import Storage, readable_json
from sentinelone_collector.results import PassCount
from sentinelone_collector.windows import DAY, Window, as_utc, parse_time

__all__ = [
    "Receipt",
    "ReceiptWindow",
    "read_receipt",
    "receipts_between",
    "windows_with_receipt",
    "write_receipt",
]

_DAYS_LISTED_SINGLY = 62  # beyond that one listing of the whole stream takes fewer requests


class ReceiptWindow(msgspec.Struct, frozen=True):
    """The window as the receipt writes it, ISO 8601 in UTC."""

    start: str
    end: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, digests, times and versions of one complete (instance, stream, window).

    `fetched = events + quarantined + duplicates` always. `collected_from` is later than the window's start only where
    the begin of the collection lies inside the window. `hits_sha256` is the digest of the hits object whose labels the
    destinations hold; None in receipts of versions that did not keep it. `expected + kept = events + quarantined`;
    `kept`, `later`, `proof` and `passes` are those of `Fetched`, `addresses` is that of `Normalized`.
    """

    instance: str
    stream: str
    window: ReceiptWindow
    console: str
    collected_from: str
    expected: int
    fetched: int
    duplicates: int
    events: int
    quarantined: int
    hits: int
    first_time: str | None
    last_time: str | None
    raw_sha256: str
    events_sha256: str
    ruleset: str
    code_version: str
    fetched_at: str
    hits_sha256: str | None = None
    kept: int = 0
    later: int = 0
    proof: str = "counted"
    passes: tuple[PassCount, ...] = ()
    addresses: str = ""

    @property
    def span(self) -> Window:
        """The window that the receipt is about."""
        return Window(parse_time(self.window.start), parse_time(self.window.end))


def read_receipt(lake: Storage, instance: str, stream: str, window: Window) -> Receipt | None:
    """Return the window's receipt, None where the window is not complete; raise `LakeError` on a broken one."""
    key = object_key("receipts", instance, stream, window)
    data = lake.read(key)
    if data is None:
        return None
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
        about = (receipt.instance, receipt.stream, receipt.span)
    except (msgspec.DecodeError, UsageError) as error:
        raise LakeError(f"{lake.url}/{key} is no receipt ({error}); delete it and collect the window again") from error
    if about != (instance, stream, window):
        raise LakeError(
            f"{lake.url}/{key} is the receipt of {receipt.instance}/{receipt.stream} {receipt.span}; "
            "delete it and collect the window again"
        )
    return receipt


def write_receipt(lake: Storage, receipt: Receipt) -> str:
    """Write the receipt and return its key."""
    key = object_key("receipts", receipt.instance, receipt.stream, receipt.span)
    lake.put(key, readable_json(receipt))
    return key


def windows_with_receipt(lake: Storage, instance: str, stream: str) -> Iterator[Window]:
    """Yield, in order of time, the windows that have a receipt."""
    yield from _windows_below(lake, part_prefix("receipts", instance, stream))


def _windows_below(lake: Storage, prefix: str) -> Iterator[Window]:
    for key in lake.keys(prefix):
        parsed = parse_key(key)
        if parsed is not None:
            yield parsed.window


def receipts_between(lake: Storage, instance: str, stream: str, start: datetime, end: datetime) -> Iterator[Receipt]:
    """Yield, in order of time, the receipts of windows that touch `[start, end)`."""
    for window in _windows_between(lake, instance, stream, as_utc(start), as_utc(end)):
        if window.start < end and start < window.end:
            receipt = read_receipt(lake, instance, stream, window)
            if receipt is not None:
                yield receipt


def _windows_between(lake: Storage, instance: str, stream: str, start: datetime, end: datetime) -> Iterator[Window]:
    days = (end.date() - start.date()).days + 1
    if days > _DAYS_LISTED_SINGLY:
        yield from windows_with_receipt(lake, instance, stream)
        return
    for number in range(days):
        yield from _windows_below(lake, day_prefix("receipts", instance, stream, start.date() + number * DAY))
