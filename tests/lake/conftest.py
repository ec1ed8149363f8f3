"""Lakes to test on: one in a folder, one on a real S3 server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.lake import FolderStorage, S3Storage, Storage


@pytest.fixture
def folder_lake(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "lake")


@pytest.fixture
def s3_lake(s3_server: Any) -> S3Storage:
    return S3Storage(s3_server.bucket, s3_server.fresh_prefix(), s3_server.client())


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest) -> Storage:
    return request.getfixturevalue(f"{request.param}_lake")
