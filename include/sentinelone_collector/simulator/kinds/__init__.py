"""The activity types that the simulated console writes, and the catalogue it lists."""

from __future__ import annotations

from sentinelone_collector.simulator.kinds import admin, agents, alerts, login, threats, unknown
from sentinelone_collector.simulator.records import Kind

__all__ = ["BY_TYPE", "KINDS"]

KINDS: tuple[Kind, ...] = (
    *login.KINDS,
    *admin.KINDS,
    *agents.KINDS,
    *threats.KINDS,
    *alerts.KINDS,
    *unknown.KINDS,
)

BY_TYPE: dict[int, Kind] = {kind.type: kind for kind in KINDS}
