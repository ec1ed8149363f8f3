"""Sorting within bounded memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize.blocks import Block, PlacedRow
from sentinelone_collector.normalize.ordering import Unsorted, in_order, merged

TIMES = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), max_size=60)


BLOCK = Block({}, [])


def _row(key: tuple[int, int], number: int = 0) -> PlacedRow:
    return key[0], str(key[1]), BLOCK, number


def _keys(batches: Any) -> list[tuple[int, int]]:
    return [(time, int(uid)) for batch in batches for time, uid, *_ in batch]


@settings(max_examples=100)
@given(keys=TIMES, batch=st.integers(1, 7), look_ahead=st.integers(1, 7), most_held=st.integers(8, 30))
def test_comes_out_sorted_and_whole_or_says_that_it_can_not(
    keys: list[tuple[int, int]], batch: int, look_ahead: int, most_held: int
) -> None:
    try:
        found = _keys(in_order(map(_row, keys), batch=batch, look_ahead=look_ahead, most_held=most_held))
    except Unsorted:
        assert keys != sorted(keys)
    else:
        assert found == sorted(keys)


@settings(max_examples=100)
@given(keys=TIMES, batch=st.integers(1, 7))
def test_ties_of_a_millisecond_in_any_order_need_no_second_pass(keys: list[tuple[int, int]], batch: int) -> None:
    by_time = sorted(keys, key=lambda key: key[0])
    assert _keys(in_order(map(_row, by_time), batch=batch, look_ahead=1, most_held=1000)) == sorted(keys)


@settings(max_examples=50)
@given(keys=TIMES, batch=st.integers(1, 7), run=st.integers(1, 9))
def test_merging_sorts_any_order_and_keeps_equal_keys_in_order(
    tmp_path_factory: pytest.TempPathFactory, keys: list[tuple[int, int]], batch: int, run: int
) -> None:
    lines = [json.dumps([*key, number]).encode() for number, key in enumerate(keys)]

    def to_row(line: bytes) -> PlacedRow:
        time, uid, number = json.loads(line)
        return _row((time, uid), number)

    batches = list(
        merged(
            lines, lambda some: [to_row(line) for line in some], tmp_path_factory.mktemp("runs"), batch=batch, run=run
        )
    )
    assert _keys(batches) == sorted(keys)
    assert all(len(found) == batch for found in batches[:-1])
    numbers = [number for found in batches for *_, number in found]
    assert numbers == sorted(range(len(keys)), key=lambda number: keys[number])


def test_a_long_millisecond_is_not_held_for_ever() -> None:
    batches = [
        len(batch) for batch in in_order((_row((1, 1)) for _ in range(100)), batch=10, look_ahead=5, most_held=30)
    ]
    assert sum(batches) == 100
    assert max(batches) <= 40


def test_merging_reads_lines_once_only(tmp_path: Path) -> None:
    lines = iter([b"[2, 0]", b"[1, 0]"])
    found = merged(lines, lambda some: [_row(tuple(json.loads(line))) for line in some], tmp_path, batch=5, run=1)
    assert _keys(found) == [(1, 0), (2, 0)]
