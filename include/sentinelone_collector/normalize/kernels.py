"""Loops over bytes, compiled by Numba: what a record's members are, and texts put together from pieces.

Importing this module takes a third of a second, and compiling some seconds on the first use on a machine; it is for
windows with many records. Numba keeps the machine code beside this file, or where its documentation says.

All texts are arrays of bytes in which a newline comes behind each line, so that no loop leaves its line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from sentinelone_collector.normalize.members import Forms, Places, Texts, Wanted

__all__ = ["are_plain", "cut", "find_members", "join_members", "join_pieces"]

_Function = TypeVar("_Function", bound=Callable[..., object])


def _compiled(function: _Function) -> _Function:
    try:
        return cast(_Function, njit(cache=True)(function))
    except RuntimeError:  # there is no folder that machine code could be kept in
        return cast(_Function, njit(function))


def _inlined(function: _Function) -> _Function:
    return cast(_Function, njit(inline="always")(function))


_QUOTE, _BACKSLASH, _COLON, _COMMA, _OPEN, _CLOSE, _MINUS, _ZERO, _NINE = b'"\\:,{}-09'
_B, _F, _N, _R, _T = b"bfnrt"
_NULL, _TRUE, _FALSE = tuple(b"null"), tuple(b"true"), tuple(b"false")
_BLANK = ord(" ")
_AMPERSAND, _APOSTROPHE, _LESS = b"&'<"
_DEL = 127
_SIX_BITS = 63
# Indices are unsigned: a signed one might count from the end, which makes every loop ten times as slow.
_index = np.uint64
_0, _1, _4, _5 = map(_index, (0, 1, 4, 5))
_MOST_DIGITS = _index(19)  # what every decoder keeps exact


@_inlined
def _key_end(octets: np.ndarray, at: np.uint64) -> np.uint64:
    """Return where the key ends that begins at `at`, behind its quote; 0 if it is no key without escapes."""
    if octets[at] != _QUOTE:
        return _0
    at += _1
    while octets[at] != _QUOTE and octets[at] != _BACKSLASH and octets[at] >= _BLANK:
        at += _1
    return at + _1 if octets[at] == _QUOTE and octets[at + _1] == _COLON else _0


@_inlined
def _value_end(octets: np.ndarray, at: np.uint64) -> np.uint64:
    """Return where the value ends that begins at `at`; 0 if it is none, or an object or a list."""
    if octets[at] == _QUOTE:
        return _text_end(octets, at + _1)
    return _integer_end(octets, at) if octets[at] <= _NINE else _word_end(octets, at)


@_inlined
def _text_end(octets: np.ndarray, at: np.uint64) -> np.uint64:
    """Return where the text ends that begins at `at`, behind its quote; 0 if it is no text as encoders write it."""
    while True:
        while octets[at] != _QUOTE and octets[at] != _BACKSLASH and octets[at] >= _BLANK:
            at += _1
        if octets[at] == _QUOTE:
            return at + _1
        if octets[at] != _BACKSLASH or octets[at + _1] not in (_QUOTE, _BACKSLASH, _B, _F, _N, _R, _T):
            return _0
        at += _1 + _1


@_inlined
def _integer_end(octets: np.ndarray, at: np.uint64) -> np.uint64:
    """Return where the integer ends that begins at `at`; 0 if it is none."""
    begin = at + _1 if octets[at] == _MINUS else at
    end = begin
    while _ZERO <= octets[end] <= _NINE:
        end += _1
    if end == begin or end > begin + _MOST_DIGITS or (octets[begin] == _ZERO and end != at + _1):
        return _0
    return end


@_inlined
def _word_end(octets: np.ndarray, at: np.uint64) -> np.uint64:
    """Return where the null, true or false ends that begins at `at`; 0 if it is none of these."""
    if _stands(octets, at, _NULL) or _stands(octets, at, _TRUE):
        return at + _4
    return at + _5 if _stands(octets, at, _FALSE) else _0


@_inlined
def _stands(octets: np.ndarray, at: np.uint64, word: tuple[int, ...]) -> bool:
    """Say whether this word begins at `at`."""
    for letter in word:
        if octets[at] != letter:
            return False
        at += _1
    return True


@_compiled
def _find_in_line(
    octets: np.ndarray, at: np.uint64, end: np.uint64, places: Places, begin: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Fill in where the members of a line are, from number `begin` on, and return how they are arranged.

    That is how many stand up to and with the inner object, how many in it, and the number behind the last one. Zeros
    stand for a line that has not the common form.
    """
    count, outer, inner, closed = begin, _0, _0, False
    if octets[at] != _OPEN:
        return _0, _0, _0
    while True:
        at += _1
        key_end = _key_end(octets, at)
        if key_end == _0:
            return _0, _0, _0
        places.keys[count], places.key_ends[count] = at, key_end
        at = key_end + _1
        places.values[count] = at
        count += _1
        if octets[at] != _OPEN:
            at = _value_end(octets, at)
            if at == _0:
                return _0, _0, _0
            places.value_ends[count - _1] = at
        elif outer > _0:
            return _0, _0, _0
        else:
            outer = count - begin
            if octets[at + _1] != _CLOSE:
                continue
            at += _1
        if outer > _0 and not closed and octets[at] == _CLOSE:
            closed, inner = True, count - begin - outer
            at += _1
            places.value_ends[begin + outer - _1] = at
        if octets[at] != _COMMA:
            break
    return (outer, inner, count) if octets[at] == _CLOSE and at + _1 == end else (_0, _0, _0)


