"""The index follows the lake: what is collected again is seen at once, whoever wrote the index, and whatever broke."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinelone_collector.lake import FolderStorage
from sentinelone_collector.search import (
    Budget,
    Cursor,
    LogSearch,
    Scope,
    SearchTooWide,
    ShardCache,
    csv_lines,
    ndjson_lines,
    parse_query,
    read_event,
    related_hits,
)

from .conftest import HOUR, MIDNIGHT, SOURCES, Room, event, uids, window

EVERYTHING = Scope(SOURCES)
_HOURS = (0, 1, 26)
_PATIENCE = 600.0  # seconds; what a search may take is no matter here


def rows(hour: int, *names: str) -> list[dict[str, Any]]:
    return [event(name, MIDNIGHT + hour * HOUR + timedelta(seconds=n), message=name) for n, name in enumerate(names)]


def test_a_window_collected_again_is_seen_at_once(any_room: Room) -> None:
    any_room.put(window(0), rows(0, "old", "kept"))
    any_room.put(window(1), rows(1, "other"))
    assert any_room.found("old") == ["old"]
    any_room.put(window(0), rows(0, "new", "kept"))
    assert any_room.found("old") == []
    assert any_room.found("*") == any_room.scanned("*") == ["other", "kept", "new"]
    any_room.lake.delete(any_room.put(window(1), []))
    assert any_room.found("*") == ["kept", "new"]


_STEPS = st.lists(
    st.tuples(st.sampled_from(_HOURS), st.lists(st.sampled_from("abcd"), max_size=3, unique=True), st.booleans()),
    max_size=6,
)


@given(steps=_STEPS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_and_searched_in_whatever_order(
    steps: list[tuple[int, list[str], bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("steps")
    lake = FolderStorage(folder / "lake")
    two = [Room(lake, LogSearch(lake, ShardCache(folder / "cache", lake.url, most_bytes=1 << 30))) for _ in range(2)]
    for number, (hour, names, which) in enumerate(steps):
        two[0].put(window(hour), [event(f"{number}{name}", MIDNIGHT + hour * HOUR, message=name) for name in names])
        room = two[which]
        assert room.found("a OR b") == room.scanned("a OR b")
    for room in two:
        assert room.found("*") == room.scanned("*")


def test_a_page_goes_on_where_it_was_while_new_events_come(room: Room) -> None:
    room.put(window(0), rows(0, *(f"e{n}" for n in range(6))))
    first = room.search.page(parse_query("*"), EVERYTHING, budget=Budget(_PATIENCE), limit=3)
    room.put(window(1), rows(1, "newer"))
    assert first.cursor is not None
    cursor = Cursor.parse(str(first.cursor))
    second = room.search.page(parse_query("*"), EVERYTHING, budget=Budget(_PATIENCE), cursor=cursor, limit=3)
    assert uids(first.rows) + uids(second.rows) == [f"e{n}" for n in reversed(range(6))]
    assert second.cursor is None


def test_while_another_process_indexes_a_day_results_are_complete_all_the_same(room: Room, tmp_path: Path) -> None:
    room.put(window(0), rows(0, "first"))
    assert room.found("*") == ["first"]
    room.put(window(0), rows(0, "changed"))
    room.put(window(1), rows(1, "second"))
    lock = next((tmp_path / "cache").rglob("*.lock"))
    program = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert room.found("*") == ["second", "changed"]
        other.communicate("\n")
    assert room.found("*") == ["second", "changed"]


def test_a_folder_that_cant_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    lake = FolderStorage(tmp_path / "lake")
    room = Room(lake, LogSearch(lake, ShardCache(tmp_path / "file" / "cache", lake.url, most_bytes=1 << 30)))
    room.put(window(0), rows(0, "a", "b"))
    assert room.found("*") == ["b", "a"]


def test_a_broken_index_is_made_anew(room: Room, tmp_path: Path) -> None:
    room.put(window(0), rows(0, "a"))
    assert room.found("a") == ["a"]
    meta = next((tmp_path / "cache").rglob("meta.json"))
    meta.write_text("{}")
    again = Room(room.lake, LogSearch(room.lake, ShardCache(tmp_path / "cache", room.lake.url, most_bytes=1 << 30)))
    assert again.found("a") == ["a"]


def test_the_folder_stays_small_and_results_complete(tmp_path: Path) -> None:
    lake = FolderStorage(tmp_path / "lake")
    room = Room(lake, LogSearch(lake, ShardCache(tmp_path / "cache", lake.url, most_bytes=1)))
    for day in range(4):
        room.put(window(24 * day), rows(24 * day, f"d{day}"))
    assert room.found("*") == ["d3", "d2", "d1", "d0"]
    assert len(list((tmp_path / "cache").rglob("meta.json"))) == 1
    assert room.found("*") == ["d3", "d2", "d1", "d0"]


def test_a_search_that_reads_too_much_says_what_to_narrow_and_gets_further_each_time(room: Room) -> None:
    for hour in (0, 24, 48):
        room.put(window(hour), rows(hour, f"h{hour}"))

    def spent() -> Budget:
        return Budget(0.0, size=1)

    newest = room.search.page(parse_query("*"), EVERYTHING, budget=spent(), limit=1)
    assert uids(newest.rows) == ["h48"]
    with pytest.raises(SearchTooWide, match=r"Narrow the time range to begin at 2026-11-2[12]T00:00:00Z") as error:
        room.search.page(parse_query("nothing"), EVERYTHING, budget=spent())
    assert "s1c search --index" in str(error.value)
    counts = room.search.counts(parse_query("*"), EVERYTHING, budget=spent())
    assert (counts.exact, counts.total) in {(False, 2), (True, 3)}
    assert room.search.counts(parse_query("*"), EVERYTHING, budget=spent()).exact
    assert room.found("nothing") == []


def test_events_and_exports_come_from_the_lake(any_room: Room) -> None:
    key = any_room.put(window(0), rows(0, "a", "b"))
    any_room.put(window(1), rows(1, "c"))
    assert read_event(any_room.lake, key, "b")["raw_data"] == '{"id": "b"}'
    batches = list(any_room.search.rows(parse_query("*"), EVERYTHING, budget=Budget(_PATIENCE)))
    lines = b"".join(ndjson_lines(any_room.lake, batches)).splitlines()
    assert [line.count(b'"raw_data"') for line in lines] == [1, 1, 1]
    assert "".join(csv_lines(batches)).count("\r\n") == 4
    newest = any_room.search.rows(parse_query("*"), EVERYTHING, budget=Budget(_PATIENCE), limit=2)
    assert uids(row for batch in newest for row in batch) == ["c", "b"]
    assert related_hits(any_room.lake, key, "b") == []
