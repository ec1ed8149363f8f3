"""Day counters: how often each entity was seen with which facts, window by window, merged on reading.

A counter row is (window, day, feature, entity, value, n, first, last): days count from the epoch, times are epoch
milliseconds. Rows of a window are replaced and never added to, so that no order and no repetition changes them. The
baseline of a day is what the rows of the days before merge to: counts are added, times are minima and maxima.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sentinelone_collector.detect.anomaly.features import FEATURES, STREAM, sightings_sql
from sentinelone_collector.detect.fields import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from pandas import DataFrame  # for the type checker

__all__ = [
    "Counter",
    "Counters",
    "FrameCounters",
    "Seen",
    "count_events",
    "counts_stream",
    "day_number",
    "day_text",
    "decoded",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = frozenset({"slot", "weekend", "lat", "long"})  # facts that are no text
_COLUMNS = ("window", "day", "feature", "entity", "value", "n", "first", "last")


class Counter(NamedTuple):
    """One row of a window: how often an entity was seen with these facts."""

    feature: str
    entity: str
    value: str
    n: int
    first: int
    last: int


class Seen(NamedTuple):
    """One counter with its window and day."""

    window: str
    day: int
    feature: str
    entity: str
    value: str
    n: int
    first: int
    last: int


class Counters(Protocol):
    """Counters of one instance, by spans of whole days; both ends are part of a span.

    Frames have the columns `entity`, `n`, `first`, `last`, one for each fact of the feature (text or None) and
    `value`, the facts as one text; those of single days have `day`, those of windows `window` beside it.
    """

    def merged(self, feature: str, first: int, last: int, entities: Sequence[str] | None = None) -> DataFrame:
        """Return a row for each entity and value of the days, with `days`, the number of days it was seen on."""

    def by_day(self, feature: str, first: int, last: int, entities: Sequence[str] | None = None) -> DataFrame:
        """Return a row for each day, entity and value."""

    def of_windows(self, feature: str, day: int) -> DataFrame:
        """Return a row for each window, entity and value of one day."""

    def began(self, first: int, last: int) -> int | None:
        """Return the first of the days on which anything was counted, None where nothing was."""


def day_number(moment: datetime) -> int:
    """Return the UTC day of a moment, counted from the epoch."""
    return (moment - _EPOCH).days


def day_text(day: int) -> str:
    """Return a day as `YYYY-MM-DD`."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def count_events(path: Path) -> list[Counter]:
    """Return the counters of one window's events file, in order; the same events give the same counters."""
    import pyarrow.parquet as pq

    from sentinelone_collector.detect.engine import open_engine
    from sentinelone_collector.detect.fields import literal

    # Fields that older files do not have are absent from their counters instead of failing them
    catalogue = Catalogue(lambda: pq.read_schema(path))
    source = f"read_parquet({literal(str(path))}, filename = 'origin') e"
    parts = [
        f"SELECT {literal(feature.name)} AS feature, * FROM ({sightings_sql(feature, catalogue, source)})"  # noqa: S608  # made here
        for feature in FEATURES.values()
    ]
    connection = open_engine()
    try:
        rows = connection.execute(f"""
            SELECT feature, entity, value, count(DISTINCT uid), min(moment), max(moment)
            FROM ({" UNION ALL ".join(parts)}) GROUP BY ALL ORDER BY ALL
        """).fetchall()  # noqa: S608  # made here
    finally:
        connection.close()
    return [Counter(*row) for row in rows]


def counts_stream(stream: str) -> bool:
    """Say whether the events of a stream are counted."""
    return stream == STREAM


def decoded(feature: str, frame: DataFrame) -> DataFrame:
    """Return the frame with a column for each fact of the feature, read from `value`."""
    import msgspec
    import pandas as pd

    names = FEATURES[feature].names
    facts = msgspec.json.decode(f"[{','.join(frame['value'])}]", type=list[list[str | None]])
    columns = list(zip(*facts, strict=True)) if facts else [() for _ in names]
    # Counters of an earlier release may have had fewer facts
    columns += [(None,) * len(frame)] * (len(names) - len(columns))
    made = {
        name: pd.Series(list(values), index=frame.index, dtype=object)
        for name, values in zip(names, columns, strict=False)
    }
    for name in _NUMBERS.intersection(made):
        made[name] = pd.to_numeric(made[name])
    if "ip" in made:
        known = {ip: _network(ip) for ip in made["ip"].unique() if ip is not None}
        networks = [None if ip is None else known[ip] for ip in made["ip"]]
        made["network"] = pd.Series(networks, index=frame.index, dtype=object)
    # At once: one by one, the columns of a small frame cost more than all that is done with it
    return pd.concat([frame, pd.DataFrame(made, index=frame.index, copy=False)], axis=1)


def _network(address: str) -> str | None:
    """Return the network that providers hand out as one: /24 of IPv4, /48 of IPv6."""
    try:
        width = 24 if ip_address(address).version == 4 else 48  # noqa: PLR2004  # version of the protocol
        return str(ip_network(f"{address}/{width}", strict=False))
    except ValueError:
        return None


class FrameCounters:
    """Counters held in memory: for whole ranges, and for samples."""

    def __init__(self, rows: Sequence[Seen]) -> None:
        import pandas as pd

        frame = pd.DataFrame(list(rows), columns=list(_COLUMNS))
        self._of: dict[str, Any] = {
            str(name): part.sort_values("day", kind="stable").reset_index(drop=True)
            for name, part in frame.groupby("feature")
        }
        self._none = frame.iloc[:0]
        self._days = sorted(set(frame["day"]))

    def _slice(self, feature: str, first: int, last: int, entities: Sequence[str] | None) -> DataFrame:
        frame: DataFrame | None = self._of.get(feature)
        if frame is None:
            return self._none
        begin, end = frame["day"].searchsorted([first, last + 1])
        part = frame.iloc[begin:end]
        return part if entities is None else part[part["entity"].isin(list(entities))]

    def merged(self, feature: str, first: int, last: int, entities: Sequence[str] | None = None) -> DataFrame:
        """Return a row for each entity and value of the days."""
        return _summed(feature, self._slice(feature, first, last, entities), ["entity", "value"])

    def by_day(self, feature: str, first: int, last: int, entities: Sequence[str] | None = None) -> DataFrame:
        """Return a row for each day, entity and value."""
        return _summed(feature, self._slice(feature, first, last, entities), ["day", "entity", "value"])

    def of_windows(self, feature: str, day: int) -> DataFrame:
        """Return a row for each window, entity and value of one day."""
        keys = ["window", "day", "entity", "value"]
        return _summed(feature, self._slice(feature, day, day, None), keys)

    def began(self, first: int, last: int) -> int | None:
        """Return the first of the days on which anything was counted."""
        return next((int(day) for day in self._days if first <= day <= last), None)


def _summed(feature: str, part: DataFrame, keys: list[str]) -> DataFrame:
    import pandas as pd

    if part.empty:  # most features of most days are, and grouping nothing costs as much as grouping a day
        days = {} if "day" in keys else {"days": part["day"]}
        return decoded(feature, part[[*keys, "n", "first", "last"]].assign(**days))
    grouped = part.groupby(keys, sort=True)
    columns = {"n": grouped["n"].sum(), "first": grouped["first"].min(), "last": grouped["last"].max()}
    if "day" not in keys:
        columns["days"] = grouped["day"].nunique()
    return decoded(feature, pd.DataFrame(columns).reset_index())
