"""Analyses of anomalies in the words of OCSF 1.8: https://schema.ocsf.io/1.8.0/objects/anomaly_analysis."""

from __future__ import annotations

from typing import Any

from sentinelone_collector.detect.anomaly.analysis import Analysis

__all__ = ["anomaly_analysis"]


def anomaly_analysis(analysis: Analysis, target: str | None) -> dict[str, Any]:
    """Return an analysis as an object of `anomaly_analyses`; the baseline's words stand in its pattern.

    Counts that are no whole numbers (distances, parts of a score) are written as the value's text.
    """
    pattern = analysis.pattern.upper()
    observed = {"value": analysis.observed, "count": 1}
    anomaly = {
        "observation_parameter": analysis.parameter,
        "observation_type": f"{analysis.measure}: {analysis.score:.6g}",
        "observed_pattern": pattern,
        "observations": [observed],
    }
    baseline = {
        "observation_parameter": analysis.parameter,
        "observation_type": f"{analysis.events} events of the {analysis.basis} in {analysis.days} days",
        "observed_pattern": analysis.words,
        "observations": [_observation(one.value, one.count) for one in analysis.baseline],
    }
    found: dict[str, Any] = {
        "analysis_targets": [{"name": target or "unknown", "type": analysis.basis}],
        "anomalies": [anomaly],
    }
    return found | ({"baselines": [baseline]} if analysis.baseline else {})


def _observation(value: str, count: float) -> dict[str, Any]:
    return {"value": value, "count": int(count)} if float(count).is_integer() else {"value": f"{value}: {count:.6g}"}
