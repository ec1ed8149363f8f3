"""`s1c simulate`: a SentinelOne console to try everything against."""

from __future__ import annotations

import typer

__all__ = ["simulate"]


def simulate(context: typer.Context) -> None:
    """Serve a simulated SentinelOne console on loopback until it is stopped; `--help` lists what it can play."""
    from sentinelone_collector.simulator import main

    raise typer.Exit(main(context.args))
