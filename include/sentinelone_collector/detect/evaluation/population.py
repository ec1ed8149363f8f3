"""People who log in, as a model of our own: a pure function of a seed.

Analysts and administrators of one company: they sit in offices, at home and on mobile networks whose addresses change,
take trips, move house, use a VPN, work shifts, and log in by single sign-on or with a password. None of it is taken
from any data set; rates are written down here, so that a reader can judge them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from pandas import DataFrame  # for the type checker

__all__ = ["COLUMNS", "COUNTRIES", "ELSEWHERE", "HOME", "Person", "World", "build_world", "logins_of"]

COLUMNS: Final = ("entity", "day", "slot", "weekend", "country", "asn", "network", "ip", "kind", "method", "role")
# Where the company has people, with their share and the hours by which their day begins later than in UTC
HOME: Final = {"DE": (0.5, -1), "US": (0.25, 6), "GB": (0.15, 0), "PL": (0.1, -1)}
ELSEWHERE: Final = tuple("FR ES IT NL AT CH CZ SE DK PT GR TR AE IN SG JP CA BR MX ZA".split())  # noqa: SIM905  # short
COUNTRIES: Final = (*HOME, *ELSEWHERE)
_ROLES: Final = {"Viewer": 0.25, "SOC": 0.35, "IR Team": 0.2, "Admin": 0.2}
# Chances of habits: single sign-on, shift work, and of what happens to anyone
_SSO, _FALLBACK, _SHIFTS = 0.75, 0.015, 0.08
_AT_WORK, _ON_SHIFT, _LATE = 0.92, 0.7, 0.03
_GUEST, _COMPANY_TRIP, _OFFICE_TRIP, _MOVES = 0.002, 0.5, 0.7, 1 / 500
_WORKING_DAYS = 230
_GATEWAY, _GATEWAY_ASN = 0.9, 900
_PROVIDERS, _GUEST_NETWORKS, _AREAS = 6, 15, 400
_MOBILE, _GUESTS, _OFFICE, _HOSTING = 10, 20, 50, 60
_WEEK, _FRIDAY = 7, 4


@dataclass
class Person:
    """One account, with its habits."""

    name: str
    role: str
    country: str
    provider: int
    sso: bool
    begin: float
    shift: bool
    office: float
    weekend: float
    mobile: float
    vpn: float
    trips: float
    lease: float
    area: int
    lines: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """The company and its logins: `logins` has the columns `COLUMNS` and `n`, one row per login, ordered by day."""

    people: tuple[Person, ...]
    logins: DataFrame
    baseline_days: int
    test_days: int


def popularity(number: int) -> Any:
    """Return shares that fall like one over the rank."""
    shares = 1 / np.arange(1, number + 1)
    return shares / shares.sum()


def address(asn: int, area: int, host: int) -> dict[str, str]:
    """Return an address inside a network of a provider; text only, they are nobody's."""
    return {"asn": str(asn), "network": f"{asn}.{area}.0/24", "ip": f"{asn}.{area}.{host}"}


def provider_asn(country: str, number: int) -> int:
    """Return the network of a country's provider; homes have 0 to 5, mobile 10 and 11, guests from 20, hosting 60."""
    return 1000 + COUNTRIES.index(country) * 100 + number


def build_world(seed: int, *, users: int = 200, baseline_days: int = 90, test_days: int = 30) -> World:
    """Return a world of people and their logins over `baseline_days + test_days` days; day 0 is a Monday."""
    import pandas as pd

    rng = np.random.default_rng([seed, 1])
    people = tuple(_person(rng, number) for number in range(users))
    rows = [
        row
        for number, person in enumerate(people)
        for row in logins_of(person, np.random.default_rng([seed, 2, number]), baseline_days + test_days)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).assign(n=1)
    logins = frame.sort_values(["day", "entity", "slot"], kind="stable", ignore_index=True)
    return World(people, logins, baseline_days, test_days)


def _person(rng: Generator, number: int) -> Person:
    country = str(rng.choice(list(HOME), p=[share for share, _ in HOME.values()]))
    trips = float(rng.choice([0.0, 2.0, 10.0], p=[0.6, 0.3, 0.1]))
    return Person(
        name=f"user{number:04d}",
        role=str(rng.choice(list(_ROLES), p=list(_ROLES.values()))),
        country=country,
        provider=int(rng.choice(_PROVIDERS, p=popularity(_PROVIDERS))),
        sso=bool(rng.random() < _SSO),
        begin=float(rng.normal(8.7, 1.0)) + HOME[country][1],
        shift=bool(rng.random() < _SHIFTS),
        office=float(rng.beta(2, 2)),
        weekend=float(rng.choice([0.02, 0.25], p=[0.85, 0.15])),
        mobile=float(rng.choice([0.0, 0.1], p=[0.8, 0.2])),
        vpn=float(rng.choice([0.0, 0.02, _GATEWAY], p=[0.82, 0.05, 0.13])),
        trips=trips / _WORKING_DAYS,
        lease=float(rng.choice([1.0, 30.0, 120.0], p=[0.1, 0.5, 0.4])),
        area=int(rng.integers(_AREAS)),
    )


