"""Queries for the console's audit log and the last checks; imported where they are run only."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, insert, select  # noqa: TID253  # imported where a store is open only

from sentinelone_collector.store.changes import Change, InstanceCheck
from sentinelone_collector.store.tables import console_audit, instance_checks
from sentinelone_collector.store.writing import upsert

__all__ = ["checks", "listed", "of_key", "put_check", "record"]


def record(
    connection: Connection, *, user: str, action: str, target: str, detail: str, key: str | None, at: str
) -> None:
    """Add a line to the audit log; raise `sqlalchemy.exc.IntegrityError` where the key was used before."""
    row = {"at": at, "user": user, "action": action, "target": target, "detail": detail, "request_key": key}
    connection.execute(insert(console_audit), [row])


def listed(connection: Connection, *, target: str | None, limit: int) -> list[Change]:
    """Return the latest lines, the newest first."""
    query = select(console_audit).order_by(console_audit.c.id.desc()).limit(limit)
    if target is not None:
        query = query.where(console_audit.c.target == target)
    return [_change(row) for row in connection.execute(query).mappings()]


def of_key(connection: Connection, key: str) -> Change | None:
    """Return the line with this key."""
    row = connection.execute(select(console_audit).where(console_audit.c.request_key == key)).mappings().first()
    return None if row is None else _change(row)


def _change(row: Any) -> Change:
    return Change(at=row["at"], user=row["user"], action=row["action"], target=row["target"], detail=row["detail"])


def put_check(connection: Connection, check: InstanceCheck) -> None:
    """Keep a check in place of the one before."""
    row = {
        "instance": check.instance,
        "checked_at": check.checked_at,
        "ok": check.ok,
        "expires_at": check.expires_at,
        "sentences": json.dumps(check.sentences, ensure_ascii=False),
    }
    upsert(connection, instance_checks, [row], update_existing=True)


def checks(connection: Connection) -> dict[str, InstanceCheck]:
    """Return the checks by instance."""
    return {
        row["instance"]: InstanceCheck(
            instance=row["instance"],
            checked_at=row["checked_at"],
            ok=row["ok"],
            expires_at=row["expires_at"],
            sentences=tuple(json.loads(row["sentences"])),
        )
        for row in connection.execute(select(instance_checks)).mappings()
    }
