"""Small address databases in the layouts of the known vendors, with invented facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

Records = Mapping[str, Any]
Write = Callable[..., Path]
BUILT = 1_795_305_600  # 2026-11-22T00:00:00Z


def write_mmdb(path: Path, records: Records, kind: str = "Test-City", *, version: int = 6) -> Path:
    """Write a database with one record for each network."""
    writer = MMDBWriter(version, database_type=kind, languages=["en"], description="test", ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="session")
def new_mmdb(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """A factory: a database file with these records."""

    def make(records: Records, kind: str = "Test-City", *, version: int = 6) -> Path:
        return write_mmdb(tmp_path_factory.mktemp("mmdb") / "test.mmdb", records, kind, version=version)

    return make
