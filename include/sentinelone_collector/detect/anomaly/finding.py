"""Verdicts to hits: the events that detectors called unusual, as hits of their rules and as steps of correlations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.anomaly.features import FEATURES, sightings_sql
from sentinelone_collector.detect.building import build_hit, who_of
from sentinelone_collector.detect.engine import Done, Found, Scene
from sentinelone_collector.detect.fields import Catalogue
from sentinelone_collector.detect.ruleset import Rule

__all__ = ["Judged", "unusual"]

_MOST_EVENTS = 200


@dataclass(frozen=True)
class Judged:
    """One anomaly rule."""

    rule: Rule

    @property
    def reach(self) -> timedelta:
        """Nothing beside the events is read: what came before is in the verdicts."""
        return timedelta(0)

    def matters(self, scene: Scene) -> bool:  # noqa: ARG002  # of the protocol
        """Events matter to later windows by their counters, which are compared on their own."""
        return False

    def may_end(self, scene: Scene) -> bool:  # noqa: ARG002  # of the protocol
        """Nothing has to be read beside the events themselves."""
        return False

    def find(self, scene: Scene, sources: frozenset[int]) -> Iterator[Found]:
        """Yield a hit for each verdict on one of the sources."""
        if not sources.intersection(scene.verdicts) or not scene.has_verdict(self.rule.name):
            return
        table = unusual(scene, self.rule.name).base
        columns = ", ".join(f"m.{alias}" for alias in scene.aliases.values())
        listed = ", ".join(str(number) for number in sorted(sources))
        found = scene.connection.execute(f"""
            WITH events AS (
                SELECT source, verdict, count(*) AS n, min(moment) AS first_moment, max(moment) AS last_moment,
                       list(uid ORDER BY pos, uid)[-{_MOST_EVENTS}:] AS uids
                FROM {table} WHERE k <= nth OR whole GROUP BY source, verdict
            )
            SELECT t.source, t.verdict, t.uid, e.n, e.first_moment, e.last_moment, e.uids, {columns}
            FROM {table} t JOIN events e USING (source, verdict)
            JOIN matched m ON m.uid = t.uid AND m.source = t.source
            WHERE t.k = t.nth AND t.source IN ({listed})
            QUALIFY row_number() OVER (PARTITION BY t.source, t.uid ORDER BY t.verdict) = 1
            ORDER BY t.source, t.verdict
        """).fetchall()  # noqa: S608  # numbers and aliases only
        for source, verdict, uid, count, first, last, uids, *values in found:
            fields = scene.fields(values)
            judged = scene.verdicts[source][verdict]
            hit = build_hit(
                self.rule,
                fields,
                console=scene.console,
                kind="anomaly",
                identity=uid,
                times=(first, last),
                uids=uids,
                count=count,
                analysis=judged.analysis,
                level=judged.level,
            )
            yield Found(hit, (source,), tuple(who_of(self.rule, hit, fields)))


def unusual(scene: Scene, name: str) -> Done:
    """Make the tables of an anomaly rule where they are not there yet, like those of a correlation."""
    if name in scene.done:
        return scene.done[name]
    number = len(scene.done)
    done = Done(f"b{number}", f"d{number}", ())
    chosen = [
        (source, place, one)
        for source, verdicts in scene.verdicts.items()
        for place, one in enumerate(verdicts)
        if one.rule == name
    ]
    rows = [
        (source, place, one.feature, one.entity, one.value, one.at, one.analysis.cold) for source, place, one in chosen
    ]
    scene.connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE v{number}
        (source INT, verdict INT, feature VARCHAR, entity VARCHAR, value VARCHAR, nth INT, cold BOOLEAN)
    """)
    if rows:  # at once: row by row, a hundred of them cost more than all that is done with them
        scene.connection.execute(
            f"INSERT INTO v{number} SELECT {', '.join('unnest(?)' for _ in rows[0])}",  # a number
            [list(column) for column in zip(*rows, strict=True)],
        )
    base = scene.numbers[scene.ruleset.by_name[name].matched_as]
    scene.connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE {done.base} AS
        SELECT v.source, v.verdict, v.nth, v.cold, v.value IS NOT NULL AS whole, m.part, m.uid, m.pos, m.moment,
               row_number() OVER (PARTITION BY v.source, v.verdict ORDER BY m.pos, m.uid) AS k
        FROM v{number} v
        JOIN ({_sightings(scene, [one for _, _, one in chosen])}) s
          ON s.feature = v.feature AND s.source = v.source AND s.entity = coalesce(v.entity, s.entity)
             AND s.value = coalesce(v.value, s.value)
        JOIN matched m ON m.uid = s.uid AND m.source = s.source AND list_contains(m.rules, {base})
    """)  # noqa: S608  # numbers and names made here
    scene.connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE {done.table} AS
        SELECT DISTINCT part, uid, pos, moment, [source] AS sources, pos AS since, pos AS till
        FROM {done.base} WHERE k = nth AND NOT cold
    """)  # noqa: S608  # names made here
    scene.done[name] = done
    return done


def _sightings(scene: Scene, verdicts: list[Verdict]) -> str:
    names = sorted({one.feature for one in verdicts})
    parts = [
        f"SELECT '{name}' AS feature, s.source, g.uid, g.entity, g.value"  # noqa: S608  # made here
        f" FROM ({sightings_sql(FEATURES[name], catalogue, events)}) g JOIN sources s USING (origin)"
        for events in (scene.events if names else ())
        for catalogue in [_there(scene, events)]
        for name in names
    ]
    nothing = (
        "SELECT NULL::VARCHAR AS feature, NULL::INT AS source, NULL AS uid, NULL AS entity, NULL AS value WHERE false"
    )
    return " UNION ALL ".join(parts) or nothing


def _there(scene: Scene, events: str) -> Catalogue:
    """Return the fields that the events have: files of an earlier release lack some."""
    rows = scene.connection.sql(f"SELECT * FROM {events} LIMIT 0")  # noqa: S608  # quoted file names
    return Catalogue(lambda: rows.to_arrow_table().schema)