class _Places:
    """Where a person is from day to day."""

    def __init__(self, person: Person, rng: Generator) -> None:
        self.person, self.rng = person, rng
        self.asn = provider_asn(person.country, person.provider)
        self.away: tuple[str, int] | None = None
        self.left = 0
        self.renew()

    def renew(self) -> None:
        """Give the line at home another address, in the neighbourhood."""
        self.home = address(
            self.asn, (self.person.area + int(self.rng.integers(8))) % _AREAS, int(self.rng.integers(1, 255))
        )

    def next_day(self) -> None:
        """Let a day pass: leases end, people move, leave and come back."""
        rng = self.rng
        if rng.random() < 1 / self.person.lease:
            self.renew()
        if rng.random() < _MOVES:
            self.asn = provider_asn(self.person.country, int(rng.choice(_PROVIDERS, p=popularity(_PROVIDERS))))
            self.renew()
        self.left -= 1
        if self.left < 0:
            self.away = None
            if rng.random() < self.person.trips:
                self.left = int(rng.integers(1, 6))
                company = rng.random() < _COMPANY_TRIP
                country = str(rng.choice(list(HOME) if company else list(ELSEWHERE)))
                office = company and rng.random() < _OFFICE_TRIP
                self.away = (country, _OFFICE if office else _GUESTS + int(rng.integers(_GUEST_NETWORKS)))

    def login(self) -> dict[str, Any]:
        """Return where one login comes from."""
        person, rng = self.person, self.rng
        country = person.country if self.away is None else self.away[0]
        choice = rng.random()
        if rng.random() < person.vpn:  # a company gateway for those who always use one, else a service of their own
            own = person.vpn == _GATEWAY
            asn = _GATEWAY_ASN if own else provider_asn(country, _HOSTING + int(rng.integers(10)))
            return {
                "country": "DE" if own else country,
                "kind": "vpn",
                **address(asn, 1, int(rng.integers(1, 4 if own else 255))),
            }
        if rng.random() < person.mobile:
            asn = provider_asn(country, _MOBILE + person.provider % 2)
            return {
                "country": country,
                "kind": None,
                **address(asn, int(rng.integers(_AREAS)), int(rng.integers(1, 255))),
            }
        if self.away is not None:
            asn, area = provider_asn(country, self.away[1]), 1 if self.away[1] == _OFFICE else 2
            return {"country": country, "kind": None, **address(asn, area, 1 + person.area % 3)}
        if choice < _GUEST:  # a café, a hotel, a friend's house
            asn = provider_asn(country, _GUESTS + int(rng.integers(_GUEST_NETWORKS)))
            return {"country": country, "kind": None, **address(asn, int(rng.integers(50)), int(rng.integers(1, 255)))}
        if choice < person.office:
            return {"country": country, "kind": None, **address(provider_asn(country, _OFFICE), 1, 1 + person.area % 3)}
        return {"country": country, "kind": None, **self.home}


def logins_of(person: Person, rng: Generator, days: int) -> list[tuple[Any, ...]]:
    """Return a person's logins as rows of `COLUMNS`."""
    places, rows = _Places(person, rng), []
    for day in range(days):
        places.next_day()
        weekend = day % _WEEK > _FRIDAY
        if rng.random() > (person.weekend if weekend else _AT_WORK) and not (person.shift and rng.random() < _ON_SHIFT):
            continue
        begin = person.begin if not person.shift else (6.0, 14.0, 22.0)[day // _WEEK % 3] + HOME[person.country][1]
        for _ in range(1 + int(rng.poisson(1.5))):
            hour = begin + (
                rng.normal(0, 0.5) if rng.integers(2) else rng.uniform(0, 14 if rng.random() < _LATE else 9)
            )
            method = "sso" if person.sso and rng.random() > _FALLBACK else "mgmt"
            where = places.login()
            slot = int(hour * 4) % 96
            rows.append((person.name, day, slot, weekend, *(where[name] for name in COLUMNS[4:9]), method, person.role))
    return rows
