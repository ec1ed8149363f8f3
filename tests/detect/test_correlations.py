"""Sliding counts against a plain count over all events, with ties, missing keys and several groups."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from detect_world import CONSOLE, at, event, write_events
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.detect.correlate import MOST_EVENTS, detectors_of
from sentinelone_collector.detect.engine import ParquetEvents, Source, find_hits
from sentinelone_collector.windows import Window

START = at("2026-01-14T12:00")
DAY = Window(at("2026-01-14"), at("2026-01-15"))
SPAN, BUCKET = 60_000, 60_000
RULES = """\
title: Base
id: 11111111-1111-4111-8111-111111111111
name: base
logsource: {product: sentinelone, service: console}
detection:
  s: {metadata.event_code: "1"}
  condition: s
---
title: Base two
id: 11111111-1111-4111-8111-111111111112
name: base-two
logsource: {product: sentinelone, service: console}
detection:
  s: {metadata.event_code: "2"}
  condition: s
"""
COUNT = """\
---
title: %(name)s
id: 22222222-2222-4222-8222-22222222222%(n)d
name: %(name)s
correlation:
  type: %(kind)s
  rules: [base, base-two]
  group-by: [who]
  aliases:
    who: {base: user.name, base-two: actor.user.name}
  timespan: 1m
  condition: {gte: 3%(field)s}
level: high
x-incident:
  family: endpoint
  classification: recon
  reason: why
  recommendation: what
  tests:
    base: {metadata.event_code: "1", user.name: x}
    hits: [[{x-repeat: 3}], [{x-repeat: 4}]]
    misses: [[{x-repeat: 2}], [{x-repeat: 1}]]
"""


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    folder = tmp_path_factory.mktemp("rules")
    text = RULES + COUNT % {"name": "events", "n": 1, "kind": "event_count", "field": ""}
    text += COUNT % {"name": "values", "n": 2, "kind": "value_count", "field": ", field: device.uid"}
    (folder / "r.yaml").write_text(text)
    ruleset = load_ruleset(folder)
    assert ruleset.problems == ()
    return ruleset


def expected(rows: list[dict[str, Any]], *, distinct: bool) -> set[tuple[str, tuple[str, ...]]]:
    """Return the hits that a reader of the definition computes by hand: (last event, all events)."""
    groups: dict[str, list[tuple[int, str, str | None]]] = {}
    for row in rows:
        code = row["metadata"]["event_code"]
        if code not in {"1", "2"}:
            continue
        user = (row.get("user") if code == "1" else row.get("actor", {}).get("user")) or {}
        if user.get("name"):
            device = (row.get("device") or {}).get("uid")
            groups.setdefault(user["name"].lower(), []).append((row["time"], row["metadata"]["uid"], device))
    found = set()
    for of_group in groups.values():
        standing: dict[int, tuple[int, str]] = {}
        frames = {}
        for time, uid, _ in of_group:
            frame = [one for one in of_group if time - SPAN <= one[0] <= time]
            number = len({one[2] for one in frame} - {None}) if distinct else len(frame)
            if number >= 3:
                bucket = time // BUCKET
                best = standing.get(bucket)
                # the earliest moment of the bucket, and of the events of that moment the one with the greatest id
                if best is None or time < best[0] or (time == best[0] and uid > best[1]):
                    standing[bucket] = (time, uid)
                frames[uid] = tuple(one[1] for one in sorted(frame))
        found |= {(uid, frames[uid]) for _, uid in standing.values()}
    return found


ROWS = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda n: n * 10),
        st.sampled_from(["1", "1", "1", "2", "3"]),
        st.sampled_from(["bob", "bob", "bob", "Bob", "ann", None, ""]),
        st.sampled_from(["pc1", "pc2", "pc3", None]),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=25, deadline=None)
@given(shapes=ROWS)
def test_sliding_counts_equal_a_count_by_hand(
    shapes: list[Any], counting: Ruleset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [
        event(
            f"e{n:03d}",
            START + timedelta(seconds=seconds),
            code,
            **({} if who is None else {"user" if code == "1" else "actor": who}),
            **({} if device is None else {"device": device}),
        )
        for n, (seconds, code, who, device) in enumerate(shapes)
    ]
    path = tmp_path_factory.mktemp("events") / "e.parquet"
    write_events(path, rows)
    found: dict[str, set[Any]] = {"events": set(), "values": set()}
    detectors = detectors_of(counting.incident_rules)
    events = ParquetEvents([Source(path, DAY)])
    for hit, sources, _ in find_hits(counting, detectors, events, frozenset({0}), console=CONSOLE).found:
        last = max((row["time"], row["metadata"]["uid"]) for row in rows if row["metadata"]["uid"] in hit.event_uids)
        assert hit.last_time == last[0]
        assert sources == (0,)
        found[hit.rule_id].add((last[1], hit.event_uids))
    assert found["events"] == expected(rows, distinct=False)
    assert found["values"] == expected(rows, distinct=True)


def test_a_hit_names_the_latest_of_very_many_events(counting: Ruleset, tmp_path: Path) -> None:
    many = [event(f"e{n:04d}", START, "1", user="bob") for n in range(MOST_EVENTS + 50)]
    write_events(tmp_path / "e.parquet", many)
    events = ParquetEvents([Source(tmp_path / "e.parquet", DAY)])
    (found,) = find_hits(counting, detectors_of(counting.incident_rules), events, frozenset({0}), console=CONSOLE).found
    assert found.hit.event_count == MOST_EVENTS + 50
    assert found.hit.event_uids == tuple(f"e{n:04d}" for n in range(50, MOST_EVENTS + 50))


def test_an_event_outside_its_window_counts_at_the_windows_edge(counting: Ruleset, tmp_path: Path) -> None:
    late = [event(f"e{n}", at("2026-01-20T12:00") + timedelta(hours=n), "1", user="bob") for n in range(3)]
    write_events(tmp_path / "e.parquet", late)
    events = ParquetEvents([Source(tmp_path / "e.parquet", DAY)])
    (found,) = find_hits(counting, detectors_of(counting.incident_rules), events, frozenset({0}), console=CONSOLE).found
    assert found.hit.event_uids == ("e0", "e1", "e2")
