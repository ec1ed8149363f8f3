"""The routing table of activities: `activity_table.csv`, one row for each activity type.

Columns: `id` and `name` of the type and its `group`; OCSF `class` and `activity`; `on` and `off`, the activities when
the direction is known; `direction`, the fields of `data` that tell it (first that holds a value), or `=on`/`=off` where
the type itself says so; `change`, the field with the old value and those with the new one (first that holds a value);
`status` success, failure, new, resolved, blocked, allowed, or a text of the vendor's; `severity`; `actor`, who acted
(see `actors.py`); `object`, what was acted on (see `objects.py`); `detail`, what the object's mapping needs.
Vendors list some types without saying what they are: their name is empty and they are API Activities 6003/99, like a
type without a row; the labels tell the two apart.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from sentinelone_collector.normalize.ocsf import OTHER, caption, classification
from sentinelone_collector.normalize.record import common
from sentinelone_collector.normalize.values import direction

__all__ = ["UNKNOWN_TYPE", "UNNAMED_TYPE", "Route", "routes", "table_rows", "unknown_route"]

UNKNOWN_TYPE: Final = "type:unknown"
UNNAMED_TYPE: Final = "type:unnamed"
_FINDING = 2004
_STATUS = {"success": 1, "failure": 2}
_FINDING_STATUS = {"new": 1, "resolved": 4}
_DECISIONS = {"blocked": (2, 2), "allowed": (1, 1)}  # action, disposition
# Classes and activities that an object's mapping chooses where the record lacks what the row's own class asks for.
_ALTERNATIVES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "role_change": {"same role": (3001, OTHER)},
    "peripheral": {"disconnect": (1010, 2), "bare": (6003, OTHER)},
    "connection": {"bare": (6003, OTHER)},
}


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One row of the table, with the attributes that are the same in all its events, one set for each direction.

    `named` says that they hold the activity type, which only the route of unknown types does not.
    """

    name: str
    class_uid: int
    actor: str
    object: str
    detail: str
    direction_fields: tuple[str, ...]
    named: bool
    change: tuple[str, ...]
    bases: Mapping[str, Mapping[str, Any]] = field(repr=False)

    def known(self, told: Iterable[Any]) -> str:
        """Return which of `bases` is the one of an activity whose direction fields hold these values."""
        for value in told:
            if value is not None:
                return direction(value)
        return "unknown" if self.direction_fields else ""


@cache
def table_rows() -> tuple[Mapping[str, str], ...]:
    """Return the lines of the table as they are written, by column."""
    text = files(__package__).joinpath("activity_table.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def routes() -> Mapping[int, Route]:
    """Return the routes by activity type."""
    return {int(line["id"]): _route(line) for line in table_rows()}


@cache
def unknown_route() -> Route:
    """Return the route of a type that the table does not name."""
    line = {
        "id": "",
        "name": "",
        "class": "6003",
        "activity": "99",
        "actor": "user",
        "object": "resource",
        "severity": "1",
    }
    return _route(line)


def _route(line: Mapping[str, str]) -> Route:
    told = line.get("direction", "")
    fixed = told[1:] if told.startswith("=") else ""
    fields = () if fixed else tuple(name.lower() for name in told.split())
    return Route(
        name=line["name"],
        class_uid=int(line["class"]),
        actor=line["actor"],
        object=line["object"],
        detail=line.get("detail", ""),
        direction_fields=fields,
        named=bool(line["id"]),
        change=tuple(name.lower() for name in line.get("change", "").split()),
        bases=dict(_bases(line, fixed, with_fields=bool(fields))),
    )


def _bases(line: Mapping[str, str], fixed: str, *, with_fields: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    class_uid, activity = int(line["class"]), int(line["activity"])
    if not with_fields:
        yield "", _base(line, class_uid, activity, fixed)
        for name, alternative in _ALTERNATIVES.get(line["object"], {}).items():
            yield name, _base(line, *alternative, fixed)
        return
    for known in ("on", "off", "unknown"):
        yield known, _base(line, class_uid, int(line.get(known) or activity), known)


def _base(line: Mapping[str, str], class_uid: int, activity: int, known: str) -> dict[str, Any]:
    severity = int(line["severity"])
    row = common() | classification(class_uid, activity, source_name=line["name"] or "Other")
    row |= {"severity_id": severity, "severity": caption("severity", severity)}
    labels = [f"direction:{known}"] if known else []
    if line["id"]:
        row["metadata.event_code"] = line["id"]
    if not line["name"]:
        labels.append(UNNAMED_TYPE if line["id"] else UNKNOWN_TYPE)
    if labels:
        row["metadata.labels"] = labels
    status = line.get("status")
    if status:
        row |= _status(class_uid, status)
    return row


def _status(class_uid: int, status: str) -> dict[str, Any]:
    if status in _DECISIONS:
        action, disposition = _DECISIONS[status]
        return {
            "action_id": action,
            "action": caption("action", action),
            "disposition_id": disposition,
            "disposition": caption("disposition", disposition),
            "metadata.profiles": ["host", "security_control"],
        }
    known, kind = (_FINDING_STATUS, "finding_status") if class_uid == _FINDING else (_STATUS, "status")
    if status not in known:
        return {"status_id": OTHER, "status": status}
    found = {"status_id": known[status], "status": caption(kind, known[status])}
    return found | {"is_alert": True} if status == "new" else found
