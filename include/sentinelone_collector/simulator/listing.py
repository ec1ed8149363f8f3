"""Lists with a key-set cursor: the envelope, and small tables kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sentinelone_collector.simulator.messages import Response
from sentinelone_collector.simulator.query import Paging, Seek, cursor_text

__all__ = ["Page", "envelope", "make_page", "table_page"]


def envelope(page: Page) -> Response:
    """Write a page as the console does; the rows' bytes are taken as they are."""
    data = b"[" + b",".join(page.rows) + b"]"
    cursor = b"null" if page.cursor is None else b'"' + page.cursor.encode() + b'"'
    body = b'{"data":%b,"pagination":{"nextCursor":%b,"totalItems":%d}}' % (
        page.wrap(data),
        cursor,
        page.total,
    )
    return Response(200, body)


@dataclass(frozen=True, slots=True)
class Page:
    """One page before it becomes an envelope; faults may still change it.

    `seek_at` gives the place of a row by its index, so that a cursor can point behind any of them; `wrap`
    puts the rows' array into what `data` is, `write` makes the answer.
    """

    view: str
    paging: Paging
    rows: tuple[bytes, ...]
    seek_at: Callable[[int], Seek]
    cursor: str | None
    total: int
    wrap: Callable[[bytes], bytes] = bytes
    write: Callable[[Page], Response] = envelope

    def cursor_after(self, index: int) -> str:
        """Make the cursor that continues behind a row."""
        return cursor_text(self.view, self.paging.sort_by, reverse=self.paging.reverse, seek=self.seek_at(index))

    def with_cursor(self, cursor: str | None) -> Page:
        """Give the same page with another cursor."""
        return replace(self, cursor=cursor)


def _nowhere(index: int) -> Seek:
    raise IndexError(f"a page without rows has no row {index}")


def make_page(view: str, paging: Paging, rows: Sequence[bytes], seek_at: Callable[[int], Seek], total: int) -> Page:
    """Make a page; a full one gets a cursor, even where nothing follows."""
    page = Page(view, paging, tuple(rows), seek_at, None, total)
    if len(rows) == paging.limit and not paging.count_only:
        return page.with_cursor(page.cursor_after(-1))
    return page


def table_page(
    view: str, paging: Paging, rows: Sequence[dict[str, Any]], write: Callable[[dict[str, Any]], bytes]
) -> Page:
    """Take a page out of a small table whose rows have an `id`."""

    def key(row: dict[str, Any]) -> tuple[str, int]:
        value = row.get(paging.sort_by)
        return f"{value:020d}" if type(value) is int else str(value or ""), int(row["id"])

    ordered = sorted(rows, key=key, reverse=paging.reverse)
    total = 0 if paging.skip_count or paging.seek else len(rows)
    if paging.count_only:
        return make_page(view, paging, (), _nowhere, total)
    if paging.seek:
        at = (str(paging.seek.sort_value), paging.seek.id)
        ordered = [row for row in ordered if (key(row) < at if paging.reverse else key(row) > at)]
    chosen = ordered[paging.skip : paging.skip + paging.limit]

    def seek_at(index: int) -> Seek:
        return Seek(*key(chosen[index]))

    return make_page(view, paging, [write(row) for row in chosen], seek_at, total)
