"""What the stories share: the built-in rules and empty stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.detect import Ruleset, load_ruleset
from sentinelone_collector.rules import BUILT_IN

from .stage import Stage


@pytest.fixture(scope="session")
def built_in() -> Ruleset:
    return load_ruleset(BUILT_IN)


@pytest.fixture
def new_stage(tmp_path: Path, built_in: Ruleset) -> Iterator[Callable[..., Stage]]:
    """A factory: an empty stage."""
    stages: list[Stage] = []

    def make(name: str = "stage", **more: Any) -> Stage:
        folder = tmp_path / name
        folder.mkdir()
        stages.append(Stage(folder, built_in, **more))
        return stages[-1]

    yield make
    for stage in stages:
        if stage.shared is None:
            stage.store.close()
