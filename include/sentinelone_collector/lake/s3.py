"""A lake below a prefix of an S3 bucket; a PUT is atomic there and reads after it are consistent."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake.files import sha256_of
from sentinelone_collector.lake.s3_faults import is_missing_object, s3_errors, s3_fault
from sentinelone_collector.lake.scratch import scratch_folder
from sentinelone_collector.lake.versions import ObjectVersion

__all__ = ["S3Storage", "new_s3_client", "put_s3_object", "s3_client_config"]

_CHUNK = 1 << 20
_SINGLE_PUT_BYTES = 256 << 20  # above it a broken connection costs too much, so the upload goes in parts
_READ_ATTEMPTS = 5


def s3_client_config() -> Any:
    """Return the botocore configuration that the collector works with: bounded waits, six attempts with back-off."""
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": 6},
        connect_timeout=10,
        read_timeout=60,
        user_agent_extra="sentinelone-collector",
    )


def new_s3_client() -> Any:
    """Return a boto3 S3 client with the standard AWS settings of the environment."""
    import boto3

    return boto3.client("s3", config=s3_client_config())


def put_s3_object(client: Any, bucket: str, key: str, source: Path | bytes, sha256: str) -> None:
    """Write one object whole or not at all; the service checks the bytes against their sha256, kept as metadata too.

    The object appears at the end of its single PUT, or at the completion of a multipart upload. Raises what the client
    raises.
    """
    metadata = {"sha256": sha256}
    if isinstance(source, Path) and source.stat().st_size > _SINGLE_PUT_BYTES:
        client.upload_file(str(source), bucket, key, ExtraArgs={"Metadata": metadata, "ChecksumAlgorithm": "SHA256"})
        return
    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
    if isinstance(source, bytes):
        client.put_object(Bucket=bucket, Key=key, Body=source, Metadata=metadata, ChecksumSHA256=checksum)
    else:
        with source.open("rb") as body:
            client.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata, ChecksumSHA256=checksum)


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
        """Upload whole or not at all, with the sha256 as metadata."""
        sha256 = hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else sha256_of(source)
        with self._explained("write", key):
            put_s3_object(self._client, self._bucket, self._prefix + key, source, sha256)

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, None where there is none."""
        with self.local(key) as path:
            return None if path is None else path.read_bytes()

    def digest(self, key: str) -> str | None:
        """Return the sha256 of the object's bytes, None where there is none.

        It stands in the metadata of what `put` wrote; other objects are downloaded.
        """
        with self._explained("read", key):
            stored = self._stored_digest(key)
        if stored is not None:
            return stored
        with self.local(key) as path:
            return None if path is None else sha256_of(path)

    def _stored_digest(self, key: str) -> str | None:
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except s3_errors() as error:
            if is_missing_object(error):
                return None  # or the bucket is missing: a GET tells them apart, a HEAD does not
            raise
        stored: str | None = head.get("Metadata", {}).get("sha256")
        return stored

    @contextmanager
    def local(self, key: str) -> Iterator[Path | None]:
        """Download the object into a temporary file; raise `LakeError` where its bytes are not those once written."""
        with self.scratch() as folder:
            path = folder / key.rsplit("/", 1)[-1]
            with self._explained("read", key):
                found = self._download(key, path)
            yield path if found else None

    def _download(self, key: str, path: Path) -> bool:
        # One GET per attempt: a download in ranges could mix two versions of an object that is being replaced.
        for attempt in range(1, _READ_ATTEMPTS + 1):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
                actual = _save(answer["Body"], path)
            except s3_errors() as error:
                if is_missing_object(error):
                    return False
                if attempt == _READ_ATTEMPTS or not s3_fault(error).retryable:
                    raise
                continue
            stored = answer.get("Metadata", {}).get("sha256")
            if stored is not None and stored != actual:
                raise LakeError(
                    f"{self.url}/{key} is damaged: its bytes have the sha256 {actual}, written were {stored}; "
                    "delete the object and collect its window again"
                )
            return True
        raise AssertionError("the last attempt returns or raises")

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix in order."""
        for entry in self._listed(prefix, {}):
            yield entry["Key"][len(self._prefix) :]

    def versions(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        """Yield the keys below a prefix in order; the service gives each write an entity tag and a time."""
        for entry in self._listed(prefix, {"StartAfter": self._prefix + after} if after else {}):
            version = f"{entry['ETag']}-{entry['LastModified'].timestamp():.3f}"
            yield ObjectVersion(entry["Key"][len(self._prefix) :], version, entry["Size"])

    def _listed(self, prefix: str, options: dict[str, str]) -> Iterator[dict[str, Any]]:
        with self._explained("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix, **options
            )
            for page in pages:
                yield from page.get("Contents", ())

    def delete(self, key: str) -> None:
        """Remove the object."""
        with self._explained("delete", key):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder in the system's temporary directory."""
        with scratch_folder(Path(tempfile.gettempdir()), time.time) as folder:
            yield folder

    @contextmanager
    def _explained(self, what: str, key: str) -> Iterator[None]:
        try:
            yield
        except s3_errors() as error:
            fault = s3_fault(error)
            raise LakeError(f"can't {what} {self.url}/{key}: {fault.text}; {fault.cure}") from error
        except OSError as error:
            raise LakeError(
                f"can't {what} {self.url}/{key}: {error.strerror or type(error).__name__}; "
                f"check space and rights of {tempfile.gettempdir()}"
            ) from error


def _save(body: Any, path: Path) -> str:
    """Write a response's body to a file and return its sha256 in hex."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in body.iter_chunks(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
