"""What an activity says: direction, who acted on whom, and every part that rules read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinelone_collector.normalize.record import Context

NORTHWIND = {"uid": "1480000000000000001", "name": "Northwind"}
ON, OFF, UNKNOWN = "direction:on", "direction:off", "direction:unknown"


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (True, ON),
        ("true", ON),
        ("Enabled", ON),
        (1, ON),
        (False, OFF),
        ("false", OFF),
        ("disabled", OFF),
        (0, OFF),
        (None, UNKNOWN),
        ("null", UNKNOWN),
        ("not inherited", UNKNOWN),
        ("", UNKNOWN),
        (7, UNKNOWN),
        ({"a": 1}, UNKNOWN),
        ([True], UNKNOWN),
    ],
)
def test_direction_decides_between_on_off_and_update(activity: Any, as_event: Any, value: Any, label: str) -> None:
    activities = {ON: (8, 10), OFF: (9, 11), UNKNOWN: (3, 99)}[label]
    for kind, field, activity_id in ((76, "newValue", activities[0]), (67, "newValue", activities[1])):
        event = as_event(activity(kind, {field: value, "username": "a", "byUser": "b"}))
        assert event["activity_id"] == activity_id
        assert event["metadata"]["labels"] == [label]


@pytest.mark.parametrize(
    ("kind", "data", "activity_id"),
    [
        (76, {"policyEnabled": "true"}, 8),
        (76, {"newValue": None, "policyEnabled": False}, 9),
        (76, {"newValue": True, "policyEnabled": False}, 8),
        (76, {"NEWVALUE": False}, 9),
        (42, {"globalTwoFaEnabled": False}, 9),
        (40, {"cloudIntelligenceOn": True}, 8),
        (3603, {"oldStatus": "Draft", "newStatus": "Active"}, 8),
        (3603, {"Status": "Disabled"}, 9),
        (3603, {"newStatus": "Draft"}, 3),
        (44, {}, 8),
        (45, {}, 9),
        (145, {}, 10),
        (146, {}, 11),
    ],
)
def test_direction_fields_of_single_types(
    activity: Any, as_event: Any, kind: int, data: dict[str, Any], activity_id: int
) -> None:
    assert as_event(activity(kind, data))["activity_id"] == activity_id


def test_words_of_the_description_decide_nothing(activity: Any, as_event: Any) -> None:
    text = "The management user A disabled two-factor authentication"
    event = as_event(activity(67, {"username": "a"}, primaryDescription=text, description=text))
    assert (event["activity_id"], event["metadata"]["labels"]) == (99, [UNKNOWN])


def test_the_one_who_acts_and_the_one_acted_on_stay_apart(activity: Any, as_event: Any) -> None:
    event = as_event(activity(25, {"byUser": "Grace Hopper", "username": "ada@example.com", "role": "Viewer"}))
    assert event["actor"]["user"] == {"name": "Grace Hopper", "uid": "1480000000000000777"}
    assert event["user"] == {
        "name": "ada@example.com",
        "email_addr": "ada@example.com",
        "type_id": 99,
        "type": "Viewer",
        "org": NORTHWIND,
    }


def test_an_address_of_mail_beside_the_name_is_the_users_and_is_observed(activity: Any, as_event: Any) -> None:
    data = {"byUser": "Grace Hopper", "username": "Ada", "recoveryEmail": "ada@example.com"}
    event = as_event(activity(25, data))
    assert (event["user"]["name"], event["user"]["email_addr"]) == ("Ada", "ada@example.com")
    observed = {entry["name"]: entry["value"] for entry in event["observables"]}
    assert observed["user.email_addr"] == "ada@example.com"
    own = as_event(activity(25, {**data, "email": "ada.lovelace@example.com"}))
    assert own["user"]["email_addr"] == "ada.lovelace@example.com"


def test_without_by_user_the_user_acts_on_his_own_account(activity: Any, as_event: Any) -> None:
    event = as_event(activity(3711, {"username": "Grace Hopper"}))
    expected = {"name": "Grace Hopper", "uid": "1480000000000000777"}
    assert event["actor"]["user"] == expected
    assert event["user"] == {**expected, "org": NORTHWIND}


def test_a_user_nobody_names_is_not_the_actor(activity: Any, as_event: Any) -> None:
    event = as_event(activity(23, None))
    assert event["actor"]["user"] == {"uid": "1480000000000000777"}
    assert event["user"] == {"name": "unknown", "org": NORTHWIND}


@pytest.mark.parametrize(
    ("kind", "data", "fields", "app"),
    [
        (102, {"username": "ada"}, {}, "SentinelOne Management Console"),
        (103, {"username": "ada"}, {}, "SentinelOne Management Console"),
        (71, {"system": True, "username": None}, {"agentId": "1"}, "SentinelOne Management Console"),
        (71, {"system": "true", "username": "x"}, {"agentId": "1"}, "SentinelOne Management Console"),
        (5009, {"username": None}, {"agentId": "1"}, "SentinelOne Management Console"),
        (3606, {"ruleName": "r"}, {}, "SentinelOne Management Console"),
        (3006, {"username": "unknown"}, {"hash": "ab"}, "SentinelOne Cloud"),
        (2001, {}, {"agentId": "1"}, "SentinelOne Agent"),
    ],
)
def test_what_no_user_did(
    activity: Any, as_event: Any, *, kind: int, data: dict[str, Any], fields: dict[str, Any], app: str
) -> None:
    actor = as_event(activity(kind, data, **fields))["actor"]
    assert actor["app_name"] == app
    assert "user" not in actor


def test_a_user_who_starts_a_scan_is_its_actor(activity: Any, as_event: Any) -> None:
    actor = as_event(activity(71, {"system": False, "username": "ada"}, agentId="1"))["actor"]
    assert actor == {"user": {"name": "ada", "uid": "1480000000000000777"}}


def test_detections_accuse_nobody(activity: Any, as_event: Any) -> None:
    for kind in (3608, 3784, 18, 19, 20, 4003):
        assert "actor" not in as_event(activity(kind, {"username": "ada"}, agentId="1"))


def test_a_login(activity: Any, as_event: Any) -> None:
    data = {"username": "Ada", "role": "Admin", "ipAddress": "192.0.2.10, 2001:db8::1"}
    event = as_event(activity(27, data))
    assert event["user"] == {**event["actor"]["user"], "org": NORTHWIND}
    assert event["actor"]["user"] == {"name": "Ada", "uid": "1480000000000000777", "type_id": 2, "type": "Admin"}
    assert event["service"]["name"] == "SentinelOne Management Console"
    assert event["src_endpoint"]["ip"] == "192.0.2.10"
    assert [o["value"] for o in event["observables"] if o["type_id"] == 2] == ["192.0.2.10", "2001:db8::1"]
    assert (event["status_id"], event["status"]) == (1, "Success")


def test_a_failed_login_says_why(activity: Any, as_event: Any) -> None:
    event = as_event(activity(133, {"username": "Ada", "reason": "x"}, comments="invalid 2FA code"))
    assert (event["status_id"], event["status_detail"]) == (2, "invalid 2FA code")
    assert as_event(activity(133, {"username": "Ada", "reason": "x"}))["status_detail"] == "x"


def test_an_unknown_user_keeps_the_name_as_typed(activity: Any, as_event: Any) -> None:
    event = as_event(activity(134, {"username": " root\u0000'--"}, userId=None))
    assert event["user"] == {"name": " root\u0000'--", "org": NORTHWIND}


def test_a_raised_role_is_a_privilege_a_new_name_is_none(activity: Any, as_event: Any) -> None:
    data = {"byUser": "a", "username": "b", "oldRole": "Viewer", "role": "Admin", "scopeLevelName": "Northwind"}
    raised = as_event(activity(24, data))
    assert (raised["class_uid"], raised["activity_id"], raised["privileges"]) == (3005, 1, ["Admin@Northwind"])
    for same in ({"oldRole": "Admin"}, {"oldRole": None}, {"role": None}):
        event = as_event(activity(24, data | same))
        assert (event["class_uid"], event["activity_id"]) == (3001, 99)
        assert event["activity_name"] == "User Modified"
        assert "privileges" not in event


def test_the_role_is_that_of_the_one_acted_on_or_else_of_the_actor(activity: Any, as_event: Any) -> None:
    on_another = as_event(activity(67, {"byUser": "a", "username": "b", "role": "Viewer", "newValue": True}))
    assert ("type" in on_another["actor"]["user"], on_another["user"]["type"]) == (False, "Viewer")
    on_a_policy = as_event(activity(76, {"username": "a", "role": "Admin", "newValue": True}))
    assert on_a_policy["actor"]["user"]["type"] == "Admin"


def test_service_users_are_services(activity: Any, as_event: Any) -> None:
    user = as_event(activity(140, {"byUser": "a", "username": "svc", "role": "Admin"}))["user"]
    assert (user["type_id"], user["type"]) == (4, "Service")


@pytest.mark.parametrize(
    ("kind", "data", "fields", "entity"),
    [
        (
            76,
            {"policyName": "Servers", "policy": {"id": 9007199254740993}},
            {},
            ("Policy", "Servers", "9007199254740993"),
        ),
        (76, {}, {}, ("Policy", "Northwind", None)),
        (42, {}, {}, ("Policy", "Two-factor authentication", None)),
        (107, {"roleName": "Helpdesk"}, {}, ("Role", "Helpdesk", None)),
        (3008, {"value": "C:\\Temp\\*"}, {}, ("Exclusion", "C:\\Temp\\*", None)),
        (3006, {}, {"hash": "abcd"}, ("Blocklist", "abcd", None)),
        (3601, {"rulename": "R", "ruleid": 5}, {}, ("Detection Rule", "R", "5")),
        (5020, {"siteName": "Berlin"}, {"siteId": "3"}, ("Site", "Berlin", "3")),
        (5040, {}, {}, ("Account", "Northwind", "1480000000000000001")),
        (5006, {"groupName": "Servers"}, {"groupId": "4"}, ("Group", "Servers", "4")),
        (5009, {"computerName": "host"}, {"agentId": "8"}, ("Device", "host", "8")),
        (107, {"scopeName": None}, {}, ("Role", "User Created RBAC Role", None)),
    ],
)
def test_entities_are_named(
    activity: Any,
    as_event: Any,
    *,
    kind: int,
    data: dict[str, Any],
    fields: dict[str, Any],
    entity: tuple[str, str, str | None],
) -> None:
    found = as_event(activity(kind, data, **fields))["entity"]
    assert (found["type"], found["name"], found.get("uid")) == entity


def test_the_endpoint_and_its_place(activity: Any, as_event: Any) -> None:
    data = {"computerName": "srv-1", "uuid": "u", "externalIp": "198.51.100.4", "siteName": "Berlin"}
    device = as_event(activity(2001, data, agentId="8", siteId="3", groupId="4", osFamily="linux"))["device"]
    assert device == {
        "uid": "8",
        "uid_alt": "u",
        "hostname": "srv-1",
        "ip": "198.51.100.4",
        "type_id": 0,
        "type": "Unknown",
        "os": {"name": "linux", "type_id": 200, "type": "Linux"},
        "org": {"uid": "1480000000000000001", "name": "Northwind", "ou_uid": "3", "ou_name": "Berlin"},
        "groups": [{"uid": "4"}],
    }


@pytest.mark.parametrize("address", ["unknown", "1a2b3c4", "10.0.0.1:443", "fe80::1%eth0", "", None, 7, ["192.0.2.1"]])
def test_what_is_no_address_is_not_written_as_one(activity: Any, as_event: Any, problems: Any, address: Any) -> None:
    event = as_event(activity(27, {"username": "a", "ipAddress": address, "externalIp": address}, agentId="1"))
    assert "src_endpoint" not in event
    assert "ip" not in event["device"]
    assert problems(event) == []


@pytest.mark.parametrize("name", ["unknown", "a@b", "ä@example.com", "a b@example.com"])
def test_what_is_no_address_of_mail_is_a_name_only(activity: Any, as_event: Any, name: str) -> None:
    user = as_event(activity(27, {"username": name}))["user"]
    assert user == {"name": name, "uid": "1480000000000000777", "org": NORTHWIND}


@pytest.mark.parametrize(
    ("kind", "status"), [(2001, (1, "Success")), (2006, (2, "Failure")), (2031, (99, "Pending Reboot"))]
)
def test_mitigation_tells_command_and_result(activity: Any, as_event: Any, kind: int, status: tuple[int, str]) -> None:
    event = as_event(activity(kind, {}, threatId="77", agentId="8"))
    assert event["command_uid"] == "77:kill"
    assert (event["status_id"], event["status"]) == status


def test_an_alert_of_a_detection_rule(activity: Any, as_event: Any, problems: Any) -> None:
    data = {
        "alertid": 2310000000000000002,
        "rulename": "No macros",
        "ruleid": 2310000000000000001,
        "severity": "E_CRITICAL",
        "detectedat": 1795341600123,
        "origagentname": "host-1",
        "origagentmachinetype": "laptop",
        "sourceprocessname": "powershell.exe",
        "sourceprocesspid": 4242,
        "sourceprocesscommandline": "powershell -enc AAAA",
        "sourceprocesssha1": "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33",
        "sourceprocessmd5": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sourceparentprocesspid": 7,
        "dstip": "203.0.113.9",
        "dstport": 0,
    }
    event = as_event(activity(3608, data, agentId="8"))
    assert problems(event) == []
    assert event["finding_info"]["uid"] == "2310000000000000002"
    assert event["finding_info"]["analytic"]["uid"] == "2310000000000000001"
    assert (event["severity_id"], event["severity"]) == (5, "Critical")
    assert event["device"]["type"] == "Laptop"
    [evidence] = event["evidences"]
    assert evidence["process"]["cmd_line"] == "powershell -enc AAAA"
    assert [found["algorithm"] for found in evidence["process"]["file"]["hashes"]] == ["SHA-1"]
    assert evidence["process"]["parent_process"] == {"pid": 7}
    assert evidence["dst_endpoint"] == {"ip": "203.0.113.9"}


@pytest.mark.parametrize(("word", "severity"), [("E_LOW", 2), ("high", 4), ("weird", 0), (None, 0), (3, 0)])
def test_severity_of_an_alert(activity: Any, as_event: Any, word: Any, severity: int) -> None:
    assert as_event(activity(3784, {"severity": word}))["severity_id"] == severity


def test_activities_of_one_threat_share_the_finding(activity: Any, as_event: Any) -> None:
    events = [as_event(activity(kind, {"filePath": "C:\\x\\a.exe"}, threatId="77")) for kind in (19, 2028, 21)]
    assert [event["finding_info"]["uid"] for event in events] == ["77"] * 3
    assert [event["severity_id"] for event in events] == [5, 1, 1]
    assert events[0]["evidences"][0]["file"]["name"] == "a.exe"


@pytest.mark.parametrize(
    ("data", "fields", "title"),
    [
        ({"threatName": "a.exe", "fileDisplayName": "b.exe"}, {}, "a.exe"),
        ({"fileDisplayName": "b.exe"}, {}, "b.exe"),
        ({}, {}, "What happened, as the console words it."),
        ({}, {"primaryDescription": None}, "Threat"),
    ],
)
def test_a_threat_without_a_name_is_called_by_what_happened(
    activity: Any, as_event: Any, data: dict[str, Any], fields: dict[str, Any], title: str
) -> None:
    assert as_event(activity(19, data, threatId="77", **fields))["finding_info"]["title"] == title


@pytest.mark.parametrize(("title", "status"), [("Resolved", 4), ("In progress", 2), ("Unresolved", 1)])
def test_incident_status_of_a_threat(activity: Any, as_event: Any, title: str, status: int) -> None:
    event = as_event(activity(2028, {"newIncidentStatusTitle": title}, threatId="77"))
    assert event["status_id"] == status


def test_data_stays_readable_under_vendor_names_with_exact_integers(activity: Any, as_event: Any) -> None:
    data = {"newValue": None, "scopeId": 9007199254740993, "Odd Key": [1, {"x": None}], "big": 2**80}
    event = as_event(activity(76, data, comments="why"))
    for name, value in data.items():
        assert event["unmapped"]["data"][name] == value
    assert event["unmapped"]["comments"] == "why"
    assert "createdAt" not in event["unmapped"]


def test_secrets_are_masked_but_not_what_only_sounds_like_one(activity: Any, as_event: Any) -> None:
    data = {
        "registrationToken": "eyJ0",
        "nested": [{"Pass_Phrase": "correct horse"}],
        "passwordExpired": True,
        "tokenName": "ci",
        "apiToken": None,
    }
    unmapped = as_event(activity(112, data, licenseKey="k"))["unmapped"]
    assert unmapped["licenseKey"] == "***"
    assert {name: unmapped["data"][name] for name in data} == {
        "registrationToken": "***",
        "nested": [{"Pass_Phrase": "***"}],
        "passwordExpired": True,
        "tokenName": "ci",
        "apiToken": None,
    }


def test_key_case_does_not_matter_and_the_first_value_wins(activity: Any, as_event: Any) -> None:
    assert as_event(activity(27, {"USERNAME": "ada"}))["user"]["name"] == "ada"
    assert as_event(activity(27, {"userName": "", "username": "ada"}))["user"]["name"] == "ada"
    assert as_event(activity(27, {"userName": "ada", "username": "bob"}))["user"]["name"] == "ada"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"primaryDescription": "P", "description": "D"}, "P"),
        ({"primaryDescription": None, "description": "D"}, "D"),
        (
            {
                "primaryDescription": "",
                "description": "<ManagementUser at 0x7f00ab with id=1, email='a@example.com', user_scope='site'>",
            },
            "User Added",
        ),
        ({"primaryDescription": None}, "User Added"),
    ],
)
def test_message(activity: Any, as_event: Any, fields: dict[str, Any], message: str) -> None:
    assert as_event(activity(23, {"username": "a"}, **fields))["message"] == message


@pytest.mark.parametrize(
    ("created", "time"),
    [
        ("2026-11-22T10:07:01.250999Z", 1795342021250),
        ("2026-11-22T10:07:01Z", 1795342021000),
        ("2026-11-22T11:07:01.25+01:00", 1795342021250),
        ("2026-11-22T10:07:01.250999", 1795342021250),
        (1795342021250, 1795342021250),
    ],
)
def test_time_is_cut_to_milliseconds(activity: Any, as_event: Any, created: Any, time: int) -> None:
    assert as_event(activity(27, createdAt=created))["time"] == time


@pytest.mark.parametrize("created", [None, "", "soon", "2185-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z", {}])
def test_without_a_readable_time_the_id_tells_it(activity: Any, as_event: Any, created: Any) -> None:
    moment = 1795342021250
    record_id = str((moment - 1483228800000) << 23 | 5)
    assert as_event(activity(27, createdAt=created, id=record_id))["time"] == moment


def test_a_record_without_id_is_named_by_its_bytes(activity: Any, as_event: Any) -> None:
    first, other = activity(27, id=None), activity(27, {"x": 1}, id=None)
    assert as_event(first) == as_event(first)
    assert as_event(first)["metadata"]["uid"] != as_event(other)["metadata"]["uid"]
    assert as_event(first)["metadata"]["original_event_uid"].startswith("sha256:")


def test_versions_of_a_record_have_ids_of_their_own() -> None:
    context = Context("console.example.com", "threats")
    assert context.uid("1") != context.uid("1", "2026-11-22T10:00:00Z") != context.uid("1", "2026-11-22T10:00:01Z")


def test_origin_of_an_event(activity: Any, as_event: Any) -> None:
    record = activity(27, {"username": "a"})
    line = json.dumps(record, indent=None, separators=(" , ", " : ")).encode()
    event = as_event(line)
    assert event["raw_data"].encode() == line
    assert event["metadata"] == {
        "version": "1.8.0",
        "uid": event["metadata"]["uid"],
        "original_event_uid": record["id"],
        "event_code": "27",
        "log_name": "activities",
        "log_provider": "SentinelOne",
        "tenant_uid": "1480000000000000001",
        "original_time": "2026-11-22T10:07:01.250999Z",
        "profiles": ["host"],
        "product": {"name": "SentinelOne", "vendor_name": "SentinelOne"},
    }
