"""Any sequence of collecting, tagging, delivering, dying and delivering again ends with one right object per window."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deliver.conftest import STREAM, Results, World, a_hit, file_key, window_at

from sentinelone_collector.lake import FolderStorage, read_receipt
from sentinelone_collector.windows import Window

WINDOWS = (window_at(0), window_at(1), window_at(2))
VERSIONS = 3


class Killed(BaseException):
    """The process died here."""


class MemoryLedger:
    """What the store keeps of deliveries, without a database."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}

    def ledger_digest(self, destination: str, target: str) -> str | None:
        return self.rows.get((destination, target))

    def record_delivery(self, *, destination: str, target: str, sha256: str, **_: Any) -> None:
        self.rows[destination, target] = sha256

    def lock(self, name: str) -> threading.Lock:
        return threading.Lock()


@dataclass(frozen=True)
class Collect:
    """Fetch and normalize a window (again); `version` decides what the console holds by then."""

    window: Window
    version: int


@dataclass(frozen=True)
class Tag:
    """Tagging window `by` changes the hits of another one."""

    by: Window
    window: Window
    rule: int


@dataclass(frozen=True)
class Deliver:
    """Deliver a window; die at the given write (0: live)."""

    window: Window
    dies_at: int


windows = st.sampled_from(WINDOWS)
steps = st.one_of(
    st.builds(Collect, windows, st.integers(0, VERSIONS - 1)),
    st.builds(Tag, windows, windows, st.integers(0, 3)),
    st.builds(Deliver, windows, st.integers(0, 8)),
)


class Play:
    """Carries out steps in one world and checks after each what a reader may rely on."""

    def __init__(self, base: Path, prepared: dict[tuple[Window, int], tuple[Results, dict[str, bytes]]]) -> None:
        self.world = World(FolderStorage(base / "lake"), MemoryLedger(), base)
        self.prepared = prepared
        self.pending: dict[Window, tuple[Results, set[Window]]] = {}
        self.delivered: set[Window] = set()

    def collect(self, window: Window, version: int) -> None:
        results, parts = self.prepared[window, version]
        changed = self.world.lake.read(self.world.key("events", window)) != parts["events"]
        if changed:  # as normalize does
            self.world.lake.delete(self.world.key("receipts", window))
        for part, content in parts.items():
            self.world.lake.put(self.world.key(part, window), content)
        self.world.tag(window, [])
        self.pending[window] = (results, self.pending.get(window, (results, set()))[1])

    def tag(self, by: Window, window: Window, rule: int) -> None:
        if by not in self.pending or window not in self.pending or by == window:
            return
        self.world.tag(window, [a_hit(f"r.{rule}", self.world.uids(window)[: rule + 1])] if rule else [])
        self.pending[by][1].add(window)

    def deliver(self, window: Window, dies_at: int) -> None:
        if window not in self.pending:
            return
        results, retagged = self.pending[window]
        try:
            with dying(dies_at):
                self.world.deliver(results.with_retagged(*sorted(retagged)))
        except Killed:
            return
        retagged.clear()
        self.delivered.add(window)

    def check(self) -> None:
        files = self.world.delivered_files()
        assert files.keys() <= {file_key(window) for window in self.pending}
        for window in self.pending:
            receipt = read_receipt(self.world.lake, "emea", STREAM, window)
            if receipt is None:
                continue
            assert file_key(window) in files, "a receipt vouches for what never arrived"
            digests = (receipt.events_sha256, receipt.hits_sha256)
            if digests == tuple(self.world.lake.digest(self.world.key(part, window)) for part in ("events", "hits")):
                assert files[file_key(window)] == self.world.expected(window)
                assert receipt.hits == len(self.world.hits[window])


@contextmanager
def dying(at: int) -> Iterator[None]:
    """Die at one of the writes: an object put into lake or destination (before or after), a row of the ledger."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == at:
            raise Killed

    def stepping(work: Any) -> Any:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            step()
            work(*arguments, **named)
            step()

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FolderStorage, "put", stepping(FolderStorage.put))
        patch.setattr(MemoryLedger, "record_delivery", stepping(MemoryLedger.record_delivery))
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Window, int], tuple[Results, dict[str, bytes]]]:
    """Return what collecting each window gives in each version."""
    world = World(FolderStorage(tmp_path_factory.mktemp("prepared")), None, Path())
    every = {}
    for window in WINDOWS:
        for version in range(VERSIONS):
            results = world.collect(window, 3 + version, version=version)
            parts = {part: world.lake.read(world.key(part, window)) for part in ("raw", "events")}
            every[window, version] = (results, {part: content for part, content in parts.items() if content})
    return every


@settings(max_examples=60, deadline=None)
@given(played=st.lists(steps, max_size=14))
def test_every_sequence_ends_with_one_right_object_per_window(prepared: Any, played: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        play = Play(Path(folder), prepared)
        for step in played:
            match step:
                case Collect(window, version):
                    play.collect(window, version)
                case Tag(by, window, rule):
                    play.tag(by, window, rule)
                case Deliver(window, dies_at):
                    play.deliver(window, dies_at)
            play.check()
        for window in WINDOWS:
            play.deliver(window, 0)
        play.check()
        assert play.world.delivered_files() == {
            file_key(window): play.world.expected(window) for window in play.pending
        }
        for window in play.pending:
            assert read_receipt(play.world.lake, "emea", STREAM, window) is not None
