"""Rules against their own samples, through the engine that also tags windows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from sentinelone_collector.detect.anomaly.features import fields_read
from sentinelone_collector.detect.anomaly.samples import sample_verdicts
from sentinelone_collector.detect.correlate import detectors_of
from sentinelone_collector.detect.engine import find_hits
from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.people import person_hits
from sentinelone_collector.detect.risk import summed
from sentinelone_collector.detect.ruleset import Rule, Ruleset
from sentinelone_collector.detect.samples import BEGIN, checked_events
from sentinelone_collector.windows import DAY, Window

__all__ = ["RuleTest", "SampleResult", "test_rules"]

_DAY_MS = 86_400_000
_CONSOLE = "samples.invalid"


class SampleResult(msgspec.Struct, frozen=True, kw_only=True):
    """One sample: what was expected of it, and how many hits the rule gave."""

    expected: Literal["hit", "miss"]
    number: int
    hits: int

    @property
    def passed(self) -> bool:
        """Whether the rule did as expected."""
        return (self.hits > 0) == (self.expected == "hit")


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    """All samples of one rule."""

    rule: str
    path: str
    samples: tuple[SampleResult, ...]

    @property
    def passed(self) -> bool:
        """Whether the rule did as expected with every sample."""
        return all(sample.passed for sample in self.samples)


class _Sample(NamedTuple):
    rule: Rule
    expected: Literal["hit", "miss"]
    number: int
    part: int  # of the events


@dataclass(frozen=True)
class _Part:
    """The events of samples that are alike, as those of a rule and its variants are, and the rules of these samples."""

    rows: list[dict[str, Any]]
    baseline: list[dict[str, Any]]
    rules: dict[str, Rule] = field(default_factory=dict)


def test_rules(ruleset: Ruleset, *names: str) -> list[RuleTest]:
    """Run the samples of the named rules, or of all, and return the results in order of the rules.

    Every sample is a set of events of its own: events of one never count in another. Raise `UsageError` for a name
    that is no rule.
    """
    rules = [ruleset.get(name) for name in names] or [rule for rule in ruleset if rule.spec is not None]
    samples, parts = _samples(rules, ruleset)
    hits = _run(ruleset, rules, parts)
    results: dict[str, list[SampleResult]] = {rule.name: [] for rule in rules}
    for rule, expected, number, part in samples:
        found = SampleResult(expected=expected, number=number, hits=hits[rule.name, part])
        results[rule.name].append(found)
    return [RuleTest(rule=rule.name, path=str(rule.path), samples=tuple(results[rule.name])) for rule in rules]


test_rules.__test__ = False  # type: ignore[attr-defined]  # its name is no invitation to test runners


def _samples(rules: list[Rule], ruleset: Ruleset) -> tuple[list[_Sample], list[_Part]]:
    """Return the samples of the rules, and their events: samples that are written alike have the same ones."""
    samples: list[_Sample] = []
    parts: list[_Part] = []
    known: dict[str, int] = {}
    schema = ruleset.columns.catalogue.schema
    for rule in rules:
        if rule.spec is None:
            continue
        tests = rule.spec.tests
        under = repr((tests.base, tests.baseline))
        before: list[dict[str, Any]] | None = None
        kinds: tuple[tuple[Literal["hit", "miss"], Any], ...] = (("hit", tests.hits), ("miss", tests.misses))
        for kind, written in kinds:
            for number, sample in enumerate(written):
                place = known.setdefault(f"{under} {sample!r}", len(parts))
                if place == len(parts):
                    if before is None:
                        before = checked_events(tests.baseline, tests.base, schema) if tests.baseline else []
                    parts.append(_Part(*_parted(checked_events(sample, tests.base, schema), before)))
                parts[place].rules[rule.name] = rule
                samples.append(_Sample(rule, kind, number, place))
    return samples, parts


def _parted(
    rows: list[dict[str, Any]], before: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the events of a sample from its begin on, and those before: its baseline."""
    begin = int(BEGIN.replace(hour=0).timestamp() * 1000)
    earlier = [row for row in rows if row["time"] < begin]
    return [row for row in rows if row["time"] >= begin], [*before, *earlier]


