"""Baselines end to end: windows tagged in any order end in the same anomalies, and each says what it deviates from."""

from __future__ import annotations

import json
import multiprocessing
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from detect_world import NOW, World, at, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sentinelone_collector.detect import (
    Ruleset,
    backtest,
    hit_finding,
    incident_finding,
    load_ruleset,
    read_hits,
)
from sentinelone_collector.detect.anomaly.counters import FrameCounters, Seen, day_number
from sentinelone_collector.detect.anomaly.judge import Day
from sentinelone_collector.detect.hits import write_hits
from sentinelone_collector.errors import UsageError
from sentinelone_collector.lake import object_key
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.windows import DAY, Window

START = at("2026-02-01")
DAYS = 24
OFFICE, HOME, ABROAD = "203.0.113.9", "203.0.113.200", "198.51.100.7"
WINDOWS = [Window(START + n * DAY, START + (n + 1) * DAY) for n in range(DAYS)]
NETWORK = ("ul_010",)
ALL = ("ul_01", "ul_022", "chain")
CHAIN = """\
title: A new network, then a token
id: 44444444-4444-4444-8444-444444444441
name: chain-token
logsource: {product: sentinelone, service: console}
detection:
  s: {metadata.event_code: "112"}
  condition: s
---
title: A token after a new network
id: 44444444-4444-4444-8444-444444444442
name: chain
correlation:
  type: temporal_ordered
  generate: true
  rules: [ul-010, chain-token]
  group-by: [user.name]
  timespan: 2h
level: critical
x-incident:
  family: user_behavior_ad
  classification: suspicious-activity
  reason: why
  recommendation: what
  dedup: {keys: [user.name], window: 1d}
  tests:
    base: {metadata.event_code: "112", user.name: x}
    hits: [{}, {user.name: y}]
    misses: [{user.name: z}, {}]
"""


def login(uid: str, when: Any, user: str, ip: str, code: str = "27", **more: Any) -> dict[str, Any]:
    row = event(uid, when, code, user=user, actor=user, ip=ip, data={"source": "sso", **more})
    row["user"]["type"] = "Admin"
    return row


def history(seed: int = 3) -> list[dict[str, Any]]:
    """Return the logins of three people, with one from elsewhere on the 20th day and again on the 22nd."""
    chance = random.Random(seed)
    rows = []
    for day in range(DAYS):
        for user in ("ann", "bob", "eve"):
            for n in range(2):
                when = START + timedelta(days=day, hours=8 + chance.randrange(9), minutes=chance.randrange(60))
                rows.append(login(f"{user}-{day}-{n}", when, user, chance.choice((OFFICE, HOME))))
    rows.append(login("odd-1", START + timedelta(days=19, hours=3), "ann", ABROAD))
    rows.append(login("odd-2", START + timedelta(days=21, hours=3), "ann", ABROAD))
    rows.append(login("token", START + timedelta(days=19, hours=4), "ann", ABROAD, "112"))
    rows.append(login("local", START + timedelta(days=20, hours=9), "eve", OFFICE, source="mgmt"))
    rows += [login(f"f{n}", START + timedelta(days=20, hours=2, minutes=n), "bob", ABROAD, "133") for n in range(12)]
    rows += [login(f"g{n}", START + timedelta(days=20, hours=22, minutes=n), "eve", ABROAD, "133") for n in range(12)]
    return rows


HISTORY = history()


def chosen_rules(folder: Path, names: tuple[str, ...]) -> Ruleset:
    folder.mkdir()
    for path in BUILT_IN.rglob("*.yaml"):
        if path.name.startswith(names):
            (folder / path.name).write_text(path.read_text())
    if "chain" in names:
        (folder / "chain.yaml").write_text(CHAIN)
    ruleset = load_ruleset(folder)
    assert ruleset.problems == ()
    return ruleset


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return chosen_rules(tmp_path_factory.mktemp("few") / "rules", NETWORK)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return chosen_rules(tmp_path_factory.mktemp("many") / "rules", ALL)


def run(world: World, order: list[int], rows: list[dict[str, Any]] = HISTORY) -> None:
    for number in order:
        world.put(WINDOWS[number], rows)
        world.tag(WINDOWS[number])


def anomalies(world: World) -> list[Any]:
    tagged = [window for window in WINDOWS if world.lake.digest(object_key("hits", "emea", "activities", window))]
    found = [hit for window in tagged for hit in world.hits(window)]
    return [hit for hit in found if hit.kind == "anomaly" and hit.visibility == "incident"]


