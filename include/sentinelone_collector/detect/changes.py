"""Change windows: what is announced counts less."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from sentinelone_collector.detect.hits import Hit
from sentinelone_collector.detect.ruleset import LEVELS
from sentinelone_collector.instances import RuleSettings

__all__ = ["as_announced"]

_FAMILY: Final = "administrative_actions"
_LEAST: Final = LEVELS.index("low") + 1


def as_announced(hit: Hit, who: Iterable[str], settings: RuleSettings) -> Hit:
    """Return a hit of an administrative rule one level lower, never below low, where a change window covers it.

    The whole hit must lie in the window: a burst that began before keeps its level. Times are those of the events, so
    that an old window gives what it gave then. Hits of other rules stay as they are: nobody announces an attack.
    """
    if hit.family != _FAMILY or hit.severity_id <= _LEAST:
        return hit
    first, last = (datetime.fromtimestamp(moment / 1000, UTC) for moment in (hit.time, hit.last_time))
    names = [name.lower() for name in who]
    for window in settings.change_windows:
        here = not window.sites or any(fnmatchcase(name, site.lower()) for site in window.sites for name in names)
        if here and window.covers(first, last):
            level = LEVELS[hit.severity_id - 2]
            note = f"change window: {window.reason}"
            told = note if hit.note is None else f"{hit.note}; {note}"
            return msgspec.structs.replace(hit, level=level, severity_id=hit.severity_id - 1, note=told)
    return hit
