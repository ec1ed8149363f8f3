"""How much a search may read that is not indexed yet."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Budget"]


class Budget:
    """Seconds and bytes that are left; `clock` returns monotonic seconds.

    The first window is always allowed, so that every attempt gets further than the one before.
    """

    def __init__(
        self,
        seconds: float = 10.0,
        *,
        size: int = 1 << 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._until = clock() + seconds
        self._size = size
        self._spent = 0
        self.seconds = seconds

    def spend(self, size: int) -> None:
        """Note that a window of so many bytes was read."""
        self._spent += max(size, 1)

    @property
    def left(self) -> bool:
        """Say whether another window may be read."""
        return not self._spent or (self._spent < self._size and self._clock() < self._until)
