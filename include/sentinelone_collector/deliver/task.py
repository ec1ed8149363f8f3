"""The deliver task: one window's events to every destination, then its receipt.

The receipt is the last thing written. Whatever fails or dies before leaves the window without one, so that it is run
again, and every object that was delivered already is found in its place.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sentinelone_collector.deliver.payload import Payload, read_labels
from sentinelone_collector.deliver.ports import Destination, DestinationFactory, Ledger, Surroundings
from sentinelone_collector.deliver.registry import build_destinations
from sentinelone_collector.errors import (
    CollectorError,
    ConfigurationError,
    DeliveryError,
    IncompleteWindow,
    LakeError,
    UsageError,
)
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import (
    Receipt,
    ReceiptWindow,
    Storage,
    object_key,
    read_receipt,
    sha256_of,
    write_receipt,
)
from sentinelone_collector.results import Delivered, Delivery, Fetched, Normalized, Tagged
from sentinelone_collector.windows import Window, iso

__all__ = ["deliver"]

_LOG = logging.getLogger(__name__)
_PASSES = 5  # deliveries of one window while other tasks keep changing its hits
_LOCKS = 16  # of each stream; with one per window an SQLite store would gather a lock file per window


def _utc_now() -> datetime:
    return datetime.now(UTC)


def deliver(
    instance: Instance,
    stream: str,
    window: Window,
    *,
    fetched: Fetched,
    normalized: Normalized,
    tagged: Tagged,
    lake: Storage,
    store: Ledger,
    base: Path,
    code_version: str,
    s3_client_for: Callable[[str | None], Any],
    destinations: Mapping[str, DestinationFactory] | None = None,
    now: Callable[[], datetime] = _utc_now,
) -> Delivered:
    """Bring the window's events to the instance's destinations, refresh retagged windows, and write the receipt.

    `base` is the folder that relative paths of destinations begin at; `destinations` replaces the known kinds. Every
    destination is tried, also after another has failed. Raise `IncompleteWindow` where records got lost between fetch
    and normalize, `LakeError` where the lake does not hold what the earlier tasks wrote, `ConfigurationError` for wrong
    options, and `DeliveryError` for all that did not arrive; then the window has no receipt.
    """
    what = f"{instance.slug}/{stream} {window}"
    for result in (fetched, normalized, tagged):
        if (result.instance, result.stream, result.window) != (instance.slug, stream, window):
            raise UsageError(
                f"{what}: got the {type(result).__name__} of {result.instance}/{result.stream} {result.window}; "
                "pass the results of one window"
            )
    _check_conserved(what, fetched, normalized)
    surroundings = Surroundings(base=base, ledger=store, s3_client_for=s3_client_for, now=now)
    job = _Job(instance.slug, stream, lake, store, build_destinations(instance, surroundings, destinations))
    receipt = _receipt(fetched, normalized, tagged, window, code_version)
    deliveries: list[Delivery] = []
    failures: list[DeliveryError] = []
    for name in tagged.retagged:
        with _gathered(failures, f"{instance.slug}/{stream} {name} was not delivered again"):
            deliveries += job.refresh(Window.from_name(name))
    with job.lock(window):
        deliveries += job.finish(receipt, failures)
    return Delivered(
        instance=instance.slug,
        stream=stream,
        start=iso(window.start),
        end=iso(window.end),
        deliveries=tuple(deliveries),
        receipt=object_key("receipts", instance.slug, stream, window),
    )


def _check_conserved(what: str, fetched: Fetched, normalized: Normalized) -> None:
    total = normalized.events + normalized.quarantined + fetched.duplicates
    if fetched.fetched != total:
        raise IncompleteWindow(
            f"{what}: {fetched.fetched} records were fetched, but {normalized.events} events, {normalized.quarantined} "
            f"quarantined and {fetched.duplicates} duplicates make {total}; run the window again from fetch on"
        )


def _receipt(fetched: Fetched, normalized: Normalized, tagged: Tagged, window: Window, code_version: str) -> Receipt:
    return Receipt(
        instance=fetched.instance,
        stream=fetched.stream,
        window=ReceiptWindow(iso(window.start), iso(window.end)),
        console=fetched.console,
        collected_from=fetched.collected_from,
        expected=fetched.expected,
        fetched=fetched.fetched,
        duplicates=fetched.duplicates,
        events=normalized.events,
        quarantined=normalized.quarantined,
        hits=tagged.hits,
        first_time=fetched.first_time,
        last_time=fetched.last_time,
        raw_sha256=fetched.raw_sha256,
        events_sha256=normalized.events_sha256,
        ruleset=tagged.ruleset,
        code_version=code_version,
        fetched_at=fetched.fetched_at,
        kept=fetched.kept,
        later=fetched.later,
        proof=fetched.proof,
        passes=fetched.passes,
        addresses=normalized.addresses,
    )


@contextmanager
def _gathered(failures: list[DeliveryError], what: str) -> Iterator[None]:
    """Note an error, so that what comes after is tried too."""
    try:
        yield
    except DeliveryError as error:
        failures.append(error)
    except CollectorError as error:
        lasting = isinstance(error, ConfigurationError | UsageError)
        failures.append(DeliveryError(f"{what}: {error}", retryable=not lasting))


def _raise_any(failures: Sequence[DeliveryError]) -> None:
    if failures:
        text = "; ".join(str(error) for error in failures)
        count = f"{len(failures)} deliveries failed: " if len(failures) > 1 else ""
        # A retry helps those that may pass, and does the others no harm
        raise DeliveryError(count + text, retryable=any(error.retryable for error in failures)) from failures[0]


@dataclass(frozen=True)
class _Job:
    """Deliveries of one stream of one instance."""

    instance: str
    stream: str
    lake: Storage
    store: Ledger
    destinations: Sequence[Destination]

    def _key(self, part: str, window: Window) -> str:
        return object_key(part, self.instance, self.stream, window)

    def _where(self, window: Window) -> str:
        return f"{self.instance}/{self.stream} {window}"

    def lock(self, window: Window) -> AbstractContextManager[None]:
        """Keep others from delivering the window meanwhile: its own run, and runs that retagged it, may meet."""
        number = zlib.crc32(window.name.encode()) % _LOCKS
        return self.store.lock(f"deliver.{self.instance}.{self.stream}.{number}")

    def refresh(self, window: Window) -> list[Delivery]:
        """Deliver a window again whose hits have changed; one that is not complete is left to its own run."""
        with self.lock(window):
            receipt = read_receipt(self.lake, self.instance, self.stream, window)
            if receipt is None or self.lake.digest(self._key("events", window)) != receipt.events_sha256:
                _LOG.info("left to its own run window=%s", self._where(window))
                return []
            return self._complete(receipt)

    def finish(self, receipt: Receipt, failures: list[DeliveryError]) -> list[Delivery]:
        """Deliver the task's own window; what failed before, or fails now, leaves it without a receipt."""
        window = receipt.span
        try:
            self._check_raw(receipt)
            if failures:
                with _gathered(failures, self._where(window)):
                    self._deliver_once(receipt)
                _raise_any(failures)
            if not self._describes(receipt):
                self.lake.delete(self._key("receipts", window))
            return self._complete(receipt)
        except CollectorError:
            with suppress(LakeError):
                self.lake.delete(self._key("receipts", window))
            raise

    def _check_raw(self, receipt: Receipt) -> None:
        key = self._key("raw", receipt.span)
        if self.lake.digest(key) != receipt.raw_sha256:
            raise LakeError(
                f"{self.lake.url}/{key} is not what fetch wrote; run {self._where(receipt.span)} again from fetch on"
            )

    def _describes(self, receipt: Receipt) -> bool:
        """Say whether the receipt in the lake is about the same records and events."""
        present = self._present(receipt.span)
        return present is not None and (present.raw_sha256, present.events_sha256) == (
            receipt.raw_sha256,
            receipt.events_sha256,
        )

    def _present(self, window: Window) -> Receipt | None:
        try:
            return read_receipt(self.lake, self.instance, self.stream, window)
        except LakeError:
            return None  # a broken one is replaced

    def _complete(self, receipt: Receipt) -> list[Delivery]:
        """Deliver and write the receipt, until neither is older than the window's hits."""
        window = receipt.span
        for _ in range(_PASSES):
            hits, hits_sha256, deliveries = self._deliver_once(receipt)
            done = msgspec.structs.replace(receipt, hits=hits, hits_sha256=hits_sha256)
            if self._present(window) != done:
                write_receipt(self.lake, done)
            # Tagging another window may have changed the hits meanwhile, and seen no receipt to refresh
            if self.lake.digest(self._key("hits", window)) == hits_sha256:
                return deliveries
        raise DeliveryError(
            f"{self._where(window)}: its hits changed {_PASSES} times during delivery; run deliver again",
            retryable=True,
        )

    def _deliver_once(self, receipt: Receipt) -> tuple[int, str, list[Delivery]]:
        """Deliver the window's events with the labels of its present hits; return count and digest of the hits."""
        window = receipt.span
        deliveries: list[Delivery] = []
        failures: list[DeliveryError] = []
        with (
            self.lake.local(self._key("events", window)) as events,
            self.lake.local(self._key("hits", window)) as hits,
        ):
            if events is None or sha256_of(events) != receipt.events_sha256:
                raise LakeError(
                    f"{self.lake.url}/{self._key('events', window)} is not what normalize wrote; "
                    f"run {self._where(window)} again from normalize on"
                )
            if hits is None:
                raise LakeError(
                    f"{self.lake.url}/{self._key('hits', window)} is missing; "
                    f"run {self._where(window)} again from tag on"
                )
            hits_sha256 = sha256_of(hits)
            labels, count = read_labels(hits)
            payload = Payload(self.instance, self.stream, window, events, labels)
            for destination in self.destinations:
                with _gathered(failures, f"{payload} did not reach destination {destination.name}"):
                    deliveries.append(destination.deliver(payload))
        _raise_any(failures)
        return count, hits_sha256, deliveries
