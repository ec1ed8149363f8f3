"""Locks that one holder in all processes has at a time: advisory locks of PostgreSQL, locked files beside SQLite.

Both are released when their holder dies, so that a killed task never blocks the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["database_lock", "file_lock", "lock_number"]


def lock_number(name: str) -> int:
    """Return the name as PostgreSQL numbers its advisory locks: a signed number of 64 bits."""
    return int.from_bytes(hashlib.sha256(f"sentinelone-collector/{name}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def database_lock(engine: Engine, name: str) -> Iterator[None]:
    """Hold a PostgreSQL advisory lock on a connection of its own."""
    from sqlalchemy import text

    number = {"number": lock_number(name)}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_advisory_lock(:number)"), number)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:number)"), number)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is made where it is missing and stays."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
