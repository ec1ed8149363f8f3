"""Many UUIDs at once: hashing is quick, writing one UUID as text takes longer than that.

Source: RFC 9562, sections 4 (text form) and 5.5 (version 5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TEXT", "uuid5_texts"]

_LENGTH: Final = 36
TEXT: Final = f"S{_LENGTH}"
"""The numpy type of a UUID as text."""

_HYPHENS: Final = (8, 13, 18, 23)
_VERSION: Final = 6  # byte whose upper half says the version
_VARIANT: Final = 8  # byte whose upper two bits say the variant


def uuid5_texts(namespace: bytes, names: Sequence[str]) -> np.ndarray:
    """Return the UUIDv5 of each name as text, 36 bytes each; `namespace` is its 16, and what all names begin with."""
    import numpy as np

    begun = hashlib.sha1(namespace, usedforsecurity=False)
    digests = b"".join([_digest(begun.copy(), name) for name in names])
    octets = np.frombuffer(digests, np.uint8).reshape(len(names), 20)[:, :16].copy()
    octets[:, _VERSION] = octets[:, _VERSION] & 0x0F | 0x50
    octets[:, _VARIANT] = octets[:, _VARIANT] & 0x3F | 0x80
    texts = np.full((len(names), _LENGTH), ord("-"), np.uint8)
    places = [place for place in range(_LENGTH) if place not in _HYPHENS]
    texts[:, places] = np.frombuffer(octets.tobytes().hex().encode(), np.uint8).reshape(len(names), 32)
    found: np.ndarray = texts.reshape(-1).view(TEXT)
    return found


def _digest(begun: hashlib._Hash, name: str) -> bytes:
    begun.update(name.encode())
    return begun.digest()
