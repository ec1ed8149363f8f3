"""The fetch task: one window of one stream, counted, cut, read concurrently, proven complete and stored whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import zstandard

from sentinelone_collector.errors import (
    CollectorError,
    ConfigurationError,
    IncompleteWindow,
    LakeError,
    PermissionDenied,
    TokenError,
    WindowOpen,
)
from sentinelone_collector.fetch.identity import identity_reader, iso_of, microseconds
from sentinelone_collector.fetch.packing import Packed, Reading, count_of, pack_in_turn, pack_united, weakest
from sentinelone_collector.fetch.parts import Part, shared_keys
from sentinelone_collector.fetch.slices import Slice, Slicer
from sentinelone_collector.fetch.union import line_order, stored_parts
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import Storage, day_prefix, object_key, parse_key
from sentinelone_collector.results import Fetched
from sentinelone_collector.source.answers import CountRejected
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Pass, Stream
from sentinelone_collector.source.scope import scope_filters
from sentinelone_collector.windows import Window, as_utc, iso

__all__ = ["fetch"]

_THREADS = 4
_TRIES = 3

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def fetch(
    instance: Instance,
    stream: Stream,
    window: Window,
    *,
    console: Console,
    lake: Storage,
    now: Callable[[], datetime],
    progress: Callable[[str], None] = _log.debug,
) -> Fetched:
    """Bring everything the console holds for the window into the lake, byte for byte, and prove it complete.

    The raw object is one zstd frame of lines, sorted by time, id and bytes; records without a readable time stand
    last. Of records that change it keeps the versions that it held, also those that the console shows no more. An
    object that holds these bytes already is left untouched; else the window's receipt goes first, so that no receipt
    ever speaks of other bytes. `progress` is told each step. Raise `WindowOpen` before the window has settled,
    `ConfigurationError` where a collected window overlaps this one, `IncompleteWindow` where count and records never
    agree, `NotLicensed` and `PermissionDenied` where the stream is not available, and the errors of `Console`; each
    names instance, stream and window.
    """
    task = _Task(instance, stream, window, console.begin(), lake, progress)
    task.check_settled(as_utc(now()))
    task.check_calendar()
    try:
        return task.run(now)
    except TokenError as error:
        if not task.knows_token():
            error.args = (f"{task.where}: {error}",)
            raise
        raise PermissionDenied(
            f"{task.where}: {error}. The console accepts this token elsewhere: give its role the permission "
            f"{stream.endpoint.permission}"
        ) from error
    except CollectorError as error:
        error.args = (f"{task.where}: {error}", *error.args[1:])
        raise
    except OSError as error:
        raise LakeError(f"{task.where}: scratch files: {error}; check space and rights") from error


@dataclass(frozen=True)
class _Task:
    """One window on its way from the console to the lake."""

    instance: Instance
    stream: Stream
    window: Window
    console: Console
    lake: Storage
    progress: Callable[[str], None]

    @property
    def where(self) -> str:
        return f"{self.instance.slug}/{self.stream.name} {self.window}"

    def check_settled(self, now: datetime) -> None:
        ready = self.instance.calendar.ready_at(self.window)
        if now < ready:
            ready_in = (ready - now).total_seconds()
            raise WindowOpen(
                f"{self.where}: can be fetched from {iso(ready)} on, its end plus {self.instance.settle} to settle: "
                f"wait {ready_in:.0f} s",
                ready_in=ready_in,
            )

    def check_calendar(self) -> None:
        for key in self.lake.keys(day_prefix("receipts", self.instance.slug, self.stream.name, self.window.day)):
            parsed = parse_key(key)
            if parsed is not None and parsed.window != self.window and parsed.window.overlaps(self.window):
                raise ConfigurationError(
                    f"{self.where}: overlaps {parsed.window}, which is collected already: the calendar was changed. "
                    f"Restore `every` and `live_since` of {self.instance.slug}, or remove the old window's objects, "
                    f"like {self.lake.url}/{key}"
                )

    def knows_token(self) -> bool:
        """Say whether the console accepts the token elsewhere: some services answer 401 where only a right is missing.

        A stream that every instance needs is not looked into; without it nothing works.
        """
        if not self.stream.endpoint.optional:
            return False
        try:
            self.console.begin(patience=0.0).get("/system/info")
        except CollectorError:
            return False
        return True

    def run(self, now: Callable[[], datetime]) -> Fetched:
        for _ in range(_TRIES):
            with self.lake.scratch() as folder:
                stored = self._stored_digest()
                readings = self._read(folder)
                if any(shared_keys(reading.parts) for reading in readings):
                    _log.warning("%s: a record came in two slices, it moved meanwhile: reading again", self.where)
                    continue
                packed = self._pack(readings, folder)
                if self._stored_digest() != stored:
                    _log.warning("%s: another task has stored the window meanwhile: reading again", self.where)
                    continue
                self._store(packed)
                return self._result(readings, packed, as_utc(now()))
        raise IncompleteWindow(
            f"records moved from slice to slice, or other tasks stored the window, in each of {_TRIES} readings; run "
            "the window again later"
        )

    @property
    def _key(self) -> str:
        return object_key("raw", self.instance.slug, self.stream.name, self.window)

    def _stored_digest(self) -> str | None:
        """Return the digest of the stored object where its versions are kept."""
        return None if self.stream.endpoint.record_version is None else self.lake.digest(self._key)

    def _read(self, folder: Path) -> list[Reading]:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch") as pool:
            try:
                return [self._read_pass(reading, folder, pool) for reading in self.stream.endpoint.readings]
            except BaseException:
                self.console.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _read_pass(self, reading: Pass, folder: Path, pool: ThreadPoolExecutor) -> Reading:
        start, end = microseconds(self.instance.collected_from(self.window)), microseconds(self.window.end)
        endpoint = self.stream.endpoint
        slicer = Slicer(self.console, endpoint, reading, scope_filters(self.instance.scope))
        try:
            whole = slicer.count(start, end)
        except CountRejected as error:
            _log.warning("%s: reading twice instead of counting: %s", self.where, error)
            slicer = replace(slicer, endpoint=replace(endpoint, counts=False))
            whole = slicer.count(start, end)
        slices = _plan(slicer, whole, pool)
        if whole.expected is None:
            self.progress("counted: not, the console can't")
        else:
            self.progress(f"counted: {sum(piece.expected or 0 for piece in slices)} records in {len(slices)} slices")
        parts = _results([pool.submit(self._read_slice, slicer, piece, folder) for piece in slices])
        return Reading(reading, sorted((part for some in parts for part in some), key=lambda part: part.start))

    def _read_slice(self, slicer: Slicer, piece: Slice, folder: Path) -> list[Part]:
        parts = slicer.read(piece, folder)
        self.progress(f"read: {sum(part.lines for part in parts)} records")
        return parts

    def _pack(self, readings: Sequence[Reading], folder: Path) -> Packed:
        endpoint, path = self.stream.endpoint, folder / "raw"
        if len(readings) == 1 and endpoint.record_version is None:
            packed = pack_in_turn(endpoint, readings[0].parts, path)
        else:
            stored = self._stored(folder) if endpoint.record_version is not None else []
            packed = pack_united(endpoint, readings, stored, path, end=microseconds(self.window.end))
        self.progress("packed")
        return packed

    def _stored(self, folder: Path) -> list[Path]:
        order = line_order(identity_reader(self.stream.endpoint))
        try:
            with self.lake.local(self._key) as raw:
                return [] if raw is None else stored_parts(raw, folder, order)
        except zstandard.ZstdError as error:
            raise LakeError(
                f"{self.lake.url}/{self._key} is damaged ({error}), and may hold versions that the console shows no "
                "more: restore it, or delete it and run the window again"
            ) from error

    def _store(self, packed: Packed) -> None:
        if self.lake.digest(self._key) == packed.sha256:
            self.progress("unchanged")
            return
        self.lake.delete(object_key("receipts", self.instance.slug, self.stream.name, self.window))
        self.progress("receipt removed")
        self.lake.put(self._key, packed.path)
        self.progress("stored")

    def _result(self, readings: Sequence[Reading], packed: Packed, fetched_at: datetime) -> Fetched:
        passes = tuple(count_of(reading) for reading in readings)
        fetched = sum(count.received for count in passes) - packed.later_received + packed.kept
        return Fetched(
            instance=self.instance.slug,
            stream=self.stream.name,
            start=iso(self.window.start),
            end=iso(self.window.end),
            console=self.console.host,
            collected_from=iso(self.instance.collected_from(self.window)),
            expected=packed.expected,
            fetched=fetched,
            duplicates=fetched - packed.lines,
            first_time=None if packed.first is None else iso_of(packed.first),
            last_time=None if packed.last is None else iso_of(packed.last),
            raw_sha256=packed.sha256,
            raw_bytes=packed.size,
            requests=self.console.requests,
            fetched_at=iso(fetched_at),
            kept=packed.kept,
            later=packed.later,
            proof=weakest(count.proof for count in passes),
            passes=passes,
        )


def _plan(slicer: Slicer, whole: Slice, pool: ThreadPoolExecutor) -> list[Slice]:
    """Cut the window, all slices of one width at a time, until each can be read; return the slices by time."""
    ready: list[Slice] = []
    level = [whole]
    while level:
        ready += [piece for piece in level if slicer.whole(piece)]
        halves = _results([pool.submit(slicer.halves, piece) for piece in level if not slicer.whole(piece)])
        level = [half for pair in halves for half in pair]
    return sorted(ready)


def _results(futures: Sequence[Future[_T]]) -> list[_T]:
    """Return all results, or raise an error as soon as there is one; the caller then stops the others."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
    return [future.result() for future in futures]
