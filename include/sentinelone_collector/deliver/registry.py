"""Which destinations there are, and whether an instance's entries fit them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sentinelone_collector.deliver import destinations
from sentinelone_collector.deliver.ports import Destination, DestinationFactory, Surroundings
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Instance

__all__ = ["Kind", "build_destinations", "check_destinations", "known_destinations"]

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Kind:
    """One module of the package `destinations`."""

    options: type[BaseModel]
    build: Callable[[Any, Surroundings], Destination]

    def check(self, options: Mapping[str, Any]) -> BaseModel:
        """Return the options, read; raise `ConfigurationError` that names the field and the cure."""
        try:
            return self.options.model_validate(dict(options))
        except ValidationError as error:
            raise ConfigurationError(_sentence(error, self.options)) from None

    def __call__(self, options: Mapping[str, Any], surroundings: Surroundings) -> Destination:
        """Return the destination for one entry; raise `ConfigurationError` as `check` does."""
        return self.build(self.check(options), surroundings)


def _sentence(error: ValidationError, options: type[BaseModel]) -> str:
    # what a person wrote by mistake may be a secret: it is not shown
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{field}: no such key; known are type, {', '.join(options.model_fields)}"
    if problem["type"] == "missing":
        return f"{field} is missing; add it"
    return f"{field}: {problem['msg'].removeprefix('Value error, ')}"


@cache
def known_destinations() -> Mapping[str, Kind]:
    """Return every destination module by the type that it declares."""
    kinds: dict[str, Kind] = {}
    for found in sorted(pkgutil.iter_modules(destinations.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{destinations.__name__}.{found.name}")
        kinds[module.TYPE] = Kind(module.Options, module.build)
    return MappingProxyType(kinds)


def check_destinations(instance: Instance) -> None:
    """Check every destination of an instance without reaching for it.

    Raise `ConfigurationError` for an unknown type, for options that do not fit it, and for an entry that stands twice.
    """
    kinds = known_destinations()
    seen: dict[str, int] = {}
    for number, entry in enumerate(instance.destinations, start=1):
        place = f"{instance.slug}: destination {number} ({entry.type})"
        kind = _known(kinds, entry.type, place)
        try:
            options = kind.check(entry.options)
        except ConfigurationError as error:
            raise ConfigurationError(f"{place}: {error.text}") from None
        identity = f"{entry.type} {options!r}"
        if identity in seen:
            raise ConfigurationError(f"{place} is the same as destination {seen[identity]}; remove one of them")
        seen[identity] = number


def build_destinations(
    instance: Instance, surroundings: Surroundings, factories: Mapping[str, DestinationFactory] | None = None
) -> list[Destination]:
    """Return the instance's destinations, in their order; `factories` replaces the known ones."""
    if factories is None:
        check_destinations(instance)
        factories = known_destinations()
    return [
        _known(factories, entry.type, instance.slug)(entry.options, surroundings) for entry in instance.destinations
    ]


def _known(known: Mapping[str, _Found], kind: str, place: str) -> _Found:
    if kind not in known:
        raise ConfigurationError(
            f"{place}: there is no destination type {kind!r}; known are {', '.join(sorted(known))}"
        )
    return known[kind]
