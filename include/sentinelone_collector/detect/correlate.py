"""Sliding-window correlations: exact windows by RANGE frames, whatever the borders of the collected windows.

A burst that goes on gives one hit per bucket of time (see `Correlation.bucket`): the first event of the bucket at which
the aggregate has reached the threshold. That event depends on the events alone, so no order of collecting changes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sentinelone_collector.detect.building import build_hit, who_of
from sentinelone_collector.detect.engine import Detector, EventRules, Found, Scene
from sentinelone_collector.detect.ruleset import Correlation, Rule

__all__ = ["MOST_EVENTS", "SlidingCount", "detectors_of"]

MOST_EVENTS = 200
_AGGREGATES = {"event_count": "count(*)", "value_count": "count(DISTINCT v)"}


@dataclass(frozen=True)
class SlidingCount:
    """One event_count or value_count rule."""

    rule: Rule
    correlation: Correlation

    @property
    def reach(self) -> timedelta:
        """The span, and the bucket in which an earlier hit may stand for this one."""
        return self.correlation.reach

    def find(self, scene: Scene, sources: frozenset[int]) -> Iterator[Found]:
        """Yield the hits whose last event is in the sources."""
        matched = sum(scene.totals.get(scene.numbers[base], 0) for base in self.correlation.bases)
        if not sources or matched < self.correlation.threshold:
            return
        scene.connection.execute(self._counted(scene))
        columns = ", ".join(f"any_value(m.{alias} ORDER BY m.source)" for alias in scene.aliases.values())
        keys = [f"k{n}" for n in range(self._width)]
        same = " AND ".join([f"b.{key} = f.{key}" for key in keys] + ["b.part = f.part"])
        listed = ", ".join(str(number) for number in sorted(sources))
        found = scene.connection.execute(f"""
            WITH events AS (
                SELECT f.uid, f.part, count(*) AS events, min(b.moment) AS first_moment, max(b.moment) AS last_moment,
                       list(b.uid ORDER BY b.pos, b.uid) AS uids
                FROM firsts f JOIN base b ON {same} AND b.pos BETWEEN f.pos - {self._span} AND f.pos
                GROUP BY f.uid, f.part
            )
            SELECT f.uid, f.sources, e.events, e.first_moment, e.last_moment, e.uids[-{MOST_EVENTS}:], {columns}
            FROM firsts f JOIN events e ON e.uid = f.uid AND e.part = f.part
                          JOIN matched m ON m.uid = f.uid AND m.part = f.part
            WHERE list_has_any(f.sources, [{listed}]::INT[])
            GROUP BY ALL
        """).fetchall()  # noqa: S608  # numbers and aliases only
        for uid, held_by, count, first, last, uids, *values in found:
            fields = scene.fields(values)
            hit = build_hit(
                self.rule,
                fields,
                console=scene.console,
                kind="correlation",
                identity=uid,
                times=(first, last),
                uids=uids,
                count=count,
            )
            yield Found(hit, tuple(sorted(held_by)), tuple(who_of(self.rule, hit, fields)))

    @property
    def _span(self) -> int:
        return int(self.correlation.span.total_seconds() * 1000)

    @property
    def _width(self) -> int:
        return len(next(iter(self.correlation.by.values())))

    def _counted(self, scene: Scene) -> str:
        rule = self.correlation
        numbers = {base: scene.numbers[base] for base in rule.bases}
        keys = [self._key(scene, numbers, place) for place in range(self._width)]
        value = _text(scene.aliases[rule.values]) if rule.values else "NULL"
        names = [f"k{n}" for n in range(self._width)]
        group = ", ".join(["part", *names])
        present = " AND ".join([f"{name} IS NOT NULL" for name in names] or ["true"])
        wanted = ", ".join(str(number) for number in numbers.values())
        bucket = int(rule.bucket.total_seconds() * 1000)
        selected = "".join(f", min({key}) AS {name}" for key, name in zip(keys, names, strict=True))
        return f"""
            CREATE OR REPLACE TEMP TABLE base AS
            SELECT * FROM (
                SELECT part, uid, min(pos) AS pos, min(moment) AS moment, list(DISTINCT source) AS sources,
                       min({value}) AS v{selected}
                FROM matched WHERE list_has_any(rules, [{wanted}]) GROUP BY part, uid
            ) WHERE {present};
            CREATE OR REPLACE TEMP TABLE firsts AS
            SELECT * FROM (
                SELECT *, {_AGGREGATES[rule.kind]} OVER (
                    PARTITION BY {group} ORDER BY pos RANGE BETWEEN {self._span} PRECEDING AND CURRENT ROW
                ) AS n FROM base
            ) WHERE n >= {rule.threshold}
            QUALIFY row_number() OVER (PARTITION BY {group}, pos // {bucket} ORDER BY pos, uid DESC) = 1
        """  # noqa: S608  # numbers, aliases and names made here

    def _key(self, scene: Scene, numbers: dict[str, int], place: int) -> str:
        fields = {base: names[place] for base, names in self.correlation.by.items()}
        if len(set(fields.values())) == 1:
            return _text(scene.aliases[next(iter(fields.values()))])
        cases = " ".join(
            f"WHEN list_contains(rules, {numbers[base]}) THEN {_text(scene.aliases[name])}"
            for base, name in fields.items()
        )
        return f"CASE {cases} END"


def _text(alias: str) -> str:
    return f"nullif(lower(CAST({alias} AS VARCHAR)), '')"


def detectors_of(rules: tuple[Rule, ...]) -> list[Detector]:
    """Return the detectors of the rules."""
    counts: list[Detector] = [SlidingCount(rule, rule.correlation) for rule in rules if rule.correlation]
    return [EventRules(tuple(rule for rule in rules if rule.where is not None)), *counts]
