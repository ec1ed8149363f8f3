"""A simulated console's day with all its stories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sentinelone_collector.simulator import Simulator
from sentinelone_collector.simulator.scenarios import SCENARIOS

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_day_becomes_valid_events(room: Any, problems: Any) -> None:
    simulator = Simulator(seed=11, records_per_day=3_000, days=2, scenarios=sorted(SCENARIOS), now=lambda: NOW)
    lines = simulator.truth(NOW - timedelta(days=1), NOW)
    assert len(lines) > 2_000
    outcome = room.normalized(lines)
    assert outcome.quarantine == []
    assert sorted(event["raw_data"].encode() for event in outcome.events) == sorted(lines)
    assert [found for event in outcome.events for found in problems(event)] == []
    assert {event["class_uid"] for event in outcome.events} >= {2004, 3002, 3004, 6002, 6003, 6007}
