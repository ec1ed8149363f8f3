"""OCSF 1.8.0 events as 1.3.0, the newest version that Amazon Security Lake takes from custom sources.

What 1.3.0 does not have moves to `unmapped.ocsf_1_8`, by its path in the 1.8.0 event; nothing is lost. `profile13.json`
holds what 1.3.0 knows of the attributes that events declare (`tests/normalize/freeze_profile13.py` writes it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from sentinelone_collector.normalize.actors import CONSOLE
from sentinelone_collector.normalize.ocsf import OTHER

__all__ = ["LOST", "VERSION", "to_1_3"]

VERSION: Final = "1.3.0"
LOST: Final = "ocsf_1_8"
_BASE_EVENT: Final = 0
_API_ACTIVITY: Final = 6003
_OWN: Final = frozenset(
    {"class_name", "category_name", "type_name", "type_uid", "category_uid", "metadata", "unmapped"}
)


@cache
def _table() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(files(__package__).joinpath("profile13.json").read_text("utf-8"))
    return found


@cache
def _pattern(type_name: str) -> re.Pattern[str] | None:
    found = _table()["types"].get(type_name, {}).get("regex")
    return None if found is None else re.compile(found)


def to_1_3(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a 1.8.0 event as a valid one of 1.3.0; the event itself stays as it is.

    An attribute or a profile that 1.3.0 lacks, and a value that it refuses, moves to `unmapped.ocsf_1_8`; an id that it
    lacks becomes 99 with its caption kept. A class that it lacks becomes an API Activity (6003/99), and an event that
    then misses what its class requires a Base Event (0/99).
    """
    uid = event["class_uid"]
    if str(uid) in _table()["classes"]:
        found, complete = _converted(event, uid, {})
    else:
        found, complete = _converted(event, _API_ACTIVITY, _as_api_activity(event))
    return found if complete else _converted(event, _BASE_EVENT, {"activity_id": OTHER})[0]


def _as_api_activity(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an API Activity requires, for an event of another class."""
    source = event.get("actor", {}).get("app_name", CONSOLE)
    return {
        "activity_id": OTHER,
        "actor": event.get("actor") or {"app_name": CONSOLE},
        "api": {"operation": f"{event['class_name']}: {event['activity_name']}"},
        "src_endpoint": event.get("src_endpoint") or {"svc_name": source},
    }


def _converted(event: Mapping[str, Any], uid: int, changes: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return an event with these attributes changed as one of that class, and whether it has what that requires."""
    spec = _table()["classes"][str(uid)]
    profiles = frozenset(event["metadata"].get("profiles", ())) & frozenset(spec["profiles"])
    walk = _Walk(profiles)
    source = {**{name: value for name, value in event.items() if name not in _OWN}, **changes}
    walk.lost |= {name: event[name] for name in changes if name in event and event[name] != changes[name]}
    found = walk.object(source, spec, "", whole=True)
    metadata = walk.object(event["metadata"], _table()["objects"]["metadata"], "metadata.", whole=True)
    found["metadata"] = {**metadata, "version": VERSION, "profiles": sorted(profiles)}
    if "security_control" in profiles:
        found.setdefault("action_id", 0)
    _classify(found, uid, spec)
    unmapped = {**event.get("unmapped", {}), **({LOST: walk.lost} if walk.lost else {})}
    if unmapped:
        found["unmapped"] = unmapped
    needed = [name for name in spec["required"] if name != "action_id"]
    return found, all(name in found for name in needed) and _one_of(found, spec)


def _classify(found: dict[str, Any], uid: int, spec: Mapping[str, Any]) -> None:
    """Write the class anew; the walk has made sure that it knows the activity."""
    activity = found["activity_id"]
    captions = spec["attributes"]["activity_id"]["enum"]
    found["class_uid"], found["class_name"] = uid, spec["name"]
    found["category_uid"], found["category_name"] = uid // 1000, spec["category"]
    found["type_uid"] = uid * 100 + activity
    found["type_name"] = f"{spec['name']}: {captions[str(activity)]}"


def _one_of(found: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    return not spec["one_of"] or any(name in found for name in spec["one_of"])


class _Walk:
    """Walks an event along the table; `lost` collects what 1.3.0 does not take, by path."""

    def __init__(self, profiles: frozenset[str]) -> None:
        self._profiles = profiles
        self.lost: dict[str, Any] = {}

    def object(self, node: Mapping[str, Any], spec: Mapping[str, Any], path: str, *, whole: bool = False) -> Any:
        """Return the object as 1.3.0 has it; None, with all of it lost, where too little is left for one.

        With `whole` it is returned in any case.
        """
        before = set(self.lost)
        found: dict[str, Any] = {}
        for name, value in node.items():
            attribute = spec["attributes"].get(name)
            profile = None if attribute is None else attribute.get("profile")
            if attribute is None or (profile is not None and profile not in self._profiles):
                self.lost[path + name] = value
                continue
            kept = self._value(value, attribute, path + name)
            if kept is not None:
                found[name] = kept
        _renamed(node, found, spec)
        if whole or (all(name in found for name in spec["required"]) and _one_of(found, spec)):
            return found
        for gone in set(self.lost) - before:
            del self.lost[gone]
        self.lost[path.removesuffix(".")] = dict(node)
        return None

    def _value(self, value: Any, attribute: Mapping[str, Any], path: str) -> Any:
        if isinstance(value, list):
            kept = [self._value(item, attribute, f"{path}[{index}]") for index, item in enumerate(value)]
            return [item for item in kept if item is not None] or None
        if "object" in attribute:
            return self.object(value, _table()["objects"][attribute["object"]], f"{path}.")
        if isinstance(value, int) and "enum" in attribute and str(value) not in attribute["enum"]:
            self.lost[path] = value
            return OTHER if str(OTHER) in attribute["enum"] else 0
        if isinstance(value, str) and not _fits(value, attribute["type"]):
            self.lost[path] = value
            return None
        return value


def _renamed(node: Mapping[str, Any], found: dict[str, Any], spec: Mapping[str, Any]) -> None:
    """Let a host whose name 1.3.0 refuses, such as one with blanks, keep it as its plain name."""
    if "hostname" in node and "hostname" not in found and "name" not in found and "name" in spec["attributes"]:
        found["name"] = node["hostname"]


def _fits(value: str, type_name: str) -> bool:
    limits = _table()["types"].get(type_name) or _table()["types"]["string_t"]
    if len(value) > limits.get("max_len", len(value)):
        return False
    pattern = _pattern(type_name)
    return pattern is None or pattern.search(value) is not None
