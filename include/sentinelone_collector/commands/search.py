"""`s1c search`: events by keyword."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from sentinelone_collector.commands.output import AsJson, Moment, emit, say, table
from sentinelone_collector.errors import UsageError
from sentinelone_collector.pipeline import Installation

__all__ = ["search"]

_SHOWN = ["time", "instance", "class_name", "severity", "user", "ip", "host", "message"]


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    CSV = "csv"
    NDJSON = "ndjson"


def search(
    words: Annotated[
        str, typer.Argument(help='Words, "phrases", AND OR NOT, prefix*, field:value; empty: all events.')
    ] = "",
    instance: Annotated[list[str] | None, typer.Option(help="Default: all instances; repeatable.")] = None,
    stream: Annotated[list[str] | None, typer.Option(help="Default: all streams; repeatable.")] = None,
    from_: Annotated[Any, typer.Option("--from", parser=Moment.parser, metavar="TIME")] = None,
    to: Annotated[Any, typer.Option("--to", parser=Moment.parser, metavar="TIME")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many results.")] = 50,
    format_: Annotated[Format, typer.Option("--format", help="csv and ndjson: one line a result.")] = Format.TABLE,
    index: Annotated[
        bool, typer.Option("--index", help="Only index what is not indexed yet, so that searches are quick.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, help="How long events not indexed yet may be read.")] = 600.0,
    as_json: AsJson = False,
) -> None:
    """Find events by keyword, newest first; --json gives the whole events."""
    from sentinelone_collector.search import Budget, csv_lines, ndjson_lines, parse_query, scope_of, whole_events

    site = Installation.from_environment()
    scope = scope_of(_instances(site, instance or ()), stream or (), from_, to)
    budget = Budget(seconds)
    if index:
        _index(site.search.prepare(scope, budget=budget), as_json=as_json)
        return
    batches = site.search.rows(parse_query(words), scope, budget=budget, limit=limit)
    if as_json:
        found = [(row, event) for rows in batches for row, event in whole_events(site.lake, rows)]
        emit([{"instance": row.instance, "stream": row.stream, "key": row.key, **event} for row, event in found])
    elif format_ is Format.CSV:
        sys.stdout.writelines(csv_lines(batches))
    elif format_ is Format.NDJSON:
        sys.stdout.writelines(line.decode() for line in ndjson_lines(site.lake, batches))
    else:
        _print(batches, limit)


def _print(batches: Iterator[Sequence[Any]], limit: int) -> None:
    from sentinelone_collector.search import row_dict

    rows = [row_dict(row) for found in batches for row in found]
    table(rows, _SHOWN)
    more = "; there may be more: raise --limit or narrow the search" if len(rows) == limit else ""
    say(f"{len(rows)} events{more}.")


def _index(days: Iterator[tuple[str, bool]], *, as_json: bool) -> None:
    rows = []
    for day, complete in days:
        say(f"{day}: {'indexed' if complete else 'not all indexed yet'}")
        rows.append({"day": day, "indexed": complete})
    if as_json:
        emit(rows)
    if not all(row["indexed"] for row in rows):
        say("The time was not enough for all of it; run this again, or raise --seconds.", style="red")
        raise typer.Exit(1)


def _instances(site: Installation, asked: Sequence[str]) -> list[str]:
    """Return the slugs to search: those asked for, else the registered ones; what was removed keeps its data."""
    known = [one.slug for one in site.inventory.instances]
    for slug in asked:
        if slug not in known and next(site.lake.keys(f"events/instance={slug}/"), None) is None:
            raise UsageError(f"there is no instance {slug!r} and no event of one; known: {', '.join(known) or 'none'}")
    return list(dict.fromkeys(asked)) or known
