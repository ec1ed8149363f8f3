"""Every correlation type against the SQLite back-end of pySigma, which works its windows out in quite another way."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from detect_world import CONSOLE, at, event, write_events
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.detect.correlating import complete
from sentinelone_collector.detect.engine import ParquetEvents, Scene, Source, match, open_engine
from sentinelone_collector.windows import Window

START = at("2026-01-14T12:00")
DAY = Window(at("2026-01-14"), at("2026-01-15"))
SPAN = 60
INCIDENT: dict[str, Any] = {
    "family": "endpoint",
    "classification": "recon",
    "reason": "why",
    "recommendation": "what",
    "tests": {"hits": [{"time": 1}, {"time": 2}], "misses": [{"time": 1}, {"time": 2}]},
}
ONE, TWO = ["base_a"], ["base_a", "base_b"]
THREE = ["base_a", "base_b", "base_c"]
CORRELATIONS: dict[str, dict[str, Any]] = {
    "event_count": {"type": "event_count", "rules": TWO, "condition": {"gte": 3}},
    "greater": {"type": "event_count", "rules": ONE, "condition": {"gt": 2}},
    "no_group": {"type": "event_count", "rules": ONE, "condition": {"gte": 4}, "group-by": None},
    "value_count": {"type": "value_count", "rules": TWO, "condition": {"gte": 2, "field": "device.uid"}},
    "value_sum": {"type": "value_sum", "rules": TWO, "condition": {"gte": 7, "field": "count"}},
    "sum_above": {"type": "value_sum", "rules": TWO, "condition": {"gt": 7, "field": "count"}},
    "temporal": {"type": "temporal", "rules": THREE},
    "two_of_three": {"type": "temporal", "rules": THREE, "condition": {"gte": 2}},
    "extended": {"type": "temporal", "rules": THREE, "condition": "base_a and (base_b or base_c)"},
    "absent": {"type": "temporal", "rules": TWO, "condition": "base_a and not base_b"},
    "absent_two": {"type": "temporal", "rules": THREE, "condition": "base_a and not (base_b or base_c)"},
    "absent_mixed": {"type": "temporal", "rules": THREE, "condition": "base_a and base_c and not base_b"},
    "ordered": {"type": "temporal_ordered", "rules": TWO},
    "ordered_three": {"type": "temporal_ordered", "rules": THREE},
    "alias": {
        "type": "event_count",
        "rules": TWO,
        "condition": {"gte": 3},
        "group-by": ["who"],
        "aliases": {"who": {"base_a": "user.name", "base_b": "actor.user.name"}},
    },
    "chained_ordered": {"type": "temporal_ordered", "rules": ["greater", "base_b"]},
    "chained_together": {"type": "temporal", "rules": ["event_count", "base_c"]},
    "chained_count": {"type": "event_count", "rules": ["greater"], "condition": {"gte": 3}},
    "chained_twice": {"type": "temporal_ordered", "rules": ["chained_together", "base_a"]},
}


def documents() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for n, letter in enumerate("abc"):
        found.append(
            {
                "title": f"Base {letter}",
                "id": f"11111111-1111-4111-8111-11111111111{n}",
                "name": f"base_{letter}",
                "logsource": {"product": "sentinelone", "service": "console"},
                "detection": {"s": {"metadata.event_code": "abc"[n] if n < 2 else ["b", "c"]}, "condition": "s"},
            }
        )
    for n, (name, body) in enumerate(CORRELATIONS.items()):
        rule = {"group-by": ["user.name"], "timespan": f"{SPAN}s", "generate": True, **body}
        found.append(
            {
                "title": name,
                "id": f"22222222-2222-4222-8222-2222222222{n:02d}",
                "name": name,
                "correlation": {key: value for key, value in rule.items() if value is not None},
                "level": "low",
                "x-incident": INCIDENT,
            }
        )
    return found


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "r.yaml").write_text(yaml.dump_all(documents(), sort_keys=False))
    found = load_ruleset(folder)
    assert [str(problem) for problem in found.problems] == []
    return found


@pytest.fixture(scope="module")
def queries() -> dict[str, str]:
    """Return the oracle's query for each correlation; the rules are converted one by one, with what they refer to."""
    found = {}
    everything = {document["name"]: document for document in documents()}

    def below(name: str) -> list[str]:
        inner = everything[name].get("correlation", {}).get("rules", [])
        return [*dict.fromkeys(deep for one in inner for deep in below(one)), name]

    for name in CORRELATIONS:
        chosen = [json.loads(json.dumps(everything[one])) for one in below(name)]
        for document in chosen:
            document.pop("x-incident", None)
            document.get("correlation", {}).pop("generate", None)
        backend = sqliteBackend(
            table="events",
            timestamp_field="at",
            event_id_field="uid",
            timestamp_format="unix",
            observation_end=(DAY.end.timestamp()),
        )
        (found[name],) = backend.convert(SigmaCollection.from_dicts(chosen))
    return found


