"""Incidents as lists for people: filtered, sorted, page by page, counted, and bounded to what somebody may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sentinelone_collector.errors import UsageError
from sentinelone_collector.store.incidents import STATUSES, Incident
from sentinelone_collector.store.terms import Term
from sentinelone_collector.windows import as_utc

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from sentinelone_collector.store.store import Store

__all__ = ["SORTS", "IncidentFilter", "Overview"]

SORTS = {
    "last_seen": "last_seen",
    "first_seen": "first_seen",
    "level": "severity_id",
    "status": "",
    "id": "id",
    "title": "title",
    "rule": "rule_id",
    "classification": "classification",
    "attacker": "attacker",
    "victim": "victim",
    "assignee": "assignee",
    "count": "count",
    "kind": "kind",
    "account": "account",
    "role": "role",
    "technique": "attacks",
    "instance": "",
    "notes": "",
}
_NULLABLE = frozenset({"attacker", "victim", "assignee", "account", "role"})
_FACETS = ("level", "classification", "family", "kind", "rule", "instance", "account", "role")
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are wanted; None leaves a field as it is. `level` is the least one.

    `terms` are comparisons that hold beside the other fields.
    """

    status: str | None = None
    level: str | None = None
    classification: str | None = None
    family: str | None = None
    kind: str | None = None
    rule: str | None = None
    instance: str | None = None
    attacker: str | None = None
    victim: str | None = None
    assignee: str | None = None
    technique: str | None = None
    account: str | None = None
    role: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    superseded: bool = False
    terms: tuple[Term, ...] = ()


