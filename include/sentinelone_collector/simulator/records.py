"""From an entry (who, what, when) to the record's exact bytes, as a pure function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import MS, iso
from sentinelone_collector.simulator.org import TENANT, Agent, Organisation, Place, User

__all__ = ["NO_FACTS", "Draft", "Entry", "Facts", "Kind", "Scene", "activity_uuid", "place_of", "record", "render"]


class Facts(NamedTuple):
    """What a plan has decided about one record; the rest is drawn from the record's own dice."""

    data: Mapping[str, object] = {}
    top: Mapping[str, object] = {}
    place: int | None = None


NO_FACTS: Final = Facts()


class Scene(NamedTuple):
    """Everything a kind may look at when it fills `data`."""

    org: Organisation
    at: int
    dice: Dice
    user: User | None
    agent: Agent | None
    place: Place


Fill = Callable[[Scene, dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One activity type: its name in the catalogue, its sentence and what it puts into `data`."""

    type: int
    name: str
    text: str
    fill: Fill
    secondary: str | None = None
    hidden: bool = False


class Draft(NamedTuple):
    """A record that is to be, before it has an id; `at` in µs, user and agent are indexes or -1."""

    at: int
    kind: Kind
    user: int = -1
    agent: int = -1
    facts: Facts = NO_FACTS


class Entry(NamedTuple):
    """A record that has its id and the moment (µs) from which the console shows it."""

    at: int
    id: int
    visible: int
    kind: Kind
    user: int
    agent: int
    facts: Facts


def place_of(org: Organisation, entry: Entry) -> Place:
    """Give the node of the scope tree that a record belongs to."""
    if entry.facts.place is not None:
        return org.places[entry.facts.place]
    if entry.agent >= 0:
        return org.places[org.agents[entry.agent].place]
    return org.places[org.users[entry.user].place if entry.user >= 0 else TENANT]


def activity_uuid(seed: int, record_id: int) -> str:
    """Give the second name of a record."""
    text = blake2b(b"%d/%d" % (seed, record_id), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def record(org: Organisation, entry: Entry) -> dict[str, object]:
    """Build the record of an entry, drift included, as the object that is sent."""
    dice = Dice(org.seed ^ entry.id)
    user = org.users[entry.user] if entry.user >= 0 else None
    agent = org.agents[entry.agent] if entry.agent >= 0 else None
    place = place_of(org, entry)
    data = dict(place.block)
    entry.kind.fill(Scene(org, entry.at, dice, user, agent, place), data)
    data.update(entry.facts.data)
    result: dict[str, object] = {
        "accountId": place.account_id,
        "accountName": place.account_name,
        "activityType": entry.kind.type,
        "activityUuid": activity_uuid(org.seed, entry.id),
        "agentId": agent.id if agent else None,
        "agentUpdatedVersion": None,
        "comments": None,
        "createdAt": iso(entry.at),
        "data": data,
        "description": None,
        "groupId": place.group_id,
        "groupName": place.group_name,
        "hash": None,
        "id": str(entry.id),
        "osFamily": None,
        "primaryDescription": entry.kind.text.format_map(data) if entry.kind.text else None,
        "secondaryDescription": data.get(entry.kind.secondary) if entry.kind.secondary else None,
        "siteId": place.site_id,
        "siteName": place.site_name,
        "threatId": None,
        "updatedAt": iso(entry.at + _update_shift(dice)),
        "userId": user.id if user else None,
    }
    result.update(entry.facts.top)
    return _drift(dice, result, data)


def _update_shift(dice: Dice) -> int:
    """Give updatedAt − createdAt in µs: nearly always a few milliseconds before."""
    roll = dice.below(100)
    if roll < 90:  # noqa: PLR2004  # share of the ordinary case
        return -dice.between(1 * MS, 12 * MS)
    return dice.between(1, 8) if roll < 97 else -dice.between(51 * MS, 1_200 * MS)  # noqa: PLR2004  # see above


def _drift(dice: Dice, result: dict[str, object], data: dict[str, object]) -> dict[str, object]:
    """Change the shape of some records, as releases and services of the console do."""
    roll = dice.below(200)
    if roll < 8:  # noqa: PLR2004  # 4 %: the shape before September 2022
        del result["activityUuid"]
        result["applications"] = None
    elif roll < 12:  # noqa: PLR2004  # 2 %: trimmed records
        for key in ("agentUpdatedVersion", "comments", "description", "hash", "osFamily"):
            if result[key] is None:
                del result[key]
    elif roll < 16:  # noqa: PLR2004  # 2 %: empty text instead of null
        result["secondaryDescription"] = result["secondaryDescription"] or ""
    elif roll < 20 and "userScope" in data:  # noqa: PLR2004  # 2 %: keys in lower case
        data["userscope"] = data.pop("userScope")
        data["realuser"] = data.pop("realUser", None)
    elif roll < 22:  # noqa: PLR2004  # 1 %: without the names of the places
        for key in ("accountName", "groupName", "siteName"):
            del result[key]
    elif roll < 32 and isinstance(data.get("newValue"), bool):  # noqa: PLR2004  # 5 %: flags as text
        data["newValue"] = str(data["newValue"]).lower()
    return dict(sorted(result.items())) if "applications" in result else result


_spaced = json.JSONEncoder().encode
_escaped = json.JSONEncoder(separators=(",", ":")).encode
_plain = msgspec.json.Encoder().encode


def render(seed: int, record_id: int, body: dict[str, object]) -> bytes:
    r"""Write a record in one of three spellings of JSON, chosen by its id.

    Compact UTF-8, Python's default (spaces, `\uXXXX`), or compact with escaped slashes: a client that
    parses and writes anew can't reproduce them all.
    """
    style = (record_id ^ seed) * 0x9E3779B97F4A7C15 >> 40 & 0xFFFF
    style %= 16
    if style < 14:  # noqa: PLR2004  # most
        return _plain(body)
    if style < 15:  # noqa: PLR2004  # one in sixteen
        return _spaced(body).encode()
    return _escaped(body).replace("/", "\\/").encode()
