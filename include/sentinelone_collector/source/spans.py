"""Where the values stand in a JSON text: a splitter that keeps bytes and survives what a parser refuses.

A parser gives up the whole page for one record with NaN, a lone surrogate or a thousand nested lists. This splitter
looks at strings, brackets, commas and colons alone, so that a bad record stays one record and its neighbours are kept.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["children", "members", "one_line"]

# the lone quote at the end stands for a string that never ends
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},:"]', re.DOTALL)
_SPACE = b" \t\r\n"
_CLOSING = {b"[": b"]", b"{": b"}"}
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")


def one_line(record: bytes) -> bytes:
    """Return a record with its raw line breaks, which JSON allows between values only, as spaces."""
    return record.translate(_NEWLINES) if b"\n" in record or b"\r" in record else record


def children(text: bytes) -> list[bytes]:
    """Return the bytes of an array's elements, or of an object's `"key": value` members, without space around them.

    Raise `ValueError` where the text is no array or object, does not end, or goes on after its end.
    """
    text = text.strip(_SPACE)
    if text[:1] not in _CLOSING:
        raise ValueError("no array or object")
    stack: list[bytes] = []
    found: list[bytes] = []
    begin = 1
    for token in _TOKEN.finditer(text):
        kind = token[0]
        if kind in _CLOSING:
            stack.append(_CLOSING[kind])
        elif kind in (b"]", b"}"):
            if not stack or stack.pop() != kind:
                raise ValueError("brackets do not match")
            if not stack:
                return _finished(text, found, begin, token)
        elif kind == b'"':
            raise ValueError("a string does not end")
        elif kind == b"," and len(stack) == 1:
            found.append(_element(text[begin : token.start()]))
            begin = token.end()
    raise ValueError("brackets do not close")


def _finished(text: bytes, found: list[bytes], begin: int, closing: re.Match[bytes]) -> list[bytes]:
    if closing.end() != len(text):
        raise ValueError("text after the end")
    last = text[begin : closing.start()]
    if found or last.strip(_SPACE):
        found.append(_element(last))
    return found


def _element(text: bytes) -> bytes:
    element = text.strip(_SPACE)
    if not element:
        raise ValueError("nothing between two commas")
    return element


def members(text: bytes) -> dict[str, bytes]:
    """Return the bytes of an object's values by key; the last of equal keys counts, as everywhere in JSON.

    Members with an unreadable key are left out. Raise `ValueError` as `children` does, and for an array.
    """
    if text.lstrip(_SPACE)[:1] != b"{":
        raise ValueError("no object")
    result: dict[str, bytes] = {}
    for member in children(text):
        key = _TOKEN.match(member)
        if key is None or not key[0].startswith(b'"'):
            continue
        colon, value = member[key.end() :].lstrip(_SPACE)[:1], member[key.end() :].lstrip(_SPACE)[1:]
        name = _decoded(key[0])
        if colon == b":" and isinstance(name, str):
            result[name] = value.strip(_SPACE)
    return result


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
