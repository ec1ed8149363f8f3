"""What detect needs of the store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from sentinelone_collector.detect.anomaly.past import BaselineStore
from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.people import PersonHit
from sentinelone_collector.windows import Window

__all__ = ["HitStore"]


class HitStore(BaselineStore, Protocol):
    """Keeps which hits each window gave, and the incidents that follow from all of them."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that one holder in all processes has at a time."""

    def tagged_digest(self, instance: str, stream: str, window: Window) -> str | None:
        """Return the digest that `replace_hits` was last given for the window, None where it never was."""

    def tagged_influence(self, instance: str, stream: str, window: Window) -> timedelta | None:
        """Return what `set_influence` was last given for the window, None where it never was."""

    def set_influence(self, instance: str, stream: str, window: Window, influence: timedelta) -> None:
        """Note how far the events of a tagged window can influence hits of later windows."""

    def person_hits_between(self, instance: str, stream: str, first: int, last: int) -> list[PersonHit]:
        """Return the hits of persons that `replace_hits` was given, with a moment from `first` to `last`, in ms."""

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
        """Make these the hits of the window and bring every incident that this touches up to date, in one step."""
