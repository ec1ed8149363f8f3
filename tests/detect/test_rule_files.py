from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.detect import load_ruleset
from sentinelone_collector.errors import RuleError, UsageError

GOOD = """\
title: Good
id: 11111111-1111-4111-8111-111111111111
name: good
logsource:
  product: sentinelone
  service: console
detection:
  s:
    metadata.event_code: "1"
  condition: s
level: low
tags:
  - attack.t1562.001
x-incident:
  family: endpoint
  classification: recon
  reason: why
  recommendation: what
  attacker: [actor.user.name]
  dedup:
    keys: [user.name]
    window: 1d
  tests:
    hits:
      - {metadata.event_code: "1"}
      - {metadata.event_code: "1", user.name: x}
    misses:
      - {metadata.event_code: "2"}
      - {metadata.event_code: "3"}
"""
COUNT = """\
title: Count
id: 22222222-2222-4222-8222-222222222222
name: count
correlation:
  type: event_count
  rules: [good]
  group-by: [user.name]
  timespan: 1h
  condition:
    gte: 3
level: high
x-incident:
  family: endpoint
  classification: recon
  reason: why
  recommendation: what
  tests:
    base: {metadata.event_code: "1", user.name: x}
    hits:
      - - {x-repeat: 3}
      - - {x-repeat: 4}
    misses:
      - - {x-repeat: 2}
      - - {x-repeat: 3, x-every: 31m}
"""


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "says"),
    [
        ('metadata.event_code: "1"\n  condition', 'metadata.code: "1"\n  condition', 9, 5, "no field 'metadata.code'"),
        ("condition: s\n", "condition: s and t\n", 10, 3, "'t' not defined"),
        ("condition: s\n", "condition: s or (\n", 10, 3, "Expected"),
        ("level: low", "level: urgent", 11, 1, "level"),
        ("service: console", "service: agent", 4, 1, "logsource"),
        ("family: endpoint", "family: other", 15, 3, "x-incident.family"),
        ("  reason: why\n", "", 14, 1, "x-incident.reason"),
        ("window: 1d", "window: soon", 22, 5, "no duration"),
        ("attacker: [actor.user.name]", "attacker: [actor.user]", 19, 3, "no field 'actor.user'"),
        ("keys: [user.name]", "keys: [metadata.labels]", 21, 5, "is a list"),
        ('{metadata.event_code: "3"}', "{metadata.event_code: 3}", 29, 9, "metadata.event_code holds string, not 3"),
        ('{metadata.event_code: "2"}', '{metadata.cod: "2"}', 28, 9, "events have no field metadata.cod"),
        ('      - {metadata.event_code: "3"}\n', "", 27, 5, "at least 2 items"),
        ('metadata.event_code: "1"\n  condition', '"keyword"\n  condition', 7, 1, "without a field"),
        ('metadata.event_code: "1"\n  condition', "time|hour: 3\n  condition", 7, 1, "parts of a time"),
        ('metadata.event_code: "1"\n  condition', 'message|re: "("\n  condition', 7, 1, "invalid"),
        ('metadata.event_code: "1"\n  condition', "message|fishy: x\n  condition", 7, 1, "fishy"),
        ("  tests:\n", "  test:\n", 14, 1, "x-incident.tests"),
        ("name: good", "name: Good Rule", 3, 1, "small letters"),
        ("id: 11111111-1111-4111-8111-111111111111", "id: one", 2, 1, "UUID"),
        ("  s:\n", "  s: [\n", 10, 3, "is no YAML"),
        ("level: low", "level: low\nlevels: high", 12, 1, "a rule has no key 'levels'"),
        ("level: low", "level: low\nlevel: high", None, None, "Duplicate key 'level'"),
    ],
)
def test_a_wrong_rule_is_reported_with_its_place(
    tmp_path: Path, *, old: str, new: str, line: Any, column: Any, says: str
) -> None:
    assert GOOD.count(old) == 1
    ruleset = load_ruleset(put(tmp_path, bad=GOOD.replace(old, new)))
    (problem,) = ruleset.problems
    assert len(ruleset) == 0
    assert says in problem.text
    assert (problem.path, problem.line, problem.column) == (tmp_path / "bad.yaml", line, column)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rules: [good]", "rules: [gone]", "there is no rule gone"),
        ("type: event_count", "type: value_sum", "Value sum correlation rule without field"),
        ("type: event_count", "type: value_avg", "Value avg correlation rule without field"),
        ("type: event_count", "type: temporal", "at most the number of its rules"),
        ("timespan: 1h", "timespan: 1h\n  groupby: [user.name]", "no key 'groupby'"),
        ("timespan: 1h", "timespan: 8d", "7 days at most"),
        ("rules: [good]", "rules: [count]", "in a circle"),
        ("  reason: why", "  unless: gone\n  reason: why", "there is no rule gone"),
        ("  reason: why", "  unless: good\n  reason: why", "unless is for temporal_ordered"),
        ("  reason: why", "  weights: {good: 2}\n  reason: why", "weights"),
        ("  reason: why", "  match: {earlier: user.name, later: user.name}\n  reason: why", "match is for"),
        ("  reason: why", "  require: {distinct: {user.nam: 2}}\n  reason: why", "no field 'user.nam'"),
        ("gte: 3", "lt: 3", "gte or gt"),
        ("gte: 3", "gte: 0", "at least 1"),
        ("group-by: [user.name]", "group-by: [user.nam]", "no field 'user.nam'"),
        ("group-by: [user.name]", "group-by: [metadata.labels]", "is a list"),
        ("timespan: 1h", "timespan: 1x", "Timespan"),
    ],
)
def test_a_wrong_correlation_is_reported_and_its_base_still_works(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    ruleset = load_ruleset(put(tmp_path, good=GOOD, count=COUNT.replace(old, new)))
    assert [rule.name for rule in ruleset] == ["good"]
    (problem,) = ruleset.problems
    assert says in problem.text
    assert problem.line is not None


def test_one_wrong_file_stops_no_other_rule(tmp_path: Path) -> None:
    ruleset = load_ruleset(put(tmp_path, bad="title: [", good=GOOD))
    assert [rule.name for rule in ruleset.incident_rules] == ["good"]
    assert [problem.path for problem in ruleset.problems] == [tmp_path / "bad.yaml"]


def test_a_correlation_silences_its_base_unless_it_says_generate(tmp_path: Path) -> None:
    silent = load_ruleset(put(tmp_path, good=GOOD, count=COUNT))
    assert [rule.name for rule in silent.incident_rules] == ["count"]
    loud = load_ruleset(put(tmp_path, count=COUNT.replace("  type:", "  generate: true\n  type:")))
    assert [rule.name for rule in loud.incident_rules] == ["count", "good"]


def test_a_rule_without_samples_or_use_is_refused(tmp_path: Path) -> None:
    ruleset = load_ruleset(put(tmp_path, base=GOOD[: GOOD.index("x-incident")]))
    assert "no correlation uses it" in ruleset.problems[0].text


def test_two_rules_of_one_name_are_reported(tmp_path: Path) -> None:
    ruleset = load_ruleset(put(tmp_path, a=GOOD, b=GOOD))
    assert [rule.path.name for rule in ruleset] == ["a.yaml"]
    assert "a.yaml already" in ruleset.problems[0].text


def test_the_digest_follows_what_rules_do_and_not_their_samples(tmp_path: Path) -> None:
    digest = load_ruleset(put(tmp_path, good=GOOD, count=COUNT)).digest
    assert load_ruleset(put(tmp_path, good=GOOD.replace('"3"', '"4"'))).digest == digest
    changed = load_ruleset(put(tmp_path, good=GOOD.replace('event_code: "1"\n  cond', 'event_code: "5"\n  cond')))
    assert changed.digest != digest
    versions = {rule.name: rule.version for rule in changed}
    before = {rule.name: rule.version for rule in load_ruleset(put(tmp_path, good=GOOD))}
    assert versions["count"] != before["count"]


def test_techniques_are_named_as_both_versions_of_attack_do(tmp_path: Path) -> None:
    (rule,) = load_ruleset(put(tmp_path, good=GOOD))
    assert (rule.attacks, rule.attacks_v19) == (("T1562.001",), ("T1685",))


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="S1C_RULES"):
        load_ruleset(tmp_path / "gone")


def test_an_unknown_rule_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="aa-999"):
        load_ruleset(put(tmp_path, good=GOOD)).get("aa-999")
