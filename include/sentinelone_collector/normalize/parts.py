"""The parts of an activity's row that come again: who did what to which object, and on which endpoint.

Consoles report the same few thousand agents and people over and over. Each part is mapped once from the fields that it
depends on and then shared by all rows in which these hold the same values; the mapping sees no other field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
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
from sentinelone_collector.normalize.shapes import Fields, Folded, Picker, shape_of
from sentinelone_collector.normalize.table import Route

__all__ = ["Deed", "Target", "deed_of", "target_of"]

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


class _Reads:
    """The declared fields, those of the record (`.x`) apart from those of `data`."""

    __slots__ = ("data", "record")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.record = frozenset(name[1:] for name in names if name.startswith("."))
        self.data = frozenset(name for name in names if not name.startswith("."))

    def pickers(self, record: Mapping[str, Any], data: Folded) -> tuple[Picker, Picker]:
        """Return what takes the fields out of records of this shape."""
        return (
            shape_of(tuple(record)).picker(self.record, fold=False),
            data.shape.picker(self.data, fold=True),
        )


_DEVICE: Final = _Reads(DEVICE_READS)


@cache
def _deed_reads(route: Route) -> _Reads:
    return _Reads(reads(route))


def deed_of(route: Route, code: str | None, record: Mapping[str, Any], data: Folded) -> Deed:
    """Return who did what; `code` is the activity type where the route itself does not name it."""
    of_record, of_data = _deed_reads(route).pickers(record, data)
    values = (*of_record.pick(record), *of_data.pick(data.values))
    try:
        return _kept_deed(route, route.known(data), code, of_record, of_data, *values)
    except TypeError:  # a value that is an object or a list can't be looked up
        return _deed(route, route.known(data), code, of_record, of_data, *values)


def target_of(record: Mapping[str, Any], data: Folded) -> Target:
    """Return the endpoint that the activity is about, an empty one where it names none."""
    of_record, of_data = _DEVICE.pickers(record, data)
    values = (*of_record.pick(record), *of_data.pick(data.values))
    try:
        return _kept_target(of_record, of_data, *values)
    except TypeError:
        return _target(of_record, of_data, *values)


def _deed(route: Route, known: str, code: str | None, of_record: Picker, of_data: Picker, *values: Any) -> Deed:
    record, data = _declared(of_record, of_data, values)
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


def _target(of_record: Picker, of_data: Picker, *values: Any) -> Target:
    found = Finding(Row(), *_declared(of_record, of_data, values), [])
    device(found)
    return Target(dict(found.row), tuple(found.observables))


def _declared(of_record: Picker, of_data: Picker, values: tuple[Any, ...]) -> tuple[Fields, Fields]:
    split = len(of_record.names)
    return of_record.declared(values[:split]), of_data.declared(values[split:])


# By type as well: `True` and 1 are equal, yet only one of them is a text.
_kept_deed = lru_cache(maxsize=_KEPT, typed=True)(_deed)
_kept_target = lru_cache(maxsize=_KEPT, typed=True)(_target)
