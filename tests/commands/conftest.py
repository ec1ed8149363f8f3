"""A command line with an inventory, a lake and a simulated console of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector import cli, detect
from sentinelone_collector.detect import Ruleset
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.simulator import Simulator

CANARY = "eyJcanary0token0that0must0show0nowhere"
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = MIDNIGHT - timedelta(days=1)
_SETTINGS = (
    "S1C_LAKE",
    "S1C_STORE",
    "S1C_INSTANCES",
    "S1C_RULES",
    "S1C_DELIVERED",
    "S1C_HISTORY_LIMIT_DAYS",
    "S1C_ADDRESSES",
    "S1C_NETWORKS",
)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def hours(begin: float, end: float) -> tuple[str, str, str, str]:
    """Return `--from … --to …` for hours of yesterday."""
    return ("--from", iso(YESTERDAY + timedelta(hours=begin)), "--to", iso(YESTERDAY + timedelta(hours=end)))


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Desk:
    """Where a person sits: a working folder, settings in the environment, and `s1c`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def set(self, name: str, value: str) -> None:
        self._monkeypatch.setenv(name, value)

    def connect(self, host: str, token: str = CANARY, slug: str = "emea") -> None:
        self.set(
            f"AIRFLOW_CONN_SENTINELONE_{slug.upper()}",
            json.dumps({"conn_type": "sentinelone", "host": host, "password": token}),
        )

    def run(self, *arguments: str, code: int = 0) -> Said:
        """Run one command as the entry point does; its exit code must be as given, and no token may show."""
        self._monkeypatch.setattr(sys, "argv", ["s1c", *arguments])
        self._capsys.readouterr()
        try:
            found: Any = cli.main()
        except SystemExit as end:
            found = end.code
        said = Said(int(found or 0), *self._capsys.readouterr())
        assert CANARY not in said.out + said.err
        assert said.code == code, said
        return said

    def add(self, slug: str = "emea", *options: str, live_since: datetime = MIDNIGHT) -> Said:
        """Register an instance whose yesterday is cut into hours."""
        start = iso(min(live_since, YESTERDAY))
        return self.run(
            *("instances", "add", slug, "--every", "1h", "--settle", "1m", "--live-since", start),
            *("--deliver-to", "delivered"),
            *options,
        )

    @property
    def lake(self) -> Path:
        return self.folder / ".run" / "lake"

    def objects(self, part: str = "") -> dict[str, bytes]:
        """Return every object of a part of the lake by its key."""
        paths = sorted(path for path in (self.lake / part).rglob("*--*") if path.is_file())
        return {str(path.relative_to(self.lake)): path.read_bytes() for path in paths}

    def delivered(self, slug: str = "emea") -> list[bytes]:
        """Return the raw bytes of the records behind all delivered events."""
        files = (self.folder / ".run" / "delivered" / f"instance={slug}").rglob("*.ndjson")
        return [json.loads(line)["raw_data"].encode() for path in files for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def console() -> Iterator[Simulator]:
    """A console with a burst of failed logins at two o'clock yesterday."""
    scenario = f"brute-force@{iso(YESTERDAY + timedelta(hours=2, minutes=4))}"
    with Simulator(
        seed=5, users=15, records_per_day=2400, days=4, scenarios=[scenario], token=CANARY, rate_limits=False
    ) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def built_in() -> Ruleset:
    return detect.loading.load_ruleset(BUILT_IN)


@pytest.fixture
def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    console: Simulator,
    built_in: Ruleset,
) -> Iterator[Desk]:
    def load(*folders: Path, cache: Path | None = None) -> Ruleset:  # tests leave no cache behind
        # the built-in rules do not change, and reading them takes most of a command
        return built_in if folders == (BUILT_IN,) else detect.loading.load_ruleset(*folders)

    monkeypatch.setattr(detect, "load_ruleset", load)
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path, monkeypatch, capsys)
    desk.connect(console.url)
    yield desk
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
