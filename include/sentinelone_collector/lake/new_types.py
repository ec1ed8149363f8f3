"""Activity types that the version which met them did not know: which, what the console calls them, where they are.

One small object an instance, for people who read reports; no event depends on it.
"""

from __future__ import annotations

import logging

import msgspec

from sentinelone_collector.lake.keys import new_types_key
from sentinelone_collector.lake.storage import Storage, readable_json
from sentinelone_collector.results import Normalized

__all__ = ["NewType", "note_new_types", "read_new_types"]

_MOST = 1000  # a damaged console could send another type with each record

_log = logging.getLogger(__name__)


class NewType(msgspec.Struct, frozen=True, kw_only=True):
    """One type; its records lie in windows from `first` to `last`, ISO 8601 in UTC.

    `type` is `none` where a record has none, `name` is empty where the console gives none.
    """

    type: str
    name: str
    first: str
    last: str


def read_new_types(lake: Storage, instance: str) -> tuple[NewType, ...]:
    """Return the types that have been noted, by number; none of a damaged object, which is written anew in time."""
    key = new_types_key(instance)
    content = lake.read(key)
    if content is None:
        return ()
    try:
        return msgspec.json.decode(content, type=tuple[NewType, ...])
    except (msgspec.DecodeError, UnicodeDecodeError):
        _log.warning("%s/%s is damaged; it is written anew with the next new type", lake.url, key)
        return ()


def note_new_types(lake: Storage, found: Normalized) -> None:
    """Add the types of a window that its normalize did not know; the caller keeps others from adding meanwhile."""
    noted = read_new_types(lake, found.instance)
    types = {each.type: each for each in noted}
    for kind in found.unknown_types:
        if kind in types or len(types) < _MOST:
            types[kind] = _seen_in(found, kind, types.get(kind))
    merged = tuple(sorted(types.values(), key=lambda each: (len(each.type), each.type)))
    if merged != noted:
        lake.put(new_types_key(found.instance), readable_json(merged))


def _seen_in(found: Normalized, kind: str, known: NewType | None) -> NewType:
    name = found.unknown_names.get(kind, "")
    if known is None:
        return NewType(type=kind, name=name, first=found.start, last=found.end)
    # ISO 8601 times in UTC sort as the moments do
    return NewType(
        type=kind, name=name or known.name, first=min(known.first, found.start), last=max(known.last, found.end)
    )
