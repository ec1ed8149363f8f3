"""Events to hits to incidents: Sigma rules over OCSF names, evaluated in DuckDB."""

from __future__ import annotations

from sentinelone_collector.detect.backtest import Backtest, backtest
from sentinelone_collector.detect.findings import hit_finding, incident_finding
from sentinelone_collector.detect.hits import Hit, hit_schema, read_hits
from sentinelone_collector.detect.loading import load_ruleset
from sentinelone_collector.detect.ruleset import LEVELS, Rule, Ruleset
from sentinelone_collector.detect.tag import tag
from sentinelone_collector.detect.testing import RuleTest, SampleResult, test_rules

__all__ = [
    "LEVELS",
    "Backtest",
    "Hit",
    "Rule",
    "RuleTest",
    "Ruleset",
    "SampleResult",
    "backtest",
    "hit_finding",
    "hit_schema",
    "incident_finding",
    "load_ruleset",
    "read_hits",
    "tag",
    "test_rules",
]
