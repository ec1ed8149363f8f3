"""Receipts: what happened to one window of one stream; the presence of one means the window is complete."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake.keys import object_key, parse_key, part_prefix
from sentinelone_collector.lake.storage import Storage
from sentinelone_collector.windows import Window, parse_time

__all__ = [
    "Receipt",
    "ReceiptWindow",
    "read_receipt",
    "receipts_between",
    "windows_with_receipt",
    "write_receipt",
]


class ReceiptWindow(msgspec.Struct, frozen=True):
    """The window as the receipt writes it, ISO 8601 in UTC."""

    start: str
    end: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, digests, times and versions of one complete (instance, stream, window).

    `fetched = events + quarantined + duplicates` always. `collected_from` is later than the window's start only where
    the begin of the collection lies inside the window.
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
        return msgspec.json.decode(data, type=Receipt)
    except msgspec.DecodeError as error:
        raise LakeError(f"{lake.url}/{key} is no receipt ({error}); delete it and collect the window again") from error


def write_receipt(lake: Storage, receipt: Receipt) -> str:
    """Write the receipt and return its key."""
    key = object_key("receipts", receipt.instance, receipt.stream, receipt.span)
    lake.put(key, msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n")
    return key


def windows_with_receipt(lake: Storage, instance: str, stream: str) -> Iterator[Window]:
    """Yield, in order of time, the windows that have a receipt."""
    for key in lake.keys(part_prefix("receipts", instance, stream)):
        parsed = parse_key(key)
        if parsed is not None:
            yield parsed.window


def receipts_between(lake: Storage, instance: str, stream: str, start: datetime, end: datetime) -> Iterator[Receipt]:
    """Yield, in order of time, the receipts of windows that touch `[start, end)`."""
    for window in windows_with_receipt(lake, instance, stream):
        if window.start < end and start < window.end:
            receipt = read_receipt(lake, instance, stream, window)
            if receipt is not None:
                yield receipt
