from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake import (
    FolderStorage,
    Receipt,
    ReceiptWindow,
    Storage,
    object_key,
    read_receipt,
    receipts_between,
    windows_with_receipt,
    write_receipt,
)
from sentinelone_collector.windows import DAY, Window, parse_time

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
TEN = timedelta(minutes=10)


def window_at(start: datetime, width: timedelta = TEN) -> Window:
    return Window(start, start + width)


def a_receipt(window: Window, **changes: object) -> Receipt:
    receipt = Receipt(
        instance="emea",
        stream="activities",
        window=ReceiptWindow(window.start.isoformat(), window.end.isoformat()),
        console="console.example.test",
        collected_from=window.start.isoformat(),
        expected=12,
        fetched=13,
        duplicates=1,
        events=11,
        quarantined=1,
        hits=2,
        first_time=window.start.isoformat(),
        last_time=None,
        raw_sha256="a" * 64,
        events_sha256="b" * 64,
        ruleset="c" * 64,
        code_version="1.2.3",
        fetched_at="2026-11-22T10:15:01Z",
    )
    return msgspec.structs.replace(receipt, **changes)


def with_span(start: str, end: str) -> bytes:
    receipt = a_receipt(window_at(START))
    return msgspec.json.encode(msgspec.structs.replace(receipt, window=ReceiptWindow(start, end)))


counts = st.integers(0, 2**53)
texts = st.text(max_size=40)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    window = window_at(START.replace(hour=0) + draw(st.integers(0, 143)) * TEN)
    return a_receipt(
        window,
        expected=draw(counts),
        fetched=draw(counts),
        hits=draw(counts),
        console=draw(texts),
        first_time=draw(st.none() | texts),
    )


@settings(max_examples=60)
@given(receipt=receipts())
def test_a_receipt_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, receipt: Receipt) -> None:
    lake = FolderStorage(tmp_path_factory.getbasetemp() / "receipts")
    write_receipt(lake, receipt)
    assert read_receipt(lake, "emea", "activities", receipt.span) == receipt


def test_a_receipt_is_json_for_people_under_the_key_of_its_window(lake: Storage) -> None:
    window = window_at(START)
    key = write_receipt(lake, a_receipt(window))
    assert key == object_key("receipts", "emea", "activities", window)
    data = lake.read(key)
    assert data is not None
    content = json.loads(data)
    assert content["window"] == {"start": "2026-11-22T10:00:00+00:00", "end": "2026-11-22T10:10:00+00:00"}
    assert {"expected", "fetched", "duplicates", "events", "quarantined", "hits", "ruleset"} <= content.keys()
    assert data.count(b"\n") > 10


def test_writing_the_same_receipt_again_gives_the_same_bytes(lake: Storage) -> None:
    receipt = a_receipt(window_at(START))
    key = write_receipt(lake, receipt)
    before = lake.read(key)
    write_receipt(lake, receipt)
    assert lake.read(key) == before


def test_a_window_without_a_receipt_is_not_complete(lake: Storage) -> None:
    window = window_at(START)
    lake.put(object_key("events", "emea", "activities", window), b"events alone prove nothing")
    assert read_receipt(lake, "emea", "activities", window) is None
    assert list(windows_with_receipt(lake, "emea", "activities")) == []


def test_windows_with_receipt_are_those_of_one_stream_in_order(lake: Storage) -> None:
    wanted = [window_at(START + number * TEN) for number in (5, 0, 3)] + [window_at(parse_time("2026-11-21"), DAY)]
    for window in wanted:
        write_receipt(lake, a_receipt(window))
    write_receipt(lake, a_receipt(window_at(START + TEN), stream="threats"))
    write_receipt(lake, a_receipt(window_at(START + TEN), instance="emea2"))
    lake.put("receipts/instance=emea/stream=activities/day=2026-11-22/notes.txt", b"")
    assert list(windows_with_receipt(lake, "emea", "activities")) == sorted(wanted)


@pytest.mark.parametrize("days", [1, 100])
def test_receipts_between_are_those_of_windows_that_touch_the_range(folder_lake: FolderStorage, days: int) -> None:
    history = [window_at(parse_time("2026-08-01") + number * DAY, DAY) for number in range(100)]
    for window in history:
        write_receipt(folder_lake, a_receipt(window))
    start = parse_time("2026-08-02T12:00:00Z")
    end = start + days * DAY
    found = [receipt.span for receipt in receipts_between(folder_lake, "emea", "activities", start, end)]
    assert found == [window for window in history if window.start < end and start < window.end]
    assert found


def test_a_range_that_ends_at_a_windows_start_does_not_touch_it(folder_lake: FolderStorage) -> None:
    write_receipt(folder_lake, a_receipt(window_at(START)))
    assert list(receipts_between(folder_lake, "emea", "activities", START - TEN, START)) == []
    assert list(receipts_between(folder_lake, "emea", "activities", START + TEN, START + DAY)) == []
    assert len(list(receipts_between(folder_lake, "emea", "activities", START + TEN / 2, START + TEN))) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        msgspec.json.encode(a_receipt(window_at(START)))[:-20],
        with_span("yesterday", "today"),
        with_span("2026-11-22", "2026-11-22"),
    ],
)
def test_a_broken_receipt_is_named_with_the_cure(lake: Storage, data: bytes) -> None:
    window = window_at(START)
    key = object_key("receipts", "emea", "activities", window)
    lake.put(key, data)
    with pytest.raises(LakeError, match=rf"{key} is no receipt.*delete it and collect the window again"):
        read_receipt(lake, "emea", "activities", window)


def test_a_receipt_of_another_window_under_this_key_is_not_believed(lake: Storage) -> None:
    window = window_at(START)
    other = a_receipt(window_at(START + TEN))
    lake.put(object_key("receipts", "emea", "activities", window), msgspec.json.encode(other))
    with pytest.raises(LakeError, match="is the receipt of"):
        read_receipt(lake, "emea", "activities", window)
