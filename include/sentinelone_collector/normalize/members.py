"""The members of JSON objects, found in many lines at once.

A decoder makes a Python object of each key and value, and most of them are never looked at. Here the places of all keys
and values of some thousand lines are worked out together from where their quotes stand, and only what is wanted is
taken from there, column by column.

Only objects of the common form are read: no list, exactly one object inside of the outer one, no number with a fraction
or an exponent, no blanks but one behind a comma or a colon. A line of any other form, also one that is no JSON, is none
of the lines found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Members", "find_members"]

_QUOTE, _BACKSLASH, _COLON, _COMMA, _BLANK, _OPEN, _CLOSE, _NULL, _MINUS, _ZERO, _NINE, _A = b'"\\:, {}n-09a'
_MOST_DIGITS: Final = 40

_check = msgspec.json.Decoder(msgspec.Raw).decode  # by all rules of JSON, but no value is made


@dataclass(frozen=True, slots=True)
class Members:
    """The members of some lines, in their order; all places are those of bytes in `text`.

    `lines` are the numbers of the lines among all that were given; line `n` of them is `text[starts[n]:ends[n]]` and
    has `counts[n]` members; `outer[n]` of them come before those of the inner object, whose own member is the last of
    these, and then `inner[n]` that are inside. The key of member `m` is `text[keys[m]:key_ends[m]]` with its opening
    quote and without the closing one; its value is `text[values[m]:value_ends[m]]`, JSON as the console wrote it.
    `null` tells the members that are null.
    """

    text: bytes
    lines: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    keys: np.ndarray
    key_ends: np.ndarray
    values: np.ndarray
    value_ends: np.ndarray
    null: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The number of each line's first member, and behind them that of all members."""
        import numpy as np

        return np.concatenate(([0], np.cumsum(self.counts)))

    def slices(self, starts: np.ndarray, ends: np.ndarray) -> Any:
        """Return pieces of the text; they must be in order and must not overlap."""
        import numpy as np
        import pyarrow as pa

        borders: Any = np.empty(2 * len(starts), np.int32)
        borders[::2], borders[1::2] = starts, ends
        if not len(starts):
            return pa.array([], pa.string())
        # Every other of these is a gap between two pieces. Nothing is copied but what is taken.
        pieces = pa.StringArray.from_buffers(len(borders) - 1, pa.py_buffer(borders), pa.py_buffer(self.text))
        others: Any = pa.array(np.arange(0, len(borders), 2, dtype=np.int32))
        return pieces.take(others)

    def joined(self, chosen: np.ndarray, starts: np.ndarray, ends: np.ndarray, by: str = ",") -> Any:
        """Return for each line the pieces `text[starts[m]:ends[m]]` of the chosen members as one text.

        `chosen` are numbers of members, in order.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        before: Any = pa.array(np.searchsorted(chosen, self.first).astype(np.int32))
        lists: Any = pa.ListArray.from_arrays(before, self.slices(starts[chosen], ends[chosen]))
        return pc.binary_join(lists, by)

    def only(self, wanted: np.ndarray) -> Members:
        """Return the members of those lines of which `wanted` says yes."""
        import numpy as np

        if wanted.all():
            return self
        theirs = np.repeat(wanted, self.counts)
        of_line = {"lines", "starts", "ends", "counts", "outer", "inner"}
        held = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "text"}
        return Members(
            text=self.text, **{name: array[wanted if name in of_line else theirs] for name, array in held.items()}
        )


def find_members(lines: Sequence[bytes]) -> Members:
    """Return the members of those lines that hold an object of the common form."""
    import numpy as np

    numbers: Sequence[int] = range(len(lines))
    text = b"".join(lines)
    try:
        list(map(_check, lines))
        text.decode()
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        numbers = [number for number in numbers if _is_json(lines[number])]
        lines = [lines[number] for number in numbers]
        text = b"".join(lines)
    ends = np.cumsum(np.fromiter(map(len, lines), np.int32, len(lines)), dtype=np.int32)
    return _Search(text, ends).members(np.array(numbers, np.int32))


def _is_json(line: bytes) -> bool:
    try:
        _check(line)
        line.decode()
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _told(members: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of the members that are told in each line, any number where there is none, and how many.

    `last` is the number behind each line's last member.
    """
    import numpy as np

    places = np.flatnonzero(members)
    upto = np.searchsorted(places, last)
    return np.append(places, 0)[np.concatenate(([0], upto[:-1]))], np.diff(upto, prepend=0)


def _none(text: bytes) -> Members:
    import numpy as np

    nothing = np.zeros(0, np.int32)
    return Members(text, *(nothing for _ in fields(Members)[1:]))


