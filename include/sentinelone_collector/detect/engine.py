"""Events to hits, in DuckDB: all base rules in one pass over the events, then each detector over what they matched.

A detector produces the hits of the windows that are asked for. Single-event rules and correlations are detectors;
anything else that reads the same matches (sequences, anomalies) becomes one by keeping this protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.building import Fields, build_hit, who_of
from sentinelone_collector.detect.fields import CODE, Columns, literal
from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.ruleset import Rule, Ruleset
from sentinelone_collector.windows import Window

__all__ = [
    "Detector",
    "Done",
    "EventRules",
    "Events",
    "Found",
    "Looked",
    "ParquetEvents",
    "Scene",
    "Source",
    "find_hits",
    "open_engine",
]

_THREADS = 2
_BATCH = 10_000


class Source(NamedTuple):
    """The events of one window as a local Parquet file."""

    path: Path
    window: Window


class Events(Protocol):
    """A set of events that an engine can read."""

    def attach(self, connection: Any) -> str:
        """Make the table `sources` and return SQL for a table `e` of events, each with the `origin` of its source.

        `sources` has a row per source: `origin`, `source` (number), `part`, `lo` and `hi`, the first and last moment
        of its window in ms, null where it has none. Events of different parts never count together.
        """


@dataclass(frozen=True)
class ParquetEvents:
    """The events of windows, each a source by its place in the sequence, counted from `first`."""

    sources: Sequence[Source]
    first: int = 0

    def attach(self, connection: Any) -> str:
        """Read all files as one table."""
        rows = [
            (str(source.path), number, _ms(source.window.start), _ms(source.window.end) - 1)
            for number, source in enumerate(self.sources, self.first)
        ]
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS sources (origin VARCHAR, source INT, part INT, lo BIGINT, hi BIGINT)"
        )
        listed = ", ".join(f"({literal(path)}, {number}, 0, {lo}, {hi})" for path, number, lo, hi in rows)
        connection.execute(f"INSERT INTO sources VALUES {listed}")  # noqa: S608  # quoted literals and numbers
        files = ", ".join(literal(row[0]) for row in rows)
        return f"read_parquet([{files}], filename = 'origin', union_by_name = true) e"


class Found(NamedTuple):
    """A hit, the numbers of the sources that hold its last event, and whom it is about."""

    hit: Hit
    sources: tuple[int, ...]
    who: tuple[str, ...]


class Done(NamedTuple):
    """The tables of a correlation: what it reads, the moments at which it holds, and the columns of its keys."""

    base: str
    table: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """What detectors work on: the table `matched` in a DuckDB connection.

    `matched` has a row per event that a rule matches: `uid`, `source` (number), `part`, `moment` (its time in ms),
    `pos` (the time, kept inside its window: the axis of sliding windows), `rules` (numbers) and the fields by alias.
    `events` are SQL for all events, each a table `e`; `verdicts` are those of anomaly rules, by numbers of sources.
    """

    connection: Any
    ruleset: Ruleset
    console: str
    done: dict[str, Done] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    verdicts: Mapping[int, Sequence[Verdict]] = field(default_factory=dict)

    def has_verdict(self, name: str, *, cold: bool = True) -> bool:
        """Say whether an anomaly rule called events of any source unusual; `cold` verdicts are steps of no chain."""
        return name in self._judged and (cold or self._judged[name])

    @cached_property
    def _judged(self) -> dict[str, bool]:
        found: dict[str, bool] = {}
        for one in (one for verdicts in self.verdicts.values() for one in verdicts):
            found[one.rule] = found.get(one.rule, False) or not one.analysis.cold
        return found

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each base rule in `matched.rules`; of anomaly rules, of the events that they judge."""
        return _numbers(self.ruleset)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """The alias of each field."""
        return self.ruleset.columns.aliases

    @cached_property
    def totals(self) -> dict[int, int]:
        """How many events each base rule matches, by its number."""
        rows = self.connection.execute("SELECT unnest(rules) AS n, count(*) FROM matched GROUP BY n").fetchall()
        return {row[0]: row[1] for row in rows}

    def fields(self, values: Sequence[Any]) -> Fields:
        """Return a row's values, given in the order of the aliases, by the fields' names."""
        return dict(zip(self.aliases, values, strict=True))


