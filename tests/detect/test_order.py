from __future__ import annotations

import multiprocessing
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from detect_world import ABSENT, World, at, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.windows import Window

TEN = timedelta(minutes=10)
START = at("2026-01-14T23:00")
COUNT = 6
WINDOWS = [Window(START + n * TEN, START + (n + 1) * TEN) for n in range(COUNT)]
SMALL = ("ul_003", "aa_010", "aa_009", "aa_031", "aa_030", "ul_006", "ul_004", "ub_004", "ub_010", "absent")


def story() -> list[dict[str, Any]]:
    """Return events whose bursts lie across window borders and midnight, mixed with noise."""
    chance = random.Random(7)
    rows = []
    for n in range(260):
        when = START + timedelta(seconds=chance.randrange(COUNT * 600), milliseconds=chance.choice((0, 0, 500)))
        code = chance.choice(("133",) * 8 + ("67", "64", "112", "54", "27", "117", "3200"))
        rows.append(
            event(
                f"e{n}",
                when,
                code,
                actor=chance.choice(("ann", "Ann", "carol")),
                user=chance.choice(("bob", "dave", "erin", "frank", "grace", "bob")),
                ip=chance.choice(("203.0.113.9", "198.51.100.7")),
                device=f"pc{chance.randrange(9)}",
                labels=[chance.choice(("direction:off", "direction:on", "direction:unknown"))],
            )
        )
    return rows


STORY = story()


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    """Return a small rule set, so that the many taggings stay quick."""
    folder = tmp_path_factory.mktemp("rules")
    for path in BUILT_IN.rglob("*.yaml"):
        if path.name.startswith(SMALL):
            (folder / path.name).write_text(path.read_text())
    (folder / "absent.yaml").write_text(ABSENT)
    ruleset = load_ruleset(folder)
    assert ruleset.problems == ()
    return ruleset


@pytest.fixture(scope="module")
def in_order(few: Ruleset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    world = World(tmp_path_factory.mktemp("order"), few)
    world.collect(STORY, START, START + COUNT * TEN)
    result = (world.hit_files(), world.incidents())
    world.store.close()
    kinds = {hit["rule_id"] for hit in result[1]}
    # the story is worth the test: counts, a chain of a count, an ordered pair, a weighted sum and an absence
    assert {"ul-003", "aa-010", "aa-009", "ul-006", "ul-004", "ub-010", "ub-004", "absent"} <= kinds
    return result


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_order_of_windows_with_repeats_gives_the_same_hits_and_incidents(
    data: st.DataObject, few: Ruleset, in_order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order = data.draw(st.permutations(range(COUNT)))
    repeats = data.draw(st.lists(st.integers(0, COUNT - 1), max_size=3))
    places = data.draw(st.lists(st.integers(0, COUNT), min_size=len(repeats), max_size=len(repeats)))
    for number, place in zip(repeats, places, strict=True):
        order.insert(place, number)
    world = World(tmp_path_factory.mktemp("shuffled"), few)
    for number in order:
        world.put(WINDOWS[number], STORY)
        world.tag(WINDOWS[number])
    assert world.hit_files() == in_order[0]
    assert world.incidents() == in_order[1]
    world.store.close()


def _collect(folder: Path, url: str, numbers: list[int], start: Any) -> None:
    ruleset = load_ruleset(folder / "rules")
    world = World(folder, ruleset, url=url)
    start.wait()
    for number in numbers:
        world.put(WINDOWS[number], STORY)
        world.tag(WINDOWS[number])
    world.store.close()


def test_two_processes_at_once_end_in_the_same_hits_and_incidents(
    few: Ruleset, in_order: Any, tmp_path: Path, store_url: str
) -> None:
    (tmp_path / "rules").mkdir()
    for rule in few:
        (tmp_path / "rules" / rule.path.name).write_text(rule.path.read_text())
    World(tmp_path, few, url=store_url).store.close()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(2)
    orders = (list(range(COUNT)), list(reversed(range(COUNT))))
    processes = [
        context.Process(target=_collect, args=(tmp_path, store_url, order, start), daemon=True) for order in orders
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    world = World(tmp_path, few, url=store_url)
    assert world.hit_files() == in_order[0]
    assert world.incidents() == in_order[1]
    world.store.close()
