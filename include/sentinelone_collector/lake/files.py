"""A lake in a local folder.

A file is written beside its target, flushed to disk and renamed (rename is atomic within a file system, POSIX
rename(2)); the folders that name it are flushed too, so that neither a killed process nor a power cut leaves a part.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake.scratch import scratch_folder
from sentinelone_collector.lake.versions import ObjectVersion

__all__ = ["FolderStorage", "replace_file", "sha256_of"]

_STAGING = ".staging"


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(staged: Path, target: Path) -> None:
    """Put a finished file in the place of the target, whole or not at all, and keep it through a power cut.

    Both lie on one file system. Raise `OSError` where the file system refuses.
    """
    _flush(staged)
    new_folders = _make_folders(target.parent)
    os.replace(staged, target)  # noqa: PTH105  # the atomic rename is the point
    for folder in (target.parent, *new_folders):
        _flush(folder)


def _make_folders(folder: Path) -> list[Path]:
    """Make the folder and return those above the new ones, whose entries are new."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [path.parent for path in missing]


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FolderStorage:
    """A lake in a local folder; `now` returns seconds since 1970 and decides what leftovers are old."""

    def __init__(self, root: Path, *, now: Callable[[], float] = time.time) -> None:
        self._root = root
        self._now = now

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._root)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") for part in parts) or parts[0] == _STAGING:
            raise LakeError(f"{key!r} is no key of a lake; keys are relative paths without . and ..")
        return self._root / key

    @contextmanager
    def _explained(self, what: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise LakeError(
                f"can't {what} {path}: {reason}; check space, rights and the path {self._root}, then run again"
            ) from error

    def put(self, key: str, source: Path | bytes) -> None:
        """Write beside the target, flush to disk, rename, and flush the folder."""
        target = self._path(key)
        with self._explained("write", target), self.scratch() as folder:
            staged = folder / "object"
            if isinstance(source, bytes):
                staged.write_bytes(source)
            else:
                shutil.move(source, staged)
            replace_file(staged, target)

    def read(self, key: str) -> bytes | None:
        """Return the file's bytes, None where there is no file."""
        path = self._path(key)
        with self._explained("read", path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def digest(self, key: str) -> str | None:
        """Return the sha256 of the file's bytes, None where there is no file."""
        path = self._path(key)
        with self._explained("read", path):
            try:
                return sha256_of(path)
            except FileNotFoundError:
                return None

    @contextmanager
    def local(self, key: str) -> Iterator[Path | None]:
        """Give the file itself."""
        path = self._path(key)
        with self._explained("read", path):
            found = path.is_file()
        yield path if found else None

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix in order."""
        folder = self._path(prefix.rstrip("/")) if prefix else self._root
        with self._explained("list", folder):
            yield from self._below(folder, prefix)

    def _below(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            # a folder's keys sort by its name and a slash: a.b before a/b
            entries = sorted((entry.name + "/" if entry.is_dir() else entry.name) for entry in os.scandir(folder))
        except FileNotFoundError:
            return
        for name in entries:
            if not name.endswith("/"):
                yield prefix + name
            elif prefix or name != f"{_STAGING}/":
                yield from self._below(folder / name, prefix + name)

    def versions(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        """Yield the keys below a prefix in order; a file that is put anew is another inode, written at another time."""
        folder = self._path(prefix.rstrip("/")) if prefix else self._root
        with self._explained("list", folder):
            yield from self._versions_below(str(folder), prefix, after)

    def _versions_below(self, folder: str, prefix: str, after: str) -> Iterator[ObjectVersion]:
        # thousands of windows are listed with every search, so no path objects here
        try:
            with os.scandir(folder) as entries:
                found = {entry.name + "/" if entry.is_dir() else entry.name: entry for entry in entries}
        except FileNotFoundError:
            return
        for name in sorted(found):
            key = prefix + name
            if key <= after and not after.startswith(key):
                continue
            if name.endswith("/"):
                if prefix or name != f"{_STAGING}/":
                    yield from self._versions_below(found[name].path, key, after)
            elif key > after:
                try:
                    facts = found[name].stat()
                except FileNotFoundError:  # removed since
                    continue
                version = f"{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"
                yield ObjectVersion(key, version, facts.st_size)

    def delete(self, key: str) -> None:
        """Remove the file and flush its folder."""
        path = self._path(key)
        with self._explained("delete", path):
            try:
                path.unlink()
            except FileNotFoundError:
                return
            _flush(path.parent)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder on the lake's own file system, so that renames from it are atomic."""
        staging = self._root / _STAGING
        with ExitStack() as stack:
            with self._explained("write", staging):
                staging.mkdir(parents=True, exist_ok=True)
                folder = stack.enter_context(scratch_folder(staging, self._now))
            yield folder
