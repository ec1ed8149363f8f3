"""Where indexes lie: a local folder of bounded size, one index a day; it holds nothing that the lake does not."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from sentinelone_collector.search.shard import Shard

__all__ = ["ShardCache"]

_FORMAT = "v1"  # of the index: a change makes another folder
_OPEN = 400  # indexes kept open: more than a year
_TOUCHED_EVERY = 3600.0


class ShardCache:
    """The indexes of one lake below a folder; the least lately used go where they take more than `most_bytes`.

    `now` returns seconds since 1970. Several processes may share the folder.
    """

    def __init__(self, folder: Path, lake_url: str, *, most_bytes: int, now: Callable[[], float] = time.time) -> None:
        self.folder = folder / f"{_FORMAT}-{hashlib.sha256(lake_url.encode()).hexdigest()[:16]}"
        self._most = most_bytes
        self._now = now
        self._open: OrderedDict[str, Shard] = OrderedDict()
        self._guard = threading.Lock()

    def shard(self, day: str) -> Shard:
        """Return the index of a UTC day, `YYYY-MM-DD`."""
        with self._guard:
            found = self._open.pop(day, None) or Shard(self.folder / day)
            self._open[day] = found
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)
        self._touch(day)
        return found

    def _touch(self, day: str) -> None:
        path, now = self._lock(day), self._now()
        try:
            if path.stat().st_mtime < now - _TOUCHED_EVERY:
                os.utime(path, (now, now))
        except OSError:
            return  # not there yet, or not ours to write: it counts as used when it was written

    def _lock(self, day: str) -> Path:
        return self.folder / f"{day}.lock"

    def shrink(self, keep: str) -> None:
        """Remove the least lately used indexes, but for the day to keep, until the rest is small enough."""
        sizes = {path.name: _size(path) for path in self._folders()}
        total = sum(sizes.values())
        for day in sorted(sizes, key=self._used):
            if total <= self._most:
                return
            if day != keep and self.shard(day).remove():
                total -= sizes[day]

    def _folders(self) -> Iterator[Path]:
        try:
            yield from [path for path in self.folder.iterdir() if path.is_dir()]
        except OSError:
            return

    def _used(self, day: str) -> float:
        try:
            return self._lock(day).stat().st_mtime
        except OSError:
            return 0.0


def _size(folder: Path) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                total += entry.stat().st_size
    except OSError:  # another process takes it away, or merges its files
        return total
    return total
