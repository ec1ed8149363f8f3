"""A SentinelOne console to run against: same API, same faults, records without end.

with Simulator(seed=7, scenarios=["takeover"]) as console:
    requests.get(console.url + "/web/api/v2.1/activities",
                 headers={"Authorization": "ApiToken " + console.token})
"""

from __future__ import annotations

from sentinelone_collector.simulator.main import main
from sentinelone_collector.simulator.simulator import Simulator

__all__ = ["Simulator", "main"]
