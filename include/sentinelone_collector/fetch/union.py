"""What a window holds when its records come by several passes, or when versions of them were stored before.

Every record is known by its name (id, and version where versions count) and belongs to the window of the latest of its
passes' times. That is a function of the record alone: of two windows that both see it the later one keeps it, in any
order of fetching.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from sentinelone_collector.fetch.identity import Identity
from sentinelone_collector.fetch.pack import lines_of, merged, read_frame, read_part, write_part
from sentinelone_collector.fetch.parts import Part

__all__ = ["Union", "line_order", "stored_parts"]

_LINES_SORTED = 5000


class _Chosen(NamedTuple):
    """Which line stands for a name; greater ones win, and a stored one over all, so that it never changes again."""

    stored: bool
    version: int
    digest: bytes
    size: int


def line_order(read_identity: Callable[[bytes], Identity]) -> Callable[[bytes], Any]:
    """Return the key that raw objects are sorted by: time, id, bytes; lines without a time stand last."""

    def order(line: bytes) -> Any:
        identity = read_identity(line)
        return identity.latest is None, identity.latest or 0, identity.order, line

    return order


def stored_parts(raw: Path, folder: Path, order: Callable[[bytes], Any]) -> list[Path]:
    """Write the lines of a raw object to sorted scratch files; raise `zstandard.ZstdError` where it is damaged."""
    lines = lines_of(read_frame(raw))
    paths: list[Path] = []
    while some := list(islice(lines, _LINES_SORTED)):
        path = folder / f"stored.{len(paths)}"
        write_part(path, sorted(some, key=order))
        paths.append(path)
    return paths


def _files(parts: Iterable[Part]) -> list[Path]:
    return [path for part in parts for path in (part.path, *((part.untimed_path,) if part.untimed_size else ()))]


@dataclass
class Union:
    """The lines of several passes and of the stored object, each name once.

    `end` (microseconds since 1970) is the window's: what has its latest time from there on belongs to a later window.
    Memory is some hundred bytes a record; the lines stay on disk.
    """

    passes: Sequence[Sequence[Part]]
    stored: Sequence[Path]
    read_identity: Callable[[bytes], Identity]
    end: int
    expected: int = 0
    kept: int = 0
    later: int = 0
    later_received: int = 0
    first: int | None = None
    last: int | None = None
    _chosen: dict[bytes, _Chosen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in _lines(self.stored):
            self._choose(line, self.read_identity(line), stored=True)
        shown, later = set[bytes](), set[bytes]()
        for path in (path for parts in self.passes for path in _files(parts)):
            for line in lines_of(read_part(path)):
                identity = self.read_identity(line)
                name = _name(identity)
                if identity.latest is not None and identity.latest >= self.end:
                    later.add(name)
                    self.later_received += 1
                    continue
                shown.add(name)
                self._choose(line, identity, stored=False)
        self.expected, self.later = len(shown), len(later)
        self.kept = len(self._chosen) - len(shown)

    def _choose(self, line: bytes, identity: Identity, *, stored: bool) -> None:
        name = _name(identity)
        candidate = _Chosen(stored, identity.version, _digest(line), len(line) + 1)
        known = self._chosen.get(name)
        if known is None or candidate > known:
            self._chosen[name] = candidate

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return self.expected + self.kept

    @property
    def size(self) -> int:
        """How many bytes the lines take, with their ends."""
        return sum(chosen.size for chosen in self._chosen.values())

    def text(self) -> Iterator[bytes]:
        """Yield the lines in order, each with its line feed."""
        files = [path for parts in self.passes for path in _files(parts)]
        waiting = dict(self._chosen)
        for ended in merged([*self.stored, *files], line_order(self.read_identity)):
            line = ended[:-1]
            identity = self.read_identity(line)
            name = _name(identity)
            chosen = waiting.get(name)
            if chosen is not None and chosen.digest == _digest(line):
                del waiting[name]
                self._note(identity.latest)
                yield ended

    def _note(self, time: int | None) -> None:
        if time is not None:
            self.first = time if self.first is None else self.first
            self.last = time


def _lines(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        yield from lines_of(read_part(path))


def _name(identity: Identity) -> bytes:
    return _digest(identity.name.encode("utf-8", "surrogatepass"))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
