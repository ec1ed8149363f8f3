"""Pages of tables: rows of any blocks, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.normalize import Context, iter_events
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.quick import quick_reader
from sentinelone_collector.normalize.rows import Rows
from sentinelone_collector.normalize.tables import TableBuilder

from .conftest import long_way

CONTEXT = Context("console.example.com", "activities")
# a log-in, a blocked connection, a device that was plugged in, and fields that keep a record from the quick way
KINDS: tuple[tuple[int, dict[str, Any]], ...] = (
    (27, {"username": "anna@example.com", "ipAddress": "192.0.2.7"}),
    (5232, {"reportedRemoteHost": "198.51.100.9", "reportedRemotePort": 443, "reportedDirection": "inbound"}),
    (5126, {"deviceName": "Stick", "computerName": "pc-7", "uid": "A1", "eventType": "connected"}),
    (27, {"username": "berta@example.com", "reasons": ["a", "b"]}),
    (90, {"computerName": "pc-8"}),
)


def _events(*batches: Rows) -> list[dict[str, Any]]:
    builder = TableBuilder()
    for batch in batches:
        builder.add(batch)
    assert builder.encoded_table().num_rows == builder.rows
    return list(iter_events(builder.table()))


class Given:
    """Rows of three pairs of blocks, one of each went the long way, and the event of each row by itself."""

    def __init__(self, activity: Callable[..., dict[str, Any]]) -> None:
        read = quick_reader(CONTEXT)
        found = []
        for block in range(3):
            lines = [
                msgspec.json.encode(activity(kind, data | {"number": block}, id=str(100 * block + number), agentId="7"))
                for number, (kind, data) in enumerate(KINDS * 2)
            ]
            quick, known = read(Lines.joined(lines))
            others = [line for number, line in enumerate(lines) if number not in known]
            slow = long_way(others, CONTEXT)
            both = Rows.joined((quick, slow))
            dice = random.Random(block)
            found.append(both.taken(np.array(dice.sample(range(len(both)), len(both)))))
        self.rows = Rows.joined(found)
        self.events = [event for place in range(len(self.rows)) for event in _events(self.taken([place]))]

    def taken(self, places: Sequence[int]) -> Rows:
        return self.rows.taken(np.array(places, np.int64))


@pytest.fixture(scope="module")
def given_rows(activity: Callable[..., dict[str, Any]]) -> Given:
    found = Given(activity)
    assert len(found.rows.blocks) == 6
    return found


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 1), cut=st.integers(0, 30))
def test_any_rows_in_any_order_give_their_own_events(given_rows: Given, seed: int, share: float, cut: int) -> None:
    dice = random.Random(seed)
    chosen = [number for number in range(len(given_rows.rows)) if dice.random() < share] or [0]
    if dice.random() < 0.7:
        dice.shuffle(chosen)
    batches = [given_rows.taken(some) for some in (chosen[:cut], chosen[cut:])]
    assert _events(*batches) == [given_rows.events[number] for number in chosen]


def test_neighbours_of_one_block_share_its_memory(given_rows: Given) -> None:
    address = given_rows.rows.addresses[0]
    ours = given_rows.rows.taken(given_rows.rows.addresses == address)
    neighbours = ours.taken(np.argsort(ours.numbers)).taken(slice(3))
    builder = TableBuilder()
    builder.add(neighbours)
    [raw] = builder.encoded_table().column("raw_data").chunks
    assert raw.buffers()[2].address == ours.blocks[address].columns["raw_data"].buffers()[2].address
