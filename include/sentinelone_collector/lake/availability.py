"""Streams that a console does not give: which, why, since when; one small object beside the data of each.

It is written when the console refuses a stream for want of a licence or a right, and removed by the next fetch that
succeeds, so that everybody who reads the lake can tell a window that is missing from one that can't be had.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake.storage import Storage, readable_json

__all__ = ["Unavailable", "available_again", "read_unavailable", "set_unavailable"]


class Unavailable(msgspec.Struct, frozen=True, kw_only=True):
    """Why a stream can't be read: times are ISO 8601 in UTC, `detail` is what the console said and what to do."""

    instance: str
    stream: str
    reason: Literal["licence", "permission"]
    detail: str
    since: str
    seen_at: str

    def __str__(self) -> str:
        return f"not available: {self.reason}, since {self.since}: {self.detail}"


def _key(instance: str, stream: str) -> str:
    return f"streams/instance={instance}/stream={stream}/unavailable.json"


def read_unavailable(lake: Storage, instance: str, stream: str) -> Unavailable | None:
    """Return why a stream can't be read, None where nothing is known against it; raise `LakeError` on a broken note."""
    key = _key(instance, stream)
    data = lake.read(key)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Unavailable)
    except msgspec.DecodeError as error:
        raise LakeError(f"{lake.url}/{key} can't be read ({error}); delete it") from error


def set_unavailable(lake: Storage, note: Unavailable) -> Unavailable:
    """Note that a stream can't be read, keep since when that is so, and return the note."""
    try:
        known = read_unavailable(lake, note.instance, note.stream)
    except LakeError:
        known = None  # a broken one is replaced
    if known is not None and known.reason == note.reason:
        note = msgspec.structs.replace(note, since=known.since)
    lake.put(_key(note.instance, note.stream), readable_json(note))
    return note


def available_again(lake: Storage, instance: str, stream: str) -> None:
    """Forget that a stream could not be read."""
    if lake.read(_key(instance, stream)) is not None:
        lake.delete(_key(instance, stream))