def _day_of(hit: Hit) -> Window:
    start = datetime.fromtimestamp(hit.last_time // _DAY_MS * _DAY_MS / 1000, UTC)
    return Window(start, start + DAY)


@dataclass(frozen=True)
class _SampleEvents:
    """The events of all parts, each UTC day of one a source."""

    table: Any

    def attach(self, connection: Any) -> str:
        connection.register("samples", self.table)
        connection.execute("""
            CREATE TEMP TABLE sources AS
            SELECT DISTINCT origin, origin AS source, part, NULL::BIGINT AS lo, NULL::BIGINT AS hi
            FROM samples
        """)
        return "samples e"


def _run(ruleset: Ruleset, rules: list[Rule], parts: list[_Part]) -> Counter[tuple[str, int]]:
    """Return how many hits each rule gives in each part that holds a sample of it, by rule and part."""
    places = [(n, row["time"] // _DAY_MS) for n, part in enumerate(parts) for row in part.rows]
    sources = {place: number for number, place in enumerate(dict.fromkeys(places))}
    looked = find_hits(
        ruleset,
        detectors_of(tuple(_with_counted(ruleset, rules))),
        _SampleEvents(_table(ruleset, parts, sources)),
        frozenset(sources.values()),
        console=_CONSOLE,
        verdicts=lambda: sample_verdicts(
            ruleset, [(list(part.rules.values()), part.rows, part.baseline) for part in parts], sources
        ),
    )
    of_source = [part for part, _ in sources]
    counts: Counter[tuple[str, int]] = Counter()
    of_part: dict[int, list[Hit]] = {}
    for hit, numbers, _ in looked.found:
        for part in {of_source[number] for number in numbers}:
            of_part.setdefault(part, []).append(hit)
            if hit.rule_id in parts[part].rules and _counts(hit):
                counts[hit.rule_id, part] += 1
    for number, one in enumerate(parts):
        for rule in one.rules.values():
            counts[rule.name, number] += _sums(ruleset, rule, of_part.get(number, []))
    return counts


def _with_counted(ruleset: Ruleset, rules: list[Rule]) -> list[Rule]:
    """Return the rules, and those whose hits they sum up."""
    counted = {name for rule in rules if rule.risk is not None for name in ruleset.counted_by(rule.risk)}
    names = {rule.name for rule in rules}
    return [*rules, *(rule for rule in ruleset.incident_rules if rule.name in counted - names)]


def _sums(ruleset: Ruleset, rule: Rule, hits: list[Hit]) -> int:
    if rule.risk is None:
        return 0
    held = [one for hit in hits for one in person_hits([hit], _day_of(hit), console=_CONSOLE)]
    return len(list(summed(rule, rule.risk, held, counted=ruleset.counted_by(rule.risk), console=_CONSOLE)))


def _counts(hit: Hit) -> bool:
    # A baseline that is too short raises nothing, nor does what is common; a sample has to tell that from a hit
    return hit.analysis is None or not (hit.analysis.cold or hit.analysis.common)


def _table(ruleset: Ruleset, parts: list[_Part], sources: dict[tuple[int, int], int]) -> Any:
    import pyarrow as pa

    rows = [row for part in parts for row in part.rows]
    numbers = [number for number, part in enumerate(parts) for _ in part.rows]
    read = {"metadata", "time", *(name.split(".", 1)[0] for name in (*ruleset.columns.aliases, *fields_read()))}
    schema = pa.schema([field for field in ruleset.columns.catalogue.schema if field.name in read])
    table = pa.Table.from_pylist(rows, schema=schema)
    origins = [sources[number, row["time"] // _DAY_MS] for number, row in zip(numbers, rows, strict=True)]
    return table.append_column("origin", pa.array(origins, pa.int32())).append_column(
        "part", pa.array(numbers, pa.int32())
    )
