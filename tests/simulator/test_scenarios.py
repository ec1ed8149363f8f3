from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.simulator.conftest import NOW, Clock, Start

from sentinelone_collector.simulator import Simulator
from sentinelone_collector.simulator.catalogue import LISTED_TYPES
from sentinelone_collector.simulator.org import build_organisation
from sentinelone_collector.simulator.plan import planned_day

AT = datetime(2026, 9, 14, 9, 0, tzinfo=UTC)
PRIVILEGED = {"Admin", "IR Team"}


def story(name: str, **options: Any) -> list[dict[str, Any]]:
    told = Simulator(scenarios=[f"{name}@{AT.isoformat()}"], records_per_day=3_000, days=3, now=Clock(), **options)
    plain = Simulator(records_per_day=3_000, days=3, now=Clock(), **options)
    span = (AT - timedelta(hours=1), AT + timedelta(hours=3))
    rest = set(plain.truth(*span))
    return [json.loads(row) for row in told.truth(*span) if row not in rest]


def types(rows: list[dict[str, Any]]) -> Counter[int]:
    return Counter(row["activityType"] for row in rows)


def seconds(rows: list[dict[str, Any]]) -> list[float]:
    return [(datetime.fromisoformat(row["createdAt"]) - AT).total_seconds() for row in rows]


def test_brute_force_is_many_failures_of_one_user_and_no_success() -> None:
    rows = story("brute-force")
    assert types(rows) == {133: 280}
    assert len({row["userId"] for row in rows}) == len({row["data"]["ipAddress"] for row in rows}) == 1
    assert {row["comments"] for row in rows if "comments" in row} == {
        "invalid password",
        "user temporarily locked 2FA attempt",
    }
    assert max(seconds(rows)) < 3_600


def test_takeover_sprays_then_acts_as_the_victim() -> None:
    rows = story("takeover")
    failures = [row for row in rows if row["activityType"] == 133]
    per_user = Counter(row["userId"] for row in failures)
    assert len(per_user) >= 12
    assert len(failures) >= 24
    assert max(per_user.values()) <= 8
    success = next(row for row in rows if row["activityType"] == 27)
    after = rows[rows.index(success) :]
    assert {row["userId"] for row in after} == {success["userId"]}
    assert [row["activityType"] for row in after] == [27, 67, 112, 3008, 3200, 3201, 3200, 3201]
    second_factor = after[1]["data"]
    assert str(second_factor["newValue"]).lower() == "false"
    assert after[0]["data"]["role"] == "Admin"
    address = {row["data"]["ipAddress"] for row in rows}
    assert len(address) == 1
    assert max(seconds(after)) - seconds(after)[0] < 3_600


def test_the_insider_gathers_and_then_hides() -> None:
    rows = story("insider")
    count = types(rows)
    assert count[64] >= 5
    assert count[81] >= 5
    hosts = {row["agentId"] for row in rows if row["activityType"] == 64}
    assert len(hosts) == count[64]
    verdicts = [row for row in rows if row["activityType"] == 2030]
    assert {row["data"]["newAnalystVerdictTitle"] for row in verdicts} == {"False positive"}
    assert len(verdicts) >= 10
    assert seconds(verdicts)[-1] - seconds(verdicts)[0] < 600
    assert len({row["userId"] for row in rows if row["userId"]}) == 1


def test_mass_uninstall_hits_many_hosts_within_minutes() -> None:
    rows = story("mass-uninstall")
    removed = {row["agentId"] for row in rows if row["activityType"] in {50, 51, 52}}
    assert len(removed) == 24
    assert max(seconds(rows)) < 1_200
    assert {50, 51, 52} < set(types(rows))


def test_clean_adds_nothing() -> None:
    assert story("clean") == []


@pytest.mark.parametrize("name", ["brute-force", "takeover", "insider", "mass-uninstall"])
def test_a_story_fits_even_the_smallest_organisation(name: str) -> None:
    assert len(story(name, users=1)) > 5


def test_without_a_time_a_story_is_just_over_and_its_start_is_round() -> None:
    simulator = Simulator(scenarios=["takeover"], records_per_day=1_000, days=2, now=Clock())
    assert simulator.scenario_times() == {"takeover": datetime(2026, 9, 15, 13, 0, tzinfo=UTC)}
    assert simulator.truth(NOW - timedelta(hours=2), NOW) == simulator.truth(NOW - timedelta(hours=2), NOW)
    assert any(json.loads(row)["activityType"] == 67 for row in simulator.truth(NOW - timedelta(hours=2), NOW))


def test_a_story_may_be_told_twice_and_over_midnight() -> None:
    twice = ["insider@2026-09-13T23:40:00Z", "insider@2026-09-14T06:00:00Z"]
    rows = [
        json.loads(row)
        for row in Simulator(scenarios=twice, records_per_day=1_000, days=4, now=Clock()).truth(
            NOW - timedelta(days=3), NOW
        )
    ]
    days = Counter(row["createdAt"][:10] for row in rows if row["activityType"] in {64, 81, 2030})
    assert days["2026-09-13"] > 9
    assert days["2026-09-14"] > 35


def windows(rows: list[dict[str, Any]], minutes: int, key: str) -> int:
    """Give the largest number of rows of one key value within a sliding span."""
    groups: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        value = row["data"]["ipAddress"] if key == "ip" else row[key]
        groups[value].append(datetime.fromisoformat(row["createdAt"]).timestamp())
    most = 0
    for times in groups.values():
        low = 0
        for high, moment in enumerate(times):
            while moment - times[low] > minutes * 60:
                low += 1
            most = max(most, high - low + 1)
    return most


def test_without_a_story_nothing_looks_like_an_attack(start: Start) -> None:
    console = start(users=60, records_per_day=1_700, days=28, scenarios=["clean"])

    machines = {5232, 5126, 5125, 90, 92, 71, 43, 16, 5009, 3630, 3631, 5004, 5005}
    wanted = ",".join(str(number) for number in LISTED_TYPES - machines)
    rows = console.all(sortBy="createdAt", sortOrder="asc", activityTypes=wanted)

    def some(*numbers: int) -> list[dict[str, Any]]:
        return [row for row in rows if row["activityType"] in numbers]

    assert len(some(27)) > 60 * 15, "people work"
    assert some(133), "people mistype, though"
    assert windows(some(133, 134), 60, "ip") < 5
    assert windows(some(133), 1440, "userId") < 5
    assert not some(50, 51, 52, 19, 117, 119, 126, 127, 42, 3602, 2015, 2026, 5022, 5042, 3610, 3611, 97, 99, 101, 106)
    for row in some(67, 76, 78, 84, 105, 79, 41, 57, 68, 56, 69):
        assert str(row["data"]["newValue"]).lower() == "true"
    assert windows(some(2030, 2028), 10, "userId") < 10
    assert windows(some(64), 60, "userId") < 2
    assert windows(some(3200, 3201), 60, "userId") <= 2
    sensitive = some(112, 3001, 3008, 3012, 64, 3200, 107, 54)
    assert windows(sensitive, 1440, "userId") <= 3
    for row in some(23, 140):
        assert row["data"]["role"] not in PRIVILEGED


def test_adding_a_user_is_two_records_about_the_same_person() -> None:
    org = build_organisation(1, 20)
    drafts = [draft for day in range(20_500, 20_700) for draft in planned_day(org, day, 20)]
    added = [(draft, drafts[at + 1]) for at, draft in enumerate(drafts) if draft.kind.type == 23]
    assert added
    for first, second in added:
        assert (second.kind.type, second.at - first.at) == (37, 2_200)
        assert first.facts.data["username"] == second.facts.data["username"]
