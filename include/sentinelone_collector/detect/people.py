"""Hits by the persons whose doing they are, as the store keeps them: what rules over the hits of others sum up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from sentinelone_collector.detect.hits import Hit, digest_id
from sentinelone_collector.windows import Window

__all__ = ["SUM", "PersonHit", "is_sum", "person_hits"]

SUM: Final = "entity_risk"  # the detector that hits of sums name
_INFORMATIONAL: Final = 1


class PersonHit(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a hit: whose it is, when (`at`, epoch milliseconds, inside `window`), and at which level.

    `person` is the name in small letters, `shown` as it was written; `incident` tells which hits count once.
    """

    person: str
    shown: str
    window: str
    at: int
    hit_id: str
    rule: str
    title: str
    incident: str
    severity_id: int
    event: str | None

    @property
    def order(self) -> tuple[int, str, str]:
        """The order in which hits are read: by moment, then id."""
        return (self.at, self.hit_id, self.window)


def is_sum(hit: Hit) -> bool:
    """Say whether a hit follows from other hits."""
    return hit.analysis is not None and hit.analysis.detector == SUM


def person_hits(hits: Iterable[Hit], window: Window, *, console: str) -> list[PersonHit]:
    """Return what counts of a window's hits, in order; a hit without a person counts for nobody."""
    first, last = (int(moment.timestamp() * 1000) for moment in (window.start, window.end))
    found = [
        PersonHit(
            person=hit.person.lower(),
            shown=hit.person,
            window=window.name,
            at=min(max(hit.last_time, first), last - 1),
            hit_id=hit.hit_id,
            rule=hit.rule_id,
            title=hit.rule_title,
            # Observations have no incident; they count like one that they would have made
            incident=digest_id("incident", hit.rule_id, console, hit.entity, str(hit.bucket)),
            severity_id=hit.severity_id if hit.visibility == "incident" else _INFORMATIONAL,
            event=hit.event_uids[-1] if hit.event_uids else None,
        )
        for hit in hits
        if hit.person and not is_sum(hit) and not (hit.analysis is not None and hit.analysis.cold)
    ]
    return sorted(found, key=lambda one: one.order)
