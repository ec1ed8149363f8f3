"""The store's operations: hits of windows, incidents and their handling, the delivery ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.people import PersonHit
from sentinelone_collector.errors import UsageError
from sentinelone_collector.store.changes import Change, InstanceCheck
from sentinelone_collector.store.counting import Baselines
from sentinelone_collector.store.incidents import CLOSE_REASONS, STATUSES, Incident
from sentinelone_collector.store.locks import database_lock, file_lock
from sentinelone_collector.windows import Window, as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["Store"]

_COLLECTOR = "collector"


class Store(Baselines):
    """One open store; `path` is the file of an SQLite store, None for PostgreSQL."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self.engine = engine
        self._path = path

    def __repr__(self) -> str:
        return f"Store({self.engine.url.render_as_string(hide_password=True)!r})"

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that one holder in all processes has at a time; wait for it as long as it takes."""
        if self._path is None:
            return database_lock(self.engine, name)
        return file_lock(self._path.with_name(f"{self._path.name}.{name}.lock"))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that reads one state of the store and holds up no writer."""
        with self.engine.connect() as connection:
            connection.execution_options(s1c_read_only=True)
            yield connection

    def tagged_digest(self, instance: str, stream: str, window: Window) -> str | None:
        """Return the digest of the window's hits that incidents were last made from, None where there is none."""
        from sqlalchemy import select

        from sentinelone_collector.store.tables import tagged_windows as table

        query = select(table.c.digest).where(
            table.c.instance == instance, table.c.stream == stream, table.c.window == window.name
        )
        with self.reading() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def tagged_influence(self, instance: str, stream: str, window: Window) -> timedelta | None:
        """Return how far the window's events influence later hits, None where nobody has noted it."""
        from sqlalchemy import select

        from sentinelone_collector.store.tables import tagged_windows as table

        query = select(table.c.influence).where(
            table.c.instance == instance, table.c.stream == stream, table.c.window == window.name
        )
        with self.reading() as connection:
            found: int | None = connection.execute(query).scalar_one_or_none()
        return None if found is None else timedelta(milliseconds=found)

    def set_influence(self, instance: str, stream: str, window: Window, influence: timedelta) -> None:
        """Note how far the events of a tagged window influence hits of later windows."""
        from sqlalchemy import update

        from sentinelone_collector.store.tables import tagged_windows as table

        here = (table.c.instance == instance, table.c.stream == stream, table.c.window == window.name)
        with self.engine.begin() as connection:
            milliseconds = int(influence / timedelta(milliseconds=1))
            connection.execute(update(table).where(*here).values(influence=milliseconds))

    def replace_hits(
        self,
        instance: str,
        stream: str,
        window: Window,
        *,
        console: str,
        digest: str,
        hits: Sequence[Hit],
        now: datetime,
    ) -> None:
        """Make these the window's hits and recompute every incident that this touches, in one transaction.

        An incident's content follows from its present hits alone. A closed incident is reopened by a hit that it never
        had before; one that has no hits left is marked superseded and keeps notes, status and history.
        """
        from sentinelone_collector.store.recompute import replace_hits

        with self.engine.begin() as connection:
            if self._path is None:
                _hold(connection, f"incidents/{console}")
            replace_hits(
                connection,
                (instance, stream, window.name),
                console=console,
                digest=digest,
                hits=hits,
                at=_iso(now),
                author=_COLLECTOR,
            )

    def person_hits_between(self, instance: str, stream: str, first: int, last: int) -> list[PersonHit]:
        """Return the hits of persons with a moment from `first` to `last`, epoch milliseconds, both inclusive."""
        from sentinelone_collector.store.recompute import person_hits_between

        with self.reading() as connection:
            return person_hits_between(connection, instance, stream, first, last)

    def list_incidents(
        self,
        *,
        now: datetime,
        status: str | None = None,
        family: str | None = None,
        level: str | None = None,
        classification: str | None = None,
        rule: str | None = None,
        instance: str | None = None,
        text: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        superseded: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Incident]:
        """Return incidents, the latest first, without their hits, notes and history.

        `level` is the least one, `text` is looked for in title, summary, attacker, victim and entity; `since` and
        `until` bound `last_seen`. Raise `UsageError` for an unknown status or level.
        """
        from sentinelone_collector.store import reading

        if status not in {None, *STATUSES}:
            raise UsageError(f"there is no status {status!r}; there are {', '.join(STATUSES)}")
        conditions = reading.conditions(
            now=_iso(now),
            status=status,
            family=family,
            level=level,
            classification=classification,
            rule=rule,
            instance=instance,
            text=text,
            since=since,
            until=until,
            superseded=superseded,
        )
        with self.reading() as connection:
            return reading.listed(connection, conditions, now=_iso(now), limit=limit, offset=offset)

    def count_incidents(self, *, now: datetime) -> dict[str, int]:
        """Return how many incidents are open, snoozed and closed; superseded ones do not count."""
        from sentinelone_collector.store import reading

        with self.reading() as connection:
            return reading.counts(connection, now=_iso(now))

    def get_incident(self, incident_id: str, *, now: datetime) -> Incident:
        """Return an incident with hits, notes and history, by its id or the first six or more characters of it.

        Raise `UsageError` where no incident, or more than one, has such an id.
        """
        from sentinelone_collector.store import reading

        with self.reading() as connection:
            return reading.whole(connection, incident_id, now=_iso(now))

    def close_incident(self, incident_id: str, reason: str, note: str = "", *, author: str, now: datetime) -> Incident:
        """Close an incident for one of `CLOSE_REASONS`; raise `UsageError` for another reason or an unknown id."""
        if reason not in CLOSE_REASONS:
            raise UsageError(f"{reason!r} is no reason to close an incident; there are {', '.join(CLOSE_REASONS)}")
        return self._change(incident_id, "closed", reason, author=author, now=now, note=note)

    def snooze_incident(
        self, incident_id: str, until: datetime, reason: str = "", *, author: str, now: datetime
    ) -> Incident:
        """Put an incident aside until a moment, after which it reads open again; raise `UsageError` for one past."""
        if as_utc(until) <= as_utc(now):
            raise UsageError(f"{_iso(until)} is past; name a later moment to snooze an incident until")
        return self._change(incident_id, "snoozed", None, author=author, now=now, note=reason, until=_iso(until))

    def reopen_incident(self, incident_id: str, note: str = "", *, author: str, now: datetime) -> Incident:
        """Open a closed or snoozed incident again."""
        return self._change(incident_id, "open", None, author=author, now=now, note=note)

    def add_note(self, incident_id: str, text: str, *, author: str, now: datetime) -> Incident:
        """Add a note to an incident; raise `UsageError` where it is empty or the id unknown."""
        from sentinelone_collector.store import reading, writing

        if not text.strip():
            raise UsageError("the note is empty")
        with self.engine.begin() as connection:
            found = reading.resolve(connection, incident_id)
            writing.add_note(connection, found, text, author=author, at=_iso(now))
        return self.get_incident(found, now=now)

    def assign_incident(
        self, incident_id: str, assignee: str, note: str = "", *, author: str, now: datetime
    ) -> Incident:
        """Give an incident to somebody, or with an empty name to nobody; raise `UsageError` for an unknown id."""
        from sentinelone_collector.store import reading, writing

        with self.engine.begin() as connection:
            found = reading.resolve(connection, incident_id)
            writing.assign(connection, found, assignee.strip() or None, author=author, at=_iso(now))
            if note.strip():
                writing.add_note(connection, found, note, author=author, at=_iso(now))
        return self.get_incident(found, now=now)

    def record_change(
        self, *, user: str, action: str, target: str, detail: str, now: datetime, key: str | None = None
    ) -> None:
        """Write a change that somebody made in the console into the audit log; a `key` may be used once."""
        from sentinelone_collector.store import auditing

        with self.engine.begin() as connection:
            auditing.record(connection, user=user, action=action, target=target, detail=detail, key=key, at=_iso(now))

    def list_changes(self, *, target: str | None = None, limit: int = 100) -> list[Change]:
        """Return the changes made in the console, the latest first."""
        from sentinelone_collector.store import auditing

        with self.reading() as connection:
            return auditing.listed(connection, target=target, limit=limit)

    def change_of(self, key: str) -> Change | None:
        """Return what the request with this key did, None where there was none yet."""
        from sentinelone_collector.store import auditing

        with self.reading() as connection:
            return auditing.of_key(connection, key)

    def put_check(self, check: InstanceCheck) -> None:
        """Keep what the last check of an instance's connection found."""
        from sentinelone_collector.store import auditing

        with self.engine.begin() as connection:
            auditing.put_check(connection, check)

    def get_checks(self) -> dict[str, InstanceCheck]:
        """Return what the last checks found, by instance."""
        from sentinelone_collector.store import auditing

        with self.reading() as connection:
            return auditing.checks(connection)

    def _change(
        self,
        incident_id: str,
        status: str,
        reason: str | None,
        *,
        author: str,
        now: datetime,
        note: str,
        until: str | None = None,
    ) -> Incident:
        from sentinelone_collector.store import reading, writing

        with self.engine.begin() as connection:
            found = reading.resolve(connection, incident_id)
            writing.set_status(connection, found, status, reason=reason, until=until, author=author, at=_iso(now))
            if note.strip():
                writing.add_note(connection, found, note, author=author, at=_iso(now))
        return self.get_incident(found, now=now)

    def ledger_digest(self, destination: str, target: str) -> str | None:
        """Return the sha256 of what was last delivered to a target, None where nothing was."""
        from sqlalchemy import select

        from sentinelone_collector.store.tables import ledger

        query = select(ledger.c.sha256).where(ledger.c.destination == destination, ledger.c.target == target)
        with self.reading() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def record_delivery(
        self,
        *,
        destination: str,
        target: str,
        instance: str,
        stream: str,
        window: Window,
        sha256: str,
        records: int,
        now: datetime,
    ) -> None:
        """Note what was delivered to a target; the latest delivery replaces an earlier one."""
        from sentinelone_collector.store import writing

        row = {
            "destination": destination,
            "target": target,
            "instance": instance,
            "stream": stream,
            "window": window.name,
            "sha256": sha256,
            "records": records,
            "delivered_at": _iso(now),
        }
        with self.engine.begin() as connection:
            writing.record_delivery(connection, row)


def _iso(moment: datetime) -> str:
    return as_utc(moment).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hold(connection: Connection, name: str) -> None:
    from sqlalchemy import text

    from sentinelone_collector.store.locks import lock_number

    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": lock_number(name)})
