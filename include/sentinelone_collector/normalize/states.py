"""What the streams of things that change have in common: their events are states of one thing, not deeds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.ocsf import OTHER, Observable, caption, classification
from sentinelone_collector.normalize.record import common, json_text
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.shapes import redact

__all__ = ["base", "basename", "choose", "finish", "fresh", "put", "readable"]

_FRESH_MS: Final = 60_000
_CAPTIONS: Final = {"status": "finding_status"}


@lru_cache(maxsize=1 << 8)
def base(
    class_uid: int, activity_id: int, severity_id: int, profiles: tuple[str, ...], name: str = "Other"
) -> Mapping[str, Any]:
    """Return the attributes that depend on these alone, shared by all events that have them.

    `name` is the vendor's word for an activity of 99.
    """
    return {
        **common(),
        **classification(class_uid, activity_id, source_name=name),
        "metadata.profiles": list(profiles),
        "severity_id": severity_id,
        "severity": caption("severity", severity_id),
    }


def fresh(changed: int | None, *created: int | None) -> bool:
    """Say that a state is a thing's first: it changed within a minute of its creation (epoch milliseconds).

    The console itself touches a new threat several times, to write down what the agent did.
    """
    times = [time for time in created if time is not None]
    return not times or changed is None or changed - max(times) < _FRESH_MS


def readable(section: Section, *fields: str) -> Any:
    """Return the first of some times that is one, as the console wrote it; the first of them where none is."""
    for field in fields:
        if section.time(field) is not None:
            return section.peek(field)
    return section.peek(fields[0])


def put(row: Row, values: Mapping[str, Any]) -> None:
    """Write attributes, those that have a value."""
    row.update({path: value for path, value in values.items() if value is not None})


def choose(row: Row, section: Section, field: str, table: Mapping[str, int], path: str) -> None:
    """Write an id and its caption (`path_id`, `path`); a word that OCSF lacks becomes 99 with the vendor's text."""
    found = section.choice(field, table)
    if found is not None:
        row[path + "_id"], row[path] = found, caption(_CAPTIONS.get(path, path), found)
        return
    word = section.text(field)
    if word is not None:
        row[path + "_id"], row[path] = OTHER, word


def basename(path: str | None) -> str | None:
    """Return the last part of a path of any system, None where it has none."""
    if path is None:
        return None
    return path.rstrip("\\/").replace("\\", "/").rsplit("/", 1)[-1] or None


def finish(row: Row, record: Section, seen: list[Observable]) -> None:
    """Write the observables, each once, and what has no place in the event, secrets masked."""
    if seen:
        row["observables"] = list(dict.fromkeys(seen))
    row["unmapped"] = json_text(redact(record.rest()))