LAST = {"ordered": "b", "ordered_three": "bc", "chained_ordered": "b", "chained_twice": "a"}  # codes that end a chain


def random_events(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    rows = []
    for n in range(chance.randrange(8, 40)):
        names = {
            "user": chance.choice(("bob", "bob", "Bob", "ann", None)),
            "actor": chance.choice(("bob", "ann", None)),
            "device": chance.choice(("pc1", "pc2", "pc3", None)),
        }
        when = START + timedelta(seconds=10 * chance.randrange(40))
        row = event(f"e{n:03d}", when, chance.choice("aaabbc"), **{key: value for key, value in names.items() if value})
        count = chance.choice((1, 2, 5, None))
        rows.append(row if count is None else {**row, "count": count})
    return rows


def ours(ruleset: Ruleset, path: Path) -> dict[str, set[tuple[str, int]]]:
    connection = open_engine()
    match(connection, ruleset, ParquetEvents([Source(path, DAY)]))
    scene = Scene(connection, ruleset, CONSOLE)
    found = {}
    for name in CORRELATIONS:
        done = complete(scene, name)
        keys = ", ".join([*done.keys, "pos"])
        rows = connection.execute(f"SELECT {keys} FROM {done.table}").fetchall()
        found[name] = {(str(row[0]) if done.keys else "", row[-1]) for row in rows}
    connection.close()
    return found


def theirs(queries: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, set[tuple[str, int]]]:
    connection = sqlite3.connect(":memory:")
    columns = ("uid", "at", "metadata.event_code", "user.name", "actor.user.name", "device.uid", "count")
    connection.execute(f"CREATE TABLE events ({', '.join(f'`{name}`' for name in columns)})")
    connection.executemany(
        f"INSERT INTO events VALUES ({', '.join('?' * len(columns))})",
        [
            (
                row["metadata"]["uid"],
                row["time"] / 1000,
                row["metadata"]["event_code"],
                row.get("user", {}).get("name"),
                row.get("actor", {}).get("user", {}).get("name"),
                row.get("device", {}).get("uid"),
                row.get("count"),
            )
            for row in rows
        ],
    )
    found = {}
    for name, query in queries.items():
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description]
        moments = set()
        for values in cursor:
            told = dict(zip(names, values, strict=True))
            group = json.loads(told["group_keys"])
            who = next(iter(group.values()), "") if group else ""
            moments.add((str(who), round(told["occurrence_time"] * 1000)))
        if name in LAST:
            # the oracle reports a chain at every event that follows it, we at those that end one
            ends = {
                (row.get("user", {}).get("name", "").lower(), row["time"])
                for row in rows
                if row["metadata"]["event_code"] in LAST[name]
            }
            moments &= ends
        found[name] = moments
    connection.close()
    return found


@pytest.mark.parametrize("seed", range(14))
def test_every_type_holds_at_the_moments_that_the_oracle_finds(
    seed: int, ruleset: Ruleset, queries: dict[str, str], tmp_path: Path
) -> None:
    rows = random_events(seed)
    write_events(tmp_path / "e.parquet", rows)
    found, expected = ours(ruleset, tmp_path / "e.parquet"), theirs(queries, rows)
    wrong = {name: (found[name] - expected[name], expected[name] - found[name]) for name in CORRELATIONS}
    assert {name: both for name, both in wrong.items() if any(both)} == {}


def test_the_random_events_make_every_type_hold(ruleset: Ruleset, tmp_path: Path) -> None:
    seen = set()
    for seed in range(6):
        path = tmp_path / f"{seed}.parquet"
        write_events(path, random_events(seed))
        seen |= {name for name, moments in ours(ruleset, path).items() if moments}
    assert seen == set(CORRELATIONS)
