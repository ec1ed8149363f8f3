"""The two simulated consoles of the demonstration, and their registration as a person would do it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentinelone_collector.instances import Destination, Instance, write_instance
from sentinelone_collector.local.client import AirflowClient
from sentinelone_collector.local.layout import HOST, Layout
from sentinelone_collector.pipeline import utc_now

__all__ = ["SIMULATED", "Simulated", "register", "simulator_commands", "simulator_ports"]

_HISTORY_DAYS = 3
_RECORDS_PER_DAY = 12_000


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulated console; `scenario_hours` is how long before the first start its incident began.

    More than a day before, it is part of the history that the start waits for, at any time of day.
    """

    slug: str
    name: str
    seed: int
    users: int
    scenario: str
    scenario_hours: float


SIMULATED = (
    Simulated("emea", "EMEA production", 11, 60, "takeover", 26),
    Simulated("apac", "APAC production", 23, 35, "brute-force", 27),
)


def simulator_ports(layout: Layout) -> list[int]:
    """Return the ports of the simulated consoles, in the order of `SIMULATED`."""
    return [layout.simulator_port + offset for offset in range(len(SIMULATED))]


def _born(layout: Layout) -> datetime:
    # Scenario times must stay the same over restarts: a console's past does not change.
    now = utc_now().replace(second=0, microsecond=0)
    return datetime.fromisoformat(layout.remembered("demo", {"born": now.isoformat()})["born"]).astimezone(UTC)


def _token(layout: Layout, simulated: Simulated) -> str:
    return "eyJ" + layout.secret(f"token-{simulated.slug}", 60)


def simulator_commands(layout: Layout) -> Iterable[tuple[str, list[str]]]:
    """Yield name and command line of each simulated console."""
    born = _born(layout)
    for simulated, port in zip(SIMULATED, simulator_ports(layout), strict=True):
        moment = born - timedelta(hours=simulated.scenario_hours)
        command = [
            *(sys.executable, "-m", "sentinelone_collector.simulator"),
            *("--port", str(port), "--seed", str(simulated.seed), "--users", str(simulated.users)),
            *("--days", "30", "--records-per-day", str(_RECORDS_PER_DAY)),
            *("--scenario", f"{simulated.scenario}@{moment.isoformat().replace('+00:00', 'Z')}"),
            *("--token", _token(layout, simulated)),
        ]
        yield f"console-{simulated.slug}", command


def connections(layout: Layout) -> dict[str, dict[str, Any]]:
    """Return the connections of the simulated consoles by id, as Airflow's REST API takes them."""
    return {
        f"sentinelone_{simulated.slug}": {
            "conn_type": "sentinelone",
            "host": f"http://{HOST}",
            "port": port,
            "password": _token(layout, simulated),
        }
        for simulated, port in zip(SIMULATED, simulator_ports(layout), strict=True)
    }


def register(layout: Layout, folder: Path, airflow: AirflowClient) -> None:
    """Register what is not registered yet: first the connection, then the inventory file."""
    born = _born(layout)
    for connection_id, fields in connections(layout).items():
        airflow.put_connection(connection_id, fields)
    for simulated in SIMULATED:
        if (folder / f"{simulated.slug}.yaml").exists():
            continue
        midnight = born.replace(hour=0, minute=0)
        instance = Instance(
            slug=simulated.slug,
            name=simulated.name,
            connection_id=f"sentinelone_{simulated.slug}",
            live_since=born,
            collection_start=midnight - timedelta(days=_HISTORY_DAYS),
            destinations=(Destination.model_validate({"type": "file", "path": "delivered"}),),
        )
        write_instance(folder, instance, now=utc_now())
