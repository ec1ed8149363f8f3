"""How much likelier a login is someone else's than the user's: Freeman's likelihood ratio over what consoles tell.

Logins of SentinelOne carry an address, the login method and a time, no user agent. Each term is a logarithm of
"as likely for an attacker" over "as likely for this user", in nats, and the score is their sum.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sentinelone_collector.detect.anomaly.statistics import (
    DAY_KINDS,
    GRID,
    Level,
    back_off,
    cell_of,
    hierarchy_lift,
    predictive,
    root_probability,
    tail_table,
    unseen_mass,
    week_density,
)

if TYPE_CHECKING:
    from pandas import DataFrame, Series  # for the type checker

__all__ = ["LEVELS", "TERMS", "hour_counts", "login_terms"]

Floats = NDArray[np.float64]

# Levels of an address, the widest first, with the discount of each: addresses change more than countries
LEVELS: Final = MappingProxyType({"country": 0.1, "asn": 0.2, "network": 0.5, "ip": 0.8})
# What a score is made of; "tenant" is how rarely anyone of the tenant comes from there
TERMS: Final = (*LEVELS, "tenant", "kind", "method", "hour")
SLOTS: Final = 96
# How often an attacker's country, network (ASN) or address is one that nobody in the tenant has had
_FOREIGN: Final = MappingProxyType({"country": 0.3, "asn": 0.3})
# How an attacker's logins are shared out: what tells nothing about a user is as likely for both
_ATTACKER: Final = MappingProxyType({"kind": 0.5, "method": 0.2})
_STRENGTH: Final = 1.0
_ORDINARY = ""


def login_terms(logins: DataFrame, past: DataFrame, without: Collection[str] = ()) -> DataFrame:
    """Return the terms of each login's score, its sum `score`, the hour's tail probability and the new features.

    Both frames have a row per counter: `entity`, `n`, the facts `country`, `asn`, `network`, `ip`, `kind`, `method`,
    `role` (text or None: not known), `slot` (quarter of an hour of the UTC day, 0 to 95) and `weekend` (bool); `past`
    is the baseline of everyone. The result has the index of `logins` and the columns `address`, `tenant`, `kind`,
    `method`, `hour` (nats), `hour_tail` (probability), `new` (how many of the facts the user never had),
    `new_network` (bool) and `score`.
    Terms in `without` (see `TERMS`) are left out; "address" leaves out all of its levels.
    """
    levels = [] if "address" in without else [name for name in LEVELS if name not in without]
    facts = {name: _Fact(logins, past, name) for name in dict.fromkeys((*LEVELS, "kind", "method"))}
    nothing = np.zeros(len(logins))
    terms: dict[str, Floats] = {
        "address": -np.log(_address_lift(logins, past, facts, levels)),
        "tenant": nothing if "tenant" in without else nothing + _foreignness(past, [facts[name] for name in levels]),
        "kind": nothing if "kind" in without else _oddness(logins, past, facts),
        "method": nothing if "method" in without else facts["method"].surprise(),
    }
    density, tail = _moments(logins, past)
    terms["hour"] = nothing if "hour" in without else -np.log(density)
    score = np.sum(list(terms.values()), axis=0)
    network = facts["asn"] if facts["asn"].all else facts["network"]
    new = np.sum([fact.known & (fact.own == 0) for fact in facts.values()], axis=0)
    return logins[[]].assign(
        **terms, hour_tail=tail, new=new, new_network=network.known & (network.own == 0), score=score
    )


class _Fact:
    """One fact of logins, counted in the past: of the user, of the role, of the tenant."""

    def __init__(self, logins: DataFrame, past: DataFrame, name: str) -> None:
        self.name = name
        known, seen = logins[name], past[past[name].notna()]
        self.known = known.notna().to_numpy()
        value = _text(known)
        self.own = _lookup(seen, ["entity", name], [logins["entity"], value])
        self.total = _lookup(seen, ["entity"], [logins["entity"]])
        kinds = seen.drop_duplicates(["entity", name])
        self.distinct = _lookup(kinds.assign(n=1), ["entity"], [logins["entity"]])
        self.peers = _lookup(seen, ["role", name], [logins["role"], value])
        self.of_peers = _lookup(seen, ["role"], [logins["role"]])
        counts = seen.groupby(name)["n"].sum()
        self.everyone = value.map(counts).fillna(0).to_numpy(dtype=np.float64)
        self.all = float(counts.sum())
        self.unseen = unseen_mass(counts.to_numpy())
        probability = root_probability(self.everyone, self.all, self.unseen)
        self.tenant = np.where(self.known, probability, np.nan)

    def surprise(self) -> Floats:
        """Return the log ratio of an attacker's share of the value and the user's back-off probability."""
        chain = back_off([(self.peers, self.of_peers), (self.own, self.total)], self.tenant, _STRENGTH)
        usual = np.log(_ATTACKER[self.name]) - np.log(chain[-1])
        return np.where(self.known, usual, 0.0)


def _text(column: Series[Any], otherwise: str = "\0") -> Series[Any]:
    """Return the column with a text where it has none, by default one that nobody has."""
    return column.astype(object).where(column.notna(), otherwise)


def _lookup(frame: DataFrame, keys: list[str], values: list[Series[Any]]) -> Floats:
    """Return the sum of `n` of the rows that have each combination of values, zero where there is none."""
    # As a mapping: an index of several levels costs most of a score where the frames are small, as they are of a day
    sums = frame.groupby(keys[0] if len(keys) == 1 else keys, sort=False)["n"].sum().to_dict()
    wanted = values[0] if len(values) == 1 else zip(*values, strict=True)
    return np.fromiter((sums.get(one, 0) for one in wanted), dtype=np.float64, count=len(values[0]))


def _address_lift(logins: DataFrame, past: DataFrame, facts: dict[str, _Fact], levels: list[str]) -> Floats:
    """Return p(address | user) / p(address), level inside level."""
    lift: Floats = np.ones(len(logins))
    if not levels:
        return lift
    widest = facts[levels[0]]
    # What colleagues of the same role have makes a new country or network less strange
    peers = hierarchy_lift([Level(widest.peers, widest.of_peers, widest.tenant)], _STRENGTH)
    chain, above = [], None
    for name in levels:
        fact = facts[name]
        total, distinct, tenant = fact.total, fact.distinct, fact.tenant
        if above is not None:
            total, distinct = above.own, _distinct_inside(logins, past, above.name, name)
            tenant = np.minimum(fact.everyone / np.maximum(above.everyone, 1), 1.0)
        chain.append(Level(fact.own, total, np.where(fact.known, tenant, np.nan), distinct, LEVELS[name]))
        # A level that nobody's addresses are known at does not part the others
        above = fact if fact.all else above
    return hierarchy_lift(chain, _STRENGTH, np.maximum(peers, 1.0))


def _distinct_inside(logins: DataFrame, past: DataFrame, wider: str, name: str) -> Floats:
    """Return how many values of a level the user has had inside the login's value of the wider one."""
    seen = past[past[name].notna()].drop_duplicates(["entity", wider, name]).assign(n=1)
    return _lookup(seen, ["entity", wider], [logins["entity"], _text(logins[wider])])


