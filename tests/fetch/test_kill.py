"""kill -9 at each step leaves the old object or the new one, and the next run gives the same bytes (I3, I6)."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.lake import object_key

STEPS = ["counted", "read", "packed", "receipt removed", "stored"]
SCRIPT = """
import importlib.util, os, signal, sys
from datetime import UTC, datetime
from pathlib import Path

spec = importlib.util.spec_from_file_location("fake", sys.argv[1])
fake = sys.modules["fake"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fake)
from sentinelone_collector.fetch import fetch
from sentinelone_collector.lake import FolderStorage

def progress(step):
    if step.startswith(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

start = fake.us(fake.START)
source = fake.FakeConsole([fake.row(start + number * 1_000_003, number) for number in range(200)])
fetch(fake.instance(), fake.stream(page_size=10), fake.WINDOW, console=source.console(),
      lake=FolderStorage(Path(sys.argv[2])), now=lambda: datetime(2026, 12, 1, tzinfo=UTC), progress=progress)
"""


def run(fake: Any, folder: Any, step: Any) -> Any:
    arguments = [sys.executable, "-c", SCRIPT, str(Path(fake.__file__)), str(folder), step]
    return subprocess.run(arguments, check=False, env={**os.environ}).returncode


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_old_or_new(fake: Any, collect: Any, lake: Any, step: Any) -> None:
    raw, receipt = (object_key(part, "emea", "activities", fake.WINDOW) for part in ("raw", "receipts"))
    collect(fake.FakeConsole([fake.row(fake.us(fake.START), 1)]), lake)
    lake.put(receipt, b"{}")
    old = lake.digest(raw)
    start = fake.us(fake.START)
    rows = [fake.row(start + number * 1_000_003, number) for number in range(200)]
    assert run(fake, lake.url, step) == -signal.SIGKILL
    found = lake.digest(raw)
    if step == "stored":
        assert found != old
    else:
        assert found == old
    # a receipt never stands beside bytes that it does not speak of
    assert (lake.read(receipt) is not None) is (step not in ("receipt removed", "stored"))
    assert sorted(lake.keys("raw/")) == [raw]
    result, lines = collect(fake.FakeConsole(rows), lake)
    assert lines == [row.body for row in rows]
    assert hashlib.sha256(lake.read(raw)).hexdigest() == result.raw_sha256
    assert lake.read(receipt) is None


def test_a_run_that_is_not_killed_gives_the_same_bytes_in_another_process(
    fake: Any, collect: Any, lake: Any, tmp_path: Any
) -> None:
    assert run(fake, tmp_path / "other", "no such step") == 0
    start = fake.us(fake.START)
    rows = [fake.row(start + number * 1_000_003, number) for number in range(200)]
    result, _ = collect(fake.FakeConsole(rows), lake)
    key = object_key("raw", "emea", "activities", fake.WINDOW)
    assert hashlib.sha256((tmp_path / "other" / key).read_bytes()).hexdigest() == result.raw_sha256
