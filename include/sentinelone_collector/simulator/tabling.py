"""Lists over the tables: parameters, order, cursor, count and bytes of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentinelone_collector.simulator._time import iso
from sentinelone_collector.simulator.filters import Filter, leaves
from sentinelone_collector.simulator.listing import Page, make_page
from sentinelone_collector.simulator.messages import validation
from sentinelone_collector.simulator.query import PAGING, Paging, Parser, Seek, choice, paging, parse_query
from sentinelone_collector.simulator.records import render
from sentinelone_collector.simulator.routes import Call
from sentinelone_collector.simulator.tables import Table, Version
from sentinelone_collector.simulator.tables.version import END

__all__ = ["Layout", "SortKey", "by_at", "by_created", "by_id", "by_path", "ordered_page", "table_list", "visible_to"]

SortKey = Callable[[Version], int | str]


@dataclass(frozen=True)
class Layout:
    """What a list understands; `key_time` is the time parameter that is the table's own order (`at`)."""

    view: str
    filters: Mapping[str, Filter]
    sorts: Mapping[str, SortKey]
    default_sort: tuple[str, bool] = ("id", False)
    key_time: str = "updatedAt"

    def parsers(self) -> dict[str, Parser]:
        """Give all parameters with their parsers."""
        own = {name: item.parse for name, item in self.filters.items()}
        return {**PAGING, "sortBy": choice(*self.sorts), **own}


def by_path(path: str) -> SortKey:
    """Sort by what stands at a path, as text; numbers in the order of numbers, nothing first."""

    def key(version: Version) -> str:
        value = next(leaves(version.make(), path), None)
        return f"{value:020d}" if type(value) is int else str("" if value is None else value)

    return key


def by_id(version: Version) -> int:
    """Sort by id."""
    return version.id


def by_at(version: Version) -> str:
    """Sort by the table's own time."""
    return iso(version.at)


def by_created(version: Version) -> str:
    """Sort by the time of creation."""
    return iso(version.created)


def visible_to(call: Call, versions: Sequence[Version]) -> list[Version]:
    """Leave out what the caller's scope does not cover."""
    if call.scope.level == "tenant":
        return list(versions)
    return [version for version in versions if call.scope.covers(version.place)]


def _bounds(values: Mapping[str, Any], name: str) -> tuple[int, int]:
    low = max(values.get(f"{name}__gte", 0), values.get(f"{name}__gt", -1) + 1)
    high = min(values.get(f"{name}__lt", END), values.get(f"{name}__lte", END) + 1)
    start, end = values.get(f"{name}__between", (low, high))
    return max(low, start), min(high, end)


def table_list(call: Call, table: Table, layout: Layout) -> Page:
    """Answer a list: what is shown now, filtered, in order, from the cursor's place on."""
    values = parse_query(call.request.query, layout.parsers())
    page = paging(values, layout.view, layout.default_sort)
    found = visible_to(call, table.current(call.now, *_bounds(values, layout.key_time)))
    tests = [(layout.filters[name].test, value) for name, value in values.items() if name in layout.filters]
    found = [version for version in found if all(test(version, value) for test, value in tests)]
    return ordered_page(layout.view, page, found, layout.sorts[page.sort_by], _writer(call.world.options.seed))


def _writer(seed: int) -> Callable[[Version], bytes]:
    return lambda version: render(seed, version.id, version.make())


def ordered_page(
    view: str, page: Paging, found: list[Version], sort: SortKey, write: Callable[[Version], bytes]
) -> Page:
    """Cut a page out of what was found, ordered by (sort key, id)."""
    total = 0 if page.skip_count or page.seek else len(found)
    if page.count_only:
        return make_page(view, page, (), lambda index: Seek("", index), total)
    keyed = sorted(((sort(version), version.id, version) for version in found), reverse=page.reverse)
    if page.seek:
        here = (page.seek.sort_value, page.seek.id)
        if keyed and type(keyed[0][0]) is not type(here[0]):
            raise validation("Invalid cursor value received")
        keyed = [item for item in keyed if (item[:2] < here if page.reverse else item[:2] > here)]
    chosen = keyed[page.skip : page.skip + page.limit]
    rows = [write(version) for _, _, version in chosen]
    return make_page(view, page, rows, lambda index: Seek(*chosen[index][:2]), total)
