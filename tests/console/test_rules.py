"""Rules: the catalogue and its matrix, one rule, what an instance makes of it, and backtests."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.console.conftest import HOSTILE, NOW, ZERO, Console, event, put_events
from typer.testing import CliRunner

from sentinelone_collector.cli import app as cli
from sentinelone_collector.console import backtesting
from sentinelone_collector.console.attack import TACTICS, matrix_of, technique_of
from sentinelone_collector.console.backtesting import Step, Tally, lines
from sentinelone_collector.console.catalogue import ruleset_of
from sentinelone_collector.detect import Backtest, backtest
from sentinelone_collector.errors import LakeError

API = "/api/rules"
DAY = {"start": "2026-11-22", "end": "2026-11-23"}


def settings_of(console: Console, slug: str = "emea") -> dict[str, Any]:
    text = (console.site.settings.instances / f"{slug}.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["rules"]
    return found


def run(console: Console, rule: str, **form: Any) -> list[dict[str, Any]]:
    answer = console.as_("user").post(f"{API}/{rule}/backtest", json={**DAY, **form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-encoding"] == "identity", "Airflow would compress it and hold the progress back"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_the_catalogue_holds_every_rule_of_the_command(console: Console) -> None:
    answer = console.as_("viewer").get(API).json()
    known = ruleset_of(console.site).incident_rules
    assert {row["id"] for row in answer["rules"]} == {rule.name for rule in known}
    assert answer["problems"] == []
    page = console.as_("viewer").get("/rules").text
    for rule in known:
        assert f'/rules/{rule.name}"' in page, rule.name
    chosen = (
        console.as_("viewer").get(API, params={"technique": "T1110.001", "family": "user_login_ad"}).json()["rules"]
    )
    assert chosen
    assert all("T1110.001" in row["attacks"] and row["family"] == "user_login_ad" for row in chosen)
    narrowed = console.as_("viewer").get("/rules", params={"technique": "T1110.001"}).text
    assert f"{len([r for r in known if 'T1110.001' in r.attacks])} of {len(known)} rules" in narrowed
    assert "No rule is like that" in console.as_("viewer").get("/rules", params={"text": "nothing like it"}).text


def test_every_technique_of_the_rules_has_a_name_and_its_tactics(console: Console) -> None:
    rules = ruleset_of(console.site).incident_rules
    for name in {name for rule in rules for name in rule.attacks}:
        technique = technique_of(name)
        assert technique.name, f"{name} is missing in attack_table.csv"
        assert set(technique.tactics) <= set(TACTICS)
        assert technique.tactics
    columns = matrix_of(rules)
    assert [column.tactic for column in columns] == list(TACTICS)
    shown = {(cell.technique.id, rule) for column in columns for cell in column.cells for rule in cell.rules}
    assert shown == {(name, rule.name) for rule in rules for name in rule.attacks}


def test_a_technique_that_is_not_in_the_table_stands_apart(console: Console) -> None:
    rule = ruleset_of(console.site).get("aa-005")
    column = matrix_of([replace(rule, attacks=("T9999",))])[-1]
    assert (column.title, [cell.technique.id for cell in column.cells]) == ("Other", ["T9999"])


def test_a_rule_shows_all_that_its_file_says(worked: Console) -> None:
    text = worked.as_("viewer").get("/rules/ul-003").text
    for words in (
        "Ten failed logins of one console user within ten minutes.",
        "Many failures in a short time are guesses of a password.",
        "Check whether a login succeeded after the failures",
        "A saved password that was not changed with the account.",
        "Brute Force: Password Guessing",
        "x-repeat: 9",
        "base-ul-003",
        "1 in incidents",
    ):
        assert words in text, words
    assert "data-api" not in text, "a viewer changes nothing"
    assert 'id="backtest"' not in text
    shown = worked.as_("viewer").get(f"{API}/UL-003").json()
    assert shown["document"]["correlation"]["timespan"] == "10m"
    assert worked.as_("viewer").get("/rules/base-ul-003").status_code == 404
    assert worked.as_("viewer").get("/rules/nothing").status_code == 404


def test_hits_over_time_are_those_of_the_incidents(worked: Console) -> None:
    found = worked.as_("viewer").get(f"{API}/aa-005/hits", params={"days": 2}).json()
    assert found == {"rule": "aa-005", "first": "2026-11-21", "last": "2026-11-22", "days": {"2026-11-22": 3}}
    assert worked.as_("viewer").get(f"{API}/ul-001/hits").json()["days"] == {}
    page = worked.as_("viewer").get("/rules/aa-005").text
    assert "<title>2026-11-22: 3 hits</title>" in page
    assert "3 hits of aa-005" in " ".join(worked.as_("viewer").get("/rules").text.split()).replace(
        '<span class="visually-hidden">', ""
    )


def test_samples_run_through_the_engine(console: Console) -> None:
    answer = console.as_("user").post(f"{API}/aa-005/test").json()
    assert answer["passed"] is True
    assert {(each["expected"], each["passed"]) for each in answer["samples"]} == {("hit", True), ("miss", True)}
    assert console.as_("viewer").post(f"{API}/aa-005/test").status_code == 403


def test_a_rule_is_turned_off_and_on_in_the_file_alone(worked: Console) -> None:
    path = f"{API}/aa-005/instances/emea"
    assert worked.as_("op").put(path, json={"enabled": False}).status_code == 200
    assert settings_of(worked)["disable"] == ["aa-005"]
    assert worked.as_("op").put(path, json={"enabled": False}).status_code == 200
    assert settings_of(worked)["disable"] == ["aa-005"], "twice is once"
    rows = [event("d9", ZERO.replace(hour=11, minute=1), "25", actor="zoe", user="zac")]
    put_events(worked.site, worked.site.inventory.get("emea"), rows, [11])
    assert all(each.victim != "zac" for each in worked.site.store.list_incidents(now=NOW))
    page = worked.as_("op").get("/rules", params={"off": "emea"}).text
    assert "1 of" in page
    answer = worked.as_("op").put(path, json={"enabled": True})
    assert answer.status_code == 200
    assert settings_of(worked)["disable"] == []
    put_events(worked.site, worked.site.inventory.get("emea"), rows, [11])
    assert any(each.victim == "zac" for each in worked.site.store.list_incidents(now=NOW))
    log = [(change.user, change.action) for change in worked.site.store.list_changes(target="emea")]
    assert log[::-1] == [("op", "rule aa-005 off"), ("op", "rule aa-005 off"), ("op", "rule aa-005 on")]


def test_a_pattern_that_turns_off_more_is_left_to_people(console: Console) -> None:
    console.register(rules={"disable": ["AA-*"]})
    answer = console.as_("op").put(f"{API}/aa-005/instances/emea", json={"enabled": True})
    assert answer.status_code == 409
    assert "AA-*" in answer.json()["error"]["message"]
    assert settings_of(console)["disable"] == ["AA-*"]
    assert "Turned off by AA-*" in console.as_("op").get("/rules/aa-005").text


def test_allow_entries_come_and_go(worked: Console) -> None:
    path, client = f"{API}/aa-005/instances/emea", worked.as_("op")
    entry = {"who": "ann", "reason": "her job", "expires": "2026-12-31"}
    assert client.post(f"{path}/allow", json=entry).status_code == 200
    assert client.post(f"{path}/allow", json=entry | {"reason": "still her job", "expires": ""}).status_code == 200
    assert settings_of(worked)["allow"] == [{"rule": "aa-005", "who": "ann", "reason": "still her job"}]
    assert "still her job" in client.get("/rules/aa-005").text
    assert run(worked, "aa-005")[-1]["result"]["rows"][0]["hits"] == 2, "backtests keep to the allow list"
    client = worked.as_("op")
    assert client.post(f"{path}/disallow", json={"rule": "aa-005", "who": "ann"}).status_code == 200
    assert settings_of(worked)["allow"] == []
    assert client.post(f"{path}/disallow", json={"rule": "aa-005", "who": "ann"}).status_code == 404


def test_wrong_tuning_is_refused_at_its_field(worked: Console) -> None:
    path, client = f"{API}/aa-005/instances/emea", worked.as_("op")
    before = (worked.site.settings.instances / "emea.yaml").read_text("utf-8")
    entry = {"who": "ann", "reason": "why"}
    for form, field in (
        (entry | {"expires": "soon"}, "expires"),
        (entry | {"expires": "2026-11-21"}, "expires"),
        (entry | {"who": " "}, "who"),
        (entry | {"reason": ""}, "reason"),
        (entry | {"more": 1}, "more"),
    ):
        answer = client.post(f"{path}/allow", json=form)
        assert (answer.status_code, set(answer.json()["error"]["fields"])) == (422, {field}), form
    assert client.put(path, json={"enabled": False, "version": "0" * 64}).status_code == 409
    assert client.put(f"{API}/nothing/instances/emea", json={"enabled": False}).status_code == 404
    assert client.put(f"{API}/aa-005/instances/nowhere", json={"enabled": False}).status_code == 404
    for role in ("viewer", "user"):
        assert worked.as_(role).put(path, json={"enabled": False}).status_code == 403
        assert worked.as_(role).post(f"{path}/allow", json=entry).status_code == 403
        assert worked.as_(role).post(f"{path}/disallow", json={"rule": "x", "who": "y"}).status_code == 403
    assert (worked.site.settings.instances / "emea.yaml").read_text("utf-8") == before
    assert worked.site.store.list_changes() == []


def test_an_allow_entry_is_text_on_the_page(worked: Console) -> None:
    form = {"who": HOSTILE, "reason": HOSTILE}
    assert worked.as_("op").post(f"{API}/aa-005/instances/emea/allow", json=form).status_code == 200
    page = worked.as_("op").get("/rules/aa-005").text
    assert HOSTILE not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_where_the_folder_can_not_be_written_the_file_is_shown(
    worked: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    before = (worked.site.settings.instances / "emea.yaml").read_text("utf-8")
    monkeypatch.setattr(Path, "write_text", refused)
    answer = worked.as_("op").put(f"{API}/aa-005/instances/emea", json={"enabled": False})
    monkeypatch.undo()
    assert answer.status_code == 200
    commit = answer.json()["commit"]
    assert yaml.safe_load(commit["text"])["rules"]["disable"] == ["aa-005"]
    assert Path(commit["path"]).name == "emea.yaml"
    assert (worked.site.settings.instances / "emea.yaml").read_text("utf-8") == before
    [change] = worked.site.store.list_changes(target="emea")
    assert change.action == "rule aa-005 off (to commit)"


def test_a_backtest_counts_what_the_command_counts(worked: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    worked.register("apac", live_since=ZERO, every="1h")
    for name, value in (
        ("S1C_LAKE", worked.site.settings.lake),
        ("S1C_INSTANCES", str(worked.site.settings.instances)),
    ):
        monkeypatch.setitem(os.environ, name, str(value))
    for rule in ("aa-005", "ul-003"):
        shown = run(worked, rule, start="2026-11-21T12:00:00Z")
        told = CliRunner().invoke(
            cli, ["rules", "backtest", rule, "--from", "2026-11-21T12:00:00Z", "--to", DAY["end"], "--json"]
        )
        assert told.exit_code == 0, told.output
        wanted = [{**row, "hits": row["count"]} for row in json.loads(told.stdout)]
        result = shown[-1]["result"]
        assert sorted(result["rows"], key=str) == sorted(
            ({name: row[name] for name in ("instance", "stream", "windows", "hits", "incidents")} for row in wanted),
            key=str,
        )
        assert sum(result["days"].values()) == sum(row["hits"] for row in wanted) > 0
        assert [line["done"] for line in shown] == list(range(5)), "two days of two instances"
        assert {line["total"] for line in shown} == {4}
    assert worked.site.store.list_changes() == []


def test_anomaly_rules_are_shown_and_backtested_with_their_baselines(worked: Console) -> None:
    [row] = run(worked, "ul-009")[-1]["result"]["rows"]
    assert row["windows"] == 3
    assert worked.as_("viewer").get(f"{API}/ul-009").json()["kind"] == "anomaly"
    assert "Anomaly" in worked.as_("viewer").get("/rules/ul-009").text


def test_backtests_keep_to_bounds_and_rights(worked: Console) -> None:
    path = f"{API}/aa-005/backtest"
    for form, field in (
        ({"start": "2026-11-23", "end": "2026-11-22"}, "end"),
        ({"start": "2020-01-01", "end": "2026-11-22"}, "start"),
        ({"start": "x", "end": "2026-11-22"}, "start"),
        ({"start": "", "end": "2026-11-22"}, "start"),
    ):
        answer = worked.as_("op").post(path, json=form)
        assert (answer.status_code, set(answer.json()["error"]["fields"])) == (422, {field}), form
    assert worked.as_("viewer").post(path, json=DAY).status_code == 403
    assert worked.as_("op").post(path, json={**DAY, "instances": ["nowhere"]}).status_code == 404
    assert worked.as_("elsewhere").post(path, json={**DAY, "instances": ["emea"]}).status_code == 404
    assert worked.as_("elsewhere").post(path, json=DAY).status_code == 403
    assert worked.as_("op").post(f"{API}/nothing/backtest", json=DAY).status_code == 404


def _steps(console: Console, number: int) -> list[Step]:
    instance = console.register()
    return [Step(instance, NOW + timedelta(n), NOW + timedelta(n + 1)) for n in range(number)]


def _read(steps: list[Step], work: Any, *, stay: int = 99) -> list[dict[str, Any]]:
    asked = 0

    async def gone() -> bool:
        nonlocal asked
        asked += 1
        return asked > stay

    async def whole() -> list[dict[str, Any]]:
        return [json.loads(line) async for line in lines("aa-005", steps, work, gone)]

    return asyncio.run(whole())


def test_a_backtest_ends_when_its_reader_goes_away(console: Console) -> None:
    ran: list[Step] = []

    def work(step: Step) -> list[Backtest]:
        ran.append(step)
        return []

    steps = _steps(console, 5)
    shown = _read(steps, work, stay=2)
    assert ran == steps[:2]
    assert [line["done"] for line in shown] == [0, 1, 2]
    assert _read(steps, work)[-1]["result"]["rows"] == [], "its place is free again"


def test_a_backtest_that_fails_says_why_and_gives_its_place_back(console: Console) -> None:
    def work(_: Step) -> list[Backtest]:
        raise LakeError("the lake is away")

    steps = _steps(console, 2)
    for _ in range(3):
        assert _read(steps, work)[-1] == {"error": "the lake is away"}
    assert "result" in _read(steps, lambda _: [])[-1]


def test_a_third_backtest_is_refused_while_two_run(console: Console) -> None:
    [step] = _steps(console, 1)
    answers: list[dict[str, Any]] = []

    def second(_: Step) -> list[Backtest]:
        answers.extend(_read([step], lambda _: []))
        return []

    def first(_: Step) -> list[Backtest]:
        assert "result" in _read([step], second)[-1]
        return []

    assert "result" in _read([step], first)[-1]
    [answer] = answers
    assert "Two backtests are running already" in answer["error"]


def test_too_many_hits_end_a_backtest_with_advice(worked: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtesting, "_MOST_HITS", 2)
    assert "choose a shorter range" in run(worked, "aa-005")[-1]["error"]
    monkeypatch.setattr(backtesting, "_MOST_HITS", 3)
    assert "result" in run(worked, "aa-005")[-1]


def test_steps_add_up_to_one_backtest_over_the_whole_range(worked: Console) -> None:
    site, instance = worked.site, worked.site.inventory.get("emea")
    ruleset = ruleset_of(site)
    [whole] = backtest("aa-005", [instance], ZERO, NOW, lake=site.lake, ruleset=ruleset)
    tally = Tally("aa-005")
    for hour in range(12):
        start = ZERO + timedelta(hours=hour)
        tally.add(backtest("aa-005", [instance], start, start + timedelta(hours=1), lake=site.lake, ruleset=ruleset))
        tally.add([])
    [row] = tally.to_dict()["rows"]
    assert (row["windows"], row["hits"], row["incidents"]) == (whole.windows, len(whole.hits), whole.incidents)
    assert tally.to_dict()["days"] == {"2026-11-22": len(whole.hits)}
    assert {hit["hit_id"] for hit in tally.to_dict()["latest"]} == {hit.hit_id for hit in whole.hits}


def test_own_rules_are_read_anew_when_a_file_changes(worked: Console, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    site = replace(worked.site, settings=replace(worked.site.settings, rules=folder))
    assert "own-rule" not in ruleset_of(site).by_name
    source = ruleset_of(worked.site).get("aa-005").path.read_text("utf-8")
    own = source.replace("name: aa-005", "name: own-rule").replace("35b46631", "35b46632")
    (folder / "own.yaml").write_text(own, "utf-8")
    assert "own-rule" in ruleset_of(site).by_name
    (folder / "own.yaml").write_text("title: broken", "utf-8")
    assert "own-rule" not in ruleset_of(site).by_name
    assert ruleset_of(site).problems
    assert ruleset_of(site) is ruleset_of(site)
