from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.lake import PARTS, day_prefix, object_key, parse_key, part_prefix
from sentinelone_collector.windows import DAY, Window

SECONDS = 86_400


@st.composite
def windows(draw: st.DrawFn) -> Window:
    day = datetime(2000, 1, 1, tzinfo=UTC) + draw(st.integers(0, 20_000)) * DAY
    start = draw(st.integers(0, SECONDS - 1))
    end = draw(st.integers(start + 1, SECONDS))
    return Window(day + timedelta(seconds=start), day + timedelta(seconds=end))


NAMES = st.from_regex(r"[a-z][a-z0-9_]{1,39}", fullmatch=True)


@settings(max_examples=100)
@given(st.sampled_from(sorted(PARTS)), NAMES, NAMES, windows())
def test_every_key_reads_back_as_what_it_was_made_of(part: str, instance: str, stream: str, window: Window) -> None:
    key = object_key(part, instance, stream, window)
    assert parse_key(key) == (part, instance, stream, window)
    assert key.startswith(day_prefix(part, instance, stream, window.day))
    assert key.startswith(part_prefix(part, instance, stream))


@settings(max_examples=100)
@given(st.lists(windows(), min_size=2, max_size=6))
def test_keys_of_one_stream_sort_like_their_windows(several: list[Window]) -> None:
    by_key = sorted(several, key=lambda window: object_key("raw", "emea", "threats", window))
    assert by_key == sorted(several)


def test_the_key_is_the_one_that_the_design_names() -> None:
    window = Window(datetime(2026, 11, 22, 10, tzinfo=UTC), datetime(2026, 11, 22, 10, 10, tzinfo=UTC))
    assert object_key("raw", "emea", "activities", window) == (
        "raw/instance=emea/stream=activities/day=2026-11-22/20261122T100000Z--20261122T101000Z.ndjson.zst"
    )
    assert object_key("events", "emea", "activities", window).endswith("20261122T101000Z.parquet")
    assert object_key("receipts", "emea", "activities", window).startswith("receipts/instance=emea/")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "raw/instance=emea/stream=activities/day=2026-11-22/notes.txt",
        "spam/instance=emea/stream=activities/day=2026-11-22/20261122T100000Z--20261122T101000Z.parquet",
        "raw/instance=emea/stream=activities/day=2026-11-22/20261122T100000Z--20261122T101000Z.parquet",
        "events/instance=emea/stream=activities/day=2026-11-23/20261122T100000Z--20261122T101000Z.parquet",
        "events/instance=emea/stream=activities/day=2026-11-22/20261122T101000Z--20261122T100000Z.parquet",
        "events/instance=emea/stream=activities/day=2026-11-22/20261399T100000Z--20261122T101000Z.parquet",
        "events/instance=emea/stream=activities/day=2026-11-22/20261122T100000Z--20261122T101000Z.parquet.tmp",
    ],
)
def test_an_object_that_is_none_of_the_lakes_own_is_not_read_as_one(key: str) -> None:
    assert parse_key(key) is None
