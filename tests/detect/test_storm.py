"""The storm guard and the look-back: both follow from the events alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from detect_world import ABSENT, NOW, at, event

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.detect.storm import MOST_INCIDENTS
from sentinelone_collector.rules import BUILT_IN

START = at("2026-01-14T12:00")
TEN = timedelta(minutes=10)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    folder = tmp_path_factory.mktemp("rules")
    (path,) = BUILT_IN.rglob("aa_010_2fa_disabled.yaml")
    (folder / path.name).write_text(path.read_text())
    (folder / "absent.yaml").write_text(ABSENT)
    return load_ruleset(folder)


def offs(number: int) -> list[dict[str, Any]]:
    """Return events that turn 2FA off for so many users, a second apart."""
    return [
        event(f"off{n:03d}", START + timedelta(seconds=n), "67", actor="ann", user=f"u{n}", labels=["direction:off"])
        for n in range(number)
    ]


def test_a_storm_is_one_incident_that_counts_the_rest(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    (window,) = world.collect(offs(MOST_INCIDENTS + 7), START, START + TEN)
    found = world.store.list_incidents(now=NOW, rule="aa-010", limit=1000)
    (storm,) = (one for one in found if one.title.startswith("Rule storm"))
    assert len(found) == MOST_INCIDENTS + 1
    assert storm.summary.startswith("aa-010 would have opened 7 more incidents of 7 hits")
    assert storm.level == "high"
    # nothing is lost: the hits themselves stand in the lake
    kept = [hit for hit in world.hits(window) if hit.rule_id == "aa-010" and hit.kind == "event"]
    assert len(kept) == MOST_INCIDENTS + 7
    assert sum(hit.incident_id is None for hit in kept) == 7


def test_as_many_incidents_as_are_allowed_are_no_storm(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    world.collect(offs(MOST_INCIDENTS), START, START + TEN)
    found = world.store.list_incidents(now=NOW, rule="aa-010", limit=1000)
    assert len(found) == MOST_INCIDENTS
    assert not any(one.title.startswith("Rule storm") for one in found)


def test_absence_is_said_only_of_time_that_is_collected_in_whole(make_world: Any, few: Ruleset) -> None:
    world = make_world(ruleset=few)
    off = event("off", START + timedelta(minutes=9), "67", actor="ann", user="u0", labels=["direction:off"])
    rows = [off]
    windows = list(world.instance.calendar.touching(START, START + 3 * TEN))
    for window in (windows[2], windows[0], windows[1]):  # the span ends in the third window
        assert world.store.list_incidents(now=NOW, rule="absent") == []
        world.put(window, rows)
        world.tag(window)
    assert [one.entity for one in world.store.list_incidents(now=NOW, rule="absent", superseded=True)] == ["u0"]
    # an event that comes late takes it back, and nothing vanishes
    on = event("on", START + timedelta(minutes=9, seconds=5), "67", actor="ann", user="u0", labels=["direction:on"])
    world.put(windows[0], [*rows, on])
    world.tag(windows[0])
    assert world.store.list_incidents(now=NOW, rule="absent") == []
    (gone,) = world.store.list_incidents(now=NOW, rule="absent", superseded=True)
    assert gone.superseded
    world.put(windows[0], rows)
    world.tag(windows[0])
    assert [one.id for one in world.store.list_incidents(now=NOW, rule="absent")] == [gone.id]


def test_events_that_vanish_from_a_window_are_taken_back_from_later_ones(make_world: Any, built_in: Ruleset) -> None:
    world = make_world()
    created = event("new", START, "23", actor="ann", user="eve")
    deleted = event("gone", START + 5 * TEN, "25", actor="ann", user="eve")
    windows = world.collect([created, deleted], START, START + 6 * TEN)
    assert [one.entity for one in world.store.list_incidents(now=NOW, rule="aa-006")] == ["eve"]
    world.put(windows[0], [])  # nothing in it can influence anything now, but it did
    world.tag(windows[0])
    assert world.store.list_incidents(now=NOW, rule="aa-006") == []


def test_a_quiet_window_looks_at_no_other(
    make_world: Any, few: Ruleset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = make_world(ruleset=load_ruleset(_only(tmp_path, "aa_006")))
    windows = world.collect([], START, START + 3 * TEN)
    read: list[str] = []
    local = world.lake.local
    monkeypatch.setattr(type(world.lake), "local", lambda _, key: read.append(key) or local(key))
    world.put(windows[2], [event("x", START + 2 * TEN, "27", user="bob")])
    world.tag(windows[2])
    assert len({key for key in read if key.startswith("events/")}) == 1
    world.put(windows[2], [event("x", START + 2 * TEN, "25", user="bob")])
    world.tag(windows[2])
    assert len({key for key in read if key.startswith("events/")}) == 3


def _only(folder: Path, name: str) -> Path:
    for path in BUILT_IN.rglob(f"{name}_*.yaml"):
        (folder / path.name).write_text(path.read_text())
    return folder
