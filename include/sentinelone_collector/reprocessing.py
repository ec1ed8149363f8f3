"""What earlier tasks made of a window, by its receipt, for runs that begin with a later task."""

from __future__ import annotations

from sentinelone_collector import __version__
from sentinelone_collector.errors import UsageError
from sentinelone_collector.lake import Receipt, Storage, object_key, read_receipt
from sentinelone_collector.results import Fetched, Normalized
from sentinelone_collector.windows import Window

__all__ = ["fetched_before", "normalized_before"]


def fetched_before(lake: Storage, instance: str, stream: str, window: Window, *, start_at: str) -> Fetched:
    """Return what fetch made of a window; `start_at` is the task that is to run again.

    Raise `UsageError` where the window has no receipt, or where the raw object is not the one that it tells of.
    """
    receipt = read_receipt(lake, instance, stream, window)
    key = object_key("raw", instance, stream, window)
    if receipt is None:
        raise UsageError(
            f"{instance}/{stream} {window} has no receipt, so there is nothing to {start_at} again; "
            "collect it with --reprocess fetch"
        )
    if lake.digest(key) != receipt.raw_sha256:
        raise UsageError(
            f"{instance}/{stream} {window}: {key} is not what its receipt says; collect it with --reprocess fetch"
        )
    with lake.local(key) as path:
        size = path.stat().st_size if path else 0
    return _fetched(receipt, size)


def _fetched(receipt: Receipt, raw_bytes: int) -> Fetched:
    return Fetched(
        instance=receipt.instance,
        stream=receipt.stream,
        start=receipt.window.start,
        end=receipt.window.end,
        console=receipt.console,
        collected_from=receipt.collected_from,
        expected=receipt.expected,
        fetched=receipt.fetched,
        duplicates=receipt.duplicates,
        first_time=receipt.first_time,
        last_time=receipt.last_time,
        raw_sha256=receipt.raw_sha256,
        raw_bytes=raw_bytes,
        requests=0,
        fetched_at=receipt.fetched_at,
        kept=receipt.kept,
        later=receipt.later,
        proof=receipt.proof,
        passes=receipt.passes,
    )


def normalized_before(
    lake: Storage, instance: str, stream: str, window: Window, *, addresses: str
) -> Normalized | None:
    """Return what normalize made of a window, None where it has to run again.

    It has not where its events are there, this version made them, and only the address data has changed since, to the
    digest `addresses`: events keep the addresses as they were known when the window was collected.
    """
    receipt = read_receipt(lake, instance, stream, window)
    if receipt is None or receipt.addresses == addresses or receipt.code_version != __version__:
        return None
    if lake.digest(object_key("events", instance, stream, window)) != receipt.events_sha256:
        return None
    return Normalized(
        instance=instance,
        stream=stream,
        start=receipt.window.start,
        end=receipt.window.end,
        events=receipt.events,
        quarantined=receipt.quarantined,
        events_sha256=receipt.events_sha256,
        addresses=receipt.addresses,
    )
