"""Records by their shape: the names of their fields, of which consoles send a few hundred combinations.

What depends on the names alone (their lower case, which of them hold secrets, where a wanted field stands) is worked
out once for each shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, Protocol

__all__ = ["Declared", "Fields", "Folded", "Picker", "Shape", "places_of", "redact", "shape_of"]

_MASK: Final = "***"
_SECRETS = (
    "passphrase",
    "password",
    "token",
    "secret",
    "apikey",
    "licensekey",
    "privatekey",
    "recoverycode",
    "recoverycodes",
)
_CONTAINERS = frozenset({dict, list})


class Fields(Protocol):
    """What the mapping reads from: a record, its `data` with folded keys, or the declared part of either."""

    def get(self, name: str, /) -> Any:
        """Return the value of a field, None where there is none."""


class Declared:
    """Fields of which only those may be read that are named beforehand; any other raises `KeyError`.

    What is mapped from them alone can be kept and used again for the same values. `places` says where the value of each
    name stands among `values` (see `places_of`).
    """

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Sequence[Any]) -> None:
        self._places = places
        self._values = values

    def get(self, name: str, /) -> Any:
        """Return the value of a declared field, None where there is none."""
        return self._values[self._places[name]]


def places_of(wanted: Iterable[str], names: Sequence[str], *, begin: int = 0) -> dict[str, int]:
    """Return where the values of wanted fields stand among those of fields with these names, which begin at `begin`.

    For those that are missing, and that is the last place: a None has to stand there.
    """
    return {**dict.fromkeys(wanted, -1), **{name: place for place, name in enumerate(names, begin)}}


class Picker:
    """Takes the wanted fields out of mappings of one shape: `names` are those that it has, `pick` gives the values."""

    __slots__ = ("_places", "names", "pick")

    def __init__(self, wanted: frozenset[str], keys: Mapping[str, str]) -> None:
        self.names = tuple(sorted(wanted & keys.keys()))
        self.pick = _pick(tuple(keys[name] for name in self.names))
        self._places = places_of(wanted, self.names)

    def declared(self, values: Iterable[Any]) -> Declared:
        """Return picked values as fields again."""
        return Declared(self._places, (*values, None))


def _pick(keys: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(keys) > 1:
        return itemgetter(*keys)
    if not keys:
        return lambda _: ()
    (only,) = keys
    return lambda values: (values[only],)


class Shape:
    """The names of a mapping's fields.

    `keys` has them by their lower case, `secrets` are those whose values must not be shown. `unique` says that no two
    differ in case only.
    """

    __slots__ = ("keys", "secrets", "unique")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.keys = {name.lower(): name for name in names}
        self.secrets = tuple(
            name for name in names if name.lower().replace("_", "").replace("-", "").endswith(_SECRETS)
        )
        self.unique = len(self.keys) == len(names)

    def picker(self, wanted: frozenset[str]) -> Picker:
        """Return the picker of the wanted fields, which are given, and gives them, in lower case."""
        return Picker(wanted, self.keys)


@lru_cache(maxsize=1 << 12)
def shape_of(names: tuple[str, ...]) -> Shape:
    """Return the shape of a mapping with these keys, in their order."""
    return Shape(names)


class Folded:
    """A mapping read by lower-case keys, whatever the case of its own; it costs no second dict."""

    __slots__ = ("shape", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.shape = shape_of(tuple(values))
        self.values = values
        if not self.shape.unique:
            self.values = self._merged(values)
            self.shape = shape_of(tuple(self.values))

    def _merged(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return one value for each folded key: of keys that differ in case only, the first that holds something."""
        merged: dict[str, Any] = {}
        for key, value in values.items():
            name = self.shape.keys[key.lower()]
            if merged.get(name) in (None, ""):
                merged[name] = value
        return merged

    def get(self, name: str, /) -> Any:
        """Return the value of a lower-case key, None where there is none."""
        key = self.shape.keys.get(name)
        return None if key is None else self.values[key]


def redact(value: Any) -> Any:
    """Return the value with a mask in place of tokens, passphrases and keys, at any depth; itself if it has none."""
    if type(value) is list:
        clean = [redact(item) for item in value]
        return clean if any(new is not old for new, old in zip(clean, value, strict=True)) else value
    if type(value) is not dict:
        return value
    secrets = shape_of(tuple(value)).secrets
    inner = [key for key, held in value.items() if type(held) in _CONTAINERS]
    if not secrets and not inner:
        return value
    changed = {key: clean for key in inner if (clean := redact(value[key])) is not value[key]}
    changed |= {key: _MASK for key in secrets if value[key] and type(value[key]) is not bool}
    return {**value, **changed} if changed else value
