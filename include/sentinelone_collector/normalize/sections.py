"""Nested vendor records, read value by value: what has become part of the event is known, so the rest can be kept.

A field counts as mapped only where the event holds its whole meaning. Every other one stays in `rest`, under the
vendor's names: those of an unknown name, of a wrong type, and of a value that OCSF can't hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sentinelone_collector.normalize.values import email, epoch_ms, ips, number, text

__all__ = ["Section"]

_T = TypeVar("_T")
_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})  # consoles use them for the same thing


@lru_cache(maxsize=1 << 10)
def _folded(names: tuple[str, ...]) -> Mapping[str, str]:
    """Return field names by their form without case and underscores; of equal ones the first."""
    return {_fold(name): name for name in reversed(names)}


@lru_cache(maxsize=1 << 10)
def _fold(name: str) -> str:
    return name.lower().replace("_", "")


class Section:
    """One object of a record; what is none has no fields.

    Fields are found whatever their case, with or without underscores. The readers return None where a value is not
    what is asked for; only a value that is returned counts as mapped.
    """

    __slots__ = ("_children", "_lists", "_mapped", "_values")

    def __init__(self, values: Any) -> None:
        self._values: Mapping[str, Any] = values if type(values) is dict else _EMPTY
        self._mapped: set[str] = set()
        self._children: dict[str, Section] = {}
        self._lists: dict[str, list[Section | None]] = {}

    def __bool__(self) -> bool:
        """Say whether any field holds something."""
        return any(value not in _NOTHING for value in self._values.values())

    def _key(self, name: str) -> str | None:
        if not name:
            return None
        if name in self._values:
            return name
        return _folded(tuple(self._values)).get(_fold(name)) if self._values else None

    def _take(self, name: str, reader: Callable[[Any], _T | None]) -> _T | None:
        key = self._key(name)
        if key is None:
            return None
        found = reader(self._values[key])
        if found is not None:
            self._mapped.add(key)
        return found

    def peek(self, name: str) -> Any:
        """Return a value as it is, None where there is none; it does not count as mapped."""
        key = self._key(name)
        return None if key is None else self._values[key]

    def text(self, name: str) -> str | None:
        """Return a text that is not empty, or an exact integer as text."""
        return self._take(name, text)

    def word(self, name: str) -> str:
        """Return a text in lower case with `_` for spaces and hyphens, "" for none; it does not count as mapped."""
        return (text(self.peek(name)) or "").strip().lower().replace(" ", "_").replace("-", "_")

    def choice(self, name: str, table: Mapping[str, _T]) -> _T | None:
        """Return what the table has for a value read as `word` reads it; it says all that the vendor's word says."""
        found = table.get(self.word(name))
        return self._take(name, lambda _: found)

    def time(self, name: str) -> int | None:
        """Return a time as epoch milliseconds; microseconds are cut, since OCSF has none, and count as mapped."""
        return self._take(name, epoch_ms)

    def number(self, name: str, *, bits: int = 31) -> int | None:
        """Return a whole number, or digits as one, that fits into the bits."""
        return self._take(name, lambda value: number(value, bits=bits))

    def flag(self, name: str) -> bool | None:
        """Return a bool."""
        return self._take(name, lambda value: value if type(value) is bool else None)

    def email(self, name: str) -> str | None:
        """Return an e-mail address."""
        return self._take(name, email)

    def mac(self, name: str) -> str | None:
        """Return a hardware address of six bytes."""
        return self._take(name, lambda value: value if type(value) is str and _MAC.fullmatch(value) else None)

    def hash(self, name: str, *, bits: int) -> str | None:
        """Return a hash of that many bits in hexadecimal digits."""
        return self._take(name, lambda value: value if _is_hash(value, bits) else None)

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the IP addresses of a list, or of a text with commas between them; it stays where some are none."""
        key = self._key(name)
        if key is None:
            return ()
        value = self._values[key]
        told = [value] if type(value) is str else value if type(value) is list else []
        found = tuple(dict.fromkeys(address for item in told for address in ips(item)))
        if found and len(found) == sum(item.count(",") + 1 if type(item) is str else 2 for item in told):
            self._mapped.add(key)
        return found

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; anything else is an empty list, and stays."""

        def reader(value: Any) -> list[str] | None:
            if type(value) is not list or not value:
                return None
            return list(value) if all(type(item) is str and item for item in value) else None

        return self._take(name, reader) or []

    def inner(self, name: str) -> Section:
        """Return the object in a field; an empty one where it holds none."""
        key = self._key(name)
        if key is None or type(self._values[key]) is not dict:
            return Section(None)
        return self._children.setdefault(key, Section(self._values[key]))

    def objects(self) -> list[tuple[str, Section]]:
        """Return the names and contents of the fields that hold an object."""
        return [(name, self.inner(name)) for name, value in self._values.items() if type(value) is dict]

    def items(self, name: str) -> list[Section]:
        """Return the objects in a list; what else it holds stays."""
        key = self._key(name)
        if key is None or type(self._values[key]) is not list:
            return []
        if key not in self._lists:
            self._lists[key] = [Section(item) if type(item) is dict else None for item in self._values[key]]
        return [item for item in self._lists[key] if item is not None]

    def rest(self) -> dict[str, Any]:
        """Return all that is not mapped; nulls and what is empty, or of which nothing is left, is left out."""
        left: dict[str, Any] = {}
        for key, value in self._values.items():
            if key in self._mapped:
                continue
            kept = value
            if key in self._children:
                kept = self._children[key].rest()
            elif key in self._lists:
                kept = _rest_of_items(value, self._lists[key])
            if kept not in _NOTHING:
                left[key] = kept
        return left

    def repeats(self, other: Section) -> None:
        """Count as mapped what the other section says in a field of the same name, where it is mapped there."""
        for name, value in self._values.items():
            key = other._key(name)
            if key in other._mapped and type(other._values[key]) is type(value) and other._values[key] == value:
                self._mapped.add(name)


def _rest_of_items(values: list[Any], sections: list[Section | None]) -> list[Any]:
    left = [value if item is None else item.rest() for value, item in zip(values, sections, strict=True)]
    return [item for item, section in zip(left, sections, strict=True) if section is None or item]


def _is_hash(value: Any, bits: int) -> bool:
    return type(value) is str and len(value) * 4 == bits and _HEX.fullmatch(value) is not None
