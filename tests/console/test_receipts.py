"""What the registry knows of receipts: records of today, each receipt read once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.console.conftest import NOW, Console, write_receipt_of

from sentinelone_collector.console.receipts import ReceiptIndex
from sentinelone_collector.lake import FolderStorage, object_key, read_receipt, write_receipt
from sentinelone_collector.windows import Window


class NotedLake(FolderStorage):
    """A folder that notes what is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seen: set[str] = set()

    def read(self, key: str) -> bytes | None:
        self.seen.add(key)
        return super().read(key)

    def taken(self) -> set[str]:
        seen, self.seen = self.seen, set()
        return seen


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _key(window: Window, stream: str = "activities") -> str:
    return object_key("receipts", "emea", stream, window)


@pytest.fixture
def lake(console: Console) -> NotedLake:
    return NotedLake(Path(console.site.lake.url))


def test_records_of_today_are_counted_and_no_receipt_is_read_twice(console: Console, lake: NotedLake) -> None:
    midnight = NOW.replace(hour=0)
    instance = console.register(every="1h", live_since=midnight - timedelta(days=2), streams=["activities", "threats"])
    windows = [instance.calendar.window_at(midnight + timedelta(hours=hour)) for hour in range(-2, 4)]
    for window in windows[:-1]:
        write_receipt_of(console.site, instance, window)
    write_receipt_of(console.site, instance, windows[2], "threats")
    clock = Clock()
    index = ReceiptIndex(lake, clock=clock)
    assert index.records(instance, NOW) == 4 * 9, "10 fetched of each, 1 of them twice; yesterday's do not count"
    today = {_key(window) for window in windows[2:5]} | {_key(windows[2], "threats")}
    assert lake.taken() == today
    write_receipt_of(console.site, instance, windows[5])
    assert index.records(instance, NOW) == 4 * 9, "as of half a minute ago"
    clock.now += 31
    assert index.records(instance, NOW) == 5 * 9
    assert lake.taken() == {_key(windows[5])}
    again = read_receipt(console.site.lake, "emea", "activities", windows[3])
    assert again is not None
    write_receipt(console.site.lake, msgspec.structs.replace(again, fetched=100, events=98))
    lake.delete(_key(windows[4]))
    clock.now += 31
    assert index.records(instance, NOW) == 3 * 9 + 99
    assert lake.taken() == {_key(windows[3])}
    clock.now += 31
    assert index.records(instance, NOW + timedelta(days=1)) == 0
    assert lake.taken() == set()
