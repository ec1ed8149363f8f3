"""Records that change: every version that was stored stays, none is stored twice, and moving is not losing."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import IncompleteWindow, LakeError
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.windows import Window

HOUR = 3_600_000_000
WINDOWS = 4
PHASES = (Phase.explicit, Phase.generate)  # to make an example smaller takes minutes here
Version = tuple[str, str]


def windows(fake: Any) -> list[Window]:
    starts = [fake.START + timedelta(hours=number) for number in range(WINDOWS)]
    return [Window(start, start + timedelta(hours=1)) for start in starts]


def threat(fake: Any, number: int, updated: int, **extra: Any) -> dict[str, Any]:
    start = fake.us(fake.START)
    info = {"createdAt": fake.stamp(start - HOUR), "updatedAt": fake.stamp(start + updated)}
    return {"id": str(10**18 + number), "threatInfo": info, **extra}


def unified(fake: Any, number: int, updated: int) -> dict[str, Any]:
    start = fake.us(fake.START)
    times = [fake.stamp(start + time)[:-4] + "Z" for time in (number * 1000, updated // 1000 * 1000)]
    return {"id": f"0196-{number}", "createdAt": times[0], "updatedAt": times[1], "name": "x"}


def change(fake: Any, record: dict[str, Any], updated: int) -> None:
    info = record.get("threatInfo", record)
    text = fake.stamp(fake.us(fake.START) + updated // 1000 * 1000)
    info["updatedAt"] = text if "threatInfo" in record else text[:-4] + "Z"


def version(record: dict[str, Any]) -> Version:
    return record["id"], record.get("threatInfo", record)["updatedAt"]


def in_lake(lake: Any, stream: str) -> dict[Window, list[Version]]:
    from sentinelone_collector.lake import parse_key

    found = {}
    for key in lake.keys("raw/"):
        parsed = parse_key(key)
        lines = zstandard.ZstdDecompressor().decompress(lake.read(key)).splitlines()
        assert parsed.stream == stream
        found[parsed.window] = [version(json.loads(line)) for line in lines]
    return found


@st.composite
def schedules(draw: Any) -> list[tuple[str, int, int]]:
    """Windows in any order with repeats, and changes before them or at some request while they are read."""
    steps = []
    for _ in range(draw(st.integers(1, 6))):
        steps.append(("fetch", draw(st.integers(0, WINDOWS - 1)), 0))
        changes = draw(st.lists(st.tuples(st.integers(0, 11), st.integers(1, 4)), max_size=3))
        steps += [("change", number, wait) for number, wait in changes]
    return steps


@pytest.mark.parametrize("kind", ["threats", "unified"])
@given(steps=schedules(), page=st.integers(3, 7), order=st.permutations(range(WINDOWS)), spread=st.integers(3, 12))
@settings(max_examples=12, phases=PHASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_in_any_order_and_with_any_changes_nothing_is_lost_and_no_version_is_there_twice(
    fake: Any, living: Any, collect: Any, *, kind: str, steps: Any, page: int, order: Any, spread: int
) -> None:
    stream = living.THREATS if kind == "threats" else living.UNIFIED
    stream = replace(stream, endpoint=replace(stream.endpoint, page_size=page))
    make = threat if kind == "threats" else unified
    records = [make(fake, number, number * HOUR // spread) for number in range(12)]
    source = living.LivingConsole(stream, records)
    clock = [HOUR * 11 // spread]  # the console's time goes on with every change
    due: list[tuple[int, int]] = []

    def before(number: int) -> None:
        for entry in [entry for entry in due if entry[0] <= number]:
            due.remove(entry)
            clock[0] += (WINDOWS * HOUR - clock[0]) // 20
            change(fake, records[entry[1]], clock[0])

    source.before = before
    with tempfile.TemporaryDirectory() as folder:
        lake = FolderStorage(Path(folder))
        stored: set[Version] = set()
        for position, (action, number, wait) in enumerate([*steps, *(("fetch", number, 0) for number in order)]):
            if action == "change":
                due.append((len(source.seen) + wait, number))
                continue
            if position >= len(steps):
                before(10**9)  # quiet from here on
            result, lines = collect(source, lake, windows(fake)[number], stream=stream)
            assert result.expected + result.kept == len(lines) == result.fetched - result.duplicates
            now = in_lake(lake, stream.name)
            everything = Counter(entry for found in now.values() for entry in found)
            assert set(everything.values()) <= {1}
            assert stored <= everything.keys()  # nothing that was stored ever goes
            stored |= everything.keys()
        assert {version(record) for record in records} <= stored
        for window, found in now.items():
            assert all(fake.us(window.start) <= living.micros(time) < fake.us(window.end) for _, time in found)
        digests = {key: lake.digest(key) for key in lake.keys("raw/")}
        for window in windows(fake):
            collect(source, lake, window, stream=stream)
        assert {key: lake.digest(key) for key in lake.keys("raw/")} == digests


def test_a_version_that_left_the_console_is_kept_and_counted(fake: Any, living: Any, collect: Any, lake: Any) -> None:
    records = [threat(fake, number, number * 1000) for number in range(5)]
    source = living.LivingConsole(living.THREATS, records)
    first, before = collect(source, lake, stream=living.THREATS)
    assert (first.expected, first.kept) == (5, 0)
    change(fake, records[3], HOUR + 5_000_000)
    second, after = collect(source, lake, stream=living.THREATS)
    assert after == before
    assert second.raw_sha256 == first.raw_sha256
    assert (second.expected, second.kept, second.fetched, second.duplicates) == (4, 1, 5, 0)
    following, lines = collect(source, lake, windows(fake)[1], stream=living.THREATS)
    assert [version(json.loads(line)) for line in lines] == [version(records[3])]
    assert following.kept == 0


def test_a_stored_version_does_not_change_with_the_present_state_of_its_surroundings(
    fake: Any, living: Any, collect: Any, lake: Any
) -> None:
    records = [threat(fake, number, number, agentRealtimeInfo={"agentIsActive": True}) for number in range(20)]
    source = living.LivingConsole(living.THREATS, records)
    first, lines = collect(source, lake, stream=living.THREATS)
    for record in records:
        record["agentRealtimeInfo"] = {"agentIsActive": False}
    second, again = collect(source, lake, stream=living.THREATS)
    assert again == lines
    assert (second.raw_sha256, second.kept, second.expected) == (first.raw_sha256, 0, 20)


def test_a_record_that_is_lost_at_the_cut_is_noticed_although_records_may_move(
    fake: Any, living: Any, collect: Any, lake: Any
) -> None:
    stream = replace(living.THREATS, endpoint=replace(living.THREATS.endpoint, page_size=40))
    records = [threat(fake, number, number * 60_000_000) for number in range(60)]
    middle = records[30]["threatInfo"]["updatedAt"]
    source = living.LivingConsole(stream, records)
    source.hide = lambda query, record: record is records[30] and query["updatedAt__gte"] == middle
    with pytest.raises(IncompleteWindow, match="halves"):
        collect(source, lake, stream=stream)
    assert list(lake.keys("raw/")) == []


def test_records_that_leave_all_the_time_do_not_keep_a_window_from_being_read(
    fake: Any, living: Any, collect: Any, lake: Any
) -> None:
    """At each request one record changes; the count of the whole window is old before the first page comes."""
    stream = replace(living.THREATS, endpoint=replace(living.THREATS.endpoint, page_size=10))
    records = [threat(fake, number, number * 1_000_000) for number in range(200)]
    source = living.LivingConsole(stream, records)

    def before(number: int) -> None:
        change(fake, records[(number * 37) % 200], HOUR + number * 1_000_000)

    source.before = before
    result, lines = collect(source, lake, stream=stream)
    source.before = None
    _, moved = collect(source, lake, windows(fake)[1], stream=stream)
    found = {version(json.loads(line)) for line in [*lines, *moved]}
    assert {version(record) for record in records} <= found
    assert result.expected == len(lines) < 200
    assert result.proof == "counted"


def test_many_records_of_one_microsecond_that_leave_are_read_too(
    fake: Any, living: Any, collect: Any, lake: Any
) -> None:
    stream = replace(living.THREATS, endpoint=replace(living.THREATS.endpoint, page_size=10))
    records = [threat(fake, number, 77) for number in range(60)]
    source = living.LivingConsole(stream, records)

    def before(number: int) -> None:
        if number % 3 == 0:
            change(fake, records[59 - number % 60], HOUR + number * 1_000_000)

    source.before = before
    _, lines = collect(source, lake, stream=stream)
    source.before = None
    _, moved = collect(source, lake, windows(fake)[1], stream=stream)
    assert {version(record) for record in records} <= {version(json.loads(line)) for line in [*lines, *moved]}


@pytest.mark.parametrize("page", [5, 1000])
def test_a_record_that_is_always_lost_is_noticed_although_records_may_move(
    fake: Any, living: Any, collect: Any, *, lake: Any, page: int
) -> None:
    stream = replace(living.THREATS, endpoint=replace(living.THREATS.endpoint, page_size=page))
    records = [threat(fake, number, number * 1_000_000) for number in range(30)]
    source = living.LivingConsole(stream, records)
    lost = fake.stamp(living.micros(records[11]["threatInfo"]["updatedAt"]))
    body = source._body

    def without(found: Any, cursor: Any, total: Any) -> bytes:
        return body([r for r in found if r["threatInfo"]["updatedAt"] != lost], cursor, total)

    source._body = without
    with pytest.raises(IncompleteWindow, match="distinct"):
        collect(source, lake, stream=stream)
    assert list(lake.keys("raw/")) == []


def test_a_damaged_object_is_not_overwritten_since_it_may_hold_versions_of_its_own(
    fake: Any, living: Any, collect: Any, lake: Any
) -> None:
    source = living.LivingConsole(living.THREATS, [threat(fake, number, number) for number in range(50)])
    collect(source, lake, stream=living.THREATS)
    key = object_key("raw", "emea", "threats", fake.WINDOW)
    for damaged in (lake.read(key)[:-20], b"not zstd"):
        lake.put(key, damaged)
        with pytest.raises(LakeError, match="restore it, or delete it") as caught:
            collect(source, lake, stream=living.THREATS)
        assert str(fake.WINDOW) in str(caught.value)
        assert lake.read(key) == damaged


def test_two_tasks_of_one_window_keep_what_either_has_stored(fake: Any, living: Any, collect: Any, lake: Any) -> None:
    """The second one stores, and a record changes, while the first one reads."""
    records = [threat(fake, number, number) for number in range(6)]
    late = threat(fake, 9, 900)
    source = living.LivingConsole(living.THREATS, records)

    def overtaken(step: str) -> None:
        if step == "packed" and late not in records:
            records.append(late)
            collect(source, lake, stream=living.THREATS)
            change(fake, late, HOUR + 1_000_000)

    _, lines = collect(source, lake, stream=living.THREATS, progress=overtaken)
    assert version(threat(fake, 9, 900)) in {version(json.loads(line)) for line in lines}
