"""Opening the store: an engine with the right settings, and a schema that is up to date."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.store.locks import database_lock, file_lock
from sentinelone_collector.store.store import Store

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["newest_revision", "open_store"]

_BUSY_SECONDS = 60


def open_store(url: str) -> Store:
    """Return the store at an SQLAlchemy URL, made or migrated to the newest schema where that is needed.

    SQLite files and PostgreSQL are supported. Any number of processes may open the store at once: one migrates, the
    others wait for it. Raise `ConfigurationError` where the URL is wrong or the database can't be reached.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError, OperationalError

    try:
        address = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "S1C_STORE is no database URL; write sqlite:////folder/s1c.db or postgresql+psycopg2://user:…@host/name"
        ) from None
    backend, shown = address.get_backend_name(), address.render_as_string(hide_password=True)
    if backend == "sqlite" and address.database and address.database != ":memory:":
        path = Path(address.database).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = _sqlite(path)
    elif backend == "postgresql":
        path, engine = None, _postgresql(url)
    else:
        raise ConfigurationError(f"S1C_STORE={shown}: the store is an SQLite file or a PostgreSQL database")
    try:
        if _is_current(engine):
            return Store(engine, path)
        with file_lock(path.with_name(f"{path.name}.migrate.lock")) if path else database_lock(engine, "migrate"):
            _migrate(engine)
    except OperationalError as error:
        raise ConfigurationError(f"the store {shown} can't be reached: {error.orig}") from error
    return Store(engine, path)


def _sqlite(path: Path) -> Engine:
    from sqlalchemy import create_engine, event

    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # WAL lets readers go on while a task writes; the driver's own BEGIN comes too late to guard a read-then-write
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        deferred = connection.get_execution_options().get("s1c_read_only", False)
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: str) -> Engine:
    from sqlalchemy import create_engine

    return create_engine(url, pool_pre_ping=True, pool_size=2, max_overflow=8)


def newest_revision() -> str:
    """Return the newest revision of the schema; a migration's module is named `v<revision>_<what>`."""
    from sentinelone_collector.store.migrations import versions

    names = [module.name for module in pkgutil.iter_modules(versions.__path__)]
    return max(name.removeprefix("v").split("_", 1)[0] for name in names)


def _is_current(engine: Engine) -> bool:
    # Every task opens the store: asking the database is far cheaper than loading Alembic
    from sqlalchemy import inspect, text

    with engine.connect().execution_options(s1c_read_only=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == newest_revision()


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "sentinelone_collector.store:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
