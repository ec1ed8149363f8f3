"""Lines into one zstd frame whose bytes depend on the lines alone, not on how they were read."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import zstandard

__all__ = ["lines_of", "merged", "pack", "read_frame", "read_part", "write_part"]

_CHUNK = 1 << 20
_FRAME_CHUNK = 1 << 16
_FILES_AT_ONCE = 100
_LEVEL = 3
_PART_LEVEL = 1


def write_part(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines to a scratch file, each ended by a line feed, and return their size in bytes."""
    text = b"".join(line + b"\n" for line in lines)
    path.write_bytes(zstandard.ZstdCompressor(level=_PART_LEVEL).compress(text))
    return len(text)


def read_part(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a scratch file in pieces."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        while piece := reader.read(_CHUNK):
            yield piece


def read_frame(path: Path) -> Iterator[bytes]:
    """Yield the text of a raw object in pieces; raise `zstandard.ZstdError` where it is damaged or cut off."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    with path.open("rb") as file:
        while data := file.read(_FRAME_CHUNK):
            yield frame.decompress(data)
    if not frame.eof:
        raise zstandard.ZstdError("the end is missing")


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a text that comes in pieces, without their line feeds."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


def merged(paths: Iterable[Path], order: Callable[[bytes], Any]) -> Iterator[bytes]:
    """Yield the lines of several sorted scratch files as one sorted text, each with its line feed."""
    waiting = list(paths)
    while len(waiting) > _FILES_AT_ONCE:  # every file that is merged is open
        several, waiting = waiting[:_FILES_AT_ONCE], waiting[_FILES_AT_ONCE:]
        together = several[0].with_name(f"{several[0].name}+")
        _write_lines(together, _merged(several, order))
        waiting.append(together)
    yield from _merged(waiting, order)


def _merged(paths: Iterable[Path], order: Callable[[bytes], Any]) -> Iterator[bytes]:
    for line in heapq.merge(*(lines_of(read_part(path)) for path in paths), key=order):
        yield line + b"\n"


def _write_lines(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as file, zstandard.ZstdCompressor(level=_PART_LEVEL).stream_writer(file) as writer:
        for line in lines:
            writer.write(line)


def pack(pieces: Iterable[bytes], size: int, target: Path) -> int:
    """Write the pieces, of `size` bytes in all, as one zstd frame and return the file's size in bytes.

    Level 3, content size and checksum in the frame, fed in pieces of 1 MiB on one thread: the same text gives the
    same bytes. Raise `zstandard.ZstdError` where the pieces are not of that size.
    """
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    stream = compressor.compressobj(size=size)
    with target.open("wb") as file:
        for chunk in _equal_chunks(pieces):
            file.write(stream.compress(chunk))
        file.write(stream.flush())
    return target.stat().st_size


def _equal_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _CHUNK:
            yield bytes(waiting[:_CHUNK])
            del waiting[:_CHUNK]
    if waiting:
        yield bytes(waiting)
