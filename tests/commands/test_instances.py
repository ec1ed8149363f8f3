"""`s1c instances`: adding, listing, checking and removing as a person does it."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sentinelone_collector.simulator import Simulator

from .conftest import MIDNIGHT, YESTERDAY, Desk, iso


def test_an_instance_is_added_listed_checked_and_removed(desk: Desk) -> None:
    added = desk.run(
        *("instances", "add", "emea", "--name", "EMEA production", "--every", "15m", "--json"),
        *("--collection-start", iso(MIDNIGHT - timedelta(days=2))),
    )
    path = Path(added.json["file"])
    assert path == Path("include/instances.d/emea.yaml")
    assert path.is_file()
    assert added.json["every"] == "15m"
    assert "AIRFLOW_CONN_SENTINELONE_EMEA" in added.err
    (listed,) = desk.run("instances", "list", "--json").json
    assert listed == {name: value for name, value in added.json.items() if name != "file"}
    assert "EMEA production" in desk.run("instances", "list").out
    checked = desk.run("instances", "check", "emea", "--json").json
    assert checked["ok"] is True
    assert checked["streams"] == {"activities": "ok"}
    assert checked["days_left"] > 300
    removed = desk.run("instances", "remove", "emea", "--yes", "--json").json
    assert removed["removed"] is True
    assert not path.exists()
    assert desk.run("instances", "list", "--json").json == []


def test_removing_asks_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add()
    with (desk.folder / "no").open("w+") as answer:
        answer.write("n\n")
        answer.seek(0)
        monkeypatch.setattr(sys, "stdin", answer)
        desk.run("instances", "remove", "emea", code=1)
    assert [row["slug"] for row in desk.run("instances", "list", "--json").json] == ["emea"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Emea"], "is no slug"),
        (["../emea"], "is no slug"),
        (["e"], "is no slug"),
        (["emea", "--every", "7m"], "does not divide a day"),
        (["emea", "--every", "often"], "is no duration"),
        (["emea", "--settle", "9d"], "settle"),
        (["emea", "--live-since", "yesterday"], "is no time"),
        (["emea", "--live-since", "2999-01-01T00:00:00Z"], "lies in the future"),
        (["emea", "--collection-start", "2999-01-01T00:00:00Z"], "lies in the future"),
        (["emea", "--live-since", "2026-03-01T00:00:00Z", "--collection-start", "2026-01-20T00:00:00Z"], "30 days"),
        (["emea", "--stream", "dreams"], "no such stream"),
        (["emea", "--connection-id", "no spaces please"], "connection_id"),
        ([], "Missing argument"),
        (["emea", "--colour", "blue"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_can_not_be_registered_is_refused_in_words(desk: Desk, arguments: list[str], words: str) -> None:
    said = desk.run("instances", "add", *arguments, code=2)
    assert words in " ".join(said.err.split())
    assert said.out == ""
    assert not list(desk.folder.rglob("*.yaml*"))


def test_an_instance_is_never_replaced(desk: Desk) -> None:
    desk.add()
    before = (desk.folder / "include/instances.d/emea.yaml").read_bytes()
    said = desk.run("instances", "add", "emea", "--every", "5m", code=2)
    assert "exists already" in said.err
    assert (desk.folder / "include/instances.d/emea.yaml").read_bytes() == before


def test_a_folder_that_is_none_is_named(desk: Desk) -> None:
    (desk.folder / "taken").write_text("a file")
    desk.set("S1C_INSTANCES", "taken/instances.d")
    assert "S1C_INSTANCES" in desk.run("instances", "add", "emea", code=2).err


def test_a_bad_file_is_named_and_hides_no_other(desk: Desk) -> None:
    desk.add()
    bad = desk.folder / "include/instances.d/apac.yaml"
    bad.write_text(f"name: APAC\nlive_since: {iso(YESTERDAY)}\nfavourite: blue\n")
    said = desk.run("instances", "list", "--json", code=1)
    assert [row["slug"] for row in said.json] == ["emea"]
    assert "apac.yaml:3" in said.err
    assert "favourite" in said.err
    assert "apac.yaml:3" in desk.run("instances", "check", "apac", code=2).err


def test_the_host_of_a_connection_is_checked(desk: Desk) -> None:
    desk.add()
    for host, words in {
        "http://console.example": "plain http",
        "https://console.example/web": "without path",
        "https://me@console.example": "user name",
    }.items():
        desk.connect(host)
        assert words in desk.run("instances", "check", "emea", code=2).err


def test_a_check_says_what_a_person_has_to_do(desk: Desk, console: Simulator) -> None:
    desk.add()
    desk.connect(console.url, token="eyJnot0the0right0one")
    said = desk.run("instances", "check", "emea", "--json", code=1)
    assert said.json["ok"] is False
    assert "token is not accepted" in said.err
    assert "not0the0right" not in said.out + said.err


def test_a_missing_permission_is_named(desk: Desk, console: Simulator) -> None:
    desk.add()
    console.set_faults("403-stream")
    try:
        said = desk.run("instances", "check", "emea", "--json", code=1)
    finally:
        console.clear_faults()
    assert said.json["streams"] == {"activities": "no permission (needs Activity Page.view)"}
    assert "Activity Page.view" in said.err


@pytest.mark.parametrize("slug", ["../victim", "apac", "A"])
def test_only_a_registered_instance_is_removed(desk: Desk, slug: str) -> None:
    desk.add()
    victim = desk.folder / "include/victim.yaml"
    victim.write_text("not ours")
    assert slug in desk.run("instances", "remove", slug, "--yes", code=2).err
    assert victim.exists()


def test_without_a_connection_the_variable_is_named(desk: Desk) -> None:
    desk.add("apac")
    assert "AIRFLOW_CONN_SENTINELONE_APAC" in desk.run("instances", "check", "apac", code=2).err
