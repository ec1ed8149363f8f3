"""The index of one UTC day: the events of all instances and streams, each window with the version of its bytes.

A manifest, a document of the index itself, says which windows it holds and in which version, so a reader sees windows
and manifest of one commit. Only events of versions that the lake holds now are ever shown.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake import Storage
from sentinelone_collector.search.budget import Budget
from sentinelone_collector.search.documents import TOKENIZER, index_schema, read_documents
from sentinelone_collector.search.listing import Found

__all__ = ["Shard", "Snapshot"]

_log = logging.getLogger(__name__)
_HEAP = 64 << 20  # bytes; tantivy wants 15 MB a thread at least
_COMMIT_EVENTS = 50_000


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """What the index holds of a window: the number its events bear, and the version of their bytes."""

    number: int
    version: str


class _Manifest(msgspec.Struct, frozen=True):
    entries: dict[str, _Entry] = {}
    next_number: int = 1


class Snapshot:
    """One commit of an index: what can be searched, and which windows it holds."""

    def __init__(self, searcher: Any) -> None:
        self.searcher = searcher
        self.manifest = _read_manifest(searcher)

    def numbers(self, windows: Sequence[Found]) -> list[int]:
        """Return the numbers of those windows whose bytes are indexed as the lake holds them now."""
        entries = self.manifest.entries
        return [entries[one.key].number for one in windows if self.holds(one)]

    def holds(self, window: Found) -> bool:
        """Say whether a window is indexed with the bytes that it has now."""
        entry = self.manifest.entries.get(window.key)
        return entry is not None and entry.version == window.version

    @property
    def size(self) -> int:
        """The number of windows that the index holds, of whatever version."""
        return len(self.manifest.entries)


@cache
def _empty() -> Snapshot:
    import tantivy

    return Snapshot(tantivy.Index(index_schema()).searcher())


def _read_manifest(searcher: Any) -> _Manifest:
    import tantivy

    query = tantivy.Query.term_query(index_schema(), "kind", "manifest")
    found = searcher.search(query, 1, count=False).hits
    if not found:
        return _Manifest()
    return msgspec.msgpack.decode(bytes(searcher.doc(found[0][1])["row"][0]), type=_Manifest)


class Shard:
    """The index of a day in a folder, or in memory where `folder` is None."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._index: Any = None
        self._newest: tuple[Snapshot, tuple[int, ...]] | None = None

    def snapshot(self) -> Snapshot:
        """Return the newest commit, also of other processes."""
        newest, seen = self._newest, self._state()
        if self._folder is not None and not seen:
            return _empty()
        if newest is None or seen != newest[1]:
            index = self._open()
            index.reload()
            # read before the commit was: at worst the same commit is read once more
            newest = self._newest = (Snapshot(index.searcher()), seen)
        return newest[0]

    def _state(self) -> tuple[int, ...]:
        if self._folder is None:
            return ()
        try:
            facts = (self._folder / "meta.json").stat()
        except OSError:  # not there yet, or not ours to read
            return ()
        return (facts.st_ino, facts.st_mtime_ns, facts.st_size)

    def _open(self) -> Any:
        import tantivy

        if self._index is None or (self._folder is not None and not self._state()):
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            index = self._new_index()
            index.config_reader("manual")
            analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
            index.register_tokenizer(TOKENIZER, analyzer)
            self._index = index
        return self._index

    def _new_index(self) -> Any:
        import tantivy

        if self._folder is None:
            return tantivy.Index(index_schema())
        try:
            return tantivy.Index(index_schema(), str(self._folder))
        except ValueError:  # left broken by a full disk, or of another version: it is made anew
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True, exist_ok=True)
            return tantivy.Index(index_schema(), str(self._folder))

    def update(self, lake: Storage, windows: Sequence[Found], budget: Budget) -> bool:
        """Index the windows whose bytes are new, in the order given, as far as the budget goes.

        Return False at once where another process is at it, or where the folder can't be written. Raise `LakeError`
        where a window can't be read.
        """
        try:
            with self._locked() as mine:
                if mine:
                    self._update(lake, windows, budget)
                return mine
        except (OSError, ValueError) as error:  # tantivy gives ValueError for a full disk
            _log.warning("the search index %s can't be written (%s); searches go without it", self._folder, error)
            return False

    def _update(self, lake: Storage, windows: Sequence[Found], budget: Budget) -> None:
        before = self.snapshot()
        new = [one for one in windows if not before.holds(one)]
        if not new or not budget.left:
            return
        writing = _Writing(self._open().writer(_HEAP, 1), before.manifest)
        try:
            for one in new:
                if not budget.left:
                    break
                writing.add(lake, one)
                budget.spend(one.size)
            writing.commit()
        finally:
            writing.close()
            self._newest = None

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        if self._folder is None:
            yield True
            return
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with self._folder.with_suffix(".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True  # closing the file gives the lock back, and so does the end of the process

    def remove(self) -> bool:
        """Take the folder away unless a process writes to it; readers keep what they have open."""
        with self._locked() as mine:
            if mine and self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._index = self._newest = None
            return mine


class _Writing:
    """A writer of an index with the manifest that its next commit will have."""

    def __init__(self, writer: Any, manifest: _Manifest) -> None:
        self._writer = writer
        self._entries = dict(manifest.entries)
        self._number = manifest.next_number
        self._pending = 0
        self._changed = False

    def add(self, lake: Storage, window: Found) -> None:
        """Put a window's events in the place of those that the index holds of it."""
        import tantivy

        old = self._entries.pop(window.key, None)
        if old is not None:
            stale = tantivy.Query.term_query(index_schema(), "window", old.number)
            self._writer.delete_documents_by_query(stale)  # by term it would look for a signed number
        self._changed = True
        with lake.local(window.key) as path:
            if path is None:
                return
            for document in _documents(path, lake, window, self._number):
                self._writer.add_document(document)
                self._pending += 1
        self._entries[window.key] = _Entry(self._number, window.version)
        self._number += 1
        if self._pending >= _COMMIT_EVENTS:
            self.commit()

    def commit(self) -> None:
        """Make what was added visible, together with a manifest that says so."""
        import tantivy

        if not self._changed:
            return
        manifest = _Manifest(entries=self._entries, next_number=self._number)
        self._writer.delete_documents_by_term("kind", "manifest")
        fields: Mapping[str, Any] = {"kind": "manifest", "row": msgspec.msgpack.encode(manifest)}
        self._writer.add_document(tantivy.Document.from_dict(dict(fields), index_schema()))
        self._writer.commit()
        self._pending, self._changed = 0, False

    def close(self) -> None:
        """Wait for the index's own work, and give its files free."""
        self._writer.wait_merging_threads()


def _documents(path: Path, lake: Storage, window: Found, number: int) -> Iterator[Any]:
    import pyarrow as pa

    read: Callable[..., Iterator[Any]] = read_documents
    try:
        yield from read(path, window.place, number)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise LakeError(
            f"{lake.url}/{window.key} is no file of events ({error}); collect window {window.place.window} of "
            f"{window.place.instance}/{window.place.stream} again with --reprocess normalize"
        ) from error
