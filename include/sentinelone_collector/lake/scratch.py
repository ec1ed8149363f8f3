"""Folders for files in the making, and the removal of those that a killed process left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["LEFTOVER_SECONDS", "scratch_folder"]

LEFTOVER_SECONDS = 86_400.0
_PREFIX = "s1c-"


@contextmanager
def scratch_folder(parent: Path, now: Callable[[], float]) -> Iterator[Path]:
    """Give an empty folder below `parent`, removed at the end; leftovers without a write for a day go too.

    `now` returns seconds since 1970.
    """
    _reap(parent, now() - LEFTOVER_SECONDS)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _reap(parent: Path, before: float) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        if _last_write(folder) < before:
            # another process may reap the same folder, and those of other users are theirs to reap
            shutil.rmtree(folder, ignore_errors=True)


def _last_write(folder: Path) -> float:
    """Return when the folder or a file in it was last written, in seconds since 1970."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return float("inf")
