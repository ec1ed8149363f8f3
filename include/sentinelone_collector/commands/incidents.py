"""`s1c incidents`: what people work on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sentinelone_collector.commands.output import AsJson, Moment, emit, say, table
from sentinelone_collector.pipeline import Installation

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List, show, close, snooze, reopen and note incidents.")
