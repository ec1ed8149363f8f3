from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.simulator.conftest import NOW, Clock, Start

from sentinelone_collector.simulator import Simulator
from sentinelone_collector.simulator.catalogue import LISTED_TYPES
from sentinelone_collector.simulator.kinds import KINDS
from sentinelone_collector.simulator.org import build_organisation
from sentinelone_collector.simulator.records import NO_FACTS, Entry, record, render

TOP = {
    "accountId", "accountName", "activityType", "activityUuid", "agentId", "agentUpdatedVersion", "comments",
    "createdAt", "data", "description", "groupId", "groupName", "hash", "id", "osFamily", "primaryDescription",
    "secondaryDescription", "siteId", "siteName", "threatId", "updatedAt", "userId",
}  # fmt: skip


@pytest.fixture(scope="module")
def raw() -> list[bytes]:
    simulator = Simulator(users=40, records_per_day=15_000, days=8, now=Clock())
    return simulator.truth(NOW - timedelta(days=1), NOW) + [
        row
        for day in range(2, 8)
        for row in simulator.truth(NOW - timedelta(days=day), NOW - timedelta(days=day, hours=-1))
    ]


@pytest.fixture(scope="module")
def rows(raw: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw]


def test_each_record_has_what_identifies_it(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert TOP | {"applications"} >= set(row) >= {"id", "activityType", "createdAt", "updatedAt", "data"}


def test_shapes_drift(rows: list[dict[str, Any]]) -> None:
    assert any("activityUuid" not in row for row in rows)
    assert any("comments" not in row for row in rows)
    assert any("accountName" not in row for row in rows)
    assert any("applications" in row for row in rows)
    assert any(row.get("secondaryDescription") == "" for row in rows)
    assert any("userscope" in row["data"] for row in rows)
    assert sum(set(row) == TOP for row in rows) > len(rows) * 0.8


def test_data_holds_integers_that_a_float_would_damage(rows: list[dict[str, Any]]) -> None:
    big = [value for row in rows for value in row["data"].values() if type(value) is int and value > 2**53]
    assert any(int(float(value)) != value for value in big)


def test_update_times_are_mostly_a_little_before_creation(rows: list[dict[str, Any]]) -> None:
    gaps = [
        (datetime.fromisoformat(row["updatedAt"]) - datetime.fromisoformat(row["createdAt"])).total_seconds()
        for row in rows
    ]
    usual = [gap for gap in gaps if -0.012 <= gap <= -0.001]
    assert 0.85 < len(usual) / len(gaps) < 0.95
    assert min(gaps) < -0.05
    assert max(gaps) > 0


def test_some_types_are_in_no_catalogue(rows: list[dict[str, Any]]) -> None:
    unlisted = {row["activityType"] for row in rows} - LISTED_TYPES
    assert unlisted
    assert unlisted <= {9871, 14777, 23310}


def test_alerts_have_lower_case_keys_retyped_times_and_the_year_1970() -> None:
    org = build_organisation(3, 10)
    kind = next(kind for kind in KINDS if kind.type == 3608)
    alerts = [record(org, Entry(1_789_000_000_000_000, n << 23, 0, kind, -1, n % 60, NO_FACTS)) for n in range(200)]
    data: list[dict[str, Any]] = [alert["data"] for alert in alerts]  # type: ignore[misc]
    assert all(len(item) > 70 for item in data)
    assert {type(item["detectedat"]) for item in data} == {int, str}
    assert {type(item["ruleid"]) for item in data} == {int, str}
    assert any(item["tgtfilecreatedat"] == "1970-01-01T00:00:00Z" for item in data)
    assert any("sourceprocessfilesingeridentity" in item for item in data)
    assert any("sourceprocessfilesigneridentity" in item for item in data)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.type))
def test_every_kind_makes_a_whole_sentence(kind: Any) -> None:
    org = build_organisation(5, 12)
    for number in range(30):
        entry = Entry(
            1_789_000_000_000_000 + number, (306_000_000_000 + number) << 23, 0, kind, number % 12, number, NO_FACTS
        )
        row = record(org, entry)
        text = row["primaryDescription"]
        assert (text is None) == (not kind.text)
        if text is not None:
            assert isinstance(text, str)
            assert not re.search(r"[{}]|\bNone\b", text), text
        assert json.loads(render(5, entry.id, row)) == row


def test_the_same_record_may_be_spelt_in_three_ways(raw: list[bytes]) -> None:
    compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    assert any(b'": ' in line and b"\\u" in line for line in raw)
    assert any(b"\\/" in line for line in raw)
    assert any("São".encode() in line for line in raw)
    assert sum(compact(json.loads(line)).encode() != line for line in raw) > len(raw) * 0.05
    assert not any(b"\n" in line for line in raw)


def test_people_have_habits(start: Start) -> None:
    console = start(users=40, records_per_day=1_200, days=21)
    org = console.simulator.organisation
    logins: dict[str, list[dict[str, Any]]] = {}
    for row in console.all(activityTypes="27"):
        logins.setdefault(row["userId"], []).append(row)
    by_id = {user.id: user for user in org.users}
    assert len(logins) > 30
    for user_id, found in logins.items():
        user = by_id[user_id]
        assert not user.service
        assert {row["data"]["ipAddress"] for row in found} <= {user.home_ip, user.office_ip}
        assert {row["data"]["source"] for row in found} == {user.source}
        local = [datetime.fromisoformat(row["createdAt"]) + timedelta(minutes=user.local_offset) for row in found]
        assert all(6 <= moment.hour < 18 for moment in local), sorted(moment.hour for moment in local)
        weekend = sum(moment.weekday() >= 5 for moment in local)
        assert weekend <= len(local) * 0.25


def test_the_bytes_of_a_seed_stay_what_they_are() -> None:
    stories = ["takeover", "insider", "mass-uninstall"]
    simulator = Simulator(
        seed=5, users=12, records_per_day=4_000, days=3, scenarios=stories, late_share=0.01, now=lambda: NOW
    )
    rows = simulator.truth(NOW - timedelta(days=3), NOW)
    digest = hashlib.sha256(b"\n".join(rows)).hexdigest()
    assert (len(rows), digest) == (12101, "09f543914115ed91fd46cd25f5fde1d7f7215fa82e71dff314d59226b7509832")
