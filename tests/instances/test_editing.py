"""Edits of inventory files keep what people wrote: comments, order, spelling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.instances import Instance, dump_instance, load_instance
from sentinelone_collector.instances.editing import edit_yaml
from sentinelone_collector.instances.inventory import edited_text, rewrite_instance

NOW = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
TEXT = """\
# EMEA, owned by the night shift; ask them before you change anything.

live_since: 2026-11-22T00:00:00Z   # when we signed
name: "EMEA production"  # shown to people
every: 600s
collection_start: 2026-11-20T16:00:00Z  # from here on
# Two streams are enough for now:
streams:
  - activities
  - threats   # since the audit
rules:
    # What is off, and why.
    disable:
    - aa-001   # noisy until March
    # the team asked for this one:
    - aa-041*
    allow:
    - rule: aa-016
      who: packaging@example.com  # a robot
      reason: weekly packages
    - {rule: aa-010, who: 192.0.2.0/24, reason: the office}
destinations: [{type: file, path: delivered}]  # one is enough
# The end.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "emea.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def _with(instance: Instance, **fields: Any) -> Instance:
    whole = {name: getattr(instance, name) for name in Instance.model_fields}
    return Instance.model_validate(whole | fields)


def _rules(disable: list[str], allow: list[dict[str, str]]) -> dict[str, Any]:
    return {"disable": disable, "allow": allow}


PACKAGES = {"rule": "aa-016", "who": "packaging@example.com", "reason": "weekly packages"}
OFFICE = {"rule": "aa-010", "who": "192.0.2.0/24", "reason": "the office"}

EDITS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({"name": "EMEA # new"}, {'"EMEA production"': "'EMEA # new'"}),
    ({"collection_start": None}, {" 2026-11-20T16:00:00Z": " "}),
    ({"streams": ["activities"]}, {"  - threats   # since the audit\n": ""}),
    (
        {"streams": ["activities", "threats", "agents"]},
        {"# since the audit\n": "# since the audit\n  - agents\n"},
    ),
    (
        {"rules": _rules(["aa-041*"], [PACKAGES, OFFICE])},
        {"    - aa-001   # noisy until March\n": ""},
    ),
    (
        {"rules": _rules(["aa-001", "ul-003", "aa-041*"], [PACKAGES, OFFICE])},
        {"# noisy until March\n": "# noisy until March\n    - ul-003\n"},
    ),
    (
        {"rules": _rules(["aa-001", "aa-041*"], [OFFICE])},
        {
            "    - rule: aa-016\n      who: packaging@example.com  # a robot\n      reason: weekly packages\n": "",
        },
    ),
    (
        {"rules": _rules([], [PACKAGES, OFFICE])},
        {"disable:\n    - aa-001   # noisy until March\n": "disable: []\n", "    - aa-041*\n": ""},
    ),
    ({"destinations": [{"type": "file", "path": "b"}]}, {"path: delivered": "path: b"}),
    (
        {"scope": {"account_ids": ["1"]}},
        {"# one is enough\n": "# one is enough\nscope:\n  account_ids:\n  - '1'\n  site_ids: []\n"},
    ),
    ({"settle": "7m"}, {"# one is enough\n": "# one is enough\nsettle: 7m\n"}),
]


@pytest.mark.parametrize(("fields", "changes"), EDITS)
def test_an_edit_changes_its_own_lines_alone(path: Path, fields: dict[str, Any], changes: dict[str, str]) -> None:
    wanted = TEXT
    for old, new in changes.items():
        assert TEXT.count(old) == 1
        wanted = wanted.replace(old, new)
    new_instance = _with(load_instance(path, now=NOW), **fields)
    rewrite_instance(path.parent, new_instance, now=NOW)
    assert path.read_text(encoding="utf-8") == wanted
    assert load_instance(path, now=NOW) == new_instance
    assert [each.name for each in path.parent.iterdir()] == ["emea.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "{name: A, live_since: 2026-11-22T00:00:00Z}\n",
        "name: &it A\nlive_since: 2026-11-22T00:00:00Z\nconnection_id: *it\n",
        "--- {name: A, live_since: 2026-11-22T00:00:00Z}\n...\n",
    ],
)
def test_what_can_not_be_changed_in_place_is_written_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "emea.yaml"
    path.write_text(text, encoding="utf-8")
    new = _with(load_instance(path, now=NOW), name="B", every="5m")
    assert edited_text(tmp_path, new, now=NOW) == dump_instance(new)
    with pytest.raises(ValueError, match="no plain block mapping"):
        edit_yaml(text, {}, {"name": "B"})


@pytest.mark.parametrize(
    "text",
    [
        "name: A\nlive_since: 2026-11-22T00:00:00Z",  # the last line has no end
        "live_since: 2026-11-22T00:00:00Z\nname: |\n  A\n# kept\n",
        "live_since: 2026-11-22T00:00:00Z\nstreams:   # kept\nname: A\n",
        "# kept\r\nname: A\r\nlive_since: 2026-11-22T00:00:00Z\r\n",
    ],
)
def test_odd_texts_are_changed_too(tmp_path: Path, text: str) -> None:
    path = tmp_path / "emea.yaml"
    path.write_bytes(text.encode())
    new = _with(load_instance(path, now=NOW), name="B", every="5m", streams=["activities", "agents"])
    told = edited_text(tmp_path, new, now=NOW)
    assert told.count("# kept") == text.count("# kept")
    rewrite_instance(tmp_path, new, now=NOW)
    assert load_instance(path, now=NOW) == new


_rule = st.sampled_from(["aa-001", "aa-041*", "ul-003", "ub-009", "aa-016"])
_who = st.sampled_from(["ann@example.com", "192.0.2.0/24", "# bob", "a: b", "é", "'", "no"])
_entry = st.builds(lambda rule, who: {"rule": rule, "who": who, "reason": "r"}, _rule, _who)
_fields = st.fixed_dictionaries(
    {},
    optional={
        "name": _who,
        "settle": st.sampled_from(["5m", "90s", "0s"]),
        "streams": st.lists(st.sampled_from(["threats", "alerts", "agents"]), max_size=3),
        "collection_start": st.sampled_from([None, NOW - timedelta(days=3)]),
        "scope": st.fixed_dictionaries({"account_ids": st.lists(st.sampled_from(["1", "22"]), max_size=2)}),
        "rules": st.builds(_rules, st.lists(_rule, max_size=4), st.lists(_entry, max_size=3)),
        "destinations": st.lists(
            st.sampled_from([{"type": "file", "path": "a"}, {"type": "file", "path": "delivered"}]), max_size=2
        ),
    },
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_fields, min_size=1, max_size=3))
def test_any_edits_are_read_as_meant_and_keep_the_comments_around_them(
    tmp_path_factory: pytest.TempPathFactory, edits: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("inventory") / "emea.yaml"
    path.write_text(TEXT, encoding="utf-8")
    for fields in edits:
        new = _with(load_instance(path, now=NOW), **fields)
        rewrite_instance(path.parent, new, now=NOW)
        assert load_instance(path, now=NOW) == new
        text = path.read_text(encoding="utf-8")
        kept = ["ask them before", "# when we signed", "# shown to people", "# from here on", "# Two streams"]
        for comment in (*kept, "# What is off, and why.", "# one is enough", "# The end."):
            assert comment in text
        assert [text.index(key) for key in ("live_since:", "name:", "every: 600s", "streams:", "rules:")] == sorted(
            text.index(key) for key in ("live_since:", "name:", "every: 600s", "streams:", "rules:")
        )
