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
    import pyarrow as pa

__all__ = ["Members", "find_members"]

_QUOTE, _BACKSLASH, _COLON, _COMMA, _BLANK, _OPEN, _CLOSE, _LIST, _NULL, _MINUS, _ZERO, _NINE, _A = (
    b'"\\:, {}[n-09a'
)
_BRACES: Final = 2  # of each sort, the outer object's and the inner one's
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

    def slices(self, starts: np.ndarray, ends: np.ndarray) -> pa.StringArray:
        """Return pieces of the text; they must be in order and must not overlap."""
        import numpy as np
        import pyarrow as pa

        borders = np.empty(2 * len(starts), np.int32)
        borders[::2], borders[1::2] = starts, ends
        if not len(starts):
            return pa.array([], pa.string())
        # Every other of these is a gap between two pieces. Nothing is copied but what is taken.
        pieces = pa.StringArray.from_buffers(len(borders) - 1, pa.py_buffer(borders), pa.py_buffer(self.text))
        return pieces.take(pa.array(np.arange(0, len(borders), 2, dtype=np.int32)))

    def joined(self, chosen: np.ndarray, starts: np.ndarray, ends: np.ndarray, by: str = ",") -> pa.StringArray:
        """Return for each line the pieces `text[starts[m]:ends[m]]` of the chosen members as one text.

        `chosen` are numbers of members, in order.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        before = np.searchsorted(chosen, self.first).astype(np.int32)
        lists: Any = pa.ListArray.from_arrays(pa.array(before), self.slices(starts[chosen], ends[chosen]))
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

    def members(self, numbers: np.ndarray) -> Members:
        """Return the members of the lines that have the common form."""
        import numpy as np

        octets, ends = self.bytes, self.ends
        opens, closes = self._texts()
        brace, last_brace = self._braces()
        key_texts = np.flatnonzero(octets[closes + 1] == _COLON)
        keys, key_ends = opens[key_texts], closes[key_texts]
        last = np.searchsorted(keys, ends)  # behind each line's members
        counts = np.diff(last, prepend=0)
        self.sound &= counts > 0
        values = key_ends + 2
        values += octets[values] == _BLANK
        own = np.searchsorted(keys, brace) - 1  # the member that is the inner object
        inside = np.searchsorted(keys, last_brace) - 1 - own
        line = np.repeat(np.arange(len(ends), dtype=np.int32), counts)
        before = self._before(keys, line)
        value_ends = np.append(before[1:], np.int32(0))
        self._end(value_ends, last - 1, ends - 1)
        self._end(value_ends, own + inside, last_brace)
        self._end(value_ends, own, last_brace + 1)
        begins = octets[values]
        is_text = begins == _QUOTE
        self._check_texts(opens, closes, key_texts, value_ends, is_text, values, line, last)
        self._check_others(begins, values, value_ends, is_text, own, line)
        found = Members(
            text=self.text,
            lines=numbers,
            starts=self.starts,
            ends=ends,
            counts=counts,
            outer=own + 1 - (last - counts),
            inner=inside,
            keys=keys,
            key_ends=key_ends,
            values=values,
            value_ends=value_ends,
            null=begins == _NULL,
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
            backslashes = self._places(_BACKSLASH)
            # a byte is escaped where an odd number of backslashes stands before it
            begins = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
            lengths = np.diff(begins, append=len(backslashes))
            escaped = np.zeros(len(self.bytes) + 1, np.bool_)
            escaped[(backslashes[begins] + lengths)[lengths % 2 == 1]] = True
            quotes = quotes[~escaped[quotes]]
        return quotes[::2], quotes[1::2]

    def _braces(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where each line's inner object begins and ends."""
        import numpy as np

        if b"[" in self.text:
            self._refuse_at(self._places(_LIST))
        places = []
        for octet, which in ((_OPEN, 1), (_CLOSE, 0)):
            found = self._places(octet)
            upto = np.searchsorted(found, self.ends)
            before = np.concatenate(([0], upto[:-1]))
            self.sound &= upto - before == _BRACES
            # where a line has none, any place will do
            places.append(np.append(found, np.int32(0))[np.minimum(before + which, len(found))])
        inner, last = places
        self.sound &= (self.bytes[self.starts] == _OPEN) & (self.bytes[self.ends - 1] == _CLOSE) & (inner < last)
        return inner, last

    def _refuse_at(self, places: np.ndarray) -> None:
        import numpy as np

        self.sound[np.searchsorted(self.ends, places, side="right")] = False

    def _before(self, keys: np.ndarray, line: np.ndarray) -> np.ndarray:
        """Return the places of the commas and braces before the members."""
        before = keys - 1
        before -= self.bytes[before] == _BLANK
        found = self.bytes[before]
        self.sound[line[(found != _COMMA) & (found != _OPEN)]] = False
        return before

    def _end(self, value_ends: np.ndarray, members: np.ndarray, ends: np.ndarray) -> None:
        """Set the ends of one value of each line that may be sound."""
        value_ends[members[self.sound]] = ends[self.sound]

    def _check_texts(
        self,
        opens: np.ndarray,
        closes: np.ndarray,
        key_texts: np.ndarray,
        value_ends: np.ndarray,
        is_text: np.ndarray,
        values: np.ndarray,
        line: np.ndarray,
        last: np.ndarray,
    ) -> None:
        """Refuse lines with something between a text and what is around it, or with a text that is no key nor value.

        A key that is not seen as one, since a blank is behind it, is a text too many.
        """
        import numpy as np

        own = np.minimum(key_texts + 1, len(opens) - 1)
        wrong = is_text & ((opens[own] != values) | (closes[own] + 1 != value_ends))
        self.sound[line[wrong]] = False
        following = key_texts + 1 + is_text  # the text behind a member's
        self.sound[line[:-1][(following[:-1] != key_texts[1:]) & (line[:-1] == line[1:])]] = False
        upto = np.searchsorted(opens, self.ends)
        some = np.flatnonzero(self.sound)
        begins = np.concatenate(([0], upto))[:-1]
        lasts, firsts = last[some] - 1, np.concatenate(([0], last))[:-1][some]
        self.sound[some] = (following[lasts] == upto[some]) & (key_texts[firsts] == begins[some])

    def _check_others(
        self,
        begins: np.ndarray,
        values: np.ndarray,
        value_ends: np.ndarray,
        is_text: np.ndarray,
        own: np.ndarray,
        line: np.ndarray,
    ) -> None:
        """Refuse lines with a number that is no integer, with blanks around a word, or without the inner object."""
        import numpy as np

        inner = np.zeros(len(values), np.bool_)
        inner[own[self.sound]] = True
        self.sound[line[inner & (begins != _OPEN)]] = False
        others = np.flatnonzero(~(is_text | inner))
        begin, end = begins[others], value_ends[others]
        is_word = (begin >= _A) & (self.bytes[end - 1] >= _A)
        numbers = others[~is_word]
        self.sound[line[numbers[~self._integers(values[numbers], value_ends[numbers])]]] = False

    def _integers(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Say which numbers are digits alone, or a minus and digits, and not overly many."""
        lengths = ends - starts
        begin = self.bytes[starts]
        good = (lengths <= _MOST_DIGITS) & ((begin == _MINUS) | ((begin >= _ZERO) & (begin <= _NINE)))
        for place in range(1, int(min(lengths.max(initial=0), _MOST_DIGITS))):
            letter = self.bytes[(starts + place).clip(max=len(self.bytes) - 1)]
            good &= (place >= lengths) | ((letter >= _ZERO) & (letter <= _NINE))
        return good
