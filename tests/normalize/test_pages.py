"""Pages of tables: rows of blocks and rows that came one by one, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize import Context, decode_record, iter_events
from sentinelone_collector.normalize.blocks import AnyRow, Block
from sentinelone_collector.normalize.columns import flat
from sentinelone_collector.normalize.quick import quick_reader
from sentinelone_collector.normalize.streams.activities import map_record
from sentinelone_collector.normalize.tables import TableBuilder

CONTEXT = Context("console.example.com", "activities")
# a log-in, a blocked connection, a device that was plugged in, and fields that keep a record from the quick way
KINDS: tuple[tuple[int, dict[str, Any]], ...] = (
    (27, {"username": "anna@example.com", "ipAddress": "192.0.2.7"}),
    (5232, {"reportedRemoteHost": "198.51.100.9", "reportedRemotePort": 443, "reportedDirection": "inbound"}),
    (5126, {"deviceName": "Stick", "computerName": "pc-7", "uid": "A1", "eventType": "connected"}),
    (27, {"username": "berta@example.com", "reasons": ["a", "b"]}),
    (90, {"computerName": "pc-8"}),
)


def _long_way(line: bytes) -> AnyRow:
    text, record = decode_record(line)
    return flat(map_record(record, text, CONTEXT))


def _events(*batches: Sequence[AnyRow]) -> list[dict[str, Any]]:
    builder = TableBuilder()
    for batch in batches:
        builder.add(batch)
    assert builder.encoded_table().num_rows == builder.rows
    return list(iter_events(builder.table()))


class Given:
    """Rows of three blocks, with those that went the long way between them, and the event of each by itself."""

    def __init__(self, activity: Callable[..., dict[str, Any]]) -> None:
        read = quick_reader(CONTEXT)
        self.rows: list[AnyRow] = []
        for block in range(3):
            lines = [
                msgspec.json.encode(activity(kind, data | {"number": block}, id=str(100 * block + number), agentId="7"))
                for number, (kind, data) in enumerate(KINDS * 2)
            ]
            quick = read(lines)
            self.rows += [_long_way(line) if row is None else row for line, row in zip(lines, quick, strict=True)]
        self.events = [event for row in self.rows for event in _events([row])]


@pytest.fixture(scope="module")
def given_rows(activity: Callable[..., dict[str, Any]]) -> Given:
    found = Given(activity)
    assert {isinstance(row[2], Block) for row in found.rows} == {True, False}
    return found


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 1), cut=st.integers(0, 30))
def test_any_rows_in_any_order_give_their_own_events(given_rows: Given, seed: int, share: float, cut: int) -> None:
    dice = random.Random(seed)
    chosen = [number for number in range(len(given_rows.rows)) if dice.random() < share] or [0]
    if dice.random() < 0.7:
        dice.shuffle(chosen)
    batches = [[given_rows.rows[number] for number in some] for some in (chosen[:cut], chosen[cut:])]
    assert _events(*batches) == [given_rows.events[number] for number in chosen]


def test_neighbours_of_one_block_share_its_memory(given_rows: Given) -> None:
    ours = [row for row in given_rows.rows[:4] if isinstance(row[2], Block)][:3]
    builder = TableBuilder()
    builder.add(ours)
    [raw] = builder.encoded_table().column("raw_data").chunks
    block = ours[0][2]
    assert isinstance(block, Block)
    assert raw.buffers()[2].address == block.columns["raw_data"].buffers()[2].address
