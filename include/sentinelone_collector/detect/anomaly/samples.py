"""Verdicts on the samples of rules: each sample is an instance of its own, counted in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.anomaly.counters import FrameCounters, Seen
from sentinelone_collector.detect.anomaly.features import FEATURES, sightings_sql
from sentinelone_collector.detect.anomaly.judging import Judging, judge_day
from sentinelone_collector.detect.ruleset import Rule, Ruleset

__all__ = ["sample_verdicts"]

_DAY_MS = 86_400_000
Rows = list[dict[str, Any]]


def sample_verdicts(
    ruleset: Ruleset, samples: Sequence[tuple[Rule, Rows, Rows]], sources: Mapping[tuple[int, int], int]
) -> dict[int, list[Verdict]]:
    """Return what the anomaly rules that each sample is about say of its days, by the numbers of sources.

    A sample is its rule, its events and those of its baseline; `sources` numbers samples and days.
    """
    judging = {
        number: rules
        for number, (rule, _, baseline) in enumerate(samples)
        # Sums do not count what has no baseline
        if (baseline or rule.risk is None) and (rules := _judging(ruleset, rule))
    }
    if not judging:
        return {}
    seen = _seen(ruleset, {number: [*samples[number][1], *samples[number][2]] for number in judging})
    found: dict[int, list[Verdict]] = {}
    for number, rules in judging.items():
        counters = FrameCounters(seen.get(number, []))
        for sample, day in sources:
            said = judge_day(day, counters, rules).get(str(day)) if sample == number else None
            if said:
                found[sources[sample, day]] = said
    return found


def _judging(ruleset: Ruleset, rule: Rule) -> list[Judging]:
    if rule.judge is not None:
        return [Judging(rule.name, rule.judge)]
    if rule.risk is not None:
        counted = ruleset.counted_by(rule.risk)
        return [one for one in ruleset.judgings if one.rule in counted]
    uses = rule.correlation.uses if rule.correlation else ()
    return list(dict.fromkeys(one for name in uses for one in _judging(ruleset, ruleset.by_name[name])))


def _seen(ruleset: Ruleset, rows: Mapping[int, Rows]) -> dict[int, list[Seen]]:
    import pyarrow as pa

    from sentinelone_collector.detect.engine import open_engine

    catalogue = ruleset.columns.catalogue
    flat = [row for of_sample in rows.values() for row in of_sample]
    table = pa.Table.from_pylist(flat, schema=catalogue.schema)
    origins = [number for number, of_sample in rows.items() for _ in of_sample]
    parts = [
        f"SELECT '{name}' AS feature, * FROM ({sightings_sql(feature, catalogue, 'counted e')})"  # noqa: S608  # made here
        for name, feature in FEATURES.items()
    ]
    connection = open_engine()
    try:
        connection.register("counted", table.append_column("origin", pa.array(origins, pa.int32())))
        found = connection.execute(f"""
            SELECT origin, moment // {_DAY_MS} AS day, feature, entity, value, count(*), min(moment), max(moment)
            FROM ({" UNION ALL ".join(parts)}) GROUP BY ALL ORDER BY ALL
        """).fetchall()  # noqa: S608  # made here
    finally:
        connection.close()
    seen: dict[int, list[Seen]] = {}
    for number, day, *rest in found:
        seen.setdefault(number, []).append(Seen(str(day), day, *rest))
    return seen