def test_a_network_nobody_had_is_named_with_the_baseline(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    run(world, list(range(DAYS)))
    (hit,) = anomalies(world)
    assert (hit.rule_id, hit.event_uids, hit.victim) == ("ul-010", ("odd-1",), "ann")
    assert hit.analysis.observed == "198.51.100.0/24"
    assert (hit.analysis.basis, hit.analysis.days, hit.analysis.events) == ("user", 19, 38)
    assert [(one.value, one.count) for one in hit.analysis.baseline] == [("203.0.113.0/24", 38)]
    assert hit.summary == (
        "ann logged in from the network 203.0.113.0/24 (38) in the last 90 days, never from the network "
        "198.51.100.0/24; of 2 other users of the role Admin none did."
    )
    (incident,) = world.incidents()
    assert incident["summary"] == hit.summary


def test_a_short_baseline_gives_observations_of_the_lowest_level(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    rows = [*HISTORY, login("early", START + timedelta(days=5, hours=3), "bob", ABROAD)]
    run(world, list(range(10)), rows)
    hits = [hit for window in WINDOWS[:10] for hit in world.hits(window)]
    (cold,) = (hit for hit in hits if hit.event_uids == ("early",))
    assert (cold.visibility, cold.level, cold.incident_id) == ("observation", "informational", None)
    assert world.incidents() == []


def test_a_late_day_takes_back_what_it_explains(make_world: Any, few: Ruleset) -> None:
    rows = [*HISTORY, login("before", START + timedelta(days=1, hours=9), "ann", ABROAD)]
    world = make_world(ruleset=few)
    order = [n for n in range(DAYS) if n != 1]
    run(world, order, rows)
    assert [hit.event_uids for hit in anomalies(world)] == [("odd-1",)]
    world.put(WINDOWS[1], rows)
    assert world.tag(WINDOWS[1]).retagged == (WINDOWS[19].name,)
    assert anomalies(world) == []
    (incident,) = world.store.list_incidents(now=at("2026-03-01"), superseded=True)
    assert incident.superseded
    assert world.tag(WINDOWS[1]).retagged == ()


# Whole days of history, then a live day in pieces; the story's days are among them
HOURS = [WINDOWS[20].start + timedelta(hours=n) for n in (0, 2, 9, 22)]
PIECES = [Window(start, end) for start, end in zip(HOURS, [*HOURS[1:], WINDOWS[20].end], strict=True)]
SOME = [*(WINDOWS[n] for n in (0, 3, 5, 8, 14, 16, 17, 19)), *PIECES, WINDOWS[21]]


def collect(world: World, windows: list[Window]) -> None:
    for window in windows:
        world.put(window, HISTORY)
        world.tag(window)


@pytest.fixture(scope="module")
def in_order(many: Ruleset, tmp_path_factory: pytest.TempPathFactory) -> Any:
    world = World(tmp_path_factory.mktemp("order"), many)
    collect(world, SOME)
    result = (world.hit_files(), world.incidents())
    world.store.close()
    # worth the test: a fact never seen, a habit left, a day's count over several windows, and a chain of one of them
    assert {"ul-010", "ul-015", "ul-018", "ul-018-tenant", "chain"} <= {one["rule_id"] for one in result[1]}
    return result


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_order_of_windows_with_repeats_gives_the_same_hits_and_incidents(
    data: st.DataObject, many: Ruleset, in_order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order = data.draw(st.permutations(SOME))
    repeats = data.draw(st.lists(st.sampled_from(SOME), max_size=2))
    world = World(tmp_path_factory.mktemp("shuffled"), many)
    collect(world, [*order, *repeats])
    assert world.incidents() == in_order[1]
    assert world.hit_files() == in_order[0]
    world.store.close()


def test_the_reverse_order_gives_the_same_hits_and_incidents(make_world: Any, many: Ruleset, in_order: Any) -> None:
    world = make_world(ruleset=many)
    collect(world, SOME[::-1])
    assert (world.hit_files(), world.incidents()) == in_order


def _share(folder: Path, windows: list[Window]) -> None:
    world = World(folder, load_ruleset(folder / "rules"))
    collect(world, windows)
    world.store.close()


def test_two_processes_at_once_end_in_the_same_hits_and_incidents(many: Ruleset, in_order: Any, tmp_path: Path) -> None:
    chosen_rules(tmp_path / "rules", ALL)
    World(tmp_path, many).store.close()
    context = multiprocessing.get_context("fork")
    shares = [SOME[1::2], SOME[::2]]
    processes = [
        context.Process(target=_share, args=(tmp_path, share if n else share[::-1]), daemon=True)
        for n, share in enumerate(shares)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    world = World(tmp_path, many)
    assert (world.hit_files(), world.incidents()) == in_order
    world.store.close()


@pytest.mark.parametrize("feature", ["login", "failure"])
def test_counters_of_the_store_and_of_memory_say_the_same(make_world: Any, few: Ruleset, feature: str) -> None:
    world = make_world(ruleset=few)
    collect(world, SOME)
    first, last = day_number(START), day_number(START) + DAYS
    stored = world.store.counters("emea", "activities")
    memory = FrameCounters(world.store.counters_between("emea", "activities", first, last))
    day = day_number(WINDOWS[20].start)
    assert len(stored.merged(feature, first, last))
    for ask in (
        lambda of: of.merged(feature, first + 3, day - 1),
        lambda of: of.merged(feature, first, last, ["ann", "bob"]),
        lambda of: of.by_day(feature, first, last),
        lambda of: of.by_day(feature, first, last, ["eve"]),
        lambda of: of.of_windows(feature, day),
        lambda of: of.of_windows(feature, last + 1),
    ):
        one, other = (_told(ask(counters)) for counters in (stored, memory))
        assert one == other
    assert stored.began(first - 9, last) == memory.began(first - 9, last) == first
    assert stored.began(last + 1, last + 9) is memory.began(last + 1, last + 9) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 19), st.integers(0, 3)), max_size=30))
