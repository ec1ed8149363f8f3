"""A lake in S3 against a real server: faults on the wire, damage, errors that name the key and the cure."""

# ruff: noqa: TID253  # no DAG file imports a test

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake import S3Storage, s3_client_config, s3_fault

TRIES = Config(retries={"mode": "standard", "total_max_attempts": 3})


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


@pytest.mark.parametrize(
    "faults",
    [(503, 500), ("timeout", 503), ("lost answer",)],
    ids=["503-500", "timeout-503", "timeout-after-commit"],
)
def test_a_passing_fault_of_a_put_is_outlived(s3_server: Any, faults: tuple[int | str, ...]) -> None:
    client, left = s3_server.faulty_client("PutObject", *faults)
    lake = S3Storage(s3_server.bucket, s3_server.fresh_prefix(), client)
    lake.put("a/b", b"content")
    assert left == []
    assert lake.read("a/b") == b"content"
    assert list(lake.keys("")) == ["a/b"]


def test_a_lasting_fault_says_to_run_again_and_leaves_the_old_object(s3_server: Any) -> None:
    prefix = s3_server.fresh_prefix()
    S3Storage(s3_server.bucket, prefix, s3_server.client()).put("a/b", b"old")
    client, left = s3_server.faulty_client("PutObject", 503, 503, 503)
    lake = S3Storage(s3_server.bucket, prefix, client)
    with pytest.raises(LakeError, match=rf"can't write {lake.url}/a/b: .*SlowDown.*run the task again"):
        lake.put("a/b", b"new")
    assert left == []
    assert lake.read("a/b") == b"old"


class BrokenBody:
    """A response body whose connection breaks after the first bytes."""

    def iter_chunks(self, size: int) -> Any:
        yield b"only the beg"
        raise ReadTimeoutError(endpoint_url="http://127.0.0.1")


