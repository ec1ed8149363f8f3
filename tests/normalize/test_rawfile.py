"""Raw objects read in texts of whole lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sentinelone_collector.normalize import rawfile
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.rawfile import raw_texts


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[bytes]], Path]:
    """A factory: a raw object of one frame for each piece, which come out one by one."""
    path = tmp_path_factory.mktemp("raw") / "raw"

    def store(pieces: list[bytes]) -> Path:
        path.write_bytes(b"".join(map(zstandard.compress, pieces)))
        return path

    return store


PIECES = st.lists(st.binary(max_size=12).map(lambda octets: octets.replace(b"\x00", b"\n")), max_size=12)


@given(
    pieces=PIECES | st.lists(st.sampled_from([b"ab", b"\n", b"c\nd", b"e\n\nf\n", b""]), max_size=30),
    size=st.integers(1, 40),
)
def test_texts_are_whole_lines_and_not_overly_long(
    stored: Callable[[list[bytes]], Path], pieces: list[bytes], size: int
) -> None:
    whole = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rawfile, "_CHUNK", 5)
        texts = list(raw_texts(stored(pieces), "raw", size=size))
    assert b"".join(texts) == whole + (b"\n" if whole and not whole.endswith(b"\n") else b"")
    assert all(text.endswith(b"\n") for text in texts)
    longest = max(map(len, [b"", *pieces])) + max(map(len, whole.split(b"\n"))) + 1
    assert all(len(text) <= size + longest for text in texts)


@given(lines=st.lists(st.binary(max_size=9).map(lambda octets: octets.replace(b"\n", b" ")), max_size=12))
def test_lines_come_back_as_they_were(lines: list[bytes]) -> None:
    found = Lines.joined(lines)
    assert list(found) == [found[number] for number in range(len(found))] == lines
    assert len(found) == len(lines)
