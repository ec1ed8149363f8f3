"""The members of JSON objects, found in many lines at once.

A decoder makes a Python object of each key and value, and most of them are never looked at. Here the places of all keys
and values of some thousand lines are worked out together, and only what is wanted is taken from there, column by
column.

Only objects of the common form are read: no list, exactly one object inside of the outer one, no number but integers of
at most 19 digits. A line of any other form, also one that is no JSON, is none of the lines found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sentinelone_collector.normalize.lines import Lines

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "MOST_MEMBERS",
    "Forms",
    "Members",
    "Pieces",
    "Places",
    "Texts",
    "Wanted",
    "distinct",
    "find_members",
    "fixed_texts",
    "numbered",
    "pieces_of",
]

MOST_MEMBERS: Final = 1 << 12
"""More members than a line may have."""

_LEAST: Final = 5  # bytes of a member
_LETTERS, _BITS, _ZERO = 4, 6, ord("0")  # how a number is written before a text
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Pieces(NamedTuple):
    """Which members are wanted of lines of several sorts: of sort `n` those at `places[begins[n]:begins[n + 1]]`."""

    places: np.ndarray
    begins: np.ndarray


def pieces_of(places: Sequence[Sequence[int]]) -> Pieces:
    """Return the pieces that have these places, by sort."""
    import numpy as np

    flat = np.array(list(chain.from_iterable(places)), np.int32)
    return Pieces(flat, np.cumsum([0, *map(len, places)], dtype=np.int32))


def distinct(texts: Any) -> tuple[list[str], np.ndarray]:
    """Return the distinct texts of an Arrow array, and which of them each row has."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


def numbered(text: str) -> tuple[int, str]:
    """Return the number that `Members.names` or `Members.joined` wrote before a text, and the text."""
    number = 0
    for letter in text[:_LETTERS]:
        number = number << _BITS | ord(letter) - _ZERO
    return number, text[_LETTERS:]


class Places(NamedTuple):
    """Where members are: numbers of bytes, for each member.

    The key of member `m` are the bytes from `keys[m]` to `key_ends[m]` with its quotes, its value those from
    `values[m]` to `value_ends[m]`, as JSON.
    """

    keys: np.ndarray
    key_ends: np.ndarray
    values: np.ndarray
    value_ends: np.ndarray


class Forms(NamedTuple):
    """How the members of lines are arranged.

    Those of line `n` begin with number `first[n]` of all members; `outer[n]` come before those of the inner object,
    whose own member is the last of these, and then `inner[n]` that are inside.
    """

    first: np.ndarray
    outer: np.ndarray
    inner: np.ndarray


class Wanted(NamedTuple):
    """Some members of each line: those of line `n` are at `places[begins[n]:ends[n]]`, counted from `first[n]`.

    `sorts` are numbers of 24 bits that stand before what is written of the lines.
    """

    sorts: np.ndarray
    first: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    places: np.ndarray


class Texts(NamedTuple):
    """Room for some texts, one after the other: text `n` is `octets[offsets[n]:offsets[n + 1]]`."""

    octets: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True, slots=True)