def test_a_download_that_breaks_off_is_read_again_whole(s3_lake: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_lake.put("a/b", b"the whole content")
    real, broken = s3_lake._client.get_object, [1, 2]

    def get_object(**arguments: Any) -> Any:
        response = real(**arguments)
        return response | {"Body": BrokenBody()} if broken and broken.pop() else response

    monkeypatch.setattr(s3_lake._client, "get_object", get_object)
    assert s3_lake.read("a/b") == b"the whole content"
    assert broken == []


def test_a_download_that_always_breaks_off_fails_and_gives_nothing(
    s3_lake: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_lake.put("a/b", b"the whole content")
    real = s3_lake._client.get_object
    monkeypatch.setattr(s3_lake._client, "get_object", lambda **kw: real(**kw) | {"Body": BrokenBody()})
    with pytest.raises(LakeError, match=r"can't read .*/a/b.*run the task again"), s3_lake.local("a/b"):
        pytest.fail("half an object was given")


def test_the_digest_is_taken_from_what_put_stored_without_a_download(
    s3_lake: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_lake.put("a/b", b"content")
    monkeypatch.setattr(s3_lake._client, "get_object", lambda **kw: pytest.fail("downloaded"))
    assert s3_lake.digest("a/b") == hashlib.sha256(b"content").hexdigest()


def test_the_digest_of_an_object_that_others_wrote_is_that_of_its_bytes(s3_server: Any, s3_lake: S3Storage) -> None:
    key = s3_lake.url.removeprefix(f"s3://{s3_server.bucket}/") + "/a/b"
    s3_server.client().put_object(Bucket=s3_server.bucket, Key=key, Body=b"foreign")
    assert s3_lake.digest("a/b") == hashlib.sha256(b"foreign").hexdigest()
    assert s3_lake.read("a/b") == b"foreign"


def test_damaged_bytes_are_noticed_on_reading(s3_server: Any, s3_lake: S3Storage) -> None:
    key = s3_lake.url.removeprefix(f"s3://{s3_server.bucket}/") + "/a/b"
    written = {"sha256": hashlib.sha256(b"written").hexdigest()}
    s3_server.client().put_object(Bucket=s3_server.bucket, Key=key, Body=b"damaged", Metadata=written)
    with pytest.raises(LakeError, match=r"/a/b is damaged.*collect its window again"):
        s3_lake.read("a/b")


def test_a_large_file_goes_in_parts_and_comes_back_whole(
    s3_lake: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentinelone_collector.lake.s3._SINGLE_PUT_BYTES", 1 << 20)
    source = tmp_path / "large"
    source.write_bytes(bytes(range(256)) * (40 << 10))
    expected = hashlib.sha256(source.read_bytes()).hexdigest()
    s3_lake.put("a/large", source)
    assert s3_lake.digest("a/large") == expected
    with s3_lake.local("a/large") as path:
        assert path is not None
        assert hashlib.sha256(path.read_bytes()).hexdigest() == expected


def test_more_keys_than_one_answer_lists_come_all(s3_server: Any, s3_lake: S3Storage) -> None:
    keys = [f"a/{number:04}" for number in range(25)]
    for key in keys:
        s3_lake.put(key, b"")
    real = s3_lake._client.get_paginator

    class SmallPages:
        def paginate(self, **arguments: Any) -> Any:
            return real("list_objects_v2").paginate(**arguments, PaginationConfig={"PageSize": 7})

    s3_lake._client.get_paginator = lambda name: SmallPages()
    assert list(s3_lake.keys("a/")) == keys


@pytest.mark.parametrize(
    ("bucket", "credentials", "cure"),
    [
        ("no-such-bucket", {}, "create the bucket or correct its name"),
        ("lake", {"aws_access_key_id": "unknown"}, "renew the access key|grant s3:"),
        ("lake", {"aws_secret_access_key": "hunter2-hunter2"}, "renew the access key|grant s3:"),
    ],
)
def test_an_error_names_the_key_and_the_cure_and_never_the_credentials(
    s3_server: Any, bucket: str, credentials: dict[str, str], cure: str
) -> None:
    lake = S3Storage(bucket, "some/prefix", s3_server.client(config=TRIES, **credentials))
    for work in (
        lambda: lake.put("a/b", b""),
        lambda: lake.read("a/b"),
        lambda: lake.digest("a/b"),
        lambda: list(lake.keys("a/")),
    ):
        with pytest.raises(LakeError, match=rf"s3://{bucket}/some/prefix/a/.*({cure})") as caught:
            work()
        shown = repr(caught.value) + str(caught.value)
        assert s3_server.secret_key not in shown
        assert "hunter2" not in shown


def test_an_unreachable_service_is_called_so_without_the_password_in_its_url() -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url="http://user:hunter2@127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(LakeError, match=r"s3://bucket/p/a/b.*run the task again") as caught:
        S3Storage("bucket", "p", client).put("a/b", b"")
    assert "hunter2" not in str(caught.value)


def test_missing_credentials_are_called_so(s3_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.session.Session().client("s3", endpoint_url=s3_server.endpoint, region_name="us-east-1")
    with pytest.raises(LakeError, match=r"AWS_\* variables"):
        S3Storage(s3_server.bucket, "p", client).put("a/b", b"")


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (503, "SlowDown", True),
        (500, "InternalError", True),
        (429, "TooManyRequests", True),
        (409, "OperationAborted", True),
        (403, "AccessDenied", False),
        (404, "NoSuchBucket", False),
        (400, "ExpiredToken", False),
        (400, "BadDigest", True),
    ],
)
def test_what_may_pass_by_itself_is_told_from_what_a_person_must_change(
    status: int, code: str, retryable: bool
) -> None:
    error = ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )
    assert s3_fault(error).retryable is retryable
    assert s3_fault(error).cure


def test_the_standard_client_settings_bound_every_wait() -> None:
    config = s3_client_config()
    assert config.retries["total_max_attempts"] >= 3
    assert 0 < config.connect_timeout <= 30
    assert 0 < config.read_timeout <= 120


def test_a_full_temporary_folder_is_called_so(s3_lake: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_lake.put("a/b", b"content")

    def full(body: Any, path: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sentinelone_collector.lake.s3._save", full)
    with pytest.raises(LakeError, match=r"can't read .*/a/b: No space left on device; check space"):
        s3_lake.read("a/b")