@_compiled
def find_members(octets: np.ndarray, starts: np.ndarray, ends: np.ndarray, forms: Forms, places: Places) -> int:
    """Fill in the forms of lines and where their members are; return how many members there are."""
    count = _0
    for line in range(len(starts)):
        outer, inner, behind = _find_in_line(octets, _index(starts[line]), _index(ends[line]), places, count)
        forms.first[line], forms.outer[line], forms.inner[line] = count, outer, inner
        if outer > _0:
            count = behind
    forms.first[len(starts)] = count
    return int(count)


@_compiled
def _copy(octets: np.ndarray, start: np.uint64, end: np.uint64, out: np.ndarray, size: np.uint64) -> np.uint64:
    """Append a piece of a text; return how many bytes there are then."""
    length = end - start
    for place in range(length):
        out[size + place] = octets[start + place]
    return size + length


@_inlined
def _comma(out: np.ndarray, size: np.uint64, begin: np.uint64) -> np.uint64:
    """Append a comma where something stands from `begin` on; return how many bytes there are then."""
    if size > begin:
        out[size] = _COMMA
        return size + _1
    return size


@_compiled
def cut(octets: np.ndarray, starts: np.ndarray, ends: np.ndarray, out: Texts) -> int:
    """Write pieces of a text one after the other; return how many bytes there are."""
    size = _0
    for number in range(len(starts)):
        out.offsets[number] = size
        size = _copy(octets, _index(starts[number]), _index(ends[number]), out.octets, size)
    out.offsets[len(starts)] = size
    return int(size)


@_compiled
def join_pieces(octets: np.ndarray, wanted: Wanted, starts: np.ndarray, stops: np.ndarray, out: Texts) -> int:
    """Write the sort of each line and pieces of it with commas between; return how many bytes there are.

    The piece of member `m` is `octets[starts[m]:stops[m]]`.
    """
    size = _0
    for line in range(len(wanted.begins)):
        out.offsets[line] = size
        for shift in (18, 12, 6, 0):
            out.octets[size] = _ZERO + ((wanted.sorts[line] >> shift) & _SIX_BITS)
            size += _1
        begin = size
        for number in range(_index(wanted.begins[line]), _index(wanted.ends[line])):
            member = _index(wanted.first[line]) + _index(wanted.places[number])
            size = _comma(out.octets, size, begin)
            size = _copy(octets, _index(starts[member]), _index(stops[member]), out.octets, size)
    out.offsets[len(wanted.begins)] = size
    return int(size)


@_compiled
def join_members(octets: np.ndarray, wanted: Wanted, places: Places, out: Texts) -> int:
    """Write the wanted members of each line that are not null, as an object; return how many bytes there are."""
    size = _0
    for line in range(len(wanted.begins)):
        out.offsets[line] = size
        out.octets[size] = _OPEN
        size += _1
        begin = size
        for number in range(_index(wanted.begins[line]), _index(wanted.ends[line])):
            member = _index(wanted.first[line]) + _index(wanted.places[number])
            if octets[_index(places.values[member])] == _N:
                continue
            size = _comma(out.octets, size, begin)
            size = _copy(octets, _index(places.keys[member]), _index(places.value_ends[member]), out.octets, size)
        out.octets[size] = _CLOSE
        size += _1
    out.offsets[len(wanted.begins)] = size
    return int(size)


@_compiled
def are_plain(octets: np.ndarray, starts: np.ndarray, ends: np.ndarray, plain: np.ndarray) -> None:
    """Say of which texts nothing is left out when descriptions are cleaned (see `messages.py`).

    They are printable at both ends, and hold no mark-up, reference, quote or escape.
    """
    for number in range(len(starts)):
        start, end = _index(starts[number]), _index(ends[number])
        good = start < end and _BLANK < octets[start] < _DEL and _BLANK < octets[end - _1] < _DEL
        for place in range(start, end):
            good &= octets[place] not in (_LESS, _AMPERSAND, _APOSTROPHE, _QUOTE, _BACKSLASH)
        plain[number] = good
