from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.rules import BUILT_IN


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name.removeprefix('detect_')}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if "detect_world" not in sys.modules:
    _load("detect_world")


@pytest.fixture(scope="session")
def built_in() -> Ruleset:
    return load_ruleset(BUILT_IN)


@pytest.fixture
def make_world(tmp_path: Path, built_in: Ruleset) -> Iterator[Callable[..., Any]]:
    from detect_world import World

    worlds: list[Any] = []

    def make(name: str = "world", ruleset: Ruleset = built_in, **more: Any) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        worlds.append(World(folder, ruleset, **more))
        return worlds[-1]

    yield make
    for world in worlds:
        world.store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty store of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 's1c.db'}"
        return
    from sentinelone_collector.store import open_store
    from sentinelone_collector.store.tables import metadata

    url: str = request.getfixturevalue("postgresql")
    yield url
    opened = open_store(url)
    with opened.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    opened.close()
