"""Activity types that are new to the product: noted once, merged in any order, never the loss of a window."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from sentinelone_collector.lake import FolderStorage, NewType, new_types_key, note_new_types, read_new_types
from sentinelone_collector.results import Normalized

KEY = new_types_key("emea")


@pytest.fixture
def lake(tmp_path: Any) -> FolderStorage:
    return FolderStorage(tmp_path)


def window(hour: int, names: dict[str, str], *types: str) -> Normalized:
    return Normalized(
        instance="emea",
        stream="activities",
        start=f"2026-11-22T{hour:02}:00:00Z",
        end=f"2026-11-22T{hour + 1:02}:00:00Z",
        events=9,
        quarantined=0,
        events_sha256="0" * 64,
        unknown_types=dict.fromkeys(types, 3),
        unknown_names=names,
    )


WINDOWS = (
    window(10, {"24001": "Browser Policy Changed"}, "24001", "none"),
    window(3, {}, "24001", "9001"),
    window(17, {"9001": "Token Bound"}, "9001"),
)
NOTED = (
    NewType(type="9001", name="Token Bound", first="2026-11-22T03:00:00Z", last="2026-11-22T18:00:00Z"),
    NewType(type="none", name="", first="2026-11-22T10:00:00Z", last="2026-11-22T11:00:00Z"),
    NewType(type="24001", name="Browser Policy Changed", first="2026-11-22T03:00:00Z", last="2026-11-22T11:00:00Z"),
)


@pytest.mark.parametrize("order", list(permutations(WINDOWS)))
def test_windows_in_any_order_leave_the_same_note(lake: FolderStorage, order: tuple[Normalized, ...]) -> None:
    for found in order:
        note_new_types(lake, found)
    assert read_new_types(lake, "emea") == NOTED
    before = list(lake.versions(""))
    for found in order:
        note_new_types(lake, found)
    assert list(lake.versions("")) == before, "what says nothing new writes nothing"
    assert read_new_types(lake, "apac") == ()


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[1]", b"\xff", b'[{"type":"1"}]'])
def test_a_damaged_note_is_written_anew(lake: FolderStorage, content: bytes) -> None:
    lake.put(KEY, content)
    assert read_new_types(lake, "emea") == ()
    note_new_types(lake, WINDOWS[2])
    assert [each.name for each in read_new_types(lake, "emea")] == ["Token Bound"]


def test_a_console_that_sends_ever_new_types_fills_no_lake(lake: FolderStorage) -> None:
    note_new_types(lake, WINDOWS[0])
    note_new_types(lake, window(11, {}, *(f"x{number}" for number in range(3000)), "24001"))
    noted = read_new_types(lake, "emea")
    assert len(noted) == 1000
    assert next(each for each in noted if each.type == "24001").last == "2026-11-22T12:00:00Z"
