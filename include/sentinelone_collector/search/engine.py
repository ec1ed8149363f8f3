"""The log search: pages of results, counts over time, exports; exact, over what the lake holds at this moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from sentinelone_collector.errors import UsageError
from sentinelone_collector.lake import Storage
from sentinelone_collector.search.budget import Budget
from sentinelone_collector.search.cache import ShardCache
from sentinelone_collector.search.documents import FACETS, rank_of
from sentinelone_collector.search.listing import Found, Scope, list_days
from sentinelone_collector.search.narrowing import Part, count, in_range, milliseconds, narrowed, run
from sentinelone_collector.search.query import Node
from sentinelone_collector.search.results import Bucket, Counts, Cursor, Page, Row
from sentinelone_collector.search.shard import Shard
from sentinelone_collector.windows import DAY, iso, parse_time

__all__ = ["LogSearch", "SearchTooWide"]

_MOST_BUCKETS = 60
_MINUTE = 60_000
_DAY = 1440 * _MINUTE
_WIDTHS = tuple(_MINUTE * minutes for minutes in (1, 5, 10, 30, 60, 180, 360, 720, 1440, 7 * 1440, 28 * 1440))
_TIES = 16  # results read beyond a page, so that events of equal rank stand together
_EXPORT_PAGE = 2_000


class SearchTooWide(UsageError):
    """A search would have to read more than it may; says how far it got and what to narrow."""


class LogSearch:
    """Search over one lake with the indexes of a cache, which are brought up to date as far as a search needs them.

    Every search lists the windows that the lake holds now with the version of their bytes, and uses indexed windows of
    just that version; the others are read first, newest first, within the search's budget.
    """

    def __init__(self, lake: Storage, cache: ShardCache) -> None:
        self._lake = lake
        self._cache = cache

    def page(self, query: Node, scope: Scope, *, budget: Budget, cursor: Cursor | None = None, limit: int = 50) -> Page:
        """Return the newest events that match, or those after a cursor.

        Raise `SearchTooWide` where the budget ends before the page is full, `LakeError` where the lake can't be read.
        """
        rows: list[Row] = []
        days = self._days(scope, cursor)
        for day, windows in days.items():
            parts, complete = self._ready(day, windows, budget)
            if not complete and len(rows) == limit:
                return Page(rows, _cursor(rows[-1]))  # whether there are more the next page says
            if not complete:
                raise self._too_wide(days, day, budget)
            found = [
                row
                for part in parts
                if part.numbers
                for row in self._newest(part, narrowed(part, query, scope, day), cursor, limit + 1)
            ]
            rows += sorted(found, key=_order)
            if len(rows) > limit:
                break
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, _cursor(rows[-1]) if more else None)

    def rows(self, query: Node, scope: Scope, *, budget: Budget, limit: int | None = None) -> Iterator[list[Row]]:
        """Yield all events that match, newest first, some at a time; raises as `page` does."""
        cursor: Cursor | None = None
        left = limit
        while left is None or left > 0:
            size = _EXPORT_PAGE if left is None else min(left, _EXPORT_PAGE)
            page = self.page(query, scope, budget=budget, cursor=cursor, limit=size)
            if page.rows:
                yield page.rows
            if page.cursor is None:
                return
            cursor = page.cursor
            left = None if left is None else left - len(page.rows)

    def counts(self, query: Node, scope: Scope, *, budget: Budget) -> Counts:
        """Return how many events match, over time and by attribute; inexact and labelled so where the budget ends."""
        days = list_days(self._lake, scope)
        width = _width(scope, days)
        total, buckets = 0, Counter[int]()
        facets: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
        since: str | None = None
        for day, windows in days.items():
            parts, complete = self._ready(day, windows, budget)
            if not complete:
                break
            since = day
            for part in parts:
                total += count(part, narrowed(part, query, scope, day), width, buckets, facets)
        exact = not days or since == next(reversed(days))
        return Counts(
            total=total,
            width=width,
            buckets=_filled(buckets, width, _span(scope, list(days))),
            facets={name: dict(counter.most_common()) for name, counter in facets.items()},
            exact=exact,
            since=None if exact else milliseconds(parse_time(since) if since else datetime.now(UTC)),
        )

    def prepare(self, scope: Scope, *, budget: Budget) -> Iterator[tuple[str, bool]]:
        """Index what is not yet, newest day first; yield each day and whether all of it is indexed."""
        for day, windows in list_days(self._lake, scope).items():
            shard = self._cache.shard(day)
            self._update(shard, day, windows, budget)
            yield day, all(shard.snapshot().holds(one) for one in windows)

    def ensure(self, scope: Scope, *, budget: Budget) -> None:
        """Index all that is to be searched; raise `SearchTooWide` where the budget is not enough."""
        days = list_days(self._lake, scope)
        for day, windows in days.items():
            _, complete = self._ready(day, windows, budget)
            if not complete:
                raise self._too_wide(days, day, budget)

    def _days(self, scope: Scope, cursor: Cursor | None) -> dict[str, list[Found]]:
        if cursor is not None:
            # nothing of a later day can follow the cursor
            day = datetime.fromtimestamp((cursor.rank >> 22) / 1000, UTC).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            scope = scope._replace(end=day + DAY if scope.end is None else min(scope.end, day + DAY))
        return list_days(self._lake, scope)

    def _ready(self, day: str, windows: Sequence[Found], budget: Budget) -> tuple[list[Part], bool]:
        """Return indexes that hold the windows of a day, and whether they hold them all."""
        shard = self._cache.shard(day)
        snapshot = shard.snapshot()
        missing = [one for one in windows if not snapshot.holds(one)]
        parts: list[Part] = []
        if missing:
            mine = self._update(shard, day, windows, budget)
            snapshot = shard.snapshot()
            missing = [one for one in windows if not snapshot.holds(one)]
            if missing and not mine:  # another process is indexing this day, or the folder is not ours to write
                memory = Shard(None)
                memory.update(self._lake, missing, budget)
                aside = memory.snapshot()
                parts.append(Part(aside, aside.numbers(missing)))
                missing = [one for one in missing if not aside.holds(one)]
        return [*parts, Part(snapshot, snapshot.numbers(windows))], not missing

    def _update(self, shard: Shard, day: str, windows: Sequence[Found], budget: Budget) -> bool:
        mine = shard.update(self._lake, windows, budget)
        self._cache.shrink(keep=day)
        return mine

    def _newest(self, part: Part, here: Any, cursor: Cursor | None, limit: int) -> list[Row]:
        """Return the first `limit` results of a part in their order, and perhaps some more."""
        import tantivy

        if cursor is not None:
            below = in_range("rank", None, cursor.rank)
            here = tantivy.Query.boolean_query([(tantivy.Occur.Must, here), (tantivy.Occur.Must, below)])
        wanted = limit + _TIES
        while True:
            hits = run(part.snapshot.searcher.search, here, wanted, count=False, order_by_field="rank").hits
            rows = [_row(part.snapshot.searcher, address) for _, address in hits]
            kept = [row for row in rows if cursor is None or _order(row) > (-cursor.rank, cursor.uid)]
            if len(hits) < wanted or (len(kept) > limit and _order(kept[-1])[0] != _order(kept[limit - 1])[0]):
                return kept
            wanted *= 4

    def _too_wide(self, days: dict[str, list[Found]], reached: str, budget: Budget) -> SearchTooWide:
        unread = 0
        for day, windows in days.items():
            if day <= reached:
                snapshot = self._cache.shard(day).snapshot()
                unread += sum(one.size for one in windows if not snapshot.holds(one))
        return SearchTooWide(
            f"the events before the end of {reached} are not all indexed yet: {max(1, unread >> 20):,} MB are left to "
            f"read, more than {budget.seconds:g} s allow. Narrow the time range to begin at {_after(reached)}, or name "
            "one instance or stream; or ask again: what has been read is kept. `s1c search --index` reads it all once"
        )


def _after(day: str) -> str:
    return iso(parse_time(day) + DAY)


def _order(row: Row) -> tuple[int, str]:
    return -rank_of(row.moment, row.uid), row.uid


def _cursor(row: Row) -> Cursor:
    return Cursor(rank_of(row.moment, row.uid), row.uid)


def _row(searcher: Any, address: Any) -> Row:
    return msgspec.msgpack.decode(bytes(searcher.doc(address)["row"][0]), type=Row)


def _span(scope: Scope, days: Sequence[str]) -> tuple[int, int] | None:
    """Return the first and the last millisecond that a chart shows, None where there is nothing to show."""
    if not days:
        return None
    first = milliseconds(scope.start) if scope.start is not None else milliseconds(parse_time(days[-1]))
    last = milliseconds(scope.end) if scope.end is not None else milliseconds(parse_time(days[0]) + DAY)
    return first, max(first, last - 1)


def _width(scope: Scope, days: dict[str, list[Found]]) -> int:
    span = _span(scope, list(days))
    if span is None:
        return _WIDTHS[-1]
    return next((width for width in _WIDTHS if (span[1] - span[0]) / width <= _MOST_BUCKETS), _WIDTHS[-1])


def _filled(buckets: Counter[int], width: int, span: tuple[int, int] | None) -> list[Bucket]:
    if span is None:
        return []
    first, last = (edge // width * width for edge in span)
    return [Bucket(start, buckets[start]) for start in range(first, last + 1, width)]
