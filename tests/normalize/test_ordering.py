"""Sorting within bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize.blocks import Block
from sentinelone_collector.normalize.ordering import Unsorted, in_order, merged, pages
from sentinelone_collector.normalize.rows import Rows

TIMES = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), max_size=60)


BLOCK = Block({}, [])
Keys = Sequence[tuple[int, int]]


def _rows(keys: Keys, *, begin: int = 0) -> Rows:
    """Return rows whose numbers say which of all they are."""
    found = Rows.of(BLOCK, [time for time, _ in keys], [str(uid) for _, uid in keys])
    return replace(found, numbers=found.numbers + begin)


def _some_at_a_time(keys: Keys, size: int) -> Iterator[Rows]:
    for begin in range(0, len(keys), size):
        yield _rows(keys[begin : begin + size], begin=begin)


def _keys(batches: Iterable[Rows]) -> list[tuple[int, int]]:
    return [(time, int(uid)) for batch in batches for time, uid in batch.sort_keys()]


def _numbers(batches: Iterable[Rows]) -> list[int]:
    return [number for batch in batches for number in batch.numbers.tolist()]


@settings(max_examples=100)
@given(keys=TIMES, batch=st.integers(1, 7), look_ahead=st.integers(1, 7), most_held=st.integers(8, 30))
def test_comes_out_sorted_and_whole_or_says_that_it_can_not(
    keys: list[tuple[int, int]], batch: int, look_ahead: int, most_held: int
) -> None:
    try:
        found = list(in_order(_some_at_a_time(keys, batch), look_ahead=look_ahead, most_held=most_held))
    except Unsorted:
        assert keys != sorted(keys)
    else:
        assert _keys(found) == sorted(keys)
        assert _numbers(found) == sorted(range(len(keys)), key=lambda number: keys[number])


@settings(max_examples=100)
@given(keys=TIMES, batch=st.integers(1, 7))
def test_ties_of_a_millisecond_in_any_order_need_no_second_pass(keys: list[tuple[int, int]], batch: int) -> None:
    by_time = sorted(keys, key=lambda key: key[0])
    assert _keys(in_order(_some_at_a_time(by_time, batch), look_ahead=1, most_held=1000)) == sorted(keys)


@settings(max_examples=50)
@given(keys=TIMES, batch=st.integers(1, 7), run=st.integers(1, 9))
def test_merging_sorts_any_order_and_keeps_equal_keys_in_order(
    tmp_path_factory: pytest.TempPathFactory, keys: list[tuple[int, int]], batch: int, run: int
) -> None:
    lines = [json.dumps([*key, number]).encode() for number, key in enumerate(keys)]

    def to_rows(some: Sequence[bytes]) -> Rows:
        told = [json.loads(line) for line in some]
        return replace(_rows([(time, uid) for time, uid, _ in told]), numbers=np.array([one[2] for one in told]))

    batches = list(merged(lines, to_rows, tmp_path_factory.mktemp("runs"), batch=batch, run=run))
    assert _keys(batches) == sorted(keys)
    assert all(len(found) == batch for found in batches[:-1])
    assert _numbers(batches) == sorted(range(len(keys)), key=lambda number: keys[number])


@given(sizes=st.lists(st.integers(0, 9), max_size=9), size=st.integers(1, 5))
def test_pages_have_one_size_and_hold_all_rows_in_order(sizes: list[int], size: int) -> None:
    keys = [(number, number) for number in range(sum(sizes))]
    begins = [sum(sizes[:number]) for number in range(len(sizes))]
    found = list(pages((_rows(keys[at : at + each], begin=at) for at, each in zip(begins, sizes, strict=True)), size))
    assert _keys(found) == keys
    assert all(len(page) == size for page in found[:-1])
    assert all(0 < len(page) <= size for page in found[-1:])


def test_a_long_millisecond_is_not_held_for_ever() -> None:
    batches = [len(batch) for batch in in_order(_some_at_a_time([(1, 1)] * 100, 10), look_ahead=5, most_held=30)]
    assert sum(batches) == 100
    assert max(batches) <= 40


def test_blocks_without_rows_are_let_go() -> None:
    others = [Rows.of(Block({}, []), [number], [str(number)]) for number in range(5)]
    held = others[0]
    for rows in others[1:]:
        held = Rows.joined((held, rows)).taken(slice(1, None))
    assert len(Rows.joined((held, others[4])).blocks) == 1


def test_merging_reads_lines_once_only(tmp_path: Path) -> None:
    lines = iter([b"[2, 0]", b"[1, 0]"])
    found = merged(lines, lambda some: _rows([tuple(json.loads(line)) for line in some]), tmp_path, batch=5, run=1)
    assert _keys(found) == [(1, 0), (2, 0)]
