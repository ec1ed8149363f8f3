"""Which bytes stand under a key, told without reading them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ObjectVersion"]


class ObjectVersion(NamedTuple):
    """A key, a text that changes whenever the object is written anew, and the object's size in bytes."""

    key: str
    version: str
    size: int
