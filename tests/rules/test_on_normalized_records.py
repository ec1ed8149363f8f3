"""The rules on events as normalize really writes them, from records in the shape that consoles send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zstandard

from sentinelone_collector.detect import load_ruleset, read_hits, tag
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize import normalize
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.store import open_store
from sentinelone_collector.windows import Window

START = datetime(2026, 1, 14, 12, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=10))


def record(number: int, kind: int, **data: Any) -> dict[str, Any]:
    top = {key: data.pop(key) for key in ("agentId", "userId", "comments") if key in data}
    created = (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    return {
        "id": f"90000000000000{number:04d}",
        "activityType": kind,
        "accountId": "11",
        "createdAt": created,
        "updatedAt": created,
        "primaryDescription": "something happened",
        "data": data,
        **top,
    }


RECORDS = [
    record(1, 67, byUser="ann@x.io", username="bob@x.io", newValue=False, accountName="Example AG"),
    record(2, 76, username="ann@x.io", newValue="true", policyName="p"),
    record(3, 76, username="ann@x.io", newValue="not inherited", policyName="q"),
    record(4, 3008, username="ann@x.io", role="SOC", userId="7", value="C:\\", exclusionType="path"),
    record(5, 3603, username="ann@x.io", newstatus="Disabled", ruleName="r"),
    record(6, 102, username="gone@x.io", deactivationPeriodInDays="90"),
    record(7, 23, byUser="ann@x.io", username="new@x.io", role="Admin", userScope="account"),
    record(8, 64000, username="ann@x.io"),
    *(record(20 + n, 64, username="ann@x.io", computerName=f"pc{n}", agentId=f"5{n}") for n in range(5)),
    *(record(40 + n, 133, username="Bob@x.io", ipAddress="203.0.113.9", comments="wrong password") for n in range(10)),
    *(record(60 + n, 134, username=f"guess{n}", ipAddress="198.51.100.7") for n in range(5)),
]


@pytest.fixture(scope="module")
def hits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("world")
    lake, store = FolderStorage(folder), open_store(f"sqlite:///{folder / 's1c.db'}")
    raw = b"".join(json.dumps(one).encode() + b"\n" for one in RECORDS)
    lake.put(object_key("raw", "emea", "activities", WINDOW), zstandard.compress(raw))
    normalize("emea", "activities", WINDOW, console="console.example", lake=lake)
    tag(
        Instance(slug="emea", name="emea", connection_id="c", live_since=START - timedelta(days=1)),
        "activities",
        WINDOW,
        console="console.example",
        lake=lake,
        store=store,
        ruleset=load_ruleset(BUILT_IN),
        now=lambda: START,
    )
    store.close()
    found: dict[str, list[Any]] = {}
    for hit in read_hits(folder / object_key("hits", "emea", "activities", WINDOW)):
        found.setdefault(hit.rule_id, []).append(hit)
    return found


def test_just_the_expected_rules_hit(hits: dict[str, Any]) -> None:
    assert {name: len(of_rule) for name, of_rule in hits.items()} == {
        "aa-001": 1,
        "aa-002": 1,
        "aa-010": 1,
        "aa-016": 1,
        "aa-017": 1,
        "aa-021": 1,
        "aa-024": 1,
        "aa-030": 5,
        "aa-031": 1,
        "ub-015": 1,
        "ub-017": 1,
        "ul-003": 1,
        "ul-003-source": 1,
        "ul-007": 1,
    }


def test_the_right_people_are_named(hits: dict[str, Any]) -> None:
    (two_factor,) = hits["aa-010"]
    assert (two_factor.attacker, two_factor.victim, two_factor.level) == ("ann@x.io", "bob@x.io", "high")
    (tampering,) = hits["aa-024"]
    assert (tampering.level, tampering.note) == ("medium", "direction unknown")
    (brute_force,) = hits["ul-003"]
    assert (brute_force.attacker, brute_force.victim, brute_force.event_count) == ("203.0.113.9", "Bob@x.io", 10)
    assert brute_force.entity == "bob@x.io"
    (exclusion,) = hits["aa-017"]
    assert (exclusion.attacker, exclusion.victim) == ("ann@x.io", "C:\\")


def test_account_and_role_are_those_of_the_record(hits: dict[str, Any]) -> None:
    assert {hit.account for hit in hits["aa-010"]} == {"Example AG"}
    assert {hit.account for hit in hits["aa-031"]} == {"11"}, "the id where no name is told"
    assert {hit.role for hit in hits["aa-017"]} | {hit.role for hit in hits["aa-016"]} >= {"SOC"}
    assert {hit.role for hit in hits["aa-002"]} == {None}, "the role in the record is that of the new user"
