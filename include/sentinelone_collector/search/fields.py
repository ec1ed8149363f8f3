"""The fields that queries may name: OCSF paths, objects of them, the vendor's own data, and short names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple

from sentinelone_collector.normalize.schema import declared
from sentinelone_collector.search.words import NOT_SEARCHED, path_name

__all__ = ["INSTANCE", "SHORT_NAMES", "STREAM", "Leaf", "known_field", "resolve", "similar"]

INSTANCE, STREAM = "instance", "stream"

Kind = Literal["text", "number", "any"]


class Leaf(NamedTuple):
    """One attribute and what it holds; `any`: the vendor's data, which may be either."""

    path: str
    kind: Kind


def _of(*objects: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{thing}.{name}" for thing in objects for name in names)


SHORT_NAMES: Mapping[str, tuple[str, ...]] = {
    "user": _of("actor.user", "user", names=("name", "full_name", "email_addr", "uid")),
    "ip": ("src_endpoint.ip", "dst_endpoint.ip", "device.ip", "device.network_interfaces.ip"),
    "address": ("src_endpoint.ip", "dst_endpoint.ip", "device.ip", "device.network_interfaces.ip"),
    "host": ("device.hostname", "device.name", "src_endpoint.hostname", "dst_endpoint.hostname"),
    "type": ("metadata.event_code", "activity_name"),
    "class": ("class_name", "class_uid"),
    "severity": ("severity", "severity_id"),
    "id": ("metadata.uid", "metadata.original_event_uid"),
    "site": ("device.org.ou_name", "unmapped.siteName"),
    "account": ("device.org.name", "unmapped.accountName"),
}
"""Short names and the attributes that each stands for; `instance` and `stream` say where an event comes from."""


def known_field(name: str) -> bool:
    """Say whether a query may name the field; capital and small letters are the same."""
    return bool(resolve(name))


@lru_cache(maxsize=4096)
def resolve(name: str) -> tuple[Leaf, ...]:
    """Return the attributes that a field's name stands for, none where there is no such field."""
    folded = path_name(name)
    if folded in {INSTANCE, STREAM}:
        return (Leaf(folded, "text"),)
    if folded in SHORT_NAMES:
        return tuple(leaf for path in SHORT_NAMES[folded] for leaf in _below(path_name(path)))
    return tuple(_below(folded))


def _below(path: str) -> Iterator[Leaf]:
    if path.split(".", maxsplit=1)[0] in NOT_SEARCHED:
        return
    spec: Any = declared()
    names = path.split(".")
    for position, name in enumerate(names):
        spec = spec[0] if isinstance(spec, list) else spec
        if spec == "json":
            if all(names[position:]):
                yield Leaf(path, "any")
            return
        if not isinstance(spec, Mapping) or name not in spec:
            return
        spec = spec[name]
    yield from _leaves(path, spec)


def _leaves(path: str, spec: Any) -> Iterator[Leaf]:
    if isinstance(spec, list):
        yield from _leaves(path, spec[0])
    elif isinstance(spec, Mapping):
        for name, inner in spec.items():
            yield from _leaves(f"{path}.{name}", inner)
    elif spec in {"int32", "int64", "double"}:
        yield Leaf(path, "number")
    elif spec != "json":
        yield Leaf(path, "text")


@cache
def _names() -> tuple[str, ...]:
    return (
        *SHORT_NAMES,
        INSTANCE,
        STREAM,
        *(leaf.path for name, spec in declared().items() if name not in NOT_SEARCHED for leaf in _leaves(name, spec)),
    )


def similar(name: str) -> str:
    """Return the field whose name is most like an unknown one, empty where none is."""
    return next(iter(difflib.get_close_matches(path_name(name), _names(), n=1)), "")
