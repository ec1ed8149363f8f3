"""Words: how texts are cut for searching; defined once, for the index and for queries.

A word is a run of letters and digits, in small letters (Unicode case folding after NFKC). Everything else separates:
`john.doe@example.com` is the words `john doe example com` in a row, `10.0.0.1` is `10 0 0 1`. So each piece is found by
itself, and the whole is found as its pieces one after another. A run of more than 256 characters is cut every 256.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["NOT_SEARCHED", "Value", "event_values", "path_name", "values_below", "words"]

_WORD = re.compile(r"[^\W_]{1,256}")
_UNSAFE = re.compile(r"[\s=]")
_MOST_PATH = 256
NOT_SEARCHED = frozenset({"raw_data"})
"""Attributes whose content stands in other attributes already."""

Value = str | int | float | bool


def words(text: str) -> list[str]:
    """Return the words of a text, in order."""
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(folded)


@lru_cache(maxsize=20_000)
def path_name(path: str) -> str:
    """Return an attribute's dotted path as searches write it: in small letters, without spaces and equal signs."""
    return _UNSAFE.sub("_", path.casefold())[:_MOST_PATH]


def event_values(event: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    """Yield every value of an OCSF event with its attribute's path; the items of a list have one path."""
    for name, inner in event.items():
        if name not in NOT_SEARCHED:
            yield from values_below(path_name(name), inner)


def values_below(path: str, value: Any) -> Iterator[tuple[str, Value]]:
    """Yield every value of an attribute, which may be an object or a list, with its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if inner is not None:
                yield from values_below(path_name(f"{path}.{name}"), inner)
    elif isinstance(value, list):
        for item in value:
            yield from values_below(path, item)
    elif value is not None:
        yield path, value
