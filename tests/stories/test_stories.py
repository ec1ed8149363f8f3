"""Stories told by raw records, and exactly the incidents that they are to raise: rule and entity."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from .stage import DAILY, DAY, HOUR, MACHINES, MINUTE, SECOND, Console, Raised, Record, Stage, at, simulated, story

NewStage = Callable[..., Stage]
START = at("2026-03-02T10:00")  # a Monday
SEVERE = ("high", "critical")
DAY_MS = 86_400_000
# Log-outs and second factors, which are half of what people cause and tell nothing of anybody's habits
ENDS = frozenset({33, 3624, 3627})
TAKEOVER = frozenset(
    {"aa-008", "aa-010", "aa-010-privileged", "aa-011", "aa-016", "aa-017", "aa-038", "ub-009", "ub-015"}
    | {"ul-003-source", "ul-004", "ul-006-source", "ul-006-spray"}
)


def _spray(console: Console, begin: Any, every: timedelta, count: int, ip: str = "192.0.2.66") -> list[Record]:
    return [console.failure(begin + number * every, f"user{number % 12:02d}", ip) for number in range(count)]


def test_a_clean_week_of_sixty_people_is_quiet(new_stage: NewStage) -> None:
    """One remote shell of an administrator, and the suspicious threats that agents leave to people."""
    stage = new_stage()
    assert stage.play(simulated(at("2026-03-02"), 7, users=60, per_day=1700)) == {
        ("aa-038", "gustavo tanaka | 1544755613375367686"),
        ("ep-002", "1030400848656227062 | lnx-e30616.aldermoor.example.com"),
        ("ep-002", "1334094577522858296 | ws-7d0275"),
        ("ep-002", "1478217670157832534 | nb-dc0343"),
        ("ep-002", "1535692801882168272 | ws-a30488"),
        ("ep-002", "1556692116698308122 | ws-9d0178"),
        ("ep-002", "671993349192803036 | srv-600035"),
    }
    assert not [level for level in SEVERE if stage.levels()[level]]


def test_weeks_of_routine_are_neither_high_nor_critical(new_stage: NewStage) -> None:
    """What two hundred people's administrators change: users, exclusions, policies, tokens, rules.

    These are the days that the test below learns from without asking any rule.
    """
    stage = new_stage()
    stage.collect(simulated(at("2026-03-02"), 18, users=200, per_day=5600, without=MACHINES | DAILY))
    assert stage.incidents()
    assert not [(one.rule_id, one.summary) for one in stage.incidents() if one.level in SEVERE]


def test_a_clean_month_of_two_hundred_people_with_log_ins_is_quiet(new_stage: NewStage) -> None:
    """What all of them do in a month, of whom somebody does something for the first time on most days.

    Baselines are cold for two weeks, so that later days are asked. And the past that all this makes lets nobody
    overlook who comes after it.
    """
    stage, begin = new_stage(), at("2026-03-02")
    month = partial(simulated, users=200, per_day=5600, without=MACHINES | ENDS)
    stage.learn(month(begin, 18))
    stage.collect(month(begin + 18 * DAY, 12))
    clean = stage.incidents()
    judged = {rule.rule for rule in stage.ruleset.judgings}
    anomalies = Counter(one.first_seen // DAY_MS for one in clean if one.rule_id in judged)
    assert not [(one.rule_id, one.summary) for one in clean if one.level in SEVERE]
    assert len(anomalies) >= 2, "a month without any unusual day has not been looked at"
    assert max(anomalies.values()) == 1, anomalies

    records, _ = story("takeover", begin + 30 * DAY + 10 * HOUR, users=200)
    stage.collect(records)
    known = {one.id for one in clean}
    assert {one.rule_id for one in stage.incidents() if one.id not in known} >= TAKEOVER | {"ul-010", "ul-018-tenant"}


def test_a_spray_that_ends_in_a_takeover(new_stage: NewStage) -> None:
    records, _ = story("takeover", START)
    who, ip = "anneke abara", "192.0.2.155"
    assert new_stage().play(records) == {
        ("aa-008", who),
        ("aa-010", who),
        ("aa-010-privileged", who),
        ("aa-011", who),
        ("aa-016", "c:\\windows\\temp\\*"),
        ("aa-017", "c:\\windows\\temp\\*"),
        ("aa-038", f"{who} | 1071026552893911079"),
        ("aa-038", f"{who} | 1448770502296479451"),
        ("ub-009", who),
        ("ub-015", who),
        ("ul-003-source", ip),
        ("ul-004", ip),
        ("ul-006-source", ip),
        ("ul-006-spray", ip),
    }


def test_a_leaver_who_collects(new_stage: NewStage) -> None:
    records, _ = story("insider", START)
    who = "ingrid jankowska"
    stage = new_stage()
    assert stage.play(records) == {
        ("aa-030", who),
        ("aa-031", who),
        ("aa-041-hosts", who),
        ("aa-051", who),
        ("ub-015", who),
    }
    (sum_,) = [incident for incident in stage.incidents() if incident.rule_id == "ub-015"]
    assert sum_.level == "high"
    assert sum_.summary.startswith("Ingrid Jankowska gathered a risk of 1")


def _roll_out(console: Console, begin: Any) -> list[Record]:
    """What a managed service does at a new customer: site, people, exclusions, local upgrade, moves, clean-up."""
    who = {"username": "rollout@msp.example.com", "byUser": "rollout@msp.example.com", "userId": "77"}
    mine = {name: value for name, value in who.items() if name != "byUser"}
    return [
        console.record(5020, begin, newSiteName="Oslo", **mine),
        *(
            console.record(23, begin + (2 + n) * MINUTE, **(who | {"username": f"new{n}@example.com"}), role="SOC")
            for n in range(3)
        ),
        console.record(3008, begin + 8 * MINUTE, value="C:\\", exclusionType="path", osFamily="windows", **mine),
        console.record(3767, begin + 10 * MINUTE, **mine),
        console.record(76, begin + 12 * MINUTE, newValue=False, policyName="Oslo", **mine),
        *(
            console.record(95, begin + (15 * 60 + 20 * n) * SECOND, agentId=f"5{n:03d}", computerName=f"pc{n}", **mine)
            for n in range(12)
        ),
        *(
            console.record(54, begin + (25 + n) * MINUTE, agentId=f"6{n:03d}", computerName=f"old{n}", **mine)
            for n in range(5)
        ),
        console.record(76, begin + 40 * MINUTE, newValue=True, policyName="Oslo", **mine),
    ]


ROLL_OUT: Raised = {
    ("aa-016", "c:\\"),
    ("aa-017", "c:\\"),
    ("aa-024", "oslo"),
    ("aa-029", "rollout@msp.example.com"),
    ("aa-033", "rollout@msp.example.com"),
    ("aa-036", "rollout@msp.example.com"),
}
# Nobody has announced it, and then the person is the more conspicuous
UNANNOUNCED: Raised = ROLL_OUT | {("ub-015", "rollout@msp.example.com")}


def test_a_roll_out_is_high_unless_it_is_announced(new_stage: NewStage) -> None:
    announced = {"start": START - MINUTE, "end": START + HOUR, "reason": "roll-out Oslo"}
    weekly = {"weekly": "mon 11:00-12:00", "timezone": "Europe/Berlin", "reason": "roll-outs"}  # 10:00 UTC in winter
    plain = new_stage("plain")
    assert plain.play(_roll_out(Console(), START)) == UNANNOUNCED
    assert plain.levels()["high"] == 5
    for number, window in enumerate((announced, weekly)):
        stage = new_stage(f"announced{number}", rules={"change_windows": [window]})
        assert stage.play(_roll_out(Console(), START)) == ROLL_OUT
        assert not [level for level in SEVERE if stage.levels()[level]]


def test_bring_your_own_installer(new_stage: NewStage) -> None:
    console, who = Console(), {"username": "mallory@example.com", "userId": "9"}
    one = [console.record(3767, START, **who), console.record(27, START + MINUTE, ipAddress="192.0.2.1", **who)]
    assert new_stage("one").play(one) == {("aa-033", "mallory@example.com")}
    sites = [
        console.record(3767 + n, START + n * HOUR, siteName=f"Site {n}", scopeName=f"Site {n}", siteId=f"4{n}", **who)
        for n in range(3)
    ]
    stage = new_stage("three")
    raised = stage.play(sites)
    assert raised == {("aa-033", "mallory@example.com"), ("aa-033-scopes", "mallory@example.com")}
    assert stage.levels()["critical"] == 1


def test_agents_sent_to_a_foreign_console(new_stage: NewStage) -> None:
    console, stage = Console(), new_stage()
    sent = {"username": "mallory@example.com", "consoleUrl": "https://elsewhere.example.net", "userId": "9"}
    records = [
        console.record(106, START + n * SECOND, agentId=f"5{n}", computerName=f"pc{n}", **sent) for n in range(4)
    ]
    assert stage.play(records) == {("aa-035", "mallory@example.com")}
    (incident,) = stage.incidents()
    assert (incident.level, incident.victim) == ("critical", "https://elsewhere.example.net")


def test_a_slow_spray_is_found_over_midnight_and_window_edges(new_stage: NewStage) -> None:
    stage = new_stage(every=12 * HOUR)
    records = _spray(Console(), at("2026-03-02T12:00"), 20 * MINUTE, 75)
    assert stage.play(records) == {("ul-002", "192.0.2.66")}
    assert new_stage("short").play(records[:59]) == set()


def test_a_burst_over_midnight_is_one(new_stage: NewStage) -> None:
    """Seven failures before and eight after midnight, the first of those in its very first microsecond."""
    midnight = at("2026-03-03")
    records = _spray(Console(), midnight - 7 * 40 * SECOND, 40 * SECOND, 15)
    assert new_stage().play(records) == {
        ("ul-003-source", "192.0.2.66"),
        ("ul-004", "192.0.2.66"),
    }


@pytest.mark.parametrize("night", ["2026-03-29T00:40", "2026-10-25T00:40"])
def test_clocks_that_change_move_no_incident(new_stage: NewStage, night: str) -> None:
    rules = {"change_windows": [{"weekly": "sun 01:00-04:00", "timezone": "Europe/Berlin", "reason": "night work"}]}
    summer_comes = night.startswith("2026-03")
    stage, console = new_stage(rules=rules), Console()
    spray = _spray(console, at(night), 4 * MINUTE, 15)
    inside = {"value": "C:\\in\\*", "username": "ann", "exclusionType": "path"}
    late = at(night).replace(hour=1 if summer_comes else 2, minute=59)  # 03:59 on the wall
    records = [
        *spray,
        console.record(3001, late, **inside),
        console.record(3001, late + MINUTE, **(inside | {"value": "C:\\out\\*"})),
    ]
    raised = stage.play(records)
    assert raised >= {("ul-004", "192.0.2.66"), ("aa-016", "c:\\in\\*"), ("aa-016", "c:\\out\\*")}
    levels = {incident.entity: incident.level for incident in stage.incidents() if incident.rule_id == "aa-016"}
    assert levels == {"c:\\in\\*": "low", "c:\\out\\*": "medium"}


def test_deletions_after_inactivity_accuse_nobody(new_stage: NewStage) -> None:
    console = Console()
    gone = [
        console.record(102, START + n * SECOND, username=f"gone{n}@example.com", deactivationPeriodInDays="90")
        for n in range(30)
    ]
    assert new_stage().play(gone) == set()


def test_the_actor_is_blamed_and_not_the_target(new_stage: NewStage) -> None:
    console, stage = Console(), new_stage()
    by = {"byUser": "mallory@example.com", "userId": "9"}
    records = [
        console.record(67, START, username="victim@example.com", newValue=False, **by),
        console.record(25, START + MINUTE, username="leaver@example.com", **by),
        console.record(23, START + 2 * MINUTE, username="new@example.com", role="Admin", **by),
        console.record(64, START + 3 * MINUTE, username="own@example.com", userId="8", agentId="5", computerName="pc5"),
        console.record(102, START + 4 * MINUTE, username="idle@example.com", deactivationPeriodInDays="90"),
        console.record(3005, START + 5 * MINUTE, username="unknown", hash="a" * 40),
    ]
    stage.play(records)
    found = {incident.rule_id: (incident.attacker, incident.victim) for incident in stage.incidents()}
    assert found == {
        "aa-002": ("mallory@example.com", "new@example.com"),
        "aa-005": ("mallory@example.com", "leaver@example.com"),
        "aa-010": ("mallory@example.com", "victim@example.com"),
        "aa-011": ("mallory@example.com", "victim@example.com"),
        "aa-030": ("own@example.com", "pc5"),
        "ub-015": ("mallory@example.com", "mallory@example.com"),
    }


def test_switches_are_read_whatever_form_they_come_in(new_stage: NewStage) -> None:
    console, stage = Console(), new_stage()
    off = (False, "false", "FALSE", "Disabled", "off", 0, "0", " disabled ")
    on = (True, "true", "True", "Enabled", 1, "yes")
    unknown = (None, "null", "", "deaktiviert", "無効", "not inherited", 7, [], {})
    records = [
        console.record(67, START + n * SECOND, username=f"{kind}{m}@example.com", byUser=f"{kind}{m}", newValue=value)
        for kind, values in (("off", off), ("on", on), ("unknown", unknown))
        for n, (m, value) in enumerate(enumerate(values))
    ]
    stage.play(records)
    found = {i.victim: (i.level, i.status) for i in stage.incidents() if i.rule_id == "aa-010"}
    expected = {f"off{m}@example.com": ("high", "open") for m in range(len(off))}
    expected |= {f"unknown{m}@example.com": ("medium", "open") for m in range(len(unknown))}
    assert found == expected


def test_the_same_story_in_two_tenants_is_two(new_stage: NewStage) -> None:
    one = new_stage("one")
    two = new_stage("two", slug="apac", shared=one.store)
    for stage in (one, two):
        stage.play(_roll_out(Console(), START))
    assert one.raised() == two.raised() == UNANNOUNCED
    assert not {incident.id for incident in one.incidents()} & {incident.id for incident in two.incidents()}


def test_a_day_of_small_things_over_midnight_is_one_person_s_whatever_order_it_comes_in(new_stage: NewStage) -> None:
    """Five things of Mallory within a day, of which one is high alone; Ann does some of the same and is left alone."""
    console, begin = Console(), at("2026-03-02T18:00")
    mine = {"username": "mallory@example.com", "userId": "9"}
    by = {"byUser": "mallory@example.com", "userId": "9"}
    records = [
        console.record(112, begin, **mine),
        console.record(3001, begin + HOUR, value="C:\\tmp\\a.exe", exclusionType="path", osFamily="windows", **mine),
        console.record(64, begin + 3 * HOUR, agentId="5", computerName="pc5", **mine),
        console.record(64, begin + 4 * HOUR, agentId="5", computerName="pc5", username="ann@example.com", userId="8"),
        console.record(25, begin + 7 * HOUR, username="leaver@example.com", **by),
        console.record(67, begin + 9 * HOUR, username="bob@example.com", newValue=False, **by),
        console.record(67, begin + 10 * HOUR, username="bob@example.com", newValue=True, **by),
    ]
    contents = []
    for name, order in (("forward", list), ("backward", lambda windows: windows[::-1])):
        stage = new_stage(name, every=6 * HOUR)
        assert {one for one in stage.play(records, order) if one[0] == "ub-015"} == {("ub-015", "mallory@example.com")}
        contents.append(_content(stage))
    assert contents[0] == contents[1]
    (summary,) = [one["summary"] for one in contents[0] if one["rule_id"] == "ub-015"]
    assert summary == (
        "mallory@example.com gathered a risk of 115 within 24 hours by hits of 5 rules: 2FA disabled (50), "
        "API token generated or allowed (20), Exclusion added (20) and 2 others."
    )


def _content(stage: Stage) -> list[dict[str, Any]]:
    """Return all of all incidents but when the collector or a person did something."""
    told = ("created_at", "status_changed_at", "notes", "history")
    whole = [stage.store.get_incident(one.id, now=at("2027-01-01")).to_dict() for one in stage.incidents()]
    for one in whole:
        one["hits"] = sorted((hit["window"], hit["hit_id"], str(hit["content"])) for hit in one["hits"])
    return sorted(
        ({key: value for key, value in one.items() if key not in told} for one in whole), key=lambda one: one["id"]
    )


def test_a_back_fill_in_any_order_ends_in_the_same_incidents(new_stage: NewStage) -> None:
    console = Console()
    slow = _spray(console, at("2026-03-02T12:00"), 20 * MINUTE, 75)
    over = [console.login(at("2026-03-03T13:30"), "user03", "192.0.2.66")]
    acts = [
        console.record(112, at("2026-03-03T13:50"), username="user03", userId="id-user03"),
        console.record(67, at("2026-03-03T23:59:59.9"), username="user03", newValue=False, userId="id-user03"),
        console.record(67, at("2026-03-04T00:00"), username="user03", newValue=True, userId="id-user03"),
    ]
    records = [*slow, *over, *acts]
    orders = (list, lambda windows: random.Random(3).sample(windows, len(windows)))
    contents = []
    for number, order in enumerate(orders):
        stage = new_stage(f"order{number}", every=12 * HOUR)
        assert stage.play(records, order) >= {("ul-002", "192.0.2.66"), ("aa-008", "user03")}
        contents.append(_content(stage))
    assert contents[0] == contents[1]
