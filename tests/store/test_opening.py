from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.store import Store, open_store
from sentinelone_collector.windows import Window

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


def test_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sentinelone_collector.store.tables import metadata

    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []


def _downgrade(store: Store, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "sentinelone_collector.store:migrations")
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def test_migrations_can_be_taken_back(url: str) -> None:
    from sqlalchemy import inspect

    store = open_store(url)
    _downgrade(store, "base")
    assert inspect(store.engine).get_table_names() == ["alembic_version"]
    store.close()
    open_store(url).close()


def test_an_older_store_is_migrated_with_all_that_it_holds(url: str) -> None:
    from sqlalchemy import text

    window = Window(NOW, NOW + timedelta(minutes=10))
    store = open_store(url)
    _downgrade(store, "0001")
    with store.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO tagged_windows VALUES ('emea', 'activities', :name, 'd', 3)"), {"name": window.name}
        )
        connection.execute(
            text(
                "INSERT INTO incidents (id, rule_id, rule_version, title, summary, family, classification, level,"
                " severity_id, kind, console, entity, bucket, attacks, attacks_v19, count, first_seen, last_seen,"
                " superseded, status, created_at) VALUES (:id, 'aa-010', '1', 't', 's', 'f', 'c', 'high', 4, 'event',"
                " 'c', 'e', 0, '[]', '[]', 1, 1, 1, false, 'open', '2026-01-14T00:00:00Z')"
            ),
            {"id": "a" * 32},
        )
    store.close()
    opened = open_store(url)
    assert opened.tagged_digest("emea", "activities", window) == "d"
    assert opened.tagged_influence("emea", "activities", window) is None
    opened.set_influence("emea", "activities", window, timedelta(days=7))
    assert opened.tagged_influence("emea", "activities", window) == timedelta(days=7)
    assert opened.assign_incident("aaaaaa", "ann", author="bob", now=NOW).assignee == "ann"
    with opened.engine.begin() as connection:
        for table in ("incident_history", "incidents", "tagged_windows"):
            connection.execute(text(f"DELETE FROM {table}"))
    opened.close()


def _open(url: str) -> None:
    store = open_store(url)
    assert store.ledger_digest("none", "none") is None
    store.close()


def test_several_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's1c.db'}"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_open, args=(url,), daemon=True) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4


def test_opening_again_changes_nothing(url: str) -> None:
    open_store(url).close()
    open_store(url).close()


@pytest.mark.parametrize("url", ["no url", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="S1C_STORE") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql.*can't be reached") as caught:
        open_store("postgresql+psycopg2://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(caught.value)


def _hold(url: str, ready: Any, finish: Any) -> None:
    store = open_store(url)
    with store.lock("emea"):
        ready.set()
        finish.wait()
    store.close()


def _take(url: str, name: str, started: Any, taken: Any) -> None:
    store = open_store(url)
    started.set()
    with store.lock(name):
        taken.set()
    store.close()


def _heard(event: Any, process: Any) -> bool:
    """Wait for what another process says, unless it has died."""
    while process.is_alive() and not event.wait(1):
        pass
    return bool(event.is_set())


def test_a_lock_keeps_other_processes_out_until_it_is_given_back(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready, finish, started, taken, other_started, other = (context.Event() for _ in range(6))
    open_store(url).close()
    holder = context.Process(target=_hold, args=(url, ready, finish), daemon=True)
    holder.start()
    assert _heard(ready, holder)
    waiting = context.Process(target=_take, args=(url, "emea", started, taken), daemon=True)
    free = context.Process(target=_take, args=(url, "apac", other_started, other), daemon=True)
    waiting.start()
    free.start()
    assert _heard(other, free)  # another name is another lock
    assert _heard(started, waiting)
    assert not taken.wait(0.5)
    finish.set()
    assert _heard(taken, waiting)
    for process in (holder, waiting, free):
        process.join()
        assert process.exitcode == 0


def test_a_lock_of_a_process_that_died_is_free(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready, never, started, taken = (context.Event() for _ in range(4))
    open_store(url).close()
    holder = context.Process(target=_hold, args=(url, ready, never), daemon=True)
    holder.start()
    assert _heard(ready, holder)
    holder.kill()
    holder.join()
    _take(url, "emea", started, taken)
    assert taken.is_set()


def test_the_newest_revision_is_the_head_of_the_migrations() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from sentinelone_collector.store.opening import newest_revision

    config = Config()
    config.set_main_option("script_location", "sentinelone_collector.store:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]
