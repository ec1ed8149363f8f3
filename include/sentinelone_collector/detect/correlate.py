"""Hits of correlations: exact sliding windows, whatever the borders of the collected windows.

A burst that goes on gives one hit per bucket of time (see `Correlation.bucket`): the first event of the bucket at which
the correlation holds. That event depends on the events alone, so no order of collecting changes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sentinelone_collector.detect.anomaly.finding import Judged
from sentinelone_collector.detect.building import build_hit, who_of
from sentinelone_collector.detect.correlating import complete, may_hold
from sentinelone_collector.detect.engine import Detector, Done, EventRules, Found, Scene
from sentinelone_collector.detect.hits import MOST_EVENTS
from sentinelone_collector.detect.ruleset import Correlation, Rule

__all__ = ["Correlated", "detectors_of"]


@dataclass(frozen=True)
class Correlated:
    """One correlation of any type."""

    rule: Rule
    correlation: Correlation

    @property
    def reach(self) -> timedelta:
        """The span, and the bucket in which an earlier hit may stand for this one."""
        return self.correlation.reach

    def matters(self, scene: Scene) -> bool:
        """Say whether a rule that it uses, at any depth, matches."""
        return _touched(scene, self.correlation)

    def may_end(self, scene: Scene) -> bool:
        """Say whether the events can be the last ones of a hit."""
        return may_hold(scene, self.rule.name, last=True)

    def find(self, scene: Scene, sources: frozenset[int]) -> Iterator[Found]:
        """Yield the hits whose last event is in the sources."""
        if not sources or not may_hold(scene, self.rule.name) or self._too_few(scene):
            return
        done = complete(scene, self.rule.name)
        if not self._choose(scene, done, sources):
            return
        scene.connection.execute(
            "CREATE OR REPLACE TEMP TABLE evidence (number BIGINT, uid VARCHAR, moment BIGINT, pos BIGINT)"
        )
        _collect(scene, self.rule.name, "chosen0", 0)
        columns = ", ".join(f"m.{alias}" for alias in scene.aliases.values())
        found = scene.connection.execute(f"""
            WITH events AS (
                SELECT number, count(*) AS events, min(moment) AS first_moment, max(moment) AS last_moment,
                       list(uid ORDER BY pos, uid) AS uids
                FROM (SELECT number, uid, min(moment) AS moment, min(pos) AS pos FROM evidence GROUP BY number, uid)
                GROUP BY number
            ), last AS (
                SELECT * FROM matched WHERE uid IN (SELECT uid FROM chosen0)
                QUALIFY row_number() OVER (PARTITION BY part, uid ORDER BY source) = 1
            )
            SELECT f.uid, f.sources, e.events, e.first_moment, greatest(e.last_moment, f.moment),
                   e.uids[-{MOST_EVENTS}:], {columns}
            FROM chosen0 f JOIN events e USING (number) JOIN last m ON m.uid = f.uid AND m.part = f.part
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

    def _too_few(self, scene: Scene) -> bool:
        """Say whether fewer events match than a count asks for, so that nothing has to be computed."""
        rule = self.correlation
        if rule.kind not in {"event_count", "value_count"} or not all(base in scene.numbers for base in rule.bases):
            return False
        return sum(scene.totals.get(scene.numbers[base], 0) for base in rule.bases) < rule.threshold

    def _choose(self, scene: Scene, done: Done, sources: frozenset[int]) -> int:
        """Make the table `chosen0` of the moments that give hits of the sources, and return how many they are."""
        group = ", ".join(["part", *done.keys])
        bucket = int(self.correlation.bucket.total_seconds() * 1000)
        listed = ", ".join(str(number) for number in sorted(sources))
        made = scene.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE chosen0 AS
            SELECT row_number() OVER () AS number, * FROM (
                SELECT * FROM {done.table}
                QUALIFY row_number() OVER (PARTITION BY {group}, pos // {bucket} ORDER BY pos, uid DESC) = 1
            ) WHERE list_has_any(sources, [{listed}]::INT[])
        """)  # noqa: S608  # numbers and names made here
        return int(made.fetchone()[0])


def _collect(scene: Scene, name: str, chosen: str, depth: int) -> None:
    """Add to `evidence` the events between `since` and `till` of each chosen moment, also those below correlations."""
    rule = scene.ruleset.by_name[name]
    if rule.judge is not None:
        scene.connection.execute(f"INSERT INTO evidence SELECT number, uid, moment, pos FROM {chosen}")  # noqa: S608  # a name made here
    correlation = rule.correlation
    if correlation is None:
        return
    done = scene.done[name]
    same = "".join(f" AND b.{key} = c.{key}" for key in done.keys)
    inside = f"FROM {chosen} c JOIN {done.base} b ON b.part = c.part{same} AND b.pos BETWEEN c.since AND c.till"
    simple = [slot for slot, base in enumerate(correlation.bases) if base in scene.numbers]
    scene.connection.execute(f"""
        INSERT INTO evidence SELECT c.number, b.uid, b.moment, b.pos {inside}
        WHERE list_has_any(b.slots, {simple}::INT[])
    """)  # numbers and names made here
    for slot, base in enumerate(correlation.bases):
        if slot in simple:
            continue
        inner, below = scene.done[base], f"chosen{depth + 1}"
        scene.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {below} AS
            SELECT DISTINCT c.number, d.* {inside}
            JOIN {inner.table} d ON d.part = b.part AND d.uid = b.uid AND d.pos = b.pos
            WHERE list_contains(b.slots, {slot})
        """)  # numbers and names made here
        _collect(scene, base, below, depth + 1)


def _touched(scene: Scene, correlation: Correlation) -> bool:
    for name in correlation.uses:
        rule = scene.ruleset.by_name[name]
        if rule.judge is not None:
            touched = scene.has_verdict(name, cold=False)
        elif rule.correlation is not None:
            touched = _touched(scene, rule.correlation)
        else:
            touched = scene.totals.get(scene.numbers.get(name, -1), 0) > 0
        if touched:
            return True
    return False


def detectors_of(rules: tuple[Rule, ...]) -> list[Detector]:
    """Return the detectors of the rules."""
    counts: list[Detector] = [Correlated(rule, rule.correlation) for rule in rules if rule.correlation]
    unusual: list[Detector] = [Judged(rule) for rule in rules if rule.judge]
    plain = EventRules(tuple(rule for rule in rules if rule.where is not None and rule.judge is None))
    return [plain, *counts, *unusual]
