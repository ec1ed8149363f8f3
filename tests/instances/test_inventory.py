from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import load_instance, load_inventory, write_instance

NOW = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
GOOD = """\
name: EMEA production
connection_id: sentinelone_emea
live_since: 2026-11-22T00:00:00Z
collection_start: 2026-11-01T16:00:00Z
every: 10m
settle: 5m
streams: [activities, threats]
scope: {account_ids: [], site_ids: [225494730938493804]}
destinations: [{type: file, path: delivered}]
rules: {disable: [aa_001], allow: []}
"""


def write(folder: Path, slug: str, text: str) -> Path:
    path = folder / f"{slug}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_design_example_is_read(tmp_path: Path) -> None:
    instance = load_instance(write(tmp_path, "emea", GOOD), now=NOW)
    assert instance.slug == "emea"
    assert instance.dag_id == "sentinelone__emea"
    assert instance.live_since == datetime(2026, 11, 22, tzinfo=UTC)
    assert instance.collection_start == datetime(2026, 11, 1, 16, tzinfo=UTC)
    assert instance.every == timedelta(minutes=10)
    assert instance.streams == ("activities", "threats")
    assert instance.scope.site_ids == ("225494730938493804",)
    assert instance.destinations[0].type == "file"
    assert instance.destinations[0].options == {"path": "delivered"}
    assert instance.rules.disable == ("aa_001",)


def test_two_keys_are_enough(tmp_path: Path) -> None:
    instance = load_instance(write(tmp_path, "apac", "name: APAC\nlive_since: 2026-11-22T09:30:00Z\n"), now=NOW)
    assert instance.connection_id == "sentinelone_apac"
    assert instance.streams == ("activities",)
    assert instance.calendar.begin == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def test_activities_are_always_collected(tmp_path: Path) -> None:
    text = GOOD.replace("[activities, threats]", "[threats]")
    assert load_instance(write(tmp_path, "emea", text), now=NOW).streams == ("activities", "threats")


@pytest.mark.parametrize(
    ("change", "line", "cure"),
    [
        (("every: 10m", "every: 7m"), 5, "does not divide a day"),
        (("every: 10m", "every: 10"), 5, "no duration"),
        (("collection_start: 2026-11-01", "collection_start: 2026-11-23"), 4, "in the future"),
        (("collection_start: 2026-11-01", "collection_start: 2026-09-01"), 4, "more than 30 days"),
        (("settle: 5m", "setle: 5m"), 6, "no such key"),
        (("live_since: 2026-11-22T00:00:00Z\n", ""), 1, "live_since is missing"),
        (("[activities, threats]", "[activities, treats]"), 7, "no such stream"),
        (("name: EMEA production", "name: ''"), 1, "name"),
        (("every: 10m", "api_token: eyJsecret"), 5, "hold no secret"),
        (("every: 10m", "settle: 10m"), 6, "stands here and in line 5"),
        (("rules: {", "rules: {disabled: [], "), 10, "rules.disabled"),
        (("live_since: 2026-11-22T00:00:00Z", "live_since: soon"), 3, "no time"),
    ],
)
def test_mistakes_name_file_line_and_cure(tmp_path: Path, change: tuple[str, str], line: int, cure: str) -> None:
    path = write(tmp_path, "emea", GOOD.replace(*change))
    with pytest.raises(ConfigurationError, match=cure) as caught:
        load_instance(path, now=NOW)
    assert str(caught.value).startswith(f"{path}:{line}:")
    assert "eyJsecret" not in str(caught.value)


def test_broken_yaml_names_the_place(tmp_path: Path) -> None:
    path = write(tmp_path, "emea", GOOD.replace("settle: 5m", "settle: [5m"))
    with pytest.raises(ConfigurationError, match="no valid YAML") as caught:
        load_instance(path, now=NOW)
    assert caught.value.line is not None


@pytest.mark.parametrize("slug", ["Emea", "1emea", "e", "emea-1", "e" * 41])
def test_file_name_must_be_a_slug(tmp_path: Path, slug: str) -> None:
    with pytest.raises(ConfigurationError, match="slug"):
        load_instance(write(tmp_path, slug, GOOD), now=NOW)


def test_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path, "apac", GOOD)
    write(tmp_path, "bad", "name: [")
    write(tmp_path, "emea", GOOD)
    (tmp_path / "other.yml").write_text(GOOD)
    inventory = load_inventory(tmp_path, now=NOW)
    assert [instance.slug for instance in inventory.instances] == ["apac", "emea"]
    assert sorted(Path(error.path or "").name for error in inventory.errors) == ["bad.yaml", "other.yml"]
    with pytest.raises(ConfigurationError, match="no valid YAML"):
        inventory.get("bad")
    with pytest.raises(ConfigurationError, match="known are: apac, emea"):
        inventory.get("latam")


def test_instances_are_sorted_whatever_order_the_folder_gives(tmp_path: Path) -> None:
    slugs = [f"i{number:02}" for number in range(20)]
    for slug in reversed(slugs):
        write(tmp_path, slug, GOOD)
    assert [instance.slug for instance in load_inventory(tmp_path, now=NOW).instances] == slugs


def test_missing_folder_is_an_empty_inventory(tmp_path: Path) -> None:
    assert load_inventory(tmp_path / "none", now=NOW).instances == ()


def test_longer_history_needs_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD.replace("collection_start: 2026-11-01", "collection_start: 2026-09-01")
    monkeypatch.setenv("S1C_HISTORY_LIMIT_DAYS", "90")
    assert load_instance(write(tmp_path, "emea", text), now=NOW).collection_start is not None


def test_written_files_read_back_and_are_never_replaced(tmp_path: Path) -> None:
    instance = load_instance(write(tmp_path, "emea", GOOD), now=NOW)
    folder = tmp_path / "instances.d"
    path = write_instance(folder, instance, now=NOW)
    assert load_instance(path, now=NOW) == instance
    with pytest.raises(ConfigurationError, match="exists already"):
        write_instance(folder, instance, now=NOW)
    assert [entry.name for entry in folder.iterdir()] == ["emea.yaml"]


def test_a_refused_instance_leaves_no_file(tmp_path: Path) -> None:
    instance = load_instance(write(tmp_path, "emea", GOOD), now=NOW)
    folder = tmp_path / "instances.d"
    with pytest.raises(ConfigurationError, match="future"):
        write_instance(folder, instance, now=datetime(2026, 10, 20, tzinfo=UTC))
    assert not folder.exists()