def _foreignness(past: DataFrame, facts: list[_Fact]) -> Floats:
    """Return the log ratio of a value being new to the tenant, of those that are new to the user.

    Each user counts once for each value: logins from one place come in series, and a series says no more than one.
    """
    found: Floats = np.zeros(())
    for fact in facts:
        if fact.name in _FOREIGN:
            pairs = past[past[fact.name].notna()].drop_duplicates(["entity", fact.name])
            unseen = unseen_mass(pairs.groupby(fact.name).size().to_numpy())
            share = _FOREIGN[fact.name]
            new, old = math.log(share / unseen), math.log((1 - share) / max(1 - unseen, 1 - share))
            term = np.where(fact.everyone == 0, max(new, 0.0), old)
            found = found + np.where(fact.known & (fact.own == 0), term, 0.0)
    return found


def _oddness(logins: DataFrame, past: DataFrame, facts: dict[str, _Fact]) -> Floats:
    """Return the log ratio of a network's kind (hosting, VPN ...) for an attacker and for the user's next new network.

    A network that the user had before explains its kind. Each user counts once for each network.
    """
    place = "asn" if facts["asn"].all else "ip"
    kind, seen = _text(logins["kind"], _ORDINARY), past.drop_duplicates(["entity", place, "kind"])
    seen = seen.assign(kind=_text(seen["kind"], _ORDINARY), n=1)
    counts = seen.groupby("kind").size()
    root = root_probability(kind.map(counts).fillna(0), len(seen), unseen_mass(counts.to_numpy()))
    own = _lookup(seen, ["entity", "kind"], [logins["entity"], kind])
    usual = predictive(own, _lookup(seen, ["entity"], [logins["entity"]]), root, _STRENGTH)
    odd = np.where(kind == _ORDINARY, 1 - _ATTACKER["kind"], _ATTACKER["kind"])
    return np.where(facts[place].known & (facts[place].own == 0), np.log(odd) - np.log(usual), 0.0)


def hour_counts(past: DataFrame, entities: Collection[str]) -> Floats:
    """Return how often each entity was seen in each part of a week, shape (entities, 2, SLOTS)."""
    place = {entity: number for number, entity in enumerate(entities)}
    rows = past[past["entity"].isin(list(place))]
    counts: Floats = np.zeros((len(place), 2, SLOTS))
    at = (rows["entity"].map(place).to_numpy(dtype=np.intp), rows["weekend"].to_numpy(dtype=np.intp))
    np.add.at(counts, (*at, rows["slot"].to_numpy(dtype=np.intp)), rows["n"].to_numpy(dtype=np.float64))
    return counts


def _moments(logins: DataFrame, past: DataFrame) -> tuple[Floats, Floats]:
    """Return how dense each login's moment is, against moments chosen blindly, and its tail probability."""
    entities = sorted(logins["entity"].unique())
    everyone = hour_counts(past.assign(entity=""), [""])[0]
    masses = week_density(hour_counts(past, entities), everyone)
    place = {entity: number for number, entity in enumerate(entities)}
    row = logins["entity"].map(place).to_numpy(dtype=np.intp)
    kind = logins["weekend"].to_numpy(dtype=np.intp)
    cell = cell_of((logins["slot"].to_numpy(dtype=np.float64) + 0.5) * 24 / SLOTS)
    days = np.asarray(DAY_KINDS, dtype=np.float64)
    blind = days[kind] / days.sum() / GRID
    return masses[row, kind, cell] / blind, tail_table(masses)[row, kind, cell]
