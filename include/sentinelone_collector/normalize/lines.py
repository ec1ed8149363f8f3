"""Lines of one text, as they come out of a raw object; none is an object of its own until it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Lines"]

_NEWLINE: Final = b"\n"


class Lines:
    """Some lines of a text: line `n` is `text[starts[n]:ends[n]]`, and behind it comes a newline."""

    def __init__(self, text: bytes, starts: np.ndarray, ends: np.ndarray) -> None:
        self.text = text
        self.starts = starts
        self.ends = ends

    @classmethod
    def of(cls, text: bytes) -> Lines:
        """Return all lines of a text, each of which ends with a newline."""
        import numpy as np

        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE[0]).astype(np.int32)
        return cls(text, np.concatenate((np.zeros(1, np.int32), ends + np.int32(1)))[:-1], ends)

    @classmethod
    def joined(cls, lines: Iterable[bytes]) -> Lines:
        """Return lines, none of which holds a newline, as those of one text."""
        return cls.of(_NEWLINE.join((*lines, b"")))

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self.starts)

    def __getitem__(self, number: int) -> bytes:
        """Return one line."""
        return self.text[self.starts[number] : self.ends[number]]

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines."""
        return (self.text[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    @cached_property
    def octets(self) -> np.ndarray:
        """The text as bytes."""
        import numpy as np

        return np.frombuffer(self.text, np.uint8)

    def only(self, wanted: np.ndarray) -> Lines:
        """Return those lines of which `wanted` says yes."""
        return Lines(self.text, self.starts[wanted], self.ends[wanted])
