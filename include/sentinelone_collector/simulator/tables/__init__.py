"""What the console keeps besides the activity log: threats, alerts, computers, groups, device events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sentinelone_collector.simulator.history import History
from sentinelone_collector.simulator.scenarios import Placed
from sentinelone_collector.simulator.tables.agents import Agents
from sentinelone_collector.simulator.tables.alerts import Alerts
from sentinelone_collector.simulator.tables.devices import DeviceEvents
from sentinelone_collector.simulator.tables.groups import Groups
from sentinelone_collector.simulator.tables.mentions import Mentions
from sentinelone_collector.simulator.tables.threats import Threats
from sentinelone_collector.simulator.tables.unified import UnifiedAlerts
from sentinelone_collector.simulator.tables.version import Table, Version

__all__ = ["STREAMS", "Table", "Tables", "Version"]

STREAMS: Final = ("agents", "alerts", "device_events", "groups", "threats", "unified_alerts")
"""The streams that have a table."""


class Tables:
    """The tables of one console; each is made when somebody looks."""

    def __init__(self, history: History, placed: tuple[Placed, ...]) -> None:
        mentions = Mentions(history)
        self.threats = Threats(history, mentions)
        self.alerts = Alerts(history, mentions)
        self.unified_alerts = UnifiedAlerts(history, self.threats, self.alerts, placed)
        self.agents = Agents(history, placed)
        self.groups = Groups(history, self.agents)
        self.device_events = DeviceEvents(history)
        self.by_stream: Mapping[str, Table] = {
            table.stream: table
            for table in (
                self.threats,
                self.alerts,
                self.unified_alerts,
                self.agents,
                self.groups,
                self.device_events,
            )
        }
