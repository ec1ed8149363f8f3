"""What the console calls its activity types: read once a day, kept, and used to name what the product does not know."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sentinelone_collector.fetch import name_unknown_types, read_catalogue, refresh_catalogue
from sentinelone_collector.lake import catalogue_key, parse_key
from sentinelone_collector.results import Normalized

KEY = catalogue_key("emea")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TYPES = [
    {"id": 27, "action": "User Logged In", "descriptionTemplate": "{{ username }} logged in."},
    {"id": 24001, "action": "Browser Policy Changed", "descriptionTemplate": None},
    {"id": 24002, "action": "", "descriptionTemplate": "{{ username }} did something new."},
    {"id": 24003, "action": None, "descriptionTemplate": None},
]
RESULT = Normalized(
    instance="emea",
    stream="activities",
    start="2026-11-22T10:00:00Z",
    end="2026-11-22T11:00:00Z",
    events=5,
    quarantined=0,
    events_sha256="0" * 64,
    unknown_types={"24001": 3, "24002": 1, "24003": 1},
)


@pytest.fixture
def listing(fake: Any, lake: Any) -> Callable[..., Any]:
    """Refresh from a console that answers so; return the fake console."""

    def run(answer: Any, *, at: datetime = NOON, stream: str = "activities") -> Any:
        status, body = answer if isinstance(answer, tuple) else (200, json.dumps({"data": answer}).encode())
        source = fake.FakeConsole([], refuse=lambda params, number: (status, body))
        refresh_catalogue("emea", stream, console=source.console(), lake=lake, now=lambda: at)
        return source

    return run


def test_names_are_read_and_kept(listing: Any, lake: Any) -> None:
    source = listing(TYPES)
    assert read_catalogue("emea", lake) == {
        "27": "User Logged In",
        "24001": "Browser Policy Changed",
        "24002": "{{ username }} did something new.",
    }
    kept = json.loads(lake.read(KEY))
    assert (kept["console"], kept["read_at"]) == (source.console().host, "2026-11-22T12:00:00Z")
    assert parse_key(KEY) is None, "it is no object of a window"


@pytest.mark.parametrize(("age", "read_again"), [(0, False), (23.9, False), (24, True), (-1, True), (500, True)])
def test_they_are_read_anew_after_a_day(listing: Any, lake: Any, age: float, *, read_again: bool) -> None:
    listing(TYPES)
    listing([], at=NOON + timedelta(hours=age))
    assert (read_catalogue("emea", lake) == {}) is read_again


def test_another_console_is_asked_at_once(listing: Any, lake: Any) -> None:
    listing(TYPES)
    kept = json.loads(lake.read(KEY))
    lake.put(KEY, json.dumps(kept | {"console": "other.example.net"}).encode())
    listing([])
    assert read_catalogue("emea", lake) == {}


def test_other_streams_have_no_types(listing: Any, lake: Any) -> None:
    source = listing(TYPES, stream="threats")
    assert source.seen == []
    assert lake.read(KEY) is None


@pytest.mark.parametrize("answer", [(403, b'{"errors":[{"code":4030010,"title":"x"}]}'), (200, b'{"data":{}}')])
def test_a_refusal_fails_nothing_keeps_the_names_and_waits_an_hour(
    listing: Any, lake: Any, caplog: pytest.LogCaptureFixture, answer: tuple[int, bytes]
) -> None:
    listing(TYPES)
    with caplog.at_level(logging.WARNING):
        listing(answer, at=NOON + timedelta(days=2))
    assert "emea: the activity types of" in caplog.text
    assert read_catalogue("emea", lake)["27"] == "User Logged In"
    assert listing([], at=NOON + timedelta(days=2, minutes=59)).seen == []
    listing([], at=NOON + timedelta(days=2, minutes=61))
    assert read_catalogue("emea", lake) == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"console":1}', b"\xff", b'{"console":"x","read_at":"soon"}'])
def test_a_damaged_object_is_replaced(listing: Any, lake: Any, content: bytes) -> None:
    lake.put(KEY, content)
    assert read_catalogue("emea", lake) == {}
    listing(TYPES)
    assert read_catalogue("emea", lake)["27"] == "User Logged In"


def test_odd_entries_are_left_out(listing: Any, lake: Any) -> None:
    listing([None, 7, {}, {"id": "27"}, {"id": True, "action": "x"}, {"id": 5, "action": "n" * 999}])
    assert read_catalogue("emea", lake) == {"5": "n" * 200}


def test_types_the_product_does_not_know_are_named_and_reported(
    listing: Any, lake: Any, caplog: pytest.LogCaptureFixture
) -> None:
    listing(TYPES)
    with caplog.at_level(logging.WARNING):
        named = name_unknown_types(RESULT, lake)
    assert named.unknown_names == {"24001": "Browser Policy Changed", "24002": "{{ username }} did something new."}
    assert msgspec.structs.replace(named, unknown_names={}) == RESULT
    for told in ("emea/activities", "5 records of 3", "24001 (Browser Policy Changed): 3", "24003 (without a name): 1"):
        assert told in caplog.text
    assert Normalized.from_dict(named.to_dict()) == named


def test_nothing_is_said_where_all_types_are_known(lake: Any, caplog: pytest.LogCaptureFixture) -> None:
    known = msgspec.structs.replace(RESULT, unknown_types={})
    assert name_unknown_types(known, lake) is known
    assert caplog.text == ""
