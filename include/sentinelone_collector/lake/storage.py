"""Where objects lie: a folder or an S3 bucket, each written whole or not at all.

Both kinds keep the same promise: after `put` returns, every reader sees the new bytes; before, or if the process dies
inside it, every reader sees the old ones. Local files are written beside their target, flushed to disk and renamed
(rename is atomic within a file system, POSIX rename(2)); an S3 PUT is atomic and reads after it are consistent.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from sentinelone_collector.errors import ConfigurationError, LakeError

__all__ = ["FolderStorage", "S3Storage", "Storage", "open_lake", "sha256_of"]

_CHUNK = 1 << 20


class Storage(Protocol):
    """Objects by key; keys use `/` and never begin with it."""

    @property
    def url(self) -> str:
        """The lake's address, without credentials."""

    def put(self, key: str, source: Path | bytes) -> None:
        """Write the object whole or not at all; a file given as source may be moved away."""

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, None where there is none."""

    def digest(self, key: str) -> str | None:
        """Return the sha256 of the object's bytes in hex, None where there is no object."""

    def local(self, key: str) -> AbstractContextManager[Path | None]:
        """Give the object as a local file to read while the context lasts, None where there is none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix (which ends with a slash) in order."""

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens where there is none."""

    def scratch(self) -> AbstractContextManager[Path]:
        """Give an empty folder for files that `put` will take; it is removed at the end."""


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FolderStorage:
    """A lake in a local folder."""

    _STAGING = ".staging"

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._root)

    def _path(self, key: str) -> Path:
        return self._root / key

    def put(self, key: str, source: Path | bytes) -> None:
        """Write beside the target, flush to disk, rename, and flush the folder."""
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self.scratch() as folder:
                staged = folder / "object"
                if isinstance(source, bytes):
                    staged.write_bytes(source)
                else:
                    shutil.move(source, staged)
                _flush(staged)
                os.replace(staged, target)  # noqa: PTH105  # the atomic rename is the point
            _flush(target.parent)
        except OSError as error:
            raise LakeError(f"can't write {target}: {error.strerror}; check space and rights") from error

    def read(self, key: str) -> bytes | None:
        """Return the file's bytes, None where there is no file."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def digest(self, key: str) -> str | None:
        """Return the sha256 of the file's bytes, None where there is no file."""
        try:
            return sha256_of(self._path(key))
        except FileNotFoundError:
            return None

    @contextmanager
    def local(self, key: str) -> Iterator[Path | None]:
        """Give the file itself."""
        path = self._path(key)
        yield path if path.is_file() else None

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix in order."""
        for folder, subfolders, files in os.walk(self._path(prefix)):
            subfolders.sort()
            for name in sorted(files):
                yield (Path(folder) / name).relative_to(self._root).as_posix()

    def delete(self, key: str) -> None:
        """Remove the file and flush its folder."""
        path = self._path(key)
        if path.exists():
            path.unlink(missing_ok=True)
            _flush(path.parent)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder on the lake's own file system, so that renames from it are atomic."""
        staging = self._root / self._STAGING
        staging.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=staging) as folder:
            yield Path(folder)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class S3Storage:
    """A lake below a prefix of an S3 bucket; `client` is a boto3 S3 client."""

    def __init__(self, bucket: str, prefix: str, client: Any) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._client = client

    @property
    def url(self) -> str:
        """The bucket and prefix as an s3 URL."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, key: str, source: Path | bytes) -> None:
        """Upload whole: one PUT, or for large files a multipart upload that appears at its completion only."""
        with self._explained("write", key):
            if isinstance(source, bytes):
                self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=source)
            else:
                self._client.upload_file(str(source), self._bucket, self._prefix + key)

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, None where there is none."""
        with self.local(key) as path:
            return None if path is None else path.read_bytes()

    def digest(self, key: str) -> str | None:
        """Return the sha256 of the object's bytes, None where there is none."""
        with self.local(key) as path:
            return None if path is None else sha256_of(path)

    @contextmanager
    def local(self, key: str) -> Iterator[Path | None]:
        """Download the object into a temporary file."""
        from botocore.exceptions import ClientError

        with self.scratch() as folder:
            path = folder / key.rsplit("/", 1)[-1]
            try:
                with self._explained("read", key):
                    self._client.download_file(self._bucket, self._prefix + key, str(path))
            except LakeError as error:
                cause = error.__cause__
                if not (isinstance(cause, ClientError) and _is_missing(cause.response)):
                    raise
                found = None
            else:
                found = path
            yield found

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        with self._explained("list", prefix):
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"][len(self._prefix) :]

    def delete(self, key: str) -> None:
        """Remove the object."""
        with self._explained("delete", key):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder in the system's temporary directory."""
        with tempfile.TemporaryDirectory(prefix="s1c-") as folder:
            yield Path(folder)

    @contextmanager
    def _explained(self, what: str, key: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise LakeError(f"can't {what} s3://{self._bucket}/{self._prefix}{key}: {error}") from error


def _is_missing(response: Any) -> bool:
    return str(response.get("Error", {}).get("Code")) in {"404", "NoSuchKey"}


def open_lake(url: str, *, s3_client: Any = None) -> Storage:
    """Return the lake at a folder path or an `s3://bucket/prefix` URL.

    Without `s3_client` the standard AWS settings of the environment are used. Raise `ConfigurationError` for any other
    kind of URL.
    """
    if "://" not in url:
        return FolderStorage(Path(url).expanduser().absolute())
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderStorage(Path(parts.path))
    if parts.scheme != "s3" or not parts.hostname:
        raise ConfigurationError(f"S1C_LAKE={url!r}: write a folder or s3://bucket/prefix")
    if s3_client is None:
        import boto3

        s3_client = boto3.client("s3")
    return S3Storage(parts.netloc.rsplit("@", 1)[-1], parts.path, s3_client)
