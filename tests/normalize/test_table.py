"""The routing table: consistent in itself, and a valid event from every row in every direction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sentinelone_collector.normalize import ocsf
from sentinelone_collector.normalize.actors import RULES
from sentinelone_collector.normalize.objects import OBJECTS
from sentinelone_collector.normalize.table import routes, table_rows, unknown_route

ROWS = table_rows()
RICH = {
    "username": "ada@example.com",
    "byUser": "Grace Hopper",
    "role": "Viewer",
    "oldRole": "Admin",
    "scopeLevelName": "Northwind",
    "ipAddress": "192.0.2.10",
    "computerName": "host-1",
    "externalIp": "198.51.100.4",
    "policyName": "Default",
    "policy": {"id": "7"},
    "ruleName": "No macros",
    "ruleId": 2310000000000000001,
    "value": "C:\\Temp\\*",
    "roleName": "Helpdesk",
    "siteName": "Berlin",
    "groupName": "Servers",
    "fileDisplayName": "a.exe",
    "filePath": "C:\\a.exe",
    "fileContentHash": "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33",
    "threatClassification": "Trojan",
    "severity": "E_HIGH",
    "alertid": 2310000000000000002,
    "sourceprocessname": "cmd.exe",
    "sourceprocesspid": 4,
}


def test_ids_are_sorted_and_distinct() -> None:
    ids = [int(row["id"]) for row in ROWS]
    assert ids == sorted(set(ids))
    assert len(ids) == len(routes()) == 713


def test_every_word_of_the_table_is_known() -> None:
    for row in ROWS:
        assert row["actor"] in RULES, row
        assert row["object"] in OBJECTS, row
        assert row["name"].strip() == row["name"], row
        assert row["group"] or not row["name"], row
        assert bool(row["on"]) == bool(row["off"]), row
        assert row["direction"] or not row["on"], row
        assert row["severity"] in {"0", "1", "4", "5"}, row
        for activity in filter(None, (row["activity"], row["on"], row["off"])):
            ocsf.classification(int(row["class"]), int(activity))


def test_every_word_that_the_code_knows_is_used() -> None:
    assert {row["actor"] for row in ROWS} == RULES
    assert {row["object"] for row in ROWS} == OBJECTS.keys()


def _cases() -> Iterator[tuple[int, dict[str, Any]]]:
    for kind, route in [*routes().items(), (424242, unknown_route())]:
        yield kind, {}
        yield kind, RICH
        for name in route.direction_fields:
            yield from ((kind, RICH | {name: value}) for value in (True, "disabled", None, "not inherited"))


def test_every_row_gives_valid_events(activity: Any, as_event: Any, problems: Any) -> None:
    for kind, data in _cases():
        for fields in ({}, {"agentId": "5", "threatId": "6", "siteId": "8", "groupId": "9", "hash": "ab"}):
            event = as_event(activity(kind, data, **fields))
            assert problems(event) == [], (kind, event)


def test_bare_records_of_every_row_give_valid_events(as_event: Any, problems: Any) -> None:
    for kind in routes():
        event = as_event({"activityType": kind, "createdAt": "2026-11-22T10:00:00.000000Z"})
        assert problems(event) == [], (kind, event)
        assert event["message"]


@pytest.mark.parametrize(
    ("kinds", "class_uid", "activity_id"),
    [
        ((27, 133, 134, 139, 3629), 3002, 1),
        ((33,), 3002, 2),
        ((3624, 3625), 3002, 99),
        ((23, 1023, 140), 3001, 1),
        ((25, 102, 103, 142), 3001, 6),
        ((3711,), 3001, 3),
        ((3710, 3715), 3001, 4),
        ((112, 113, 114, 3627), 3001, 99),
        ((107,), 3004, 1),
        ((109,), 3004, 4),
        ((3001, 3008, 3002), 3004, 1),
        ((3012, 3015), 3004, 3),
        ((3016, 3020, 3021), 3004, 4),
        ((3600, 5120, 5220), 3004, 1),
        ((3602, 5122, 5222), 3004, 4),
        ((5020, 5040, 5008), 3004, 1),
        ((5022, 5042, 5006), 3004, 4),
        ((5023, 5043), 3004, 11),
        ((5009, 94, 95, 96), 3004, 5),
        ((47, 54), 3004, 7),
        ((48, 55), 3004, 6),
        ((17,), 6002, 1),
        ((51,), 6002, 2),
        ((118, 120), 6002, 6),
        ((117, 119, 126, 127), 6002, 7),
        ((71, 90, 3614, 3620), 6007, 1),
        ((92, 3617, 3621), 6007, 2),
        ((72, 91, 3615), 6007, 3),
        ((61, 1001, 2010, 2025, 2004, 2009, 2024), 7001, 1),
        ((2001, 2006, 2011, 2021, 2031), 7001, 2),
        ((62, 1002, 2003, 2015, 2026), 7001, 3),
        ((18, 19, 20, 4003, 3608, 3784), 2004, 1),
        ((2028, 2030, 4008, 34, 22), 2004, 2),
        ((21, 221, 4002), 2004, 3),
        ((7853, 9207, 424242), 6003, 99),
    ],
)
def test_types_are_routed_to_their_class(
    activity: Any, as_event: Any, kinds: tuple[int, ...], class_uid: int, activity_id: int
) -> None:
    for kind in kinds:
        event = as_event(activity(kind, {}))
        assert (event["class_uid"], event["activity_id"]) == (class_uid, activity_id), kind
