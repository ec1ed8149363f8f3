"""What an instance's console calls its activity types: read once a day, kept in the lake, used to name new types.

Names are for people who read reports and logs; no event depends on them, see docs/adr/0009.
Source: `GET /activities/types` of the management API 2.1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_collector.errors import CollectorError
from sentinelone_collector.lake import Storage, catalogue_key
from sentinelone_collector.results import Normalized
from sentinelone_collector.windows import iso

if TYPE_CHECKING:
    from sentinelone_collector.source import Console

__all__ = ["name_unknown_types", "read_catalogue", "refresh_catalogue"]

_PATH: Final = "/activities/types"
_STREAM: Final = "activities"
_FRESH: Final = timedelta(days=1)
_RETRY: Final = timedelta(hours=1)  # after a failure, so that it doesn't slow each window down
_PATIENCE: Final = 30.0  # seconds; names are not worth a longer wait
_NAME_LENGTH: Final = 200
_NAMES_IN_LOG: Final = 20

_log = logging.getLogger(__name__)


class _Type(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    action: str = ""
    description_template: str = ""


class _Catalogue(msgspec.Struct, frozen=True):
    """The object in the lake; `error` says why the types are those of before."""

    console: str
    read_at: str
    types: tuple[_Type, ...] = ()
    error: str = ""


def refresh_catalogue(
    instance: str, stream: str, *, console: Console, lake: Storage, now: Callable[[], datetime]
) -> None:
    """Read the console's activity types anew where the lake has none of today; do nothing for other streams.

    A refusal or fault of the console is logged and it is asked again an hour later; no window fails for it, since its
    records are complete without names.
    """
    if stream != _STREAM:
        return
    moment = now()
    held = _held(instance, lake)
    if held is not None and held.console == console.host and not _due(held, moment):
        return
    read_at = iso(moment)
    try:
        listed = console.begin(patience=_PATIENCE).items(_PATH, permission="Activity Page.view")
    except CollectorError as error:
        _log.warning(
            "%s: the activity types of %s can't be read, names of new types are missing: %s",
            instance,
            console.host,
            error,
        )
        types = held.types if held is not None and held.console == console.host else ()
        found = _Catalogue(console.host, read_at, types, str(error))
    else:
        found = _Catalogue(console.host, read_at, tuple(_types(listed)))
    lake.put(catalogue_key(instance), msgspec.json.encode(found) + b"\n")


def _due(held: _Catalogue, moment: datetime) -> bool:
    try:
        age = moment - datetime.fromisoformat(held.read_at)
    except (ValueError, TypeError):
        return True
    return not timedelta(0) <= age < (_RETRY if held.error else _FRESH)


def _types(listed: list[Any]) -> list[_Type]:
    """Return the entries that have an id, by it; whatever else a console lists is left out."""
    found = {}
    for entry in listed:
        if isinstance(entry, dict) and type(entry.get("id")) is int:
            action, template = (str(entry.get(name) or "") for name in ("action", "descriptionTemplate"))
            found[entry["id"]] = _Type(entry["id"], action, template)
    return [found[number] for number in sorted(found)]


def _held(instance: str, lake: Storage) -> _Catalogue | None:
    content = lake.read(catalogue_key(instance))
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=_Catalogue)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _log.warning("%s/%s is damaged; it is read anew with the next window", lake.url, catalogue_key(instance))
        return None


def read_catalogue(instance: str, lake: Storage) -> Mapping[str, str]:
    """Return the console's names by activity type, its template where it gives no name; empty where none was read."""
    held = _held(instance, lake)
    named = {} if held is None else {str(kind.id): kind.action or kind.description_template for kind in held.types}
    shown = {number: "".join(filter(str.isprintable, name))[:_NAME_LENGTH] for number, name in named.items()}
    return {number: name for number, name in shown.items() if name}


def name_unknown_types(result: Normalized, lake: Storage) -> Normalized:
    """Return the result with the console's names of the types that the product does not know, and log them.

    A console newer than the product reports such types; their records are complete events of class API Activity.
    """
    if not result.unknown_types:
        return result
    names = read_catalogue(result.instance, lake)
    known = {number: names[number] for number in result.unknown_types if number in names}
    told = [
        f"{number} ({known.get(number, 'without a name')}): {count}" for number, count in result.unknown_types.items()
    ]
    _log.warning(
        "%s/%s %s: %d records of %d activity types that this version does not know, written as API Activity 6003/99: "
        "%s%s; a newer version may map them",
        result.instance,
        result.stream,
        result.window,
        sum(result.unknown_types.values()),
        len(told),
        "; ".join(told[:_NAMES_IN_LOG]),
        f" and {len(told) - _NAMES_IN_LOG} more" if len(told) > _NAMES_IN_LOG else "",
    )
    return msgspec.structs.replace(result, unknown_names=known)
