"""The fake console as a fixture, since test folders are no packages."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zstandard

from sentinelone_collector.fetch import fetch
from sentinelone_collector.lake import FolderStorage, object_key


def _loaded(file: str) -> ModuleType:
    name = f"fetch_{file}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{file}.py"))
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    return _loaded("fake_console")


@pytest.fixture(scope="session")
def living() -> ModuleType:
    return _loaded("living_console")


@pytest.fixture
def lake(tmp_path: Any) -> Any:
    return FolderStorage(tmp_path / "lake")


@pytest.fixture(scope="session")
def collect(fake: Any) -> Any:
    """Fetch one window and return the result and the lines in the lake."""

    def run(
        source: Any,
        lake: Any,
        window: Any = None,
        *,
        instance: Any = None,
        stream: Any = None,
        console: Any = None,
        now: Any = None,
        **options: Any,
    ) -> Any:
        window = window or fake.WINDOW
        instance = instance or fake.instance()
        result = fetch(
            instance,
            stream or fake.stream(),
            window,
            console=console or source.console(),
            lake=lake,
            now=now or (lambda: datetime(2026, 12, 31, tzinfo=UTC)),
            **options,
        )
        raw = lake.read(object_key("raw", instance.slug, result.stream, window))
        return result, zstandard.ZstdDecompressor().decompress(raw).splitlines()

    return run


@pytest.fixture
def hour(fake: Any) -> Any:
    """5,000 records of one hour, some at the same microsecond."""
    step = timedelta(hours=1) / 5000
    times = [fake.us(fake.START + step * (number - number % 3)) for number in range(5000)]
    return [fake.row(time, 10**18 + number * 7919 % 5000) for number, time in enumerate(times)]
