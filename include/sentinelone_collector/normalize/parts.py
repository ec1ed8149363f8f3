"""The parts of an activity's row that come again: who did what to which object, and on which endpoint.

Consoles report the same few thousand agents and people over and over. Each part is mapped once from the fields that it
depends on and then shared by all rows in which these hold the same values; the mapping sees no other field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sentinelone_collector.normalize.actors import actor
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.findings import Finding
from sentinelone_collector.normalize.objects import (
    DEVICE_READS,
    OBJECTS,
    ONE_OFF,
    Activity,
    actor_role,
    device,
    endpoint,
    reads,
)
from sentinelone_collector.normalize.ocsf import Observable
from sentinelone_collector.normalize.shapes import Fields, Shape, shape_of
from sentinelone_collector.normalize.table import Route

__all__ = ["Deed", "Plan", "Target", "plan_of"]

_PLANS: Final = 1 << 10
_KEPT: Final = 1 << 13  # parts of each sort; a megabyte or two of memory for each thousand


class Deed(NamedTuple):
    """Who did what: attributes by path and the observables of both, which stand around those of the endpoint."""

    parts: tuple[Mapping[str, Any], Mapping[str, Any]]
    before: tuple[Observable, ...]
    after: tuple[Observable, ...]


class Target(NamedTuple):
    """The endpoint that an activity is about."""

    part: Mapping[str, Any]
    observables: tuple[Observable, ...]


class Source:
    """Takes the fields that a part depends on out of records and `data` of one shape each."""

    __slots__ = ("_data", "_record", "_split")

    def __init__(self, names: tuple[str, ...], record: Shape, data: Shape) -> None:
        of_record = frozenset(name[1:] for name in names if name.startswith("."))
        self._record = record.picker(of_record, fold=False)
        self._data = data.picker(frozenset(name for name in names if not name.startswith(".")), fold=True)
        self._split = len(self._record.names)

    def pick(self, record: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values of the fields."""
        return (*self._record.pick(record), *self._data.pick(data))

    def declared(self, values: tuple[Any, ...]) -> tuple[Fields, Fields]:
        """Return picked values as fields of the record and of `data`, and nothing else."""
        return self._record.declared(values[: self._split]), self._data.declared(values[self._split :])


class Plan:
    """How the records of one route whose fields have the same names are read."""

    __slots__ = ("_deed", "_direction", "_route", "_target", "secrets", "unique")

    def __init__(self, route: Route, record: tuple[str, ...], data: tuple[str, ...]) -> None:
        shapes = shape_of(record), shape_of(data)
        self.unique = shapes[1].unique
        self.secrets = bool(shapes[0].secrets or shapes[1].secrets)
        self._route = route
        self._direction = tuple(shapes[1].keys[name] for name in route.direction_fields if name in shapes[1].keys)
        self._deed = Source(reads(route), *shapes)
        self._target = _target_source(record, data)

    def deed(self, code: str | None, record: Mapping[str, Any], data: Mapping[str, Any]) -> Deed:
        """Return who did what; `code` is the activity type where the route itself does not name it."""
        values = self._deed.pick(record, data)
        known = self._route.known(data[key] for key in self._direction) if self._direction else self._route.otherwise
        try:
            return _kept_deed(self._route, known, code, self._deed, *values)
        except TypeError:  # a value that is an object or a list can't be looked up
            return _deed(self._route, known, code, self._deed, *values)

    def target(self, record: Mapping[str, Any], data: Mapping[str, Any]) -> Target:
        """Return the endpoint that the activity is about, an empty one where it names none."""
        values = self._target.pick(record, data)
        try:
            return _kept_target(self._target, *values)
        except TypeError:
            return _target(self._target, *values)


@lru_cache(maxsize=_PLANS)
def plan_of(route: Route, record: tuple[str, ...], data: tuple[str, ...]) -> Plan:
    """Return how a record is read whose fields, and those of its `data`, have these names."""
    return Plan(route, record, data)


@lru_cache(maxsize=_PLANS)
def _target_source(record: tuple[str, ...], data: tuple[str, ...]) -> Source:
    return Source(DEVICE_READS, shape_of(record), shape_of(data))


def _deed(route: Route, known: str, code: str | None, source: Source, *values: Any) -> Deed:
    record, data = source.declared(values)
    row = Row()
    row.parts = (route.bases[known],)
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
    return Deed((*row.parts, dict(row)), tuple(before), tuple(after))


def _target(source: Source, *values: Any) -> Target:
    found = Finding(Row(), *source.declared(values), [])
    device(found)
    return Target(dict(found.row), tuple(found.observables))


# By type as well: `True` and 1 are equal, yet only one of them is a text.
_kept_deed = lru_cache(maxsize=_KEPT, typed=True)(_deed)
_kept_target = lru_cache(maxsize=_KEPT, typed=True)(_target)
