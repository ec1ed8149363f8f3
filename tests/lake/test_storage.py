"""What a folder and an S3 bucket promise alike."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.lake import FolderStorage, S3Storage, Storage, open_lake

KEY = "raw/instance=emea/stream=activities/day=2026-11-22/20261122T100000Z--20261122T101000Z.ndjson.zst"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_was_put_is_read_back_by_every_way(lake: Storage) -> None:
    lake.put(KEY, b"\x00\xffone")
    assert lake.read(KEY) == b"\x00\xffone"
    assert lake.digest(KEY) == digest(b"\x00\xffone")
    with lake.local(KEY) as path:
        assert path is not None
        assert path.read_bytes() == b"\x00\xffone"
    lake.put(KEY, b"two")
    assert (lake.read(KEY), lake.digest(KEY)) == (b"two", digest(b"two"))


def test_a_file_is_put_like_its_bytes(lake: Storage) -> None:
    with lake.scratch() as folder:
        (folder / "made").write_bytes(b"x" * 100_000)
        lake.put(KEY, folder / "made")
    assert lake.digest(KEY) == digest(b"x" * 100_000)


def test_an_empty_object_is_an_object(lake: Storage) -> None:
    lake.put(KEY, b"")
    assert lake.read(KEY) == b""
    assert lake.digest(KEY) == digest(b"")


def test_a_missing_object_is_none_and_deleting_it_is_nothing(lake: Storage) -> None:
    assert lake.read(KEY) is None
    assert lake.digest(KEY) is None
    with lake.local(KEY) as path:
        assert path is None
    lake.delete(KEY)
    assert list(lake.keys("")) == []
    assert list(lake.keys("raw/")) == []


def test_a_deleted_object_is_gone(lake: Storage) -> None:
    lake.put(KEY, b"one")
    lake.delete(KEY)
    assert lake.read(KEY) is None
    assert list(lake.keys("")) == []


def test_keys_come_in_order_and_only_those_below_the_prefix(lake: Storage) -> None:
    keys = ["a/b/2", "a/b/1", "b/x", "a/c/3", "ab/1"]
    for key in keys:
        lake.put(key, b"")
    assert list(lake.keys("")) == sorted(keys)
    assert list(lake.keys("a/")) == sorted(key for key in keys if key.startswith("a/"))
    assert list(lake.keys("a/b/")) == ["a/b/1", "a/b/2"]
    assert list(lake.keys("nothing/")) == []


def test_a_scratch_folder_is_private_to_its_context(lake: Storage) -> None:
    with lake.scratch() as one, lake.scratch() as other:
        assert one != other
        (one / "half-made").write_bytes(b"")
        assert list(lake.keys("")) == []
    assert not one.exists()
    assert not other.exists()


def test_keys_by_other_people_are_left_alone(lake: Storage) -> None:
    lake.put("README.txt", b"ours")
    assert list(lake.keys("")) == ["README.txt"]


def test_open_lake_takes_a_folder_in_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("some lake", str(tmp_path / "some lake"), (tmp_path / "some lake").as_uri()):
        lake = open_lake(url)
        assert isinstance(lake, FolderStorage)
        assert lake.url == str(tmp_path / "some lake")


def test_open_lake_takes_an_s3_url_and_hides_what_stands_before_the_at() -> None:
    client: Any = object()
    for url in ("s3://bucket/some/prefix", "s3://connection@bucket/some/prefix/"):
        lake = open_lake(url, s3_client=client)
        assert isinstance(lake, S3Storage)
        assert lake.url == "s3://bucket/some/prefix"
    assert open_lake("s3://bucket", s3_client=client).url == "s3://bucket"


def test_open_lake_without_a_client_uses_the_environment(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    lake = open_lake(f"s3://{s3_server.bucket}/{s3_server.fresh_prefix()}")
    lake.put("a/b", b"c")
    assert lake.read("a/b") == b"c"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gs://bucket/x",
        "s3:///no-bucket",
        "s3://key:hunter2@",
        "https://key:hunter2@host/bucket",
        "s3://bucket/x?secret=hunter2",
        "s3://bucket/x#hunter2",
        "file://other-host/hunter/2",
        "file:///",
    ],
)
def test_any_other_url_is_refused_without_showing_credentials(url: str) -> None:
    with pytest.raises(ConfigurationError, match="S1C_LAKE") as caught:
        open_lake(url)
    assert "hunter2" not in str(caught.value)
