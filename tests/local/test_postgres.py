"""The PostgreSQL server of the local start."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.errors import CollectorError
from sentinelone_collector.local import postgres


@pytest.fixture
def library() -> Any:
    """Give the module of the wheel that starts servers."""
    return postgres._library().postgres_server


def _name(url: str) -> str:
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.connect() as connection:
        name: str = connection.execute(text("SELECT current_database()")).scalar_one()
    engine.dispose()
    return name


def test_a_server_that_starts_slowly_is_waited_for(
    postgres_folder: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, slow = library.pg_ctl, [True]

    def on_a_busy_machine(args: list[str], **more: Any) -> str:
        if "start" not in args or not slow:
            return str(start(args, **more))
        slow.clear()
        start(["-W", *args[1:]], **more)  # it begins to start, and nobody waits for it
        raise subprocess.TimeoutExpired("pg_ctl", 10)

    monkeypatch.setattr(library, "pg_ctl", on_a_busy_machine)
    urls = postgres.start_postgres(postgres_folder, ["airflow", "s1c"])
    assert {name: _name(url) for name, url in urls.items()} == {"airflow": "airflow", "s1c": "s1c"}
    assert postgres.start_postgres(postgres_folder, ["airflow", "s1c"]) == urls
    assert postgres.stop_postgres(postgres_folder)
    assert not postgres.stop_postgres(postgres_folder)


def test_a_server_that_does_not_start_is_told_with_its_log(
    postgres_folder: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(args: list[str], **_: Any) -> str:
        raise subprocess.TimeoutExpired("pg_ctl", 10)

    monkeypatch.setattr(library, "pg_ctl", never)
    postgres_folder.mkdir()
    (postgres_folder / "PG_VERSION").touch()
    (postgres_folder / "log").touch()
    waited: list[float] = []
    with pytest.raises(CollectorError, match=f"{postgres_folder / 'log'} says why"):
        postgres.start_postgres(postgres_folder, ["s1c"], sleep=waited.append)
    assert sum(waited) == 300
