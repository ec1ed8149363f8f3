"""The hook behind the connection type `sentinelone`."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook

from sentinelone_collector.errors import CollectorError, ConfigurationError
from sentinelone_collector.instances import Connection

__all__ = ["SentinelOneHook", "connection_of"]


class SentinelOneHook(BaseHook):
    """Give access to the console of one connection."""

    conn_name_attr = "sentinelone_conn_id"
    default_conn_name = "sentinelone_default"
    conn_type = "sentinelone"
    hook_name = "SentinelOne"

    def __init__(self, sentinelone_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.sentinelone_conn_id = sentinelone_conn_id

    def get_conn(self) -> Connection:
        """Return the console's address and token; raise `ConfigurationError` where the connection is wrong."""
        return connection_of(self.get_connection(self.sentinelone_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Ask the console whether token, scope, expiry and permissions will do, and answer in words."""
        from sentinelone_collector.normalize.streams import get_stream, stream_names
        from sentinelone_collector.source import Console, check_console

        try:
            streams = [get_stream(name) for name in stream_names()]
            with Console(self.get_conn(), patience=5.0) as console:
                check = check_console(console, streams)
        except CollectorError as error:
            return False, str(error)
        return check.ok, " ".join(check.sentences)


def connection_of(stored: Any) -> Connection:
    """Return the console's address and token from an Airflow connection.

    Raise `ConfigurationError` where its type is another, or host or password are missing or wrong.
    """
    if stored.conn_type != "sentinelone":
        raise ConfigurationError(
            f"connection {stored.conn_id!r} is of type {stored.conn_type!r}; choose the type SentinelOne"
        )
    if not stored.host or not stored.password:
        raise ConfigurationError(
            f"connection {stored.conn_id!r} lacks the console URL (host) or the API token (password)"
        )
    return Connection.from_parts(
        stored.host, stored.port, stored.password, verify_tls=stored.extra_dejson.get("verify_tls") is not False
    )
