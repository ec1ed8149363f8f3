"""Rules with an upper limit: what an earlier window, collected later, makes untrue is history and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from detect_world import NOW, World, at, event
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import Ruleset, incident_finding, load_ruleset
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.windows import Window

TEN = timedelta(minutes=10)
START = at("2026-01-14T12:00")
WINDOWS = [Window(START + n * TEN, START + (n + 1) * TEN) for n in range(4)]


def failed(window: int, second: int, user: str, ip: str) -> dict[str, Any]:
    when = WINDOWS[window].start + timedelta(seconds=second)
    return event(f"w{window}-{second}-{user}-{ip}", when, "133", user=user, ip=ip)


def story() -> list[dict[str, Any]]:
    """Return two sprays: one of them is, seen from its begin, somebody who mistypes a password nine times."""
    spray, crowd = "203.0.113.9", "198.51.100.7"
    rows = [failed(0, 5 * n, "user0", crowd) for n in range(9)]
    rows += [failed(1, 5 * n, f"user{n % 4}", spray) for n in range(8)]
    rows += [failed(2, 5 * n, f"user{n % 5}", crowd) for n in range(15)]
    rows += [failed(3, 5 * n, f"user{n % 6}", spray) for n in range(12)]
    return rows


STORY = story()


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    folder = tmp_path_factory.mktemp("rules")
    (path,) = BUILT_IN.rglob("ul_004*.yaml")
    (folder / path.name).write_text(path.read_text())
    return load_ruleset(folder)


def collected(folder: Path, ruleset: Ruleset, order: list[int]) -> tuple[Any, set[str]]:
    """Return all that is active, and the ids of what is superseded."""
    world = World(folder, ruleset)
    for number in order:
        world.put(WINDOWS[number], STORY)
        world.tag(WINDOWS[number])
    every = world.store.list_incidents(now=NOW, superseded=True, limit=100)
    gone = [incident for incident in every if incident.superseded]
    for incident in gone:
        whole = world.store.get_incident(incident.id, now=NOW)
        finding = incident_finding(whole)
        assert (whole.count, whole.hits) == (0, ())
        assert (finding["status"], finding["status_detail"]) == ("Closed", "superseded")
        assert [line.kind for line in whole.history][-1] == "superseded"
    result = ((world.hit_files(), world.incidents(), world.store.count_incidents(now=NOW)), {one.id for one in gone})
    world.store.close()
    return result


@pytest.fixture(scope="module")
def in_order(limited: Ruleset, tmp_path_factory: pytest.TempPathFactory) -> Any:
    active, gone = collected(tmp_path_factory.mktemp("order"), limited, [0, 1, 2, 3])
    (incident,) = active[1]
    assert (incident["entity"], gone) == ("203.0.113.9", set())
    return active


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(order=[3, 2, 1, 0])
@given(order=st.permutations(range(4)))
def test_any_order_leaves_the_same_active_incidents_whatever_was_superseded(
    order: list[int], limited: Ruleset, in_order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    active, gone = collected(tmp_path_factory.mktemp("shuffled"), limited, list(order))
    assert active == in_order
    # Raised in good faith from what was there, and taken back once the begin of the story was known
    assert len(gone) == (order.index(2) < order.index(0))
