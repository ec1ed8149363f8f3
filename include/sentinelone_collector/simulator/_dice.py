"""Randomness that is a pure function of numbers, so that any record can be made on its own.

A generator with a state would need everything before a record to be drawn first. Here each
thing (bucket, user's day, record) has a die of its own, seeded by what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["Dice", "fraction", "mix"]

T = TypeVar("T")

_MASK = (1 << 64) - 1


def mix(*parts: int) -> int:
    """Hash integers to 64 bits (the finalizer of splitmix64, chained)."""
    state = 0x9E3779B97F4A7C15
    for part in parts:
        state = ((state ^ (part & _MASK)) * 0xBF58476D1CE4E5B9 + 0x632BE59BD9B4E019) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def fraction(*parts: int) -> float:
    """Hash integers to a number in [0, 1)."""
    return mix(*parts) / (1 << 64)


class Dice:
    """Draw numbers that depend on the given integers only."""

    __slots__ = ("_state",)

    def __init__(self, *parts: int) -> None:
        self._state = mix(*parts)

    def below(self, limit: int) -> int:
        """Draw an integer in [0, limit); limit at most 2**31."""
        self._state = state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (state >> 33) * limit >> 31

    def between(self, low: int, high: int) -> int:
        """Draw an integer in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, part: int, of: int) -> bool:
        """Answer true with probability part/of."""
        return self.below(of) < part

    def pick(self, items: Sequence[T]) -> T:
        """Draw one of the items."""
        return items[self.below(len(items))]

    def hex(self, digits: int) -> str:
        """Draw that many lower-case hexadecimal digits."""
        self.below(2)
        return blake2b(self._state.to_bytes(8, "little"), digest_size=-(-digits // 2)).hexdigest()[:digits]

    def uuid(self) -> str:
        """Draw a UUID text of version 4."""
        text = self.hex(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"

    def big_id(self) -> int:
        """Draw an integer of 19 digits, above 2**53, as the console's ids inside `data` are."""
        return 1_000_000_000_000_000_000 + (self.below(1 << 31) << 31) + self.below(1 << 31)
