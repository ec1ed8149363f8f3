"""Rulesets as they were read before: reading rule files takes half a second, which every tagged window would pay.

A cached ruleset is found by the digest of all that it follows from: the rule files, the code that reads them, and the
versions of what that code stands on. It is believed only where it is whole and nobody else can have written it, and is
left out silently where the folder can't be used, since a cache is never a reason to fail.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["cache_folder", "find", "keep", "key_of"]

_PREFIX, _SUFFIX = "ruleset-", ".pickle"
_DIGEST_BYTES = 32
_KEPT_SECONDS = 30 * 86_400
_BUILT_ON = ("pysigma", "pydantic", "PyYAML")


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the user's folder for caches of this product, None where the user has no home."""
    base = Path(environment.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "sentinelone-collector"
    try:
        return Path.home() / ".cache" / "sentinelone-collector"
    except RuntimeError:
        return None


def key_of(files: Iterable[Path]) -> str | None:
    """Return the digest of the rule files and of all that reads them, in hex; None where a file can't be read."""
    digest = hashlib.sha256(_code_digest())
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            return None
        name = os.fsencode(file)
        digest.update(f"{len(name)} {len(content)} ".encode() + name + content)
    return digest.hexdigest()


@cache
def _code_digest() -> bytes:
    from importlib.metadata import version

    package = Path(__file__).parent.parent
    sources = [*(package / "detect").rglob("*.py"), *(package / "instances").glob("*.py")]
    sources += (package / "normalize").glob("*schema*")
    digest = hashlib.sha256(repr((sys.version, [(name, version(name)) for name in _BUILT_ON])).encode())
    for source in sorted(sources):
        if source.is_file():
            digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.digest()


def find(folder: Path, key: str) -> Any:
    """Return what was kept under the key, None where there is nothing that can be believed."""
    try:
        if not _is_ours(folder.stat()):
            return None
        with (folder / f"{_PREFIX}{key}{_SUFFIX}").open("rb") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return None
            digest, content = file.read(_DIGEST_BYTES), file.read()
        if hashlib.sha256(content).digest() != digest:
            return None
        return pickle.loads(content)  # noqa: S301  # whole, and written by this very user with this very code
    except (OSError, pickle.UnpicklingError, AttributeError, ImportError, EOFError, TypeError, ValueError):
        return None


def keep(folder: Path, key: str, content: Sequence[Any]) -> None:
    """Keep something under the key, whole or not at all; nothing happens where the folder can't be used."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder.stat()):
            return
        packed = pickle.dumps(content)
        handle, name = tempfile.mkstemp(dir=folder)  # nobody but this user may read or write it
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(packed).digest() + packed)
            Path(name).replace(folder / f"{_PREFIX}{key}{_SUFFIX}")
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _forget_old(folder, key)
    except OSError:
        return


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _forget_old(folder: Path, key: str) -> None:
    limit = time.time() - _KEPT_SECONDS
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        if key not in path.name and path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