class Members:
    """The members of some lines, in their order.

    `numbers` are those of the lines among all that were given, `raw` the lines as they were given, and `lines` as
    encoders write them, without blanks and needless escapes; their members are in `places`. Line `n` has `counts[n]`.
    """

    numbers: np.ndarray
    raw: Lines
    lines: Lines
    counts: np.ndarray
    forms: Forms
    places: Places

    def only(self, wanted: np.ndarray) -> Members:
        """Return the members of those lines of which `wanted` says yes."""
        if wanted.all():
            return self
        return Members(
            self.numbers[wanted],
            self.raw.only(wanted),
            self.lines.only(wanted),
            self.counts[wanted],
            Forms(*(each[wanted] for each in self.forms)),
            self.places,
        )

    def names(self) -> Any:
        """Return the keys of each line as an Arrow array of texts: JSON as between the brackets of a list.

        Before them stands how many keys there are up to the inner object and inside of it (see `numbered`): the first
        times `MOST_MEMBERS`, and the second.
        """
        import numpy as np

        every = np.arange(self.counts.max(initial=0), dtype=np.int32)
        forms = self.forms
        # in the form that sorts have in `_wanted`: the loop is compiled anew for each form of arrays
        arranged = (forms.outer * MOST_MEMBERS + forms.inner).astype(np.intp)
        wanted = Wanted(arranged, forms.first, np.zeros_like(self.counts), self.counts, every)
        return self._joined(wanted, self.places.keys, self.places.key_ends)

    def joined(self, pieces: Pieces, sorts: np.ndarray) -> Any:
        """Return the values of the wanted members of each line as an Arrow array of texts, with commas between.

        Before them stands the sort of the line (see `numbered`).
        """
        return self._joined(self._wanted(pieces, sorts), self.places.values, self.places.value_ends)

    def objects(self, pieces: Pieces, sorts: np.ndarray) -> Any:
        """Return the wanted members of each line, without those that are null, as the texts of JSON objects."""
        from sentinelone_collector.normalize import kernels

        write = partial(kernels.join_members, self.lines.octets, self._wanted(pieces, sorts), self.places)
        return _texts(len(sorts), len(self.lines.octets), write)

    def _wanted(self, pieces: Pieces, sorts: np.ndarray) -> Wanted:
        return Wanted(sorts, self.forms.first, pieces.begins[sorts], pieces.begins[sorts + 1], pieces.places)

    def _joined(self, wanted: Wanted, starts: np.ndarray, stops: np.ndarray) -> Any:
        from sentinelone_collector.normalize import kernels

        write = partial(kernels.join_pieces, self.lines.octets, wanted, starts, stops)
        return _texts(len(wanted.sorts), len(self.lines.octets) + _LETTERS * len(wanted.sorts), write)

    def raw_texts(self) -> Any:
        """Return the lines as they were given as an Arrow array of texts."""
        return _cut(self.raw.octets, self.raw.starts, self.raw.ends)

    def texts(self, members: np.ndarray) -> Any:
        """Return what stands between the quotes of texts as an Arrow array; anything of values that are none."""
        import numpy as np

        starts = self.places.values[members] + 1
        return _cut(self.lines.octets, starts, np.maximum(self.places.value_ends[members] - 1, starts))

    def plain(self, members: np.ndarray) -> np.ndarray:
        """Say which texts are their own messages: printable at both ends, nothing that a description is cleaned of."""
        import numpy as np

        from sentinelone_collector.normalize import kernels

        found = np.empty(len(members), np.bool_)
        kernels.are_plain(
            self.lines.octets, self.places.values[members] + 1, self.places.value_ends[members] - 1, found
        )
        return found


def find_members(lines: Lines) -> Members:
    """Return the members of those lines that hold an object of the common form."""
    readable = lines if lines.text.isascii() or _is_text(lines.text) else _readable(lines)
    found = _members(lines, readable)
    if len(found.numbers) == len(lines):
        return found
    others = set(range(len(lines))).difference(found.numbers.tolist())
    changed = {number: new for number in others if (new := _respelled(lines[number])) != lines[number]}
    if not changed:
        return found
    return _members(lines, Lines.joined(changed.get(number, line) for number, line in enumerate(readable)))


def _members(raw: Lines, lines: Lines) -> Members:
    import numpy as np

    from sentinelone_collector.normalize import kernels

    count, most = len(lines), len(lines.text) // _LEAST + 1
    forms = Forms(*(np.empty(size, np.int32) for size in (count + 1, count, count)))
    places = Places(*(np.empty(most, np.int32) for _ in Places._fields))
    total = kernels.find_members(lines.octets, lines.starts, lines.ends, forms, places)
    counts = np.diff(forms.first)
    arranged, filled = forms._replace(first=forms.first[:-1]), Places(*(each[:total] for each in places))
    found = Members(np.arange(count), raw, lines, counts, arranged, filled)
    return found.only((forms.outer > 0) & (counts < MOST_MEMBERS))


def _readable(lines: Lines) -> Lines:
    """Return the lines, empty where one is no UTF-8."""
    return Lines.joined(line if _is_text(line) else b"" for line in lines)


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _respelled(line: bytes) -> bytes:
    """Return a line as encoders write it, by the last value of a key that occurs twice; as it is if that can't be."""
    try:
        return _encode(_decode(line))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return line


def _cut(octets: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Any:
    """Return pieces of a text as an Arrow array."""
    from sentinelone_collector.normalize import kernels

    return _texts(len(starts), int((ends - starts).sum()), partial(kernels.cut, octets, starts, ends))


def _texts(count: int, most: int, write: Callable[[Texts], int]) -> Any:
    """Return an Arrow array of some texts of at most so many bytes.

    `write` fills them in and returns how many bytes there are. The memory is Arrow's, which gives it back when the
    texts have gone.
    """
    import numpy as np
    import pyarrow as pa

    octets: Any = pa.allocate_buffer(most, None, resizable=True)
    offsets: Any = pa.allocate_buffer(np.dtype(np.int32).itemsize * (count + 1))
    octets.resize(write(Texts(np.frombuffer(octets, np.uint8), np.frombuffer(offsets, np.int32))))
    return pa.StringArray.from_buffers(count, offsets, octets)


def fixed_texts(texts: np.ndarray) -> Any:
    """Return texts of one length in bytes as an Arrow array."""
    import numpy as np
    import pyarrow as pa

    offsets: Any = np.arange(len(texts) + 1, dtype=np.int32) * np.int32(texts.itemsize)
    octets: Any = texts
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(octets))
