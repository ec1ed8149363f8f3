"""Which windows there are to search, day by day, and which bytes each holds now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sentinelone_collector.errors import UsageError
from sentinelone_collector.lake import ObjectVersion, ParsedKey, Storage, day_prefix, parse_key, part_prefix
from sentinelone_collector.normalize.streams import get_stream, stream_names
from sentinelone_collector.windows import DAY, iso

__all__ = ["Found", "Scope", "list_days", "scope_of"]

_DAYS_LISTED_SINGLY = 3
_LISTERS = 8  # each stream of each instance is a listing of its own


class Scope(NamedTuple):
    """Where to search: pairs of instance and stream, and the half-open range of time, None where it has no bound."""

    sources: tuple[tuple[str, str], ...]
    start: datetime | None = None
    end: datetime | None = None


def scope_of(
    instances: Iterable[str],
    streams: Iterable[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> Scope:
    """Return where to search: all streams of the instances, also those no longer collected, or the ones named.

    Raise `UsageError` for an empty range, `ConfigurationError` for a stream that there is not.
    """
    if start is not None and end is not None and start >= end:
        raise UsageError(f"the range from {iso(start)} to {iso(end)} is empty; --from must be before --to")
    names = [get_stream(name).name for name in streams] or stream_names()
    return Scope(tuple((instance, name) for instance in instances for name in names), start, end)


class Found(NamedTuple):
    """A window's events: their key, read, and the version of their bytes."""

    key: str
    version: str
    size: int
    place: ParsedKey


def list_days(lake: Storage, scope: Scope) -> dict[str, list[Found]]:
    """Return the windows that touch the range by UTC day, newest day and newest window first.

    Raise `LakeError` where the lake can't be listed.
    """
    days: dict[str, list[Found]] = {}
    with ThreadPoolExecutor(_LISTERS) as pool:
        for found in pool.map(lambda source: list(_windows(lake, source, scope)), scope.sources):
            for one in found:
                days.setdefault(one.place.window.day, []).append(one)
    for windows in days.values():
        windows.sort(key=lambda one: (one.place.window.start, one.key), reverse=True)
    return dict(sorted(days.items(), reverse=True))


def _windows(lake: Storage, source: tuple[str, str], scope: Scope) -> Iterator[Found]:
    for version in _versions(lake, *source, scope.start, scope.end):
        place = _parsed(version.key)
        if place is None or (scope.start is not None and place.window.end <= scope.start):
            continue
        if scope.end is not None and place.window.start >= scope.end:
            return
        yield Found(version.key, version.version, version.size, place)


@lru_cache(maxsize=200_000)
def _parsed(key: str) -> ParsedKey | None:
    return parse_key(key)


def _versions(
    lake: Storage, instance: str, stream: str, start: datetime | None, end: datetime | None
) -> Iterator[ObjectVersion]:
    if start is None:
        yield from lake.versions(part_prefix("events", instance, stream))
        return
    days: Sequence[int] = range((end.date() - start.date()).days + 1) if end is not None else ()
    if 0 < len(days) <= _DAYS_LISTED_SINGLY:
        for number in days:
            yield from lake.versions(day_prefix("events", instance, stream, start.date() + number * DAY))
        return
    first = day_prefix("events", instance, stream, start.date())
    yield from lake.versions(part_prefix("events", instance, stream), after=first)
