"""What a stream is to the API: its endpoint's path, time fields, order, permission, limits and mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sentinelone_collector.source.graphql import GraphQL
from sentinelone_collector.source.rates import known_rate

__all__ = ["Endpoint", "Pass", "Stream"]


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of a window: by which time.

    `time_field` is the name that the time filters are built from (`createdAt` gives `createdAt__gte`), `record_time`
    where the same time stands inside a record, outermost key first, `sort_by` the column that pages are sorted by.
    """

    time_field: str
    record_time: tuple[str, ...]
    sort_by: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One list of the management API 2.1.

    `path` stands below `/web/api/v2.1`, like `/activities`. `time_field`, `record_time` and `sort_by` are the first
    pass, `passes` are further ones over the same window; a record belongs to the window of the latest of its times.
    `record_version` is where the time of a record's last change stands, for records that change and of which every
    version is an event of its own; None for records that do not. `counts=False` says that the console's count can't be
    relied on: two readings are compared then. `count_cap` is the number at which the console stops counting, None where
    it counts on. `rate` is in requests per second and `burst` in requests, both per token; 0 means as the vendor's
    table says. `graphql` makes it a GraphQL list. An endpoint that is not `optional` must be readable for an instance
    to work at all.
    """

    path: str
    time_field: str
    record_time: tuple[str, ...]
    sort_by: str
    permission: str
    optional: bool = True
    count_cap: int | None = None
    page_size: int = 1000
    rate: float = 0.0
    burst: int = 0
    record_id: tuple[str, ...] = ("id",)
    passes: tuple[Pass, ...] = ()
    record_version: tuple[str, ...] | None = None
    counts: bool = True
    graphql: GraphQL | None = None

    def __post_init__(self) -> None:
        rate, burst = known_rate(self.path)
        object.__setattr__(self, "rate", self.rate or rate)
        object.__setattr__(self, "burst", self.burst or burst)

    @property
    def readings(self) -> tuple[Pass, ...]:
        """All passes over a window, the first one first."""
        return (Pass(self.time_field, self.record_time, self.sort_by), *self.passes)

    @property
    def grain(self) -> int:
        """The finest step of the endpoint's time filters, in microseconds."""
        return 1 if self.graphql is None else 1000


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of record: where it is read, and the function that turns one of its records into an event.

    `quick_reader` may give a function for a `Context` that turns some of many raw lines into rows on a shorter way, and
    says which lines these are; the rows must be the same.
    """

    name: str
    endpoint: Endpoint
    map_record: Callable[..., Any]
    quick_reader: Callable[..., Callable[[Any], tuple[Any, Any]]] | None = None
