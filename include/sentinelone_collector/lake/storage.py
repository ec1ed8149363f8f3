"""Where objects lie: a folder or an S3 bucket, each written whole or not at all.

Both kinds keep the same promise: after `put` returns, every reader sees the new bytes; before, or if the process dies
inside it, every reader sees the old ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.lake.files import FolderStorage
from sentinelone_collector.lake.s3 import S3Storage, new_s3_client
from sentinelone_collector.lake.versions import ObjectVersion

__all__ = ["Storage", "open_lake", "readable_json"]

_USER = re.compile(r"//[^/]*@")


class Storage(Protocol):
    """Objects by key; keys use `/` and never begin with it. Every method raises `LakeError` where it can't work."""

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
        """Yield the keys below a prefix (empty, or ending with a slash) in order."""

    def versions(self, prefix: str, *, after: str = "") -> Iterator[ObjectVersion]:
        """Yield the keys below a prefix that come after another key, in order, each with the version of its bytes."""

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens where there is none."""

    def scratch(self) -> AbstractContextManager[Path]:
        """Give an empty folder for files that `put` will take; it is removed at the end."""


def readable_json(value: Any) -> bytes:
    """Return a value as the lake keeps small objects that people read, too: indented JSON that ends with a line."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def open_lake(url: str, *, s3_client: Any = None) -> Storage:
    """Return the lake at a folder path, a `file:///…` URL or an `s3://bucket/prefix` URL.

    Without `s3_client` the standard AWS settings of the environment are used. Raise `ConfigurationError` for any other
    kind of URL; its message leaves out what stands before an `@` or after a `?`.
    """
    if not url.strip():
        raise ConfigurationError("S1C_LAKE is empty; write a folder or s3://bucket/prefix")
    if "://" not in url:
        return FolderStorage(Path(url).expanduser().absolute())
    shown = _USER.sub("//", url.split("?", 1)[0].split("#", 1)[0])
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ConfigurationError(f"S1C_LAKE={shown!r}: nothing may follow the path; leave out ? and #")
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.strip("/"):
        return FolderStorage(Path(unquote(parts.path)))
    bucket = parts.netloc.rsplit("@", 1)[-1]
    if parts.scheme != "s3" or not bucket:
        raise ConfigurationError(f"S1C_LAKE={shown!r}: write a folder or s3://bucket/prefix")
    return S3Storage(bucket, parts.path, new_s3_client() if s3_client is None else s3_client)
