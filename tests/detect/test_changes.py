"""Hits of administrative rules in a change window are one level lower, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from detect_world import at, event, failures, instance
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinelone_collector.instances import RuleSettings
from sentinelone_collector.instances.changes import ChangeWindow

NOON = at("2026-01-14T12:00")  # a Wednesday
MINUTE = timedelta(minutes=1)


def _settings(**window: Any) -> RuleSettings:
    return RuleSettings(change_windows=(ChangeWindow(reason="roll-out 7", **window),))


def _levels(make_world: Any, rows: list[dict[str, Any]], rules: RuleSettings) -> dict[str, tuple[str, str | None]]:
    world = make_world(instance=instance(rules=rules, every=timedelta(days=1)))
    windows = world.collect(rows, NOON, NOON + MINUTE)
    return {hit.rule_id: (hit.level, hit.note) for window in windows for hit in world.hits(window)}


def _rows(begin: datetime = NOON) -> list[dict[str, Any]]:
    """An exclusion of a drive (aa-016 medium, aa-017 high), deleted users (low; several high), failed log-ins."""
    berlin = {"siteName": "Berlin"}
    return [
        event("x", begin, "3008", actor="ann", entity="C:\\", data=berlin),
        *(event(f"d{n}", begin + n * MINUTE, "25", actor="ann", user=f"u{n}", data=berlin) for n in range(3)),
        *failures(10, begin, timedelta(seconds=5)),
    ]


def test_administrative_hits_in_a_window_are_one_level_lower_and_say_why(make_world: Any) -> None:
    found = _levels(make_world, _rows(), _settings(start=NOON, end=NOON + timedelta(hours=1)))
    note = "change window: roll-out 7"
    assert found["aa-016"] == ("low", note)
    assert found["aa-017"] == ("medium", note)
    assert found["aa-005-mass"] == ("medium", note)
    assert found["aa-005"] == ("low", None)
    assert found["ul-003"] == ("medium", None)


def test_a_burst_that_began_before_the_window_keeps_its_level(make_world: Any) -> None:
    found = _levels(make_world, _rows(), _settings(start=NOON + 2 * MINUTE, end=NOON + timedelta(hours=1)))
    assert found["aa-005-mass"] == ("high", None)
    assert found["aa-016"] == ("medium", None)


def test_the_end_of_a_window_is_outside(make_world: Any) -> None:
    found = _levels(make_world, _rows(), _settings(start=NOON - MINUTE, end=NOON))
    assert found["aa-017"] == ("high", None)


@pytest.mark.parametrize(("sites", "level"), [(["Berl*"], "medium"), (["berlin"], "medium"), (["Oslo"], "high")])
def test_a_window_of_some_sites_is_for_events_there(make_world: Any, sites: list[str], level: str) -> None:
    window = {"start": NOON, "end": NOON + timedelta(hours=1), "sites": sites}
    found = _levels(make_world, _rows(), _settings(**window))
    assert found["aa-017"][0] == level
    assert found["aa-005-mass"][0] == "high"


def test_an_unknown_direction_and_a_window_both_count(make_world: Any) -> None:
    rows = [event("t", NOON, "76", actor="ann", entity="p", labels=["direction:unknown"])]
    found = _levels(make_world, rows, _settings(start=NOON, end=NOON + MINUTE))
    assert found["aa-024"] == ("low", "direction unknown; change window: roll-out 7")


@pytest.mark.parametrize(
    ("weekly", "zone", "first", "minutes", "covered"),
    [
        ("wed 12:00-13:00", "UTC", "2026-01-14T12:00", 0, True),
        ("wed 12:00-13:00", "UTC", "2026-01-14T12:00", 59, True),
        ("wed 12:00-13:00", "UTC", "2026-01-14T12:00", 60, False),
        ("wed 12:00-13:00", "UTC", "2026-01-14T11:59", 1, False),
        ("wed 12:00-13:00", "UTC", "2026-01-15T12:10", 0, False),
        ("wed 12:00-13:00", "UTC", "2026-01-14T12:10", 7 * 24 * 60, False),
        ("sat 22:00-sun 04:00", "UTC", "2026-01-17T23:00", 240, True),
        ("sun 22:00-mon 04:00", "UTC", "2026-01-18T23:59", 200, True),
        ("sun 22:00-mon 04:00", "UTC", "2026-01-19T04:00", 0, False),
        ("sun 22:00-sun 21:00", "UTC", "2026-01-24T10:00", 0, True),
        ("wed 20:00-24:00", "UTC", "2026-01-14T23:59", 0, True),
        # 22:00 in Berlin is 21:00 UTC in winter and 20:00 in summer
        ("sat 22:00-23:00", "Europe/Berlin", "2026-01-17T21:30", 0, True),
        ("sat 22:00-23:00", "Europe/Berlin", "2026-07-18T20:30", 0, True),
        ("sat 22:00-23:00", "Europe/Berlin", "2026-07-18T21:30", 0, False),
        # the night in which the clock goes forward (2 to 3) and the one in which it goes back
        ("sun 01:00-04:00", "Europe/Berlin", "2026-03-29T00:30", 80, True),
        ("sun 01:00-04:00", "Europe/Berlin", "2026-03-29T00:30", 95, False),
        ("sun 01:00-04:00", "Europe/Berlin", "2026-10-25T00:10", 0, True),
        ("sun 01:00-04:00", "Europe/Berlin", "2026-10-25T00:10", 165, True),
        ("sun 01:00-04:00", "Europe/Berlin", "2026-10-24T23:00", 239, True),
        ("sun 01:00-04:00", "Europe/Berlin", "2026-10-24T23:00", 240, False),
        ("sun 01:00-04:00", "Europe/Berlin", "2026-10-25T03:00", 0, False),
    ],
)
def test_weekly_windows_go_by_the_clock_on_the_wall(
    weekly: str, zone: str, first: str, minutes: int, covered: bool
) -> None:
    window = ChangeWindow(reason="r", weekly=weekly, timezone=zone)
    assert window.covers(at(first), at(first) + minutes * MINUTE) is covered


def test_a_weekly_window_may_be_bounded() -> None:
    window = ChangeWindow(
        reason="r", weekly="wed 12:00-13:00", start=at("2026-01-10T00:00"), end=at("2026-01-20T00:00")
    )
    assert window.covers(NOON, NOON)
    assert not window.covers(NOON + timedelta(days=7), NOON + timedelta(days=7))
    assert not window.covers(NOON - timedelta(days=7), NOON - timedelta(days=7))


WEEK_MINUTES = st.integers(0, 7 * 24 * 60 - 1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _text(minute: int) -> str:
    return f"{DAYS[minute // 1440]} {minute // 60 % 24:02d}:{minute % 60:02d}"


@settings(max_examples=100)
@given(
    WEEK_MINUTES,
    st.integers(1, 7 * 24 * 60 - 1),
    st.integers(0, 60 * 24 * 400),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_one_moment_is_inside_just_when_its_local_time_is(begin: int, length: int, after: int, zone: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + after * MINUTE
    window = ChangeWindow(reason="r", weekly=f"{_text(begin)}-{_text((begin + length) % (7 * 1440))}", timezone=zone)
    local = moment.astimezone(ZoneInfo(zone))
    inside = {(begin + step) % (7 * 1440) for step in range(length)}
    assert window.covers(moment, moment) is (local.weekday() * 1440 + local.hour * 60 + local.minute in inside)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"reason": ""},
        {"start": NOON},
        {"start": NOON, "end": NOON},
        {"weekly": "sat"},
        {"weekly": "sat 22:00-04:00"},
        {"weekly": "sat 25:00-sun 04:00"},
        {"weekly": "sat 22:61-sun 04:00"},
        {"weekly": "xyz 22:00-sun 04:00"},
        {"weekly": "sat 22:00-sat 22:00"},
        {"weekly": 7},
        {"weekly": "sat 22:00-sun 04:00", "timezone": "Berlin"},
        {"weekly": "sat 22:00-sun 04:00", "color": "red"},
    ],
)
def test_mistakes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChangeWindow.model_validate({"reason": "r"} | wrong)
