"""The fetch task: one window of one stream, counted, cut, read concurrently, proven complete and stored whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from sentinelone_collector.errors import CollectorError, ConfigurationError, IncompleteWindow, LakeError, WindowOpen
from sentinelone_collector.fetch.identity import identity_reader, iso_of, microseconds
from sentinelone_collector.fetch.pack import merged, pack, read_part
from sentinelone_collector.fetch.slices import Part, Slice, Slicer, shared_keys
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import Storage, day_prefix, object_key, parse_key, sha256_of
from sentinelone_collector.results import Fetched
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Stream
from sentinelone_collector.source.scope import scope_filters
from sentinelone_collector.windows import Window, as_utc

__all__ = ["fetch"]

_THREADS = 4
_TRIES = 3

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class _Packed(NamedTuple):
    path: Path
    size: int
    sha256: str


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
    last. An object that holds these bytes already is left untouched; else the window's receipt goes first, so that no
    receipt ever speaks of other bytes. `progress` is told each step. Raise `WindowOpen` before the window has settled,
    `ConfigurationError` where a collected window overlaps this one, `IncompleteWindow` where count and records never
    agree, and the errors of `Console`; each names instance, stream and window.
    """
    task = _Task(instance, stream, window, console.begin(), lake, progress)
    task.check_settled(as_utc(now()))
    task.check_calendar()
    try:
        return task.run(now)
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
                f"{self.where}: can be fetched from {_iso(ready)} on, its end plus {self.instance.settle} to settle: "
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

    def run(self, now: Callable[[], datetime]) -> Fetched:
        for _ in range(_TRIES):
            with self.lake.scratch() as folder:
                parts = self._read(folder)
                if shared_keys(parts):
                    _log.warning("%s: a record came in two slices, it moved meanwhile: reading again", self.where)
                    continue
                packed = self._pack(parts, folder)
                self._store(packed)
                return self._result(parts, packed, as_utc(now()))
        raise IncompleteWindow(
            f"records moved from slice to slice in each of {_TRIES} readings; run the window again later"
        )

    def _read(self, folder: Path) -> list[Part]:
        slicer = Slicer(self.console, self.stream.endpoint, scope_filters(self.instance.scope))
        start, end = microseconds(self.instance.collected_from(self.window)), microseconds(self.window.end)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch") as pool:
            try:
                slices = _plan(slicer, slicer.count(start, end), pool)
                self.progress(f"counted: {sum(piece.expected for piece in slices)} records in {len(slices)} slices")
                parts = _results([pool.submit(self._read_slice, slicer, piece, folder) for piece in slices])
            except BaseException:
                self.console.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return sorted(parts, key=lambda part: part.start)

    def _read_slice(self, slicer: Slicer, piece: Slice, folder: Path) -> Part:
        part = slicer.read(piece, folder)
        self.progress(f"read: {part.lines} records")
        return part

    def _pack(self, parts: Sequence[Part], folder: Path) -> _Packed:
        read_identity = identity_reader(self.stream.endpoint)
        untimed = [part.untimed_path for part in parts if part.untimed_size]

        def pieces() -> Iterator[bytes]:
            for part in parts:
                yield from read_part(part.path)
            yield from merged(untimed, lambda line: (read_identity(line).order, line))

        path = folder / "raw"
        size = pack(pieces(), sum(part.size + part.untimed_size for part in parts), path)
        self.progress("packed")
        return _Packed(path, size, sha256_of(path))

    def _store(self, packed: _Packed) -> None:
        key = object_key("raw", self.instance.slug, self.stream.name, self.window)
        if self.lake.digest(key) == packed.sha256:
            self.progress("unchanged")
            return
        self.lake.delete(object_key("receipts", self.instance.slug, self.stream.name, self.window))
        self.progress("receipt removed")
        self.lake.put(key, packed.path)
        self.progress("stored")

    def _result(self, parts: Sequence[Part], packed: _Packed, fetched_at: datetime) -> Fetched:
        times = [time for part in parts for time in (part.first, part.last) if time is not None]
        received = sum(part.received for part in parts)
        return Fetched(
            instance=self.instance.slug,
            stream=self.stream.name,
            start=_iso(self.window.start),
            end=_iso(self.window.end),
            console=self.console.host,
            collected_from=_iso(self.instance.collected_from(self.window)),
            expected=sum(part.expected for part in parts),
            fetched=received,
            duplicates=received - sum(part.lines for part in parts),
            first_time=iso_of(min(times)) if times else None,
            last_time=iso_of(max(times)) if times else None,
            raw_sha256=packed.sha256,
            raw_bytes=packed.size,
            requests=self.console.requests,
            fetched_at=_iso(fetched_at),
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


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
