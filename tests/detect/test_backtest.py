from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

import pytest
from detect_world import at, event, failures, instance

from sentinelone_collector.detect import backtest
from sentinelone_collector.errors import UsageError
from sentinelone_collector.instances import RuleSettings
from sentinelone_collector.windows import DAY, Window

START = at("2026-01-14T23:00")
OFF: dict[str, Any] = {"actor": "ann", "user": "bob", "labels": ["direction:off"]}


def test_a_backtest_finds_what_tagging_would_and_writes_nothing(make_world: Any) -> None:
    world = make_world(instance=instance(rules=RuleSettings(disable=("ul-003",))))
    rows = [*failures(12, at("2026-01-14T23:57"), timedelta(seconds=30)), event("e", START, "67", user="bob")]
    for window in world.instance.calendar.touching(START, START + timedelta(hours=2)):
        world.put(window, rows)
    (result,) = backtest(
        "UL-003", [world.instance], START, START + timedelta(hours=2), lake=world.lake, ruleset=world.ruleset
    )
    assert (result.instance, result.stream, result.windows, result.incidents) == ("emea", "activities", 12, 1)
    assert [hit.event_uids[-1] for hit in result.hits] == ["f9"]
    assert result.count == 1
    assert not (world.folder / "lake" / "hits").exists()


def test_a_backtest_of_a_time_without_events_finds_nothing(make_world: Any) -> None:
    world = make_world()
    world.put(Window(START, START + timedelta(minutes=10)), [])
    later = START + timedelta(days=1)
    (result,) = backtest(
        "aa-010", [world.instance], later, later + timedelta(days=1), lake=world.lake, ruleset=world.ruleset
    )
    assert (result.windows, result.hits) == (0, ())


def test_a_backtest_counts_all_hits_and_shows_the_first(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("sentinelone_collector.detect.backtest"), "MOST_HITS", 5)
    world = make_world()
    midnight = at("2026-01-14")
    days = [Window(midnight, midnight + DAY), Window(midnight + DAY, midnight + 2 * DAY)]
    for number, day in enumerate(days):
        world.put(day, [event(f"e{number}{n}", day.start + timedelta(hours=n), "67", **OFF) for n in (1, 2, 3)])
    (result,) = backtest("aa-010", [world.instance], days[0].start, days[1].end, lake=world.lake, ruleset=world.ruleset)
    assert (result.windows, result.count, result.incidents) == (2, 6, 2)
    assert [hit.event_uids for hit in result.hits] == [("e01",), ("e02",), ("e03",), ("e11",), ("e12",)]


def test_a_hit_in_two_overlapping_windows_counts_once(make_world: Any) -> None:
    world = make_world()
    rows = [event("e", START, "67", **OFF)]
    for window in (Window(START, START + timedelta(minutes=10)), Window(START.replace(hour=0), at("2026-01-15"))):
        world.put(window, rows)
    (result,) = backtest("aa-010", [world.instance], START, at("2026-01-15"), lake=world.lake, ruleset=world.ruleset)
    assert (result.windows, result.count, len(result.hits)) == (2, 1, 1)


def test_a_backtest_of_an_unknown_rule_is_wrong_use(make_world: Any) -> None:
    world = make_world()
    with pytest.raises(UsageError, match="nothing"):
        backtest("nothing", [], START, START, lake=world.lake, ruleset=world.ruleset)