class Detector(Protocol):
    """Something that finds hits among the matched events."""

    @property
    def rule(self) -> Rule | None:
        """The rule it stands for, None where it stands for many."""

    @property
    def reach(self) -> timedelta:
        """How far back its hits depend on events."""

    def matters(self, scene: Scene) -> bool:
        """Say whether the events of the scene, put among others, can have a part in any hit."""

    def may_end(self, scene: Scene) -> bool:
        """Say whether a hit can end in the events of the scene, whatever came before them."""

    def find(self, scene: Scene, sources: frozenset[int]) -> Iterator[Found]:
        """Yield the hits whose last event is in one of the sources."""


def _numbers(ruleset: Ruleset) -> dict[str, int]:
    names = [rule.matched_as for rule in ruleset if rule.where is not None]
    return {name: number for number, name in enumerate(names)}


def open_engine() -> Any:
    """Return an in-memory DuckDB connection that leaves processors to other tasks."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": _THREADS, "autoload_known_extensions": False})
    # What a Parquet file says about itself is asked for twice: when a query is planned, and when it runs
    connection.execute("SET parquet_metadata_cache = true")
    return connection


def match(connection: Any, ruleset: Ruleset, events: Events, rules: Iterable[Rule] | None = None) -> str:
    """Make the table `matched`, or add to it: the events that base rules (all, or those of `rules`) match.

    Return SQL for all the events, which stay readable in the connection. Events whose code no rule asks for are left
    out while they are read; of the rules only those are evaluated whose codes are there. Attributes that no event has
    may be missing from the events' columns.
    """
    tested = [rule for rule in (ruleset if rules is None else rules) if rule.where is not None]
    table = events.attach(connection)
    _pass(connection, ruleset.columns, tested, table)
    coded = any(rule.codes is not None for rule in tested)
    present = _codes_of(connection, ruleset.columns) if coded else frozenset()
    _test(connection, ruleset, [rule for rule in tested if rule.codes is None or not rule.codes.isdisjoint(present)])
    return table


def _codes_of(connection: Any, columns: Columns) -> frozenset[str]:
    alias, _ = columns.use(CODE)
    return frozenset(row[0] for row in connection.execute(f"SELECT DISTINCT lower({alias}) FROM passed").fetchall())  # noqa: S608  # an alias


def _pass(connection: Any, columns: Columns, rules: Sequence[Rule], table: str) -> None:
    """Make the table `passed`: the fields of the events that a rule can match, as their codes tell."""
    codes = frozenset[str]().union(*(rule.codes for rule in rules if rule.codes is not None))
    guard = columns.guard(codes, [str(rule.where) for rule in rules if rule.codes is None])
    rows = connection.sql(f"SELECT * FROM {table}")  # noqa: S608  # bound to its files, and not read
    there = dict(zip(rows.columns, rows.types, strict=True))
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE passed AS
        WITH flat AS (
            SELECT e.origin, e.metadata.uid AS uid, e.time AS moment, {columns.selection(there)} FROM {table}
        )
        SELECT origin, uid, moment, {columns.read}, unmapped FROM {columns.derived("flat")} WHERE {guard}
    """)  # noqa: S608  # built from compiled rules and quoted literals


def _test(connection: Any, ruleset: Ruleset, rules: Sequence[Rule]) -> None:
    """Add to `matched` what the rules match of `passed`."""
    numbers, columns = _numbers(ruleset), ruleset.columns
    tests = ", ".join(f"CASE WHEN {rule.where} THEN {numbers[rule.matched_as]} END" for rule in rules)
    matched = f"""
        WITH tested AS (
            SELECT *, list_filter([{tests}]::INT[], lambda n: n IS NOT NULL) AS rules FROM {columns.derived("passed")}
        )
        SELECT t.uid, t.moment, {", ".join(columns.aliases.values())}, t.rules, s.source, s.part,
               least(greatest(t.moment, s.lo), s.hi) AS pos
        FROM tested t JOIN sources s USING (origin) WHERE len(t.rules) > 0
    """  # noqa: S608  # built from compiled rules and quoted literals
    there = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'matched'").fetchone()[0]
    connection.execute(f"{'INSERT INTO matched' if there else 'CREATE TEMP TABLE matched AS'} {matched}")
    connection.execute("DROP TABLE passed")


