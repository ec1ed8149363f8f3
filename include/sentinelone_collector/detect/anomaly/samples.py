"""Verdicts on the samples of rules: the events of each are an instance of its own, counted in memory."""

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
    ruleset: Ruleset, samples: Sequence[tuple[Sequence[Rule], Rows, Rows]], sources: Mapping[tuple[int, int], int]
) -> dict[int, list[Verdict]]:
    """Return what the anomaly rules that each sample is about say of its days, by the numbers of sources.

    A sample is its rules, its events and those of its baseline; `sources` numbers samples and days.
    """
    judging = {
        number: judgings
        for number, (rules, _, baseline) in enumerate(samples)
        # Sums do not count what has no baseline
        if (judgings := _judgings(ruleset, [rule for rule in rules if baseline or rule.risk is None]))
    }
    if not judging:
        return {}
    seen = _seen(ruleset, {number: [*samples[number][1], *samples[number][2]] for number in judging})
    counters = {number: FrameCounters(seen.get(number, [])) for number in judging}
    found: dict[int, list[Verdict]] = {}
    for (number, day), source in sources.items():
        said = judge_day(day, counters[number], judging[number]).get(str(day)) if number in judging else None
        if said:
            found[source] = said
    return found


def _judgings(ruleset: Ruleset, rules: Sequence[Rule]) -> list[Judging]:
    return list(dict.fromkeys(one for rule in rules for one in _judging(ruleset, rule)))


def _judging(ruleset: Ruleset, rule: Rule) -> list[Judging]:
    if rule.judging is not None:
        return [rule.judging]
    if rule.risk is not None:
        counted = ruleset.counted_by(rule.risk)
        return [one for one in ruleset.judgings if one.rule in counted]
    uses = rule.correlation.uses if rule.correlation else ()
    return _judgings(ruleset, [ruleset.by_name[name] for name in uses])


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