@settings(max_examples=40)
def test_what_is_older_is_all_without_what_is_younger(logins: list[tuple[str, int, int]]) -> None:
    """Logins of three users on the 20 days before one, from four addresses."""
    rows = [
        Seen(f"w{n}", day, "login", user, json.dumps([f"192.0.2.{ip}", *[None] * 10, "40", "0"]), 1, n, n)
        for n, (user, day, ip) in enumerate(logins)
    ]
    counters = FrameCounters(rows)
    expected = counters.merged("login", 5, 14)
    found = Day(20, counters).older("login", 15, 5)
    columns = ["entity", "value", "n", "ip", "slot"]
    assert found[columns].to_dict("records") == expected[columns].to_dict("records")


def _told(frame: Any) -> list[str]:
    return sorted(str(sorted((key, str(value)) for key, value in row.items())) for row in frame.to_dict("records"))


def test_a_backtest_finds_what_tagging_did(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    collect(world, SOME)
    (result,) = backtest(
        "ul-010", [world.instance], START, START + DAYS * DAY, lake=world.lake, store=world.store, ruleset=few
    )
    found = [(hit.event_uids, hit.analysis) for hit in result.hits if hit.incident_id]
    assert found == [(hit.event_uids, hit.analysis) for hit in anomalies(world)] != []
    with pytest.raises(UsageError, match="store"):
        backtest("ul-010", [world.instance], START, START + DAY, lake=world.lake, ruleset=few)


def test_a_tagging_that_died_is_made_up_by_the_next(
    make_world: Any, few: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*HISTORY, login("before", START + timedelta(days=1, hours=9), "ann", ABROAD)]
    world = make_world(ruleset=few)
    run(world, [n for n in range(DAYS) if n != 1], rows)
    world.put(WINDOWS[1], rows)
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "set_verdicts", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.tag(WINDOWS[1])
    world.tag(WINDOWS[1])
    assert anomalies(world) == []
    assert not world.store.verdicts_between(
        "emea", "activities", day_number(WINDOWS[19].start), day_number(WINDOWS[19].start)
    )


def test_findings_of_anomalies_are_valid_and_hold_the_baseline(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    run(world, list(range(20)))
    (hit,) = (hit for hit in world.hits(WINDOWS[19]) if hit.kind == "anomaly")
    finding = hit_finding(hit, console="console.example")
    (found,) = world.store.list_incidents(now=NOW)
    incident = incident_finding(world.store.get_incident(found.id, now=NOW))
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    for name, one in (("detection_finding", finding), ("incident_finding", incident)):
        validator = jsonschema_rs.validator_for(schemas.get_class_schema(name, []), validate_formats=True)
        assert [error.message for error in validator.iter_errors(one)] == []
    (analysis,) = finding["anomaly_analyses"]
    assert analysis["analysis_targets"] == [{"name": "ann", "type": "user"}]
    assert analysis["anomalies"][0]["observed_pattern"] == "UNSEEN"
    assert analysis["baselines"][0]["observations"] == [{"value": "203.0.113.0/24", "count": 38}]
    assert analysis["baselines"][0]["observed_pattern"] in hit.summary
    assert incident["unmapped"] == {"anomaly_analyses": [analysis]}


def test_hits_of_an_earlier_release_can_be_read(make_world: Any, few: Ruleset, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    world = make_world(ruleset=few)
    run(world, list(range(20)))
    hits = world.hits(WINDOWS[19])
    path = tmp_path / "old.parquet"
    write_hits(path, hits)
    assert list(read_hits(path)) == hits
    pq.write_table(pq.read_table(path).drop_columns(["analysis"]), path)
    assert [hit.analysis for hit in read_hits(path)] == [None] * len(hits)