def _read_by(ruleset: Ruleset, detectors: Iterable[Detector], verdicts: Mapping[int, Sequence[Verdict]]) -> list[Rule]:
    """Return the base rules whose matches the detectors read: all of them where one does not say which.

    What anomaly rules judge is most of all events, and is read only where there is a verdict of theirs.
    """
    judged = {one.rule for found in verdicts.values() for one in found}
    rules = [rule for rule in ruleset if rule.judge is None or rule.name in judged]
    names: set[str] = set()
    for detector in detectors:
        if isinstance(detector, EventRules):
            names.update(rule.name for rule in detector.rules)
        elif detector.rule is not None:
            names |= {detector.rule.name, *ruleset.below(detector.rule.name)}
        else:
            return rules
    return [rule for rule in rules if rule.name in names]


def _ms(moment: Any) -> int:
    return int(moment.timestamp() * 1000)


@dataclass(frozen=True)
class EventRules:
    """All single-event rules: a hit for each event that one of them matches."""

    rules: tuple[Rule, ...]

    @property
    def rule(self) -> None:
        """No rule in particular."""
        return

    @property
    def reach(self) -> timedelta:
        """An event is enough."""
        return timedelta(0)

    def matters(self, scene: Scene) -> bool:  # noqa: ARG002  # of the protocol
        """Events matter to no others."""
        return False

    def may_end(self, scene: Scene) -> bool:  # noqa: ARG002  # of the protocol
        """Nothing has to be read beside the events themselves."""
        return False

    def find(self, scene: Scene, sources: frozenset[int]) -> Iterator[Found]:
        """Yield one hit for each rule and event of the sources."""
        by_number = {scene.numbers[rule.name]: rule for rule in self.rules}
        columns = ", ".join(scene.aliases.values())
        wanted = ", ".join(str(number) for number in by_number)
        if not by_number or not sources:
            return
        cursor = scene.connection.execute(f"""
            SELECT uid, source, moment, list_filter(rules, lambda n: n IN ({wanted})), {columns}
            FROM matched WHERE source IN ({_listed(sources)}) AND list_has_any(rules, [{wanted}])
        """)  # noqa: S608  # numbers and aliases only
        while batch := cursor.fetchmany(_BATCH):
            for uid, source, moment, numbers, *values in batch:
                fields = scene.fields(values)
                for number in numbers:
                    rule = by_number[number]
                    hit = build_hit(
                        rule,
                        fields,
                        console=scene.console,
                        kind="event",
                        identity=uid,
                        times=(moment, moment),
                        uids=[uid],
                        count=1,
                    )
                    yield Found(hit, (source,), tuple(who_of(rule, hit, fields)))


def _listed(numbers: frozenset[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


class Looked(NamedTuple):
    """What an evaluation found: hits, and how far the wanted events can influence hits of later windows."""

    found: list[Found]
    influence: timedelta


def find_hits(
    ruleset: Ruleset,
    detectors: Sequence[Detector],
    events: Events,
    wanted: frozenset[int],
    *,
    console: str,
    earlier: Callable[[timedelta], Events | None] | None = None,
    verdicts: Callable[[], Mapping[int, Sequence[Verdict]]] = dict,
) -> Looked:
    """Return the hits of the detectors whose last event is in one of the wanted sources.

    `earlier` gives the events before those of `events`, as far back as it is asked to; it is asked for as little as the
    events at hand allow, since most windows hold few events that any correlation ends with. `verdicts` gives those on
    the sources that are known so far.
    """
    connection = open_engine()
    try:
        said = verdicts()
        attached = [match(connection, ruleset, events, _read_by(ruleset, detectors, said))]
        scene = Scene(connection, ruleset, console, events=tuple(attached), verdicts=said)
        influence = max((one.reach for one in detectors if one.matters(scene)), default=timedelta(0))
        # What looks at nothing but the events at hand needs no earlier ones
        ending = [one for one in detectors if one.reach and one.may_end(scene)]
        if earlier is not None and ending:
            more = earlier(max(one.reach for one in ending))
            if more is not None:
                said = verdicts()
                attached.append(match(connection, ruleset, more, _read_by(ruleset, ending, said)))
                scene = Scene(connection, ruleset, console, events=tuple(attached), verdicts=said)
        chosen = [one for one in detectors if not one.reach or one in ending]
        return Looked([found for one in chosen for found in one.find(scene, wanted)], influence)
    finally:
        connection.close()
