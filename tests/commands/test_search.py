"""`s1c search`: events by keyword."""

from __future__ import annotations

import json
from typing import Any

from .conftest import hours


def test_what_was_collected_is_found(desk: Any) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(2, 3))
    found = desk.run("search", "class:authentication status:failure", "--limit", "500", "--json").json
    assert found
    assert all(event["class_uid"] == 3002 and event["status"] == "Failure" for event in found)
    assert all(event["instance"] == "emea" and json.loads(event["raw_data"]) for event in found)
    assert [event["time"] for event in found] == sorted((event["time"] for event in found), reverse=True)
    lines = desk.run("search", "class:authentication status:failure", "--limit", "500", "--format", "ndjson").out
    uids = {event["metadata"]["uid"] for event in found}
    assert {json.loads(line)["metadata"]["uid"] for line in lines.splitlines()} == uids
    assert desk.run("search", "", "--to", "2020-01-01", "--json").json == []
    assert [row["indexed"] for row in desk.run("search", "--index", "--json").json] == [True]
    assert "did you mean user" in desk.run("search", "usr:x", code=2).err
    assert "known: emea" in desk.run("search", "x", "--instance", "nowhere", code=2).err
