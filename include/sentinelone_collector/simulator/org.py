"""The organisation behind the simulated console: accounts, sites, groups, users, computers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import snowflake

__all__ = ["TENANT", "Agent", "Organisation", "Place", "User", "build_organisation"]

_ORG = 1  # salts: keep the dice of different things apart
_AGENT = 2
_USER = 3
_SERVICE_EVERY = 20  # one user in so many is a program

TENANT = 0
"""Index of the place that stands for the whole console."""

_ACCOUNTS = (
    ("Aldermoor Industries", (("Rotterdam HQ", 60), ("Werk Köln", 60), ("Austin", -300), ("São Paulo", -180))),
    ("Aldermoor Health", (("Leeds Clinic", 0), ("Pune Lab", 330), ("札幌センター", 540))),
)
_GROUPS = ("Default Group", "Servers", "Laptops – Standard")
_FIRST = (
    "Anneke", "Bram", "Chiara", "Dóra", "Emre", "Farah", "Gustavo", "Hana", "Ingrid", "João", "Kofi", "Léa",
    "Mateus", "Nadia", "Oluwaseun", "Priya", "Quentin", "Rosa", "Søren", "Tomasz", "Uma", "Viktor", "Wanjiru", "Yuki",
)  # fmt: skip
_LAST = (
    "Abara", "Brinkhuis", "Castellón", "Dvořák", "Eriksen", "Fontaine", "Grünwald", "Haverkamp", "Iyer", "Jankowska",
    "Kettering", "Lindqvist", "Marchetti", "Nakagawa", "O'Hallam", "Prado", "Quisling-Moe", "Rahimi", "Sørby", "Tanaka",
    "Uslu", "Vermeer-Pot", "Whitlock", "Zielińska",
)  # fmt: skip
_ROLES = ("Admin", "SOC", "IR Team", "Viewer", "SOC", "Viewer", "Helpdesk L2", "Viewer", "SOC", "Audit & Compliance")
_SYSTEMS: tuple[tuple[str, str, str], ...] = (
    ("windows", "Windows 11 Pro", "WS"),
    ("windows", "Windows Server 2022 Standard", "SRV"),
    ("linux", "Ubuntu 22.04.4 LTS", "lnx"),
    ("macos", "macOS Sonoma", "mbp"),
    ("windows", "Windows 10 Enterprise", "WS"),
    ("windows", "Windows 11 Pro", "NB"),
)

ScopeLevel = Literal["tenant", "account", "site", "group"]


@dataclass(frozen=True, slots=True)
class Place:
    """One node of the scope tree, with the block of `data` keys that describes it."""

    level: ScopeLevel
    account_id: str | None
    account_name: str | None
    site_id: str | None
    site_name: str | None
    group_id: str | None
    group_name: str | None
    utc_offset: int
    block: dict[str, object] = field(repr=False)

    @property
    def scope_id(self) -> str | None:
        """Give the id of the node itself; None for the tenant."""
        return {"tenant": None, "account": self.account_id, "site": self.site_id, "group": self.group_id}[self.level]


@dataclass(frozen=True, slots=True)
class User:
    """A console user: who, with which rights, from where and when at work."""

    index: int
    id: str
    name: str
    email: str
    role: str
    source: Literal["sso", "mgmt"]
    place: int
    service: bool
    home_ip: str
    office_ip: str
    workday_start: int  # minute of the UTC day
    local_offset: int  # minutes east of UTC


@dataclass(frozen=True, slots=True)
class Agent:
    """A computer with an agent on it."""

    index: int
    id: str
    name: str
    uuid: str
    os_family: str
    os_name: str
    version: str
    ip: str
    external_ip: str
    place: int  # a group


@dataclass(frozen=True, slots=True)
class Organisation:
    """Everything about the customer that does not change with time."""

    seed: int
    places: tuple[Place, ...]
    users: tuple[User, ...]
    agents: tuple[Agent, ...]

    def by_role(self, *roles: str) -> tuple[User, ...]:
        """List the people (no service users) who have one of these roles."""
        return tuple(user for user in self.users if user.role in roles and not user.service)


def _place(level: ScopeLevel, names: tuple[str, ...], ids: tuple[str, ...], utc_offset: int) -> Place:
    account, site, group = (*names, None, None, None)[:3]
    account_id, site_id, group_id = (*ids, None, None, None)[:3]
    words = [f"{kind} {name}" for kind, name in (("Group", group), ("Site", site), ("Account", account)) if name]
    block: dict[str, object] = {
        "accountName": account,
        "fullScopeDetails": " of ".join(words).replace(" of Site", " in Site") or "Global",
        "fullScopeDetailsPath": " / ".join(("Global", *names)),
        "groupName": group,
        "scopeLevel": "Global" if level == "tenant" else level.capitalize(),
        "scopeName": names[-1] if names else None,
        "siteName": site,
    }
    return Place(level, account_id, account, site_id, site, group_id, group, utc_offset, block)


def _id(dice: Dice) -> str:
    """Draw an id of a thing made between 2019 and 2023."""
    return str(snowflake(1_546_300_800_000 + dice.below(1 << 30) * 140, dice.below(1 << 23)))


def _places(seed: int) -> tuple[Place, ...]:
    dice = Dice(seed, _ORG)
    places = [_place("tenant", (), (), 0)]
    for account, sites in _ACCOUNTS:
        account_id = _id(dice)
        places.append(_place("account", (account,), (account_id,), sites[0][1]))
        for site, offset in sites:
            site_id = _id(dice)
            places.append(_place("site", (account, site), (account_id, site_id), offset))
            places.extend(
                _place("group", (account, site, group), (account_id, site_id, _id(dice)), offset) for group in _GROUPS
            )
    return tuple(places)


def _user(seed: int, index: int, places: tuple[Place, ...]) -> User:
    dice = Dice(seed, _USER, index)
    service = index % _SERVICE_EVERY == _SERVICE_EVERY - 1
    role = "SOC" if service else _ROLES[index % len(_ROLES)]
    levels: tuple[str, ...] = ("tenant", "account") if role == "Admin" else ("account", "site", "site")
    level = "account" if service else dice.pick(levels)
    place = dice.pick([i for i, item in enumerate(places) if item.level == level])
    # A tenant administrator sits at some site, too: working hours come from there.
    seat = dice.pick([item for item in places if item.level == "site"]) if level == "tenant" else places[place]
    number = dice.below(1 << 16)
    name = f"svc-soar-{index:03d}" if service else f"{_FIRST[index % 24]} {_LAST[(index * 7 + index // 24) % 24]}"
    if index >= len(_FIRST) * len(_LAST) and not service:
        name = f"{name} {index // 576 + 1}"
    ipv6 = dice.chance(1, 8)
    start = 8 * 60 + 30 + dice.between(-90, 60)
    return User(
        index=index,
        id=_id(dice),
        name=name,
        email=f"user{index:04d}@aldermoor.example.com",
        role=role,
        source="mgmt" if dice.chance(1, 4) else "sso",
        place=place,
        service=service,
        home_ip=f"2001:db8:{number:x}:{index:x}::{dice.between(2, 254):x}"
        if ipv6
        else f"198.18.{index % 256}.{dice.between(2, 254)}",
        office_ip=f"198.51.100.{10 + sum(ord(c) for c in seat.site_name or seat.account_name or '') % 200}",
        workday_start=(start - seat.utc_offset) % 1440,
        local_offset=seat.utc_offset,
    )


def _agent(seed: int, index: int, groups: list[int], places: tuple[Place, ...]) -> Agent:
    dice = Dice(seed, _AGENT, index)
    family, system, prefix = dice.pick(_SYSTEMS)
    place = dice.pick(groups)
    site = places[place].site_name or ""
    return Agent(
        index=index,
        id=_id(dice),
        name=f"{prefix}-{dice.hex(2).upper()}{index:04d}" + (".aldermoor.example.com" if family == "linux" else ""),
        uuid=dice.hex(32),
        os_family=family,
        os_name=system,
        version=dice.pick(("23.4.2.14", "24.1.4.257", "24.2.3.471", "25.1.1.12")),
        ip=f"10.{20 + place}.{index // 250 % 256}.{index % 250 + 2}",
        external_ip=f"198.51.100.{10 + sum(map(ord, site)) % 200}",
        place=place,
    )


def build_organisation(seed: int, users: int) -> Organisation:
    """Build the organisation of a seed: `users` console users and twelve computers for each, at least 60."""
    places = _places(seed)
    groups = [i for i, place in enumerate(places) if place.level == "group"]
    return Organisation(
        seed=seed,
        places=places,
        users=tuple(_user(seed, index, places) for index in range(users)),
        agents=tuple(_agent(seed, index, groups, places) for index in range(max(60, users * 12))),
    )
