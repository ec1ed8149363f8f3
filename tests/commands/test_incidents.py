"""`s1c incidents`: an incident's life in the hands of a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Desk, hours, iso


@pytest.fixture
def incident(desk: Desk) -> str:
    desk.add()
    desk.run("collect", "emea", *hours(2, 3))
    found = desk.run("incidents", "list", "--rule", "ul-003", "--json").json
    assert len(found) == 1
    return str(found[0]["id"])


def test_a_burst_of_failed_logins_is_listed_and_shown(desk: Desk, incident: str) -> None:
    for arguments in (["--family", "user_login_ad"], ["--level", "medium"], ["--instance", "emea"], hours(2, 3)):
        rows = desk.run("incidents", "list", *arguments, "--json").json
        assert incident in {row["id"] for row in rows}
    for arguments in (["--family", "endpoint"], ["--level", "critical"], ["--instance", "apac"], hours(5, 6)):
        rows = desk.run("incidents", "list", *arguments, "--json").json
        assert incident not in {row["id"] for row in rows}
    for arguments in (["--classification", "brute-force"], ["--kind", "correlation"], ["--technique", "T1110.001"]):
        rows = desk.run("incidents", "list", *arguments, "--sort", "first_seen", "--ascending", "--json").json
        assert incident in {row["id"] for row in rows}
        assert [row["first_seen"] for row in rows] == sorted(row["first_seen"] for row in rows)
    only = desk.run("incidents", "list", "--text", f'Incident ID = "{incident}"', "--json").json
    assert [row["id"] for row in only] == [incident]
    assert only[0]["account"]
    assert desk.run("incidents", "list", "--account", "no such account", "--json").json == []
    shown = desk.run("incidents", "show", incident[:6], "--json").json
    assert shown["id"] == incident
    assert shown["count"] == len(shown["hits"]) > 0
    assert {hit["instance"] for hit in shown["hits"]} == {"emea"}
    words = desk.run("incidents", "list")
    assert incident[:6] in words.out
    assert "open" in words.err
    assert shown["summary"][:40] in desk.run("incidents", "show", incident).out


def test_closing_snoozing_reopening_and_notes_are_kept(desk: Desk, incident: str) -> None:
    def status() -> str:
        return str(desk.run("incidents", "show", incident, "--json").json["status"])

    until = iso(datetime.now(UTC) + timedelta(hours=2))
    assert desk.run("incidents", "snooze", incident, "--until", until, "--json").json["status"] == "snoozed"
    assert [row["id"] for row in desk.run("incidents", "list", "--status", "snoozed", "--json").json] == [incident]
    assert desk.run("incidents", "reopen", incident, "--json").json["status"] == "open"
    closed = desk.run("incidents", "close", incident, "--reason", "threat_not_valid", "--note", "a test", "--json").json
    assert (closed["status"], closed["status_reason"]) == ("closed", "threat_not_valid")
    noted = desk.run("incidents", "note", incident, "seen by the night shift", "--json").json
    assert [note["text"] for note in noted["notes"]] == ["a test", "seen by the night shift"]
    assert [line["kind"] for line in noted["history"]][-3:] == ["snoozed", "reopened", "closed"]
    desk.run("collect", "emea", *hours(2, 3), "--reprocess", "tag")
    assert status() == "closed"
    assert "night shift" in desk.run("incidents", "show", incident).out


def test_wrong_ids_reasons_and_times_are_wrong_use(desk: Desk, incident: str) -> None:
    for arguments, words in {
        ("show", "zzz"): "is no incident id",
        ("show", "0000000000"): "no incident has an id",
        ("close", incident, "--reason", "boredom"): "boredom",
        ("snooze", incident, "--until", "2020-01-01"): "is past",
        ("snooze", incident, "--until", "later"): "is no time",
        ("note", incident, "  "): "the note is empty",
        ("list", "--status", "gone"): "gone",
        ("list", "--level", "extreme"): "extreme",
        ("list", "--limit", "0"): "--limit",
        ("list", "--sort", "colour"): "not sorted by",
        ("list", "--text", 'Colour = "red"'): "names no field",
    }.items():
        said = desk.run("incidents", *arguments, "--json", code=2)
        assert words in " ".join(said.err.split())
        assert said.out == ""
    assert desk.run("incidents", "show", incident, "--json").json["status"] == "open"
