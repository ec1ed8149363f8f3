"""The parts of an activity's row that come again: who did what to which object, and on which endpoint.

Consoles report the same few thousand agents and people over and over. Each part is mapped once from the fields that it
depends on and then shared by all rows in which these hold the same values; the mapping sees no other field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.normalize.activity_record import ATTRIBUTES, ActivityRecord
from sentinelone_collector.normalize.actors import actor
from sentinelone_collector.normalize.columns import JOINED, Row
from sentinelone_collector.normalize.findings import Finding
from sentinelone_collector.normalize.located import locate_source
from sentinelone_collector.normalize.objects import (
    DEVICE_READS,
    OBJECTS,
    ONE_OFF,
    Activity,
    actor_role,
    device,
    endpoint,
    one_off_reads,
    reads,
)
from sentinelone_collector.normalize.ocsf import Observable
from sentinelone_collector.normalize.shapes import Declared, Fields, Shape, places_of, shape_of
from sentinelone_collector.normalize.table import Route
from sentinelone_collector.normalize.values import text

__all__ = ["TARGET_READS", "Deed", "Plan", "deed_of", "plan_of", "target_of"]

_PLANS: Final = 1 << 10
_KEPT: Final = 1 << 13  # parts of each sort; a megabyte or two of memory for each thousand
_CODE: Final = ".activityType"
TARGET_READS: Final = frozenset(DEVICE_READS)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_encode_long = msgspec.json.Encoder().encode
_decode_long = msgspec.json.Decoder().decode


class Deed(NamedTuple):
    """Who did what, as parts of a row: what the route says, who and to what, and the observables of the latter.

    Those stand behind the observables of the endpoint, hence a part of their own.
    """

    base: Mapping[str, Any]
    attributes: Mapping[str, Any]
    seen_last: Mapping[str, Any]


class Source:
    """Takes the fields that a part depends on out of activities whose `data` has one shape, and gives them back.

    Names of the activity's own fields begin with a dot; those of `data` are in lower case.
    """

    __slots__ = ("_data", "_places", "_record", "_values")

    def __init__(self, names: Iterable[str], data: Shape) -> None:
        wanted = frozenset(names)
        self._record = tuple(sorted(name[1:] for name in wanted if name.startswith(".")))
        self._data = data.picker(frozenset(name for name in wanted if not name.startswith(".")))
        self._places = places_of((), self._record)
        self._values = _attributes(self._record)

    def key(self, record: ActivityRecord, data: Mapping[str, Any]) -> bytes:
        """Return the values of the fields as MessagePack, quicker to look up than the values, and tells 1 from true.

        Any JSON value is kept as it is, so that what is mapped from the key is what would be mapped from the fields.
        Integers beyond 64 bits are JSON's alone; no text of one form begins like one of the other.
        """
        values = self._values(record), self._data.pick(data)
        try:
            return _encode(values)
        except OverflowError:
            return _encode_long(values)

    def fields(self, key: bytes) -> tuple[Fields, Fields]:
        """Return the fields of a key, those of the activity and those of `data`, and nothing else."""
        own, picked = _decode_long(key) if key.startswith(b"[") else _decode(key)
        return Declared(self._places, own), self._data.declared(picked)


def _attributes(names: tuple[str, ...]) -> Callable[[ActivityRecord], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*(ATTRIBUTES[name] for name in names))
    if not names:
        return lambda _: ()
    only = attrgetter(ATTRIBUTES[names[0]])
    return lambda record: (only(record),)


class Plan:
    """How the activities of one route are read whose `data` has fields with the same names."""

    __slots__ = ("deed_reads", "deeds", "one_off", "one_off_reads", "route", "secrets", "targets", "unique")

    def __init__(self, route: Route, data: tuple[str, ...]) -> None:
        shape = shape_of(data)
        self.route = route
        self.one_off = route.object in ONE_OFF
        self.one_off_reads = frozenset(one_off_reads(route))
        self.unique = shape.unique
        self.secrets = bool(shape.secrets)
        code = () if route.named else (_CODE,)
        self.deed_reads = frozenset((*reads(route), *route.direction_fields, *code))
        self.deeds = Source(self.deed_reads, shape)
        self.targets = _target_source(data)

    def parts(
        self, record: ActivityRecord, data: Mapping[str, Any], addresses: AddressBook | None = None
    ) -> tuple[Mapping[str, Any], ...]:
        """Return what the activity's row shares with others: route, who and what, endpoint, last observables."""
        deed = _kept_deed(self, self.deeds.key(record, data), addresses)
        target = _kept_target(self.targets, self.targets.key(record, data))
        return deed.base, deed.attributes, target, deed.seen_last


@lru_cache(maxsize=_PLANS)
def plan_of(route: Route, data: tuple[str, ...]) -> Plan:
    """Return how an activity is read whose `data` has fields with these names."""
    return Plan(route, data)


@lru_cache(maxsize=_PLANS)
def _target_source(data: tuple[str, ...]) -> Source:
    return Source(DEVICE_READS, shape_of(data))


@lru_cache(maxsize=_KEPT)
def _kept_deed(plan: Plan, key: bytes, addresses: AddressBook | None) -> Deed:
    return deed_of(plan.route, *plan.deeds.fields(key), addresses)


def deed_of(route: Route, record: Fields, data: Fields, addresses: AddressBook | None) -> Deed:
    """Return who did what by these fields of an activity of the route, and of its `data` by lower-case keys."""
    row = Row()
    row.parts = (route.bases[route.known(data.get(name) for name in route.direction_fields)],)
    if not route.named:
        code = text(record.get(_CODE[1:]))
        if code is not None:
            row["metadata.event_code"] = code
    before: list[Observable] = []
    after: list[Observable] = []
    by_user = actor(route.actor, row, record, data, before)
    activity = Activity(row, record, data, before, route, by_user)
    actor_role(activity)
    endpoint(activity)
    if route.object not in ONE_OFF:
        OBJECTS[route.object](replace(activity, observables=after))
    locate_source(row, addresses)
    return Deed(row.parts[0], _with_observables(row, before), _with_observables({}, after))


@lru_cache(maxsize=_KEPT)
def _kept_target(source: Source, key: bytes) -> Mapping[str, Any]:
    return target_of(*source.fields(key))


def target_of(record: Fields, data: Fields) -> Mapping[str, Any]:
    """Return the endpoint that an activity is about, by the fields named in `TARGET_READS`."""
    found = Finding(Row(), record, data, [])
    device(found)
    return _with_observables(found.row, found.observables)


def _with_observables(attributes: Mapping[str, Any], seen: list[Observable]) -> Mapping[str, Any]:
    if seen:
        return {**attributes, JOINED: seen}
    return dict(attributes) if attributes else _NOTHING
