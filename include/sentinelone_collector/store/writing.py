"""Writes that people and deliver cause; imported inside tasks only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, update  # noqa: TID253  # imported inside tasks only

from sentinelone_collector.store.tables import history, incidents, ledger, notes

__all__ = ["add_note", "assign", "log", "record_delivery", "set_status", "upsert"]


def upsert(connection: Connection, table: Any, rows: list[dict[str, Any]], *, update_existing: bool) -> None:
    """Insert rows; those whose primary key exists are updated, or left as they are."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as dialect_insert
    else:
        from sqlalchemy.dialects.sqlite import insert as dialect_insert  # type: ignore[assignment]
    keys = [column.name for column in table.primary_key]
    statement = dialect_insert(table)
    if update_existing:
        changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, rows)


def log(connection: Connection, incident_id: str, kind: str, detail: str, *, author: str, at: str) -> None:
    """Add a line to an incident's history."""
    row = {"incident_id": incident_id, "at": at, "author": author, "kind": kind, "detail": detail}
    connection.execute(insert(history), [row])


def add_note(connection: Connection, incident_id: str, text: str, *, author: str, at: str) -> None:
    """Add a note to an incident."""
    connection.execute(insert(notes), [{"incident_id": incident_id, "at": at, "author": author, "text": text.strip()}])


def set_status(
    connection: Connection,
    incident_id: str,
    status: str,
    *,
    reason: str | None,
    until: str | None,
    author: str,
    at: str,
    detail: str = "",
) -> None:
    """Change an incident's status and write that into its history."""
    connection.execute(
        update(incidents)
        .where(incidents.c.id == incident_id)
        .values(status=status, status_reason=reason, snooze_until=until, status_changed_at=at)
    )
    kind = {"open": "reopened"}.get(status, status)
    log(connection, incident_id, kind, detail or reason or until or "", author=author, at=at)


def assign(connection: Connection, incident_id: str, assignee: str | None, *, author: str, at: str) -> None:
    """Change who works on an incident and write that into its history."""
    connection.execute(update(incidents).where(incidents.c.id == incident_id).values(assignee=assignee))
    log(connection, incident_id, "assigned", assignee or "nobody", author=author, at=at)


def record_delivery(connection: Connection, row: dict[str, Any]) -> None:
    """Write a row of the delivery ledger, in place of an earlier one for the same target."""
    upsert(connection, ledger, [row], update_existing=True)