class Overview:
    """Incidents of some instances; `instances` are those that may be seen, None stands for all."""

    def __init__(self, store: Store, instances: Collection[str] | None = None) -> None:
        self._store = store
        self._instances = instances

    def _conditions(self, wanted: IncidentFilter, now: datetime) -> list[ColumnElement[bool]]:
        from sentinelone_collector.store import reading

        if wanted.status not in {None, *STATUSES}:
            raise UsageError(f"there is no status {wanted.status!r}; there are {', '.join(STATUSES)}")
        plain = {each.name: getattr(wanted, each.name) for each in fields(wanted)}
        return reading.conditions(now=_text(now), instances=self._instances, **plain)

    def page(
        self,
        wanted: IncidentFilter,
        *,
        now: datetime,
        sort: str = "last_seen",
        descending: bool = True,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Incident]:
        """Return one page of incidents without hits, notes and history; raise `UsageError` for an unknown filter."""
        from sentinelone_collector.store import reading

        if sort not in SORTS:
            raise UsageError(f"incidents are not sorted by {sort!r}; choose one of {', '.join(SORTS)}")
        with self._store.reading() as connection:
            return reading.listed(
                connection,
                self._conditions(wanted, now),
                now=_text(now),
                limit=limit,
                offset=offset,
                order=_order(sort, now, descending=descending),
            )

    def counts(self, wanted: IncidentFilter, *, now: datetime) -> dict[str, tuple[int, int]]:
        """Return by status how many pass the other filters, and how many there are without any filter."""
        with self._store.reading() as connection:
            all_of_them = self._by_status(connection, IncidentFilter(), now)
            filtered = self._by_status(connection, replace(wanted, status=None), now)
        return {name: (filtered.get(name, 0), all_of_them.get(name, 0)) for name in STATUSES}

    def _by_status(self, connection: Connection, wanted: IncidentFilter, now: datetime) -> dict[str, int]:
        from sqlalchemy import func, select

        from sentinelone_collector.store import reading

        status = reading.present_status(_text(now)).label("present")
        query = select(status, func.count()).where(*self._conditions(wanted, now)).group_by(status)
        return {row[0]: row[1] for row in connection.execute(query)}

    def facets(self, wanted: IncidentFilter, *, now: datetime) -> dict[str, dict[str, int]]:
        """Return by field how many incidents have each value, among those that pass the filters of the other fields.

        Incidents of several instances count for each of them; values that none has are left out.
        """
        with self._store.reading() as connection:
            others: Any = {name: {name: None} for name in _FACETS}
            return {name: self._values(connection, name, replace(wanted, **none), now) for name, none in others.items()}

    def _values(self, connection: Connection, name: str, wanted: IncidentFilter, now: datetime) -> dict[str, int]:
        from sqlalchemy import func, select

        from sentinelone_collector.store.tables import hits, incidents

        column: Any = {"rule": incidents.c.rule_id, "instance": hits.c.instance}.get(name)
        column = incidents.c[name] if column is None else column
        query = select(column, func.count(incidents.c.id.distinct())).where(*self._conditions(wanted, now))
        if name == "instance":
            query = query.join_from(incidents, hits, hits.c.incident_id == incidents.c.id)
            if self._instances is not None:
                query = query.where(column.in_(sorted(self._instances)))
        found = connection.execute(query.where(column.is_not(None)).group_by(column).order_by(column))
        return {row[0]: row[1] for row in found}

    def rules(self, *, now: datetime) -> list[tuple[str, str]]:
        """Return ids and titles of the rules that have incidents, by id."""
        from sqlalchemy import func, select

        from sentinelone_collector.store.tables import incidents

        query = (
            select(incidents.c.rule_id, func.max(incidents.c.title))
            .where(*self._conditions(IncidentFilter(), now))
            .group_by(incidents.c.rule_id)
            .order_by(incidents.c.rule_id)
        )
        with self._store.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def note_counts(self, ids: Collection[str]) -> Mapping[str, int]:
        """Return how many notes incidents have, by id; those without any are left out."""
        from sqlalchemy import func, select

        from sentinelone_collector.store.tables import notes

        query = (
            select(notes.c.incident_id, func.count())
            .where(notes.c.incident_id.in_(sorted(ids)))
            .group_by(notes.c.incident_id)
        )
        with self._store.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def hits_by_day(self, rule: str, since: datetime, until: datetime) -> dict[str, int]:
        """Return how many hits of a rule stand in incidents, by UTC day; days without any are left out."""
        from sqlalchemy import func, select

        from sentinelone_collector.store.tables import hits, incidents

        day = (hits.c.last_time // _DAY_MS).label("day")
        query = (
            select(day, func.count(hits.c.hit_id.distinct()))
            .join_from(hits, incidents, hits.c.incident_id == incidents.c.id)
            .where(incidents.c.rule_id == rule, *self._hits_between(since, until))
            .group_by(day)
            .order_by(day)
        )
        with self._store.reading() as connection:
            return {_day(int(row[0])): row[1] for row in connection.execute(query)}

    def hits_by_rule(self, since: datetime, until: datetime) -> dict[str, int]:
        """Return how many hits stand in incidents, by rule; rules without any are left out."""
        from sqlalchemy import func, select

        from sentinelone_collector.store.tables import hits, incidents

        query = (
            select(incidents.c.rule_id, func.count(hits.c.hit_id.distinct()))
            .join_from(hits, incidents, hits.c.incident_id == incidents.c.id)
            .where(*self._hits_between(since, until))
            .group_by(incidents.c.rule_id)
        )
        with self._store.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def _hits_between(self, since: datetime, until: datetime) -> list[Any]:
        from sentinelone_collector.store.tables import hits

        bounds = [hits.c.last_time >= int(since.timestamp() * 1000), hits.c.last_time < int(until.timestamp() * 1000)]
        if self._instances is not None:
            bounds.append(hits.c.instance.in_(sorted(self._instances)))
        return bounds

    @staticmethod
    def seen_instances(store: Store) -> list[str]:
        """Return the instances that have hits in incidents, also those that are no longer registered."""
        from sqlalchemy import func, select

        from sentinelone_collector.store.tables import hits

        found: list[str] = []
        with store.reading() as connection:
            # one step of the index for each of them, where DISTINCT would read every hit
            while True:
                query = select(func.min(hits.c.instance))
                if found:
                    query = query.where(hits.c.instance > found[-1])
                following = connection.execute(query).scalar_one()
                if following is None:
                    return found
                found.append(str(following))


def _order(sort: str, now: datetime, *, descending: bool) -> list[Any]:
    from sqlalchemy import func

    from sentinelone_collector.store.tables import incidents

    column = _sorted_by(sort, now)
    if sort in _NULLABLE:  # databases disagree where nothing stands first
        column = func.coalesce(column, "")
    first = column.desc() if descending else column.asc()
    return [first] if sort == "last_seen" else [first, incidents.c.last_seen.desc()]


def _sorted_by(sort: str, now: datetime) -> Any:
    from sqlalchemy import func, select

    from sentinelone_collector.store import reading
    from sentinelone_collector.store.tables import hits, incidents, notes

    if sort == "status":
        return reading.present_status(_text(now))
    if sort == "instance":  # the first by name, as the list shows them
        of_incident = select(func.min(hits.c.instance)).where(hits.c.incident_id == incidents.c.id)
        return func.coalesce(of_incident.correlate(incidents).scalar_subquery(), "")
    if sort == "notes":
        of_incident = select(func.count()).where(notes.c.incident_id == incidents.c.id)
        return of_incident.correlate(incidents).scalar_subquery()
    return incidents.c[SORTS[sort]]


def _text(moment: datetime) -> str:
    return as_utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()
