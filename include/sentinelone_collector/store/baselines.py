"""Day counters of windows: replaced as wholes, merged on reading; imported inside tasks only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update  # noqa: TID253  # imported inside tasks only

from sentinelone_collector.detect.anomaly.counters import Counter, Seen, decoded
from sentinelone_collector.detect.anomaly.features import FEATURES
from sentinelone_collector.store.tables import baseline_days as rows_table
from sentinelone_collector.store.tables import counted_windows as windows_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandas import DataFrame  # for the type checker

__all__ = ["StoredCounters", "all_rows", "counted_after", "replace", "set_verdicts", "settle", "verdicts"]

_CHUNK = 5_000
_NOTHING = "[]"
_MOST_NAMES = 500


def replace(
    connection: Connection, place: tuple[str, str, str], *, day: int, digest: str, counters: Sequence[Counter]
) -> bool:
    """Make these the counters of a window, not settled; return False where they are the same as before and settled."""
    instance, stream, window = place
    here = _here(windows_table, place)
    known = connection.execute(select(windows_table.c.digest, windows_table.c.settled).where(*here)).one_or_none()
    if known is None and not counters:
        return False
    if known is not None and known.digest == digest:
        return not known.settled
    key = {"instance": instance, "stream": stream, "window": window}
    if known is None:
        row = {**key, "day": day, "digest": digest, "settled": False, "verdicts": _NOTHING}
        connection.execute(insert(windows_table), [row])
    else:
        connection.execute(update(windows_table).where(*here).values(digest=digest, settled=False))
        connection.execute(delete(rows_table).where(*_here(rows_table, place)))
    rows = [{**key, "day": day, **counter._asdict()} for counter in counters]
    for start in range(0, len(rows), _CHUNK):
        connection.execute(insert(rows_table), rows[start : start + _CHUNK])
    return True


def settle(connection: Connection, place: tuple[str, str, str]) -> None:
    """Note that all windows which the window's counters concern were judged again."""
    connection.execute(update(windows_table).where(*_here(windows_table, place)).values(settled=True))


def set_verdicts(connection: Connection, instance: str, stream: str, verdicts: Mapping[str, str]) -> None:
    """Write the verdicts of windows, given by their names as JSON texts."""
    for window, text in verdicts.items():
        here = _here(windows_table, (instance, stream, window))
        connection.execute(update(windows_table).where(*here).values(verdicts=text))


def verdicts(connection: Connection, instance: str, stream: str, first: int, last: int) -> dict[str, str]:
    """Return the verdicts on the windows of the days of which anything is said, by the windows' names."""
    table = windows_table
    query = select(table.c.window, table.c.verdicts).where(
        table.c.instance == instance,
        table.c.stream == stream,
        table.c.day.between(first, last),
        table.c.verdicts != _NOTHING,
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def counted_after(connection: Connection, place: tuple[str, str, str], day: int, last: int) -> bool:
    """Say whether a window after this one, which is of the day `day`, has counters up to the day `last`."""
    instance, stream, window = place
    table = rows_table
    query = (
        select(table.c.id)
        .where(
            table.c.instance == instance,
            table.c.stream == stream,
            table.c.day.between(day, last),
            table.c.window > window,
            table.c.feature.in_(list(FEATURES)),
        )
        .limit(1)
    )
    return connection.execute(query).first() is not None


def all_rows(connection: Connection, instance: str, stream: str, first: int, last: int) -> list[Seen]:
    """Return all counters of a span of days, as they were written."""
    table = rows_table
    columns = [table.c[name] for name in Seen._fields]
    query = select(*columns).where(
        table.c.instance == instance, table.c.stream == stream, table.c.day.between(first, last)
    )
    return [Seen(*row) for row in connection.execute(query)]


class StoredCounters:
    """Counters of one instance and stream, merged by the database: only what is asked for is read."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]], instance: str, stream: str) -> None:
        self._reading = reading
        self._place = (instance, stream)

    def merged(self, feature: str, first: int, last: int, entities: Sequence[str] | None = None) -> DataFrame:
        """Return a row for each entity and value of the days."""
        return self._read(feature, (first, last), entities, ("entity", "value"), days=True)

    def by_day(self, feature: str, first: int, last: int, entities: Sequence[str] | None = None) -> DataFrame:
        """Return a row for each day, entity and value."""
        return self._read(feature, (first, last), entities, ("day", "entity", "value"))

    def of_windows(self, feature: str, day: int) -> DataFrame:
        """Return a row for each window, entity and value of one day."""
        return self._read(feature, (day, day), None, ("window", "day", "entity", "value"))

    def began(self, first: int, last: int) -> int | None:
        """Return the first of the days on which anything was counted."""
        table = rows_table
        query = select(func.min(table.c.day)).where(
            table.c.instance == self._place[0], table.c.stream == self._place[1], table.c.day.between(first, last)
        )
        with self._reading() as connection:
            found: int | None = connection.execute(query).scalar_one_or_none()
        return found

    def _read(
        self,
        feature: str,
        span: tuple[int, int],
        entities: Collection[str] | None,
        keys: tuple[str, ...],
        *,
        days: bool = False,
    ) -> DataFrame:
        import pandas as pd

        names = [*keys, "n", "first", "last", *(["days"] if days else [])]
        few = None if entities is None or len(entities) > _MOST_NAMES else sorted(set(entities))
        with self._reading() as connection:
            found = connection.execute(self._query(feature, span, few, keys, days=days)).all()
        frame = pd.DataFrame(list(map(tuple, found)), columns=names)
        if entities is not None and few is None:
            frame = frame[frame["entity"].isin(list(entities))]
        # Each database has an order of its own for texts
        return decoded(feature, frame.sort_values(list(keys), kind="stable").reset_index(drop=True))

    def _query(
        self, feature: str, span: tuple[int, int], few: list[str] | None, keys: tuple[str, ...], *, days: bool
    ) -> Select[Any]:
        table = rows_table
        by = [table.c[key] for key in keys]
        counts: list[Any] = [func.sum(table.c.n), func.min(table.c.first), func.max(table.c.last)]
        if days:
            counts.append(func.count(table.c.day.distinct()))
        query = select(*by, *counts).where(
            table.c.instance == self._place[0],
            table.c.stream == self._place[1],
            table.c.feature == feature,
            table.c.day.between(*span),
        )
        if few is not None:
            query = query.where(table.c.entity.in_(few))
        return query.group_by(*by)


def _here(table: Any, place: tuple[str, str, str]) -> tuple[Any, ...]:
    return tuple(table.c[key] == value for key, value in zip(("instance", "stream", "window"), place, strict=True))
