"""What a stream is to the API: its endpoint's path, time filter, order, permission, limits and mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Endpoint", "Stream"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One list endpoint of the management API 2.1.

    `path` stands below `/web/api/v2.1`, like `/activities`. `time_field` is the name that the time filters are built
    from (`createdAt` gives `createdAt__gte`), `record_time` where the same time stands inside a record, outermost key
    first. `count_cap` is the number at which the console stops counting, None where it counts on. `rate` is in
    requests per second and `burst` in requests, both per token. An endpoint that is not `optional` must be readable
    for an instance to work at all.
    """

    path: str
    time_field: str
    record_time: tuple[str, ...]
    sort_by: str
    permission: str
    optional: bool = True
    count_cap: int | None = None
    page_size: int = 1000
    rate: float = 10.0
    burst: int = 30
    record_id: tuple[str, ...] = ("id",)


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of record: where it is read, and the function that turns one of its records into an event.

    `quick_reader` may give a function for a `Context` that turns raw lines into rows on a shorter way, None where it
    can't; the rows must be the same.
    """

    name: str
    endpoint: Endpoint
    map_record: Callable[..., Any]
    quick_reader: Callable[..., Callable[[bytes], Any]] | None = None
