"""Reading nested records, and knowing what was not read."""

from __future__ import annotations

from typing import Any

import pytest

from sentinelone_collector.normalize.sections import Section

RECORD: dict[str, Any] = {
    "name": "a",
    "updated_at": "2026-11-22T10:00:00Z",
    "Size": "12",
    "info": {"mac": "00:00:5e:00:53:01", "left": 1, "none": None},
    "items": [{"id": "1", "x": 2}, {"id": "2"}, "text", 0],
    "inet": ["192.0.2.1", "2001:db8::1"],
    "flag": False,
    "empty": "",
}


@pytest.mark.parametrize("name", ["updatedAt", "updated_at", "UPDATEDAT", "UpdatedAt"])
def test_a_field_is_found_whatever_its_spelling(name: str) -> None:
    assert Section(RECORD).time(name) == 1795341600000


def test_of_two_spellings_the_exact_one_counts_and_the_other_stays() -> None:
    section = Section({"userId": "wrong", "user_id": "right"})
    assert section.text("user_id") == "right"
    assert section.rest() == {"userId": "wrong"}


def test_what_was_read_is_not_left() -> None:
    section = Section(RECORD)
    section.text("name")
    section.number("size")
    section.addresses("inet")
    section.flag("flag")
    section.inner("info").mac("mac")
    for item in section.items("items"):
        item.text("id")
    assert section.rest() == {
        "updated_at": "2026-11-22T10:00:00Z",
        "info": {"left": 1},
        "items": [{"x": 2}, "text", 0],
    }


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", ["a"]),
        ("text", True),
        ("time", "soon"),
        ("time", "1970-01-01T00:00:00Z"),
        ("number", "-1"),
        ("number", 2**40),
        ("flag", "true"),
        ("email", "unknown"),
        ("mac", "00:25:96:FF:FE:12:34:56"),
        ("texts", ["a", 1]),
        ("addresses", "192.0.2.1, not one"),
        ("addresses", ["192.0.2.1", 7]),
        ("inner", "text"),
        ("items", {"a": 1}),
    ],
)
def test_what_is_not_what_is_asked_for_stays(reader: str, value: Any) -> None:
    section = Section({"x": value})
    getattr(section, reader)("x")
    assert section.rest() == {"x": value}


def test_hashes_have_their_length_and_digits() -> None:
    section = Section({"a": "0b" * 20, "b": "0g" * 20})
    assert section.hash("a", bits=160) == "0b" * 20
    assert section.hash("a", bits=256) is None
    assert section.hash("b", bits=160) is None


def test_some_good_addresses_are_given_though_the_text_stays() -> None:
    section = Section({"x": "192.0.2.1, unknown"})
    assert section.addresses("x") == ("192.0.2.1",)
    assert section.rest() == {"x": "192.0.2.1, unknown"}


def test_a_choice_counts_as_mapped_only_where_the_table_has_it() -> None:
    section = Section({"a": "In progress", "b": "elsewhere"})
    assert section.choice("a", {"in_progress": 2}) == 2
    assert section.choice("b", {"in_progress": 2}) is None
    assert section.rest() == {"b": "elsewhere"}


def test_a_nameless_field_is_never_read() -> None:
    assert Section({"": "x", "_": "y"}).text("") is None


def test_only_an_equal_field_that_is_mapped_elsewhere_is_a_repetition() -> None:
    now = Section({"a": "1", "b": "2", "c": "3", "d": 1})
    for name in "abd":
        now.text(name)
    then = Section({"a": "1", "b": "other", "c": "3", "d": True})
    then.repeats(now)
    assert then.rest() == {"b": "other", "c": "3", "d": True}
