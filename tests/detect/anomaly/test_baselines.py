"""Baselines end to end: windows tagged in any order end in the same anomalies, and each says what it deviates from."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from detect_world import World, at, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.lake import object_key
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.windows import DAY, Window

START = at("2026-02-01")
DAYS = 24
OFFICE, HOME, ABROAD = "203.0.113.9", "203.0.113.200", "198.51.100.7"
WINDOWS = [Window(START + n * DAY, START + (n + 1) * DAY) for n in range(DAYS)]
RULES = ("ul_009", "ul_010", "ul_012", "ul_013", "ul_014", "ul_015", "ul_018", "ul_019", "ub_009")


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
    return rows


HISTORY = history()


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    folder = tmp_path_factory.mktemp("rules")
    for path in BUILT_IN.rglob("*.yaml"):
        if path.name.startswith(RULES[:2]):
            (folder / path.name).write_text(path.read_text())
    return load_ruleset(folder)


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


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_order_of_days_with_repeats_gives_the_same_hits_and_incidents(
    data: st.DataObject, few: Ruleset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chosen = [0, 3, 5, 9, 14, 17, 19, 20, 21, 23]
    order = data.draw(st.permutations(chosen))
    repeats = data.draw(st.lists(st.sampled_from(chosen), max_size=2))
    worlds = []
    for numbers in (chosen, [*order, *repeats]):
        world = World(tmp_path_factory.mktemp("order"), few)
        run(world, numbers)
        worlds.append((world.hit_files(), world.incidents()))
        world.store.close()
    assert worlds[0] == worlds[1]
    assert worlds[0][1]
