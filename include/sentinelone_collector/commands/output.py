"""What commands print: one JSON document or a table on standard output, words for people on standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from sentinelone_collector.errors import UsageError
from sentinelone_collector.windows import parse_time

__all__ = ["AsJson", "Moment", "emit", "say", "table"]

_stderr = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def _moment(value: str | datetime) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return parse_time(value)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None


Moment = typer.Option(parser=_moment, metavar="TIME", help="UTC, like 2026-11-22T10:00:00Z or 2026-11-22.")


def say(text: str, *, style: str | None = None) -> None:
    """Print words for people on standard error; square brackets in them are no markup."""
    _stderr.print(text, style=style, markup=False, soft_wrap=True)


def emit(value: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as a table on standard output; the columns are keys of the rows."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        shown.add_row(*(_cell(row.get(column)) for column in columns))
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200).print(shown)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping) and {"start", "end"} <= set(value):
        return f"{_cell(value['start'])} → {_cell(value['end'])}"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
