"""First and rare acts: within a budget of what the tenant sees anyway, and each act told by one rule."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.detect.anomaly.counters import FrameCounters, Seen
from sentinelone_collector.detect.anomaly.features import FEATURES
from sentinelone_collector.detect.anomaly.firsts import Firsts
from sentinelone_collector.detect.anomaly.judge import Day, Finding, Watched, read_detector
from sentinelone_collector.detect.anomaly.judging import judge_day
from sentinelone_collector.detect.building import build_hit
from sentinelone_collector.rules import BUILT_IN

TODAY = 20_000
_DAY_MS = 86_400_000
NEVER = "3602"  # an act that nobody in these tests has done before


def act(day: int, entity: str, code: str, n: int = 1) -> Seen:
    facts = {"code": code, "slot": "40", "weekend": "0", "role": "Admin"}
    values = [facts.get(name) for name in FEATURES["act"].names]
    text = "[" + ",".join("null" if value is None else f'"{value}"' for value in values) + "]"
    return Seen("w1", TODAY - day, "act", entity, text, n, (TODAY - day) * _DAY_MS, (TODAY - day) * _DAY_MS + 1000)


def routine(days: int = 90, people: int = 5) -> list[Seen]:
    return [act(day, f"p{one}", "5009", 3) for day in range(1, days + 1) for one in range(people)]


ALL = Watched()


def judged(rows: list[Seen], watched: Watched = ALL, **block: Any) -> list[Finding]:
    return list(read_detector(block).judge(Day(TODAY, FrameCounters(rows)).watching(watched)))


@pytest.fixture(scope="module")
def built_in() -> Ruleset:
    return load_ruleset(BUILT_IN)


def test_the_rate_is_compared_with_the_budget() -> None:
    firsts = Firsts((0.0, 0.001, 0.001, 0.2), 30)
    assert firsts.alike(0.001, 0.1) == (3, 30, True)  # 3.5 in 30 days
    assert firsts.alike(0.001, 0.12) == (3, 30, False)
    assert firsts.alike(0.0, 0.05) == (1, 30, False)  # 1.5 in 30 days, which is the budget
    assert firsts.alike(0.0, 0.049) == (1, 30, True)
    assert Firsts((), 0).alike(0.0, 100).common, "where no day is known nothing is called remarkable"


BLOCKS: dict[str, dict[str, Any]] = {
    "first_seen": {"type": "first_seen", "feature": "act", "value": "code", "peers": 0.01, "budget": 0.05},
    "rare": {"type": "rare", "feature": "act", "value": "code", "role": 0.01, "budget": 0.05},
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
class TestBudget:
    # Ten tasks that the administrators of a busy tenant share: somebody does one for the first time every third day
    BUSY: ClassVar[list[Seen]] = [act(3 * n + 1, f"p{n % 5}", f"60{n:02d}") for n in range(10)]

    def test_where_firsts_are_seldom_one_is_an_incident(self, block: dict[str, Any]) -> None:
        (found,) = judged([*routine(), act(0, "p1", NEVER)], **block)
        assert (found.analysis.observed, found.analysis.common) == (NEVER, False)
        assert "as unusual as that" not in found.analysis.words

    def test_where_firsts_are_daily_business_one_more_is_not(self, block: dict[str, Any]) -> None:
        (found,) = judged([*routine(), *self.BUSY, act(0, "p1", NEVER)], **block)
        assert found.analysis.common
        assert not found.analysis.cold
        assert "; the tenant had " in found.analysis.words
        assert found.analysis.words.endswith(" firsts as unusual as that in the last 30 days")

    def test_without_a_budget_all_are_incidents(self, block: dict[str, Any]) -> None:
        without = {name: value for name, value in block.items() if name != "budget"}
        (found,) = judged([*routine(), *self.BUSY, act(0, "p1", NEVER)], **without)
        assert not found.analysis.common

    def test_what_became_usual_long_ago_does_not_count(self, block: dict[str, Any]) -> None:
        old = [act(3 * n + 32, f"p{n % 5}", f"60{n:02d}") for n in range(10)]
        (found,) = judged([*routine(), *old, act(0, "p1", NEVER)], **block)
        assert not found.analysis.common

    def test_one_busy_day_of_one_user_counts_once(self, block: dict[str, Any]) -> None:
        project = [act(9, "p2", f"60{n:02d}") for n in range(10)]
        (found,) = judged([*routine(), *project, act(0, "p1", NEVER)], **block)
        assert not found.analysis.common

    def test_of_a_short_past_the_later_half_is_compared(self, block: dict[str, Any]) -> None:
        began = [act(22, f"p{n}", f"60{n:02d}") for n in range(5)]  # when all began, everything was a first
        (found,) = judged([*routine(22), *began, act(0, "p1", NEVER)], **block)
        assert (found.analysis.common, found.analysis.cold) == (False, False)
        (found,) = judged([*routine(22), act(11, "p3", "6001"), act(0, "p1", NEVER)], **block)
        assert found.analysis.common

    def test_firsts_of_what_the_rule_does_not_watch_do_not_count(self, block: dict[str, Any]) -> None:
        rows = [*routine(), *self.BUSY, act(0, "p1", NEVER), act(0, "p1", "7777")]
        for watched in (
            Watched(only=frozenset({NEVER})),
            Watched(never=frozenset({"7777", *(f"60{n:02d}" for n in range(10))})),
        ):
            (found,) = judged(rows, watched, **block)
            assert (found.analysis.observed, found.analysis.common) == (NEVER, False)


def test_what_nobody_ever_did_stands_out_among_firsts_of_what_others_do() -> None:
    """Tasks go round among five people, each of whom meets them for the first time; nobody ever did the last."""
    tasks = [act(60, "p0", f"60{n:02d}", 5) for n in range(10)]
    handed = [act(3 * n + 1, f"p{1 + n % 4}", f"60{n:02d}") for n in range(10)]
    block = BLOCKS["first_seen"]
    (usual,) = judged([*routine(), *tasks, *handed, act(0, "p4", "6000")], **block)
    (strange,) = judged([*routine(), *tasks, *handed, act(0, "p4", NEVER)], **block)
    assert (usual.analysis.common, strange.analysis.common) == (True, False)


@settings(max_examples=40, deadline=None)
@given(others=st.integers(0, 40), routines=st.integers(1, 60))
def test_a_first_act_is_told_by_one_rule(others: int, routines: int, built_in: Ruleset) -> None:
    rows = [*routine(routines + 20), *([act(50, "p2", NEVER, others)] if others else []), act(0, "p1", NEVER)]
    rules = [one for one in built_in.judgings if one.rule in {"ub-001", "ub-001-role", "ub-002"}]
    said = judge_day(TODAY, FrameCounters(rows), rules).get("w1", [])
    assert len([one for one in said if one.rule.startswith("ub-001")]) == 1
    assert not [one for one in said if one.rule == "ub-002"], "sensitive acts are those of ub-001"


def test_a_common_anomaly_is_an_observation_of_its_own_level_that_says_why(built_in: Ruleset) -> None:
    (found,) = judged([*routine(), *TestBudget.BUSY, act(0, "p1", NEVER)], **BLOCKS["first_seen"])
    hit = build_hit(
        built_in.by_name["ub-001-role"],
        {"actor.user.name": "p1"},
        console="example.com",
        kind="anomaly",
        identity="e",
        times=(0, 0),
        uids=["e"],
        count=1,
        analysis=found.analysis,
    )
    assert (hit.visibility, hit.level, hit.incident_id) == ("observation", "medium", None)
    assert hit.note == "the tenant has so many of these that one more raises no incident"
