"""The behaviour of users: what each detector says of counters, and that no order of windows changes any of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from detect_world import World, at, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.detect.anomaly.counters import FrameCounters, Seen
from sentinelone_collector.detect.anomaly.features import FEATURES
from sentinelone_collector.detect.anomaly.judge import Day, Finding, read_detector
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.windows import DAY, Window

TODAY = 20_000
_DAY_MS = 86_400_000
# Rules of administrators that are analysts' daily work, and so are no sign of anything when done for the first time
DAILY = {"aa-051"}


def seen(feature: str, day: int, entity: str, n: int = 1, window: str = "w1", **facts: str) -> Seen:
    values = [facts.get(name) for name in FEATURES[feature].names]
    text = "[" + ",".join("null" if value is None else f'"{value}"' for value in values) + "]"
    return Seen(window, day, feature, entity, text, n, day * _DAY_MS, day * _DAY_MS + 1000)


def judged(rows: list[Seen], **block: Any) -> list[Finding]:
    return list(read_detector(block).judge(Day(TODAY, FrameCounters(rows))))


def test_facts_are_texts_or_none_and_columns_are_there_where_nothing_was_counted() -> None:
    counters = FrameCounters(
        [seen("login", TODAY, name, ip=ip) for name, ip in (("ann", "no address"), ("bob", "2001:db8::1"))]
    )
    for ask in (counters.merged, counters.by_day):
        frame = ask("login", TODAY, TODAY)
        assert frame["network"].tolist() == [None, "2001:db8::/48"]
        for nothing in (ask("login", TODAY - 9, TODAY - 1), ask("login", TODAY, TODAY, ["eve"])):
            assert (len(nothing), list(nothing)) == (0, list(frame))
    assert list(counters.of_windows("act", TODAY))[:4] == ["window", "day", "entity", "value"]


ANY = {"code": "5009", "slot": "40", "weekend": "0", "role": "Admin"}


class TestRare:
    BLOCK: ClassVar[dict[str, Any]] = {"type": "rare", "feature": "act", "value": "code", "role": 0.01}

    def rows(self, everybody: int = 1500) -> list[Seen]:
        past = [seen("act", TODAY - d, "ann", 1, **ANY) for d in range(1, 60)]
        past += [seen("act", TODAY - d, "bob", everybody // 60, **ANY) for d in range(1, 61)]
        return [*past, seen("act", TODAY, "ann", **{**ANY, "code": "3602"})]

    def test_what_nobody_does_is_rare_and_says_how(self) -> None:
        (found,) = judged(self.rows(), **self.BLOCK)
        assert (found.entity, found.analysis.observed, found.analysis.pattern) == ("ann", "3602", "rare")
        assert found.analysis.score < 0.001
        assert "0 times among 1500 events of all others" in found.analysis.words

    def test_what_somebody_of_another_role_often_does_is_not(self) -> None:
        other = [seen("act", TODAY - 5, "eve", 20, **{**ANY, "role": "IR Team", "code": "3602"})]
        assert judged([*self.rows(), *other], **self.BLOCK) == []

    def test_in_a_small_tenant_little_can_be_called_rare(self) -> None:
        many = {**self.BLOCK, "space": 1}
        assert judged(self.rows(everybody=60), **many) == []

    def test_a_habit_of_the_user_is_not(self) -> None:
        own = [seen("act", TODAY - 9, "ann", 2, **{**ANY, "code": "3602"})]
        assert judged([*self.rows(), *own], **self.BLOCK) == []


class TestYoung:
    BLOCK: ClassVar[dict[str, Any]] = {"type": "young", "feature": "act", "seen": ["act", "login"], "age": 30}

    def test_age_counts_from_the_first_event_of_any_feature(self) -> None:
        rows = [seen("act", TODAY - 90, "bob", **ANY), seen("act", TODAY, "ann", **ANY)]
        (found,) = judged(rows, **self.BLOCK)
        assert "on the same day" in found.analysis.words
        assert judged([*rows, seen("login", TODAY - 30, "ann")], **self.BLOCK) == []
        (found,) = judged([*rows, seen("login", TODAY - 29, "ann")], **self.BLOCK)
        assert (found.analysis.score, found.analysis.cold) == (29, False)

    def test_when_all_is_new_nobody_is(self) -> None:
        rows = [seen("act", TODAY - 30, "bob", **ANY), seen("act", TODAY, "ann", **ANY)]
        assert judged(rows, **self.BLOCK) == []
        (cold,) = judged([seen("act", TODAY - 40, "bob", **ANY), rows[1]], **self.BLOCK)
        assert cold.analysis.cold


class TestAbsent:
    BLOCK: ClassVar[dict[str, Any]] = {"type": "absent", "feature": "act", "without": "login", "silence": 30}
    PAST = (seen("act", TODAY - 90, "bob", **ANY), seen("login", TODAY - 31, "ann", 3))

    def test_who_has_not_logged_in_for_long_is_named(self) -> None:
        (found,) = judged([*self.PAST, seen("act", TODAY, "ann", **ANY)], **self.BLOCK)
        assert (found.entity, found.analysis.score) == ("ann", 31)

    def test_a_login_of_the_day_excuses_what_comes_after_it(self) -> None:
        rows = [
            *self.PAST,
            seen("act", TODAY, "ann", window="w1", **ANY),
            seen("login", TODAY, "ann", window="w2"),
            seen("act", TODAY, "ann", window="w3", **ANY),
        ]
        assert [found.window for found in judged(rows, **self.BLOCK)] == ["w1"]

    def test_services_and_tokens_never_log_in(self) -> None:
        for facts in ({"source": "API"}, {"role": "Service"}):
            assert judged([*self.PAST, seen("act", TODAY, "ann", **{**ANY, **facts})], **self.BLOCK) == []
        assert judged([*self.PAST, seen("act", TODAY, "svc", **ANY)], **self.BLOCK) == []


class TestShare:
    BLOCK: ClassVar[dict[str, Any]] = {
        "type": "share",
        "feature": "verdict",
        "value": "verdict",
        "like": "False positive",
        "tail": 0.001,
        "fewest": 10,
    }

    def past(self, share: float) -> list[Seen]:
        rows = []
        for person in range(6):
            for day in range(1, 31):
                hits = round(share * 10)
                rows.append(seen("verdict", TODAY - day, f"p{person}", hits, verdict="False positive"))
                rows.append(seen("verdict", TODAY - day, f"p{person}", 10 - hits, verdict="True positive"))
        return [row for row in rows if row.n]

    def test_the_window_that_makes_it_too_many_is_named(self) -> None:
        today = [seen("verdict", TODAY, "ann", 5, window=f"w{n}", verdict="false positive") for n in range(1, 4)]
        (found,) = judged([*self.past(0.1), *today], **self.BLOCK)
        assert (found.window, found.entity, found.at, found.analysis.observed) == ("w2", "ann", 5, "10 of 10")

    def test_where_most_are_false_positives_more_of_them_are_usual(self) -> None:
        today = [seen("verdict", TODAY, "ann", 12, verdict="False positive")]
        assert judged([*self.past(0.9), *today], **self.BLOCK) == []
        assert len(judged([*self.past(0.1), *today], **self.BLOCK)) == 1


class TestFanOut:
    BLOCK: ClassVar[dict[str, Any]] = {
        "type": "fan_out",
        "feature": "remote",
        "value": "host",
        "tail": 0.0001,
        "least": 5,
    }

    def test_hosts_count_once_and_over_all_windows_of_the_day(self) -> None:
        past = [seen("remote", TODAY - day, "ann", host="pc1") for day in range(1, 61)]
        once = [seen("remote", TODAY, "ann", 40, host="pc1")]
        assert judged([*past, *once], **self.BLOCK) == []
        many = [seen("remote", TODAY, "ann", window=f"w{n // 4}", host=f"pc{n}") for n in range(12)]
        (found,) = judged([*past, *many], **self.BLOCK)
        assert found.window in {"w1", "w2"}
        assert found.analysis.score < 1e-4
        assert judged([*past, *many[:6]], **self.BLOCK) == []


@pytest.fixture(scope="module")
def built_in() -> Ruleset:
    return load_ruleset(BUILT_IN)


def _codes(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = value.get("metadata.event_code", [])
        below = (_codes(inner) for key, inner in value.items() if key != "metadata.event_code")
        return set([own] if isinstance(own, str) else own).union(*below)
    return set()


def test_sensitive_is_what_administrative_rules_of_medium_or_more_watch(built_in: Ruleset) -> None:
    expected: set[str] = set()
    for rule in built_in.incident_rules:
        counts = rule.correlation is not None and rule.correlation.kind in {"event_count", "value_count"}
        least = {"high", "critical"} if counts else {"medium", "high", "critical"}
        if not rule.name.startswith("aa-") or rule.level not in least or rule.name in DAILY:
            continue
        if rule.correlation is None or counts:
            names = [rule.name] if rule.correlation is None else list(rule.correlation.uses)
            expected |= set().union(*(_codes(built_in.by_name[name].document["detection"]) for name in names))
    patterns = {
        rule.document["detection"]["sensitive"]["metadata.event_code|re"]
        for rule in built_in.incident_rules
        if "sensitive" in rule.document.get("detection", {})
    }
    assert len(patterns) == 1
    assert set(re.fullmatch(r"\^\((.*)\)\$", patterns.pop()).group(1).split("|")) == expected  # type: ignore[union-attr]


START = at("2026-02-02")
DAYS = 50
HALVES = [Window(START + n * DAY / 2, START + (n + 1) * DAY / 2) for n in range(2 * DAYS)]
RULES = ("ub_001", "ub_005", "ub_008", "ub_012", "ub_016")


def _history() -> list[dict[str, Any]]:
    rows = []
    for day in range(DAYS):
        for n, user in enumerate(("ann", "bob")):
            when = START + timedelta(days=day, hours=9 + 5 * n)
            rows.append(event(f"{user}-{day}", when, "5009", user=user, actor=user, data={"siteName": "a"}))
    late = START + timedelta(days=47)
    rows += [
        event("login", START + timedelta(days=2), "27", user="ann", actor="ann"),
        event("first", late + timedelta(hours=3), "3602", user="x", actor="ann", data={"siteName": "b"}),
        event("again", late + timedelta(days=1, hours=3), "3602", user="x", actor="ann", data={"siteName": "b"}),
        event("new", late + timedelta(days=1, hours=14), "3602", user="x", actor="eve", data={"siteName": "a"}),
    ]
    for n in range(9):
        made = event(f"shell-{n}", late + timedelta(hours=11, minutes=20 * n), "3200", user="x", actor="bob")
        made["device"] = {"uid": f"pc{n}"}
        rows.append(made)
    return rows


HISTORY = _history()


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    folder = tmp_path_factory.mktemp("rules")
    for path in BUILT_IN.rglob("ub_0*.yaml"):
        if path.name.startswith(RULES):
            (folder / path.name).write_text(path.read_text())
    return load_ruleset(folder)


def _run(world: World, order: list[int]) -> set[tuple[str, str, str, str]]:
    for number in order:
        world.put(HALVES[number], HISTORY)
        world.tag(HALVES[number])
    return {
        (window.name, hit.rule_id, hit.event_uids[-1], hit.summary)
        for window in {HALVES[number] for number in order}
        for hit in world.hits(window)
        if hit.visibility == "incident"
    }


# Windows that matter: the login, some of the past, the odd days, and days after them
CHOSEN = [0, 4, 30, 60, 93, 94, 95, 96, 97, 98]


@pytest.fixture(scope="module")
def in_order(few: Ruleset, tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, str, str]]:
    world = World(tmp_path_factory.mktemp("world"), few)
    found = _run(world, CHOSEN)
    world.store.close()
    return found


def test_odd_days_are_found_each_by_its_rule(in_order: set[tuple[str, str, str, str]]) -> None:
    by_event = {(rule, uid) for _, rule, uid, _ in in_order}
    assert {("ub-001-role", "first"), ("ub-005", "first"), ("ub-016", "first"), ("ub-008", "new")} <= by_event
    # One act is one incident: what nobody of the role does is not told again as a mere first
    assert not {("ub-001", "first"), ("ub-001", "again"), ("ub-001-role", "again")} & by_event
    assert {uid for rule, uid in by_event if rule == "ub-012"} < {f"shell-{n}" for n in range(9)}


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_order_of_windows_gives_the_same_behaviour(
    data: st.DataObject, in_order: set[tuple[str, str, str, str]], few: Ruleset, tmp_path_factory: Any
) -> None:
    order = data.draw(st.permutations(CHOSEN))
    again = data.draw(st.lists(st.sampled_from(CHOSEN), max_size=3))
    world = World(tmp_path_factory.mktemp("world"), few)
    try:
        assert _run(world, [*order, *again]) == in_order
    finally:
        world.store.close()
