"""The store's operations on day counters, which anomaly detectors compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from sentinelone_collector.detect.anomaly.counters import Counter, Counters, Seen, day_number
from sentinelone_collector.windows import Window

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["Baselines"]


class Baselines:
    """The part of a store that keeps counters of windows and the verdicts on them."""

    engine: Engine

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection that reads one state of the store."""
        raise NotImplementedError

    def replace_counters(
        self, instance: str, stream: str, window: Window, *, digest: str, counters: Sequence[Counter]
    ) -> bool:
        """Make these the counters of a window; say whether windows that they concern are to be judged again."""
        from sentinelone_collector.store import baselines

        place = (instance, stream, window.name)
        with self.engine.begin() as connection:
            return baselines.replace(connection, place, day=day_number(window.start), digest=digest, counters=counters)

    def settle_counters(self, instance: str, stream: str, window: Window) -> None:
        """Note that all windows which a window's counters concern were judged again."""
        from sentinelone_collector.store import baselines

        with self.engine.begin() as connection:
            baselines.settle(connection, (instance, stream, window.name))

    def counters(self, instance: str, stream: str) -> Counters:
        """Return the counters of a stream, merged by the database as they are asked for."""
        from sentinelone_collector.store.baselines import StoredCounters

        return StoredCounters(self.reading, instance, stream)

    def counted_after(self, instance: str, stream: str, window: Window, last: int) -> bool:
        """Say whether a window after this one, up to the day `last`, has counters."""
        from sentinelone_collector.store import baselines

        with self.reading() as connection:
            place = (instance, stream, window.name)
            return baselines.counted_after(connection, place, day_number(window.start), last)

    def counters_between(self, instance: str, stream: str, first: int, last: int) -> list[Seen]:
        """Return all counters of a span of days (counted from the epoch), as they were written."""
        from sentinelone_collector.store import baselines

        with self.reading() as connection:
            return baselines.all_rows(connection, instance, stream, first, last)

    def verdicts_between(self, instance: str, stream: str, first: int, last: int) -> dict[str, str]:
        """Return the verdicts on the windows of a span of days of which anything is said, by the windows' names."""
        from sentinelone_collector.store import baselines

        with self.reading() as connection:
            return baselines.verdicts(connection, instance, stream, first, last)

    def set_verdicts(self, instance: str, stream: str, verdicts: Mapping[str, str]) -> None:
        """Write the verdicts on windows that are counted."""
        from sentinelone_collector.store import baselines

        with self.engine.begin() as connection:
            baselines.set_verdicts(connection, instance, stream, verdicts)
