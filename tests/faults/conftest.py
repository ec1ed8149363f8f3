"""A simulated console with a clock of its own, and a client whose waiting costs no time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zstandard

from sentinelone_collector.fetch import fetch
from sentinelone_collector.instances import Connection, Instance
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.results import Fetched
from sentinelone_collector.simulator import Simulator
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.endpoint import Endpoint, Stream
from sentinelone_collector.source.rate import Limits
from sentinelone_collector.windows import Window

# the present, since its answers' Date and Retry-After must tell the same time; then frozen
NOW = datetime.now(UTC)
_HOUR = (NOW - timedelta(days=2)).replace(hour=10, minute=0, second=0, microsecond=0)
WINDOW = Window(_HOUR, _HOUR + timedelta(hours=1))


class Clock:
    """Seconds that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@dataclass
class Collector:
    """Fetches one hour of a simulated console into a lake of its own."""

    simulator: Simulator
    lake: FolderStorage
    clock: Clock = field(default_factory=Clock)

    window = WINDOW
    instance = Instance(
        slug="emea", name="EMEA", connection_id="sentinelone_emea", live_since=NOW - timedelta(days=4), every="1h"
    )
    stream = Stream(
        "activities",
        Endpoint(
            *("/activities", "createdAt", ("createdAt",), "createdAt", "Activity Page.view"),
            optional=False,
            page_size=100,
        ),
        print,
    )

    def console(self, **options: Any) -> Console:
        options = {"limits": Limits(), "clock": self.clock, "sleep": self.clock.sleep, **options}
        return Console(Connection(self.simulator.url, self.simulator.token), **options)

    def fetch(self, **options: Any) -> Fetched:
        with self.console(**options) as console:
            return fetch(self.instance, self.stream, self.window, console=console, lake=self.lake, now=lambda: NOW)

    def stored(self) -> bytes | None:
        raw = self.lake.read(object_key("raw", "emea", "activities", self.window))
        return raw and zstandard.ZstdDecompressor().decompress(raw)

    def truth(self) -> bytes:
        return b"".join(record + b"\n" for record in self.simulator.truth(self.window.start, self.window.end))


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(seed=11, records_per_day=20_000, days=3, now=lambda: NOW, rate_limits=False) as running:
        yield running


@pytest.fixture
def collector(simulator: Simulator, tmp_path: Any) -> Iterator[Collector]:
    simulator.clear_faults()
    yield Collector(simulator, FolderStorage(tmp_path / "lake"))
    simulator.clear_faults()