class _Search:
    """One search in the text of lines that are valid JSON each."""

    def __init__(self, text: bytes, ends: np.ndarray) -> None:
        import numpy as np

        self.text = text
        self.bytes = np.frombuffer(text + b"  ", np.uint8)  # so that there is a byte behind each
        self.starts = np.concatenate((np.zeros(1, np.int32), ends))[:-1]
        self.ends = ends
        self.sound = np.ones(len(ends), np.bool_)
        """Which lines have the common form, as far as is known."""
        self.opens, self.closes = self._texts()  # the quotes of all texts
        self.key_texts = np.flatnonzero(self.bytes[self.closes + 1] == _COLON)  # which texts are keys
        self.keys, self.key_ends = self.opens[self.key_texts], self.closes[self.key_texts]
        self.last = np.searchsorted(self.keys, ends)  # behind each line's members
        self.counts = np.diff(self.last, prepend=0)
        self.sound &= self.counts > 0
        self.line = np.repeat(np.arange(len(ends), dtype=np.int32), self.counts)
        self.values = self.key_ends + 2
        self.values += self.bytes[self.values] == _BLANK
        self.begins = self.bytes[self.values]

    def members(self, numbers: np.ndarray) -> Members:
        """Return the members of the lines that have the common form."""
        if not len(self.keys):
            return _none(self.text)
        before = self._before()
        own, behind, closing = self._inner(before)
        value_ends = self._value_ends(before, own, behind, closing)
        is_text = self.begins == _QUOTE
        self._check_texts(is_text, value_ends)
        self._check_others(is_text, own, value_ends)
        found = Members(
            text=self.text,
            lines=numbers,
            starts=self.starts,
            ends=self.ends,
            counts=self.counts,
            outer=own + 1 - (self.last - self.counts),
            inner=behind - own - 1,
            keys=self.keys,
            key_ends=self.key_ends,
            values=self.values,
            value_ends=value_ends,
            null=self.begins == _NULL,
        )
        return found.only(self.sound)

    def _places(self, octet: int) -> np.ndarray:
        import numpy as np

        return np.flatnonzero(self.bytes == octet).astype(np.int32)

    def _texts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of the opening and of the closing quotes of all texts."""
        import numpy as np

        quotes = self._places(_QUOTE)
        if b"\\" in self.text:
            # a byte is escaped where an odd number of backslashes stands before it
            backslashes = self._places(_BACKSLASH)
            begins = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
            lengths = np.diff(begins, append=len(backslashes))
            escaped = np.zeros(len(self.bytes) + 1, np.bool_)
            escaped[(backslashes[begins] + lengths)[lengths % 2 == 1]] = True
            quotes = quotes[~escaped[quotes]]
        return quotes[::2], quotes[1::2]

    def _before(self) -> np.ndarray:
        """Return the places of the commas and braces before the members."""
        before = self.keys - 1
        before -= self.bytes[before] == _BLANK
        return before

    def _inner(self, before: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each line's member that is the inner object, the first member behind it, and its closing brace.

        Behind a text comes a quote and behind any other value a letter or a digit, so that a brace before a comma
        ends an object.
        """
        import numpy as np

        octets, ends, last = self.bytes, self.ends, self.last
        self.sound &= (octets[self.starts] == _OPEN) & (octets[ends - 1] == _CLOSE)
        own, inner = _told(self.begins == _OPEN, last)
        behind, after = _told((octets[before - 1] == _CLOSE) & (octets[before] == _COMMA), last)
        closing = np.where(after == 1, before[np.minimum(behind, len(before) - 1)] - 1, ends - 2)
        behind = np.where(after == 1, behind, last)
        self.sound &= (inner == 1) & (after <= 1) & (octets[closing] == _CLOSE) & (own < behind)
        return own, behind, closing

    def _value_ends(self, before: np.ndarray, own: np.ndarray, behind: np.ndarray, closing: np.ndarray) -> np.ndarray:
        """Return where values end: at the next comma, or with an object."""
        import numpy as np

        value_ends = np.append(before[1:], np.int32(0))
        for members, ends in ((self.last - 1, self.ends - 1), (behind - 1, closing), (own, closing + 1)):
            value_ends[members[self.sound]] = ends[self.sound]
        return value_ends

    def _check_texts(self, is_text: np.ndarray, value_ends: np.ndarray) -> None:
        """Refuse lines with something between a text and what is around it, or with a text that is no key nor value.

        A key that is not seen as one, since a blank is behind it, is a text too many.
        """
        import numpy as np

        opens, key_texts, line = self.opens, self.key_texts, self.line
        own = np.minimum(key_texts + 1, len(opens) - 1)
        wrong = is_text & ((opens[own] != self.values) | (self.closes[own] + 1 != value_ends))
        self.sound[line[wrong]] = False
        following = key_texts + 1 + is_text  # the text behind a member's
        self.sound[line[:-1][(following[:-1] != key_texts[1:]) & (line[:-1] == line[1:])]] = False
        upto = np.searchsorted(opens, self.ends)
        some = np.flatnonzero(self.sound)
        begins = np.concatenate(([0], upto))[:-1]
        lasts, firsts = self.last[some] - 1, np.concatenate(([0], self.last))[:-1][some]
        self.sound[some] = (following[lasts] == upto[some]) & (key_texts[firsts] == begins[some])

    def _check_others(self, is_text: np.ndarray, own: np.ndarray, value_ends: np.ndarray) -> None:
        """Refuse lines with a list, a number that is no integer, or blanks around a word."""
        import numpy as np

        inner = np.zeros(len(self.values), np.bool_)
        inner[own[self.sound]] = True
        others = np.flatnonzero(~(is_text | inner))
        is_word = (self.begins[others] >= _A) & (self.bytes[value_ends[others] - 1] >= _A)
        numbers = others[~is_word]
        self.sound[self.line[numbers[~self._integers(self.values[numbers], value_ends[numbers])]]] = False

    def _integers(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Say which numbers are digits alone, or a minus and digits, and not overly many."""
        lengths = ends - starts
        begin = self.bytes[starts]
        good: np.ndarray = (lengths <= _MOST_DIGITS) & ((begin == _MINUS) | ((begin >= _ZERO) & (begin <= _NINE)))
        for place in range(1, int(min(lengths.max(initial=0), _MOST_DIGITS))):
            letter = self.bytes[(starts + place).clip(max=len(self.bytes) - 1)]
            good &= (place >= lengths) | ((letter >= _ZERO) & (letter <= _NINE))
        return good
