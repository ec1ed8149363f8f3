"""`s1c rules`: the catalogue, its samples, and what a rule would have found."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinelone_collector import detect
from sentinelone_collector.rules import BUILT_IN

from .conftest import Desk, hours

_BROKEN = "title: Broken\nname: own-001\ndetection:\n  sel:\n    no.such.field: 1\n  condition: sel\n"


@pytest.fixture
def rules(desk: Desk) -> Path:
    folder = desk.folder / "rules"
    folder.mkdir()
    desk.set("S1C_RULES", str(folder))
    return folder


def _own(desk: Desk, **changes: str) -> str:
    text = desk.run("rules", "show", "aa-010").out
    for old, new in {"aa-010": "own-010", "fcb52c67": "0cb52c67", **changes}.items():
        assert old in text
        text = text.replace(old, new)
    return text


def test_the_catalogue_is_listed_and_shown(desk: Desk) -> None:
    rows = desk.run("rules", "list", "--json").json
    assert len(rows) >= 20
    assert {"aa-010", "ul-003"} <= {row["id"] for row in rows}
    logins = desk.run("rules", "list", "--family", "user_login_ad", "--json").json
    assert {row["family"] for row in logins} == {"user_login_ad"}
    assert {row["id"] for row in logins} == {row["id"] for row in rows if row["family"] == "user_login_ad"}
    shown = desk.run("rules", "show", "aa-010", "--json").json
    assert shown["document"]["title"] == "2FA disabled"
    assert desk.run("rules", "show", "aa-010").out == Path(shown["file"]).read_text()
    assert "aa-010" in desk.run("rules", "list").out


def test_one_rule_or_all_are_tested_with_their_samples(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = desk.run("rules", "test", "aa-010", "--json").json
    assert one["passed"] is True
    assert len(one["samples"]) >= 4
    # that the samples of every built-in rule pass is tested with the rules; here a family of them is all there is
    family = detect.loading.load_ruleset(BUILT_IN / "administrative_actions")
    monkeypatch.setattr(detect, "load_ruleset", lambda *_, **__: family)
    every = desk.run("rules", "test", "--json").json
    assert all(result["passed"] for result in every)
    assert {result["rule"] for result in every} == {rule.name for rule in family if rule.spec is not None}
    assert len(every) >= 20


def test_a_rule_whose_samples_fail_is_an_error(desk: Desk, rules: Path) -> None:
    (rules / "own.yaml").write_text(
        _own(desk, **{'selection:\n    metadata.event_code: "67"': 'selection:\n    metadata.event_code: "68"'})
    )
    said = desk.run("rules", "test", "own-010", "--json", code=1)
    assert [result["passed"] for result in said.json] == [False]
    assert "own.yaml" in said.err


def test_a_rule_file_that_can_not_be_used_is_named_and_hides_no_other(desk: Desk, rules: Path) -> None:
    (rules / "good.yaml").write_text(_own(desk))
    (rules / "broken.yaml").write_text(_BROKEN)
    said = desk.run("rules", "list", "--json", code=1)
    assert {"own-010", "aa-010"} <= {row["id"] for row in said.json}
    assert "broken.yaml" in said.err


def test_a_backtest_says_what_a_rule_would_have_raised_and_writes_nothing(desk: Desk) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(2, 4))
    before = desk.objects()
    (row,) = desk.run("rules", "backtest", "ul-003", *hours(2, 4), "--json").json
    assert (row["instance"], row["windows"], row["incidents"]) == ("emea", 2, 1)
    assert len(row["hits"]) >= 1
    (quiet,) = desk.run("rules", "backtest", "ul-003", *hours(3, 4), "--instance", "emea", "--json").json
    assert quiet["incidents"] == 0
    assert desk.objects() == before
    assert "incidents" in desk.run("rules", "backtest", "ul-003", *hours(2, 4)).out


def test_unknown_rules_and_instances_are_wrong_use(desk: Desk) -> None:
    desk.add()
    for arguments in (
        ("show", "zz-999"),
        ("test", "zz-999"),
        ("backtest", "zz-999", *hours(0, 1)),
        ("backtest", "ul-003", *hours(0, 1), "--instance", "nobody"),
    ):
        said = desk.run("rules", *arguments, "--json", code=2)
        assert said.out == ""
