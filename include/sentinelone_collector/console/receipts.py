"""Which windows have a receipt, remembered between requests so that a page lists a few days and not years of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain

from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import ObjectVersion, Storage, day_prefix, parse_key, read_receipt, windows_with_receipt
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.windows import DAY, Window

__all__ = ["ReceiptIndex", "index_of"]

_WHOLE_SECONDS = 300.0
_RECENT_SECONDS = 3.0
_RECENT_DAYS = 2
_MOST_DAYS = 40  # more days than these are listed at once
_COUNT_SECONDS = 30.0
_READERS = 8  # on S3 a receipt takes tens of milliseconds, most of them waiting
_guard = threading.Lock()
_indexes: dict[str, ReceiptIndex] = {}


class ReceiptIndex:
    """The windows with a receipt of one lake.

    Recent days and those that are not complete are as of seconds ago; complete ones, which nothing but a deletion
    could change, as of minutes ago.
    """

    def __init__(self, lake: Storage, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], tuple[float, float, set[Window]]] = {}
        self._counts: dict[str, tuple[float, int]] = {}
        self._records: dict[str, dict[ObjectVersion, int]] = {}  # of today's receipts

    def windows(
        self, instance: Instance, stream: str, now: datetime, *, expected: Iterable[Window] = ()
    ) -> set[Window]:
        """Return the calendar windows of a stream that have a receipt; `expected` are awaited beside those due.

        The window that holds the begin of the collection counts only if it was read from that begin on.
        """
        key, moment = (instance.slug, stream), self._clock()
        with self._lock:
            whole_at, recent_at, known = self._windows.get(key, (float("-inf"), float("-inf"), set()))
        if moment - recent_at > _RECENT_SECONDS:
            days = {(now - number * DAY).strftime("%Y-%m-%d") for number in range(_RECENT_DAYS)}
            days |= {window.day for window in chain(instance.calendar.due(now), expected) if window not in known}
            if moment - whole_at > _WHOLE_SECONDS or len(days) > _MOST_DAYS:
                known = set(windows_with_receipt(self._lake, *key))
                whole_at = moment
            else:
                kept = {window for window in known if window.day not in days}
                known = kept.union(*(self._of_day(instance.slug, stream, day) for day in days))
            with self._lock:
                self._windows[key] = (whole_at, moment, known)
        return {window for window in known if self._counts_as_complete(instance, stream, window)}

    def _counts_as_complete(self, instance: Instance, stream: str, window: Window) -> bool:
        if not instance.calendar.is_window(window):
            return False
        if window != instance.calendar.first:
            return True
        receipt = read_receipt(self._lake, instance.slug, stream, window)
        wanted = instance.collected_from(window)
        return receipt is not None and datetime.fromisoformat(receipt.collected_from) <= wanted

    def _of_day(self, slug: str, stream: str, day: str) -> set[Window]:
        parsed = (parse_key(key) for key in self._lake.keys(day_prefix("receipts", slug, stream, day)))
        return {each.window for each in parsed if each is not None}

    def records(self, instance: Instance, now: datetime) -> int:
        """Return how many records of windows of today (UTC) the lake holds, as of half a minute ago.

        A receipt is read once, and again only where its bytes have changed.
        """
        moment = self._clock()
        with self._lock:
            at, count = self._counts.get(instance.slug, (float("-inf"), 0))
            known = self._records.get(instance.slug, {})
        if moment - at <= _COUNT_SECONDS:
            return count
        today = now.strftime("%Y-%m-%d")
        prefixes = [day_prefix("receipts", instance.slug, stream, today) for stream in instance.streams]
        present = [found for prefix in prefixes for found in self._lake.versions(prefix)]
        unread = [found for found in present if found not in known]
        with ThreadPoolExecutor(_READERS, thread_name_prefix="s1c-receipts") as readers:
            read = dict(zip(unread, readers.map(self._records_of, unread), strict=True))
        held = {found: read[found] if found in read else known[found] for found in present}
        count = sum(held.values())
        with self._lock:
            self._counts[instance.slug] = (moment, count)
            self._records[instance.slug] = held
        return count

    def _records_of(self, found: ObjectVersion) -> int:
        parsed = parse_key(found.key)
        receipt = None if parsed is None else read_receipt(self._lake, parsed.instance, parsed.stream, parsed.window)
        return 0 if receipt is None else receipt.fetched - receipt.duplicates


def index_of(site: Installation) -> ReceiptIndex:
    """Return this process's index of an installation's lake."""
    with _guard:
        return _indexes.setdefault(site.lake.url, ReceiptIndex(site.lake))
