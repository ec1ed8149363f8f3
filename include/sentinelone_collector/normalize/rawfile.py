"""Lines of raw objects in, lines of quarantine objects out; both are one zstd frame of NDJSON."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import msgspec
import zstandard

from sentinelone_collector.errors import LakeError

__all__ = ["QuarantineFile", "raw_texts"]

_CHUNK: Final = 16 << 10  # bytes of compressed input; some 300 KB of records come out
_LEVEL: Final = 3
_NEWLINE: Final = b"\n"


def raw_texts(path: Path, name: str, *, size: int) -> Iterator[bytes]:
    """Yield a raw object's lines, whole ones with their ends, in texts of about `size` bytes.

    `name` is how errors call the object. Raise `LakeError` where it is cut off or no zstd.
    """
    chunks: list[bytes] = []
    held = 0
    for chunk in _decompressed(path, name):
        held += len(chunk)
        if held < size:
            chunks.append(chunk)
            continue
        end = chunk.rfind(_NEWLINE) + 1
        if end:
            yield b"".join((*chunks, chunk[:end]))
            chunks = [chunk[end:]]
            held = len(chunk) - end
        else:
            chunks.append(chunk)
    rest = b"".join(chunks)
    if rest:
        yield rest if rest.endswith(_NEWLINE) else rest + _NEWLINE


def _decompressed(path: Path, name: str) -> Iterator[bytes]:
    # Not a stream reader: that one takes the end of the file for the end of the frame, and a lost tail goes unseen.
    frame = None
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            while data:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                try:
                    yield frame.decompress(data)
                except zstandard.ZstdError as error:
                    raise LakeError(f"{name} is damaged ({error}); fetch the window again") from error
                data = b""
                if frame.eof:
                    data, frame = frame.unused_data, None
    if frame is not None:
        raise LakeError(f"{name} is cut off; fetch the window again")


class QuarantineFile:
    """Takes records that can't be events; makes no file as long as there are none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = 0
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._writer.close()
            self._file.close()

    def add(self, line: bytes, error: str) -> None:
        """Write one record: its text, or base64 of its bytes where they are no UTF-8, and the reason."""
        if self._file is None:
            self._file = self.path.open("wb")
            self._writer = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file, closefd=False)
        entry = {"error": error}
        try:
            entry["record"] = line.decode()
        except UnicodeDecodeError:
            entry["record_base64"] = base64.b64encode(line).decode()
        self._writer.write(msgspec.json.encode(entry) + b"\n")
        self.records += 1
