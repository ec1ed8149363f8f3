"""A stream that the console does not give is shown as such, asked for once, and comes back by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sentinelone_collector.errors import PermissionDenied
from sentinelone_collector.lake import Unavailable, available_again, read_unavailable, set_unavailable
from sentinelone_collector.pipeline import Installation
from sentinelone_collector.simulator import Simulator, faults, messages

from .conftest import CANARY, YESTERDAY, Desk, hours

WORDS = {"licence": "This scope does not have Custom Rules enabled.", "permission": None}


@pytest.fixture(params=["licence", "permission"])
def refused(request: pytest.FixtureRequest, console: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the console refuse the stream, and return the reason."""
    answer = messages.forbidden(WORDS[request.param])
    fault = replace(faults.FAULTS["403-stream"], before=lambda _: answer)
    monkeypatch.setitem(faults.FAULTS, "403-stream", fault)
    console.set_faults("403-stream:every=1")
    yield request.param
    console.clear_faults()


def test_its_windows_are_tried_once_and_told_as_not_available(desk: Desk, console: Simulator, refused: str) -> None:
    desk.add()
    asked = len(console.requests)
    code = 0 if refused == "licence" else 1
    said = desk.run("collect", "emea", *hours(0, 5), "--json", code=code)
    (row,) = said.json
    assert (row["state"], row["reason"]) == ("unavailable", refused)
    assert "4 more windows of activities were not tried" in said.err
    assert len(console.requests) == asked + 1
    shown = desk.run("coverage", "emea", *hours(0, 5), "--json")
    assert {(row["state"], row["reason"]) for row in shown.json} == {("unavailable", refused)}
    assert f"5 windows of activities can't be had now: not available: {refused}" in " ".join(shown.err.split())
    console.clear_faults()
    desk.run("audit", "emea", *hours(0, 5))
    assert {row["state"] for row in desk.run("coverage", "emea", *hours(0, 5), "--json").json} == {"complete"}
    assert not list(desk.lake.rglob("unavailable.json"))


def test_what_was_collected_before_stays_complete(desk: Desk, console: Simulator) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(0, 2))
    console.set_faults("403-stream:every=1")
    try:
        desk.run("collect", "emea", *hours(2, 4), code=1)
    finally:
        console.clear_faults()
    states = [row["state"] for row in desk.run("coverage", "emea", *hours(0, 4), "--json").json]
    assert states == ["complete", "complete", "unavailable", "unavailable"]


def test_the_check_tells_a_licence_from_a_right(desk: Desk, refused: str) -> None:
    desk.add()
    found = desk.run("instances", "check", "emea", "--json", code=1).json
    told = {"licence": "no licence (", "permission": "no permission (needs "}[refused]
    assert found["streams"]["activities"].startswith(told)


def test_the_note_keeps_since_when_and_is_replaced_where_the_reason_changes(tmp_path: Any) -> None:
    from sentinelone_collector.lake import FolderStorage

    lake = FolderStorage(tmp_path)
    note = Unavailable(
        instance="emea", stream="alerts", reason="licence", detail="no", since="2026-11-22T10:00:00Z", seen_at="x"
    )
    assert read_unavailable(lake, "emea", "alerts") is None
    set_unavailable(lake, note)
    later = Unavailable(**{**_fields(note), "since": "2026-11-22T11:00:00Z", "detail": "still no"})
    assert set_unavailable(lake, later).since == "2026-11-22T10:00:00Z"
    other = Unavailable(**{**_fields(later), "reason": "permission"})
    assert set_unavailable(lake, other).since == "2026-11-22T11:00:00Z"
    assert read_unavailable(lake, "emea", "alerts") == other
    assert read_unavailable(lake, "emea", "threats") is None
    available_again(lake, "emea", "alerts")
    assert read_unavailable(lake, "emea", "alerts") is None
    available_again(lake, "emea", "alerts")


def _fields(note: Unavailable) -> dict[str, Any]:
    return {name: getattr(note, name) for name in note.__struct_fields__}


def test_the_console_is_asked_again_before_a_stream_is_given_up(desk: Desk, console: Simulator) -> None:
    desk.add()
    site = Installation.from_environment()
    emea = site.inventory.get("emea")
    window = emea.calendar.window_at(YESTERDAY)
    assert site.still_unavailable(emea, "activities") is None
    console.set_faults("403-stream:every=1")
    with pytest.raises(PermissionDenied):
        site.fetch(emea, "activities", window)
    refused = site.still_unavailable(emea, "activities")
    assert refused is not None
    assert refused.reason == "permission"
    assert CANARY not in json.dumps(_fields(refused))
    console.clear_faults()
    console.set_faults("500:every=1")  # tells nothing about the stream
    site.retry_seconds = 0.0
    assert site.still_unavailable(emea, "activities") is not None
    console.clear_faults()
    assert site.still_unavailable(emea, "activities") is None
    assert site.unavailable(emea, "activities") is None
