from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.detect import compiled, load_ruleset, reading
from sentinelone_collector.detect import test_rules as run_samples
from sentinelone_collector.errors import RuleError

RULE = """\
title: Two-factor authentication off
id: 00000000-0000-4000-8000-000000000001
name: factor-off
date: 2026-01-14
logsource: {product: sentinelone, service: console}
detection: {s: {metadata.event_code: "67"}, condition: s}
level: low
x-incident:
  family: endpoint
  classification: recon
  reason: why
  recommendation: what
  summary: "{actor.user.name} did"
  tests:
    hits: [{metadata.event_code: "67"}, {metadata.event_code: "67", message: x}]
    misses: [{metadata.event_code: "66"}, {metadata.event_code: "68"}]
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "off.yaml").write_text(RULE)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "home" / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how many files are read as rules in each loading."""
    counted: list[int] = []
    real = reading.read_rules

    def read(files: Any, columns: Any) -> Any:
        counted.append(len(list(files)))
        return real(files, columns)

    monkeypatch.setattr(reading, "read_rules", read)
    return counted


def the_file(cache: Path) -> Path:
    (found,) = cache.glob("ruleset-*")
    return found


def test_a_ruleset_from_the_cache_is_the_one_that_was_read(rules: Path, cache: Path, reads: list[int]) -> None:
    first, second = load_ruleset(rules, cache=cache), load_ruleset(rules, cache=cache)
    assert reads == [1]
    assert second.rules == first.rules
    assert (second.digest, second.problems, second.columns.aliases) == (first.digest, (), first.columns.aliases)
    assert second.columns.used == first.columns.used
    assert all(result.passed for result in run_samples(second))


@pytest.mark.parametrize(("old", "new"), [('"67"}, condition', '"68"}, condition'), ("level: low", "level: high")])
def test_a_changed_rule_is_read_again(rules: Path, cache: Path, reads: list[int], old: str, new: str) -> None:
    first = load_ruleset(rules, cache=cache)
    (rules / "off.yaml").write_text(RULE.replace(old, new))
    second = load_ruleset(rules, cache=cache)
    assert reads == [1, 1]
    assert second.digest != first.digest


def test_new_and_moved_rules_are_read(rules: Path, cache: Path, reads: list[int]) -> None:
    load_ruleset(rules, cache=cache)
    (rules / "off.yaml").rename(rules / "moved.yaml")
    assert load_ruleset(rules, cache=cache).rules[0].path == rules / "moved.yaml"
    more = RULE.replace("name: factor-off", "name: more").replace("000000000001", "000000000002")
    (rules / "more.yaml").write_text(more)
    assert len(load_ruleset(rules, cache=cache)) == 2
    assert reads == [1, 1, 2]


def test_other_code_reads_again(rules: Path, cache: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    load_ruleset(rules, cache=cache)
    monkeypatch.setattr(compiled, "_code_digest", lambda: b"of other code")
    load_ruleset(rules, cache=cache)
    assert reads == [1, 1]


def test_problems_are_told_each_time(rules: Path, cache: Path) -> None:
    (rules / "bad.yaml").write_text("title: [")
    for _ in range(2):
        ruleset = load_ruleset(rules, cache=cache)
        assert [rule.name for rule in ruleset] == ["factor-off"]
        (problem,) = ruleset.problems
        assert isinstance(problem, RuleError)
    assert not list(cache.glob("*"))


class Trap:
    """A pickle that does something."""

    sprung = False

    def __reduce__(self) -> Any:
        return (setattr, (Trap, "sprung", True))


def damaged(content: bytes) -> dict[str, bytes]:
    import hashlib

    wrong = pickle.dumps("not a ruleset")[:-1]
    return {
        "empty": b"",
        "cut": content[:-1],
        "changed": content.replace(b"Two-factor", b"Two-fictor"),
        "half a digest": content[:7],
        "no pickle": hashlib.sha256(wrong).digest() + wrong,
    }


@pytest.mark.parametrize("how", damaged(b"x" * 99))
def test_what_is_damaged_is_read_again_and_mended(rules: Path, cache: Path, reads: list[int], how: str) -> None:
    first = load_ruleset(rules, cache=cache)
    whole = the_file(cache).read_bytes()
    the_file(cache).write_bytes(damaged(whole)[how])
    assert load_ruleset(rules, cache=cache).rules == first.rules
    assert the_file(cache).read_bytes() == whole
    assert load_ruleset(rules, cache=cache).rules == first.rules
    assert reads == [1, 1]


@pytest.mark.parametrize("open_to", [0o020, 0o002])
@pytest.mark.parametrize("where", ["file", "folder"])
def test_what_others_may_have_written_is_not_opened(
    rules: Path, cache: Path, reads: list[int], open_to: int, where: str
) -> None:
    import hashlib

    load_ruleset(rules, cache=cache)
    packed = pickle.dumps(Trap())
    the_file(cache).write_bytes(hashlib.sha256(packed).digest() + packed)
    path = the_file(cache) if where == "file" else cache
    path.chmod(path.stat().st_mode | open_to)
    load_ruleset(rules, cache=cache)
    assert reads == [1, 1]
    assert not Trap.sprung


def test_files_of_another_user_are_not_opened(
    rules: Path, cache: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_ruleset(rules, cache=cache)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    load_ruleset(rules, cache=cache)
    assert reads == [1, 1]


def test_nobody_else_may_read_the_cache(rules: Path, cache: Path) -> None:
    load_ruleset(rules, cache=cache)
    assert (cache.stat().st_mode & 0o777, the_file(cache).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_folder_that_can_t_be_made_costs_nothing_but_time(rules: Path, tmp_path: Path, reads: list[int]) -> None:
    (tmp_path / "file").write_text("in the way")
    for _ in range(2):
        assert len(load_ruleset(rules, cache=tmp_path / "file" / "cache")) == 1
    assert reads == [1, 1]


def test_old_rulesets_go_and_fresh_ones_stay(rules: Path, cache: Path) -> None:
    cache.mkdir(parents=True, mode=0o700)
    for name in ("ruleset-old.pickle", "ruleset-fresh.pickle", "of-somebody-else"):
        (cache / name).write_bytes(b"")
        if name != "ruleset-fresh.pickle":
            os.utime(cache / name, (0, 0))
    load_ruleset(rules, cache=cache)
    left = {path.name for path in cache.iterdir()} - {the_file_of(rules)}
    assert left == {"ruleset-fresh.pickle", "of-somebody-else"}


def the_file_of(rules: Path) -> str:
    return f"ruleset-{compiled.key_of(sorted(rules.rglob('*.yaml')))}.pickle"


def test_writers_at_once_leave_one_whole_ruleset(rules: Path, cache: Path) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(load_ruleset(rules, cache=cache))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ruleset.digest for ruleset in found}) == 1
    assert [path.name for path in cache.iterdir()] == [the_file_of(rules)]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CACHE_HOME": "/var/cache/x"}, Path("/var/cache/x/sentinelone-collector")),
        ({"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache" / "sentinelone-collector"),
        ({}, Path.home() / ".cache" / "sentinelone-collector"),
    ],
)
def test_the_cache_is_where_the_user_keeps_caches(environment: dict[str, str], expected: Path) -> None:
    assert compiled.cache_folder(environment) == expected


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    assert compiled.cache_folder({}) is None
