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
    share_prior,
    tail_table,
    unseen_mass,
    week_density,
)

if TYPE_CHECKING:
    from pandas import DataFrame  # for the type checker

__all__ = ["LEVELS", "TERMS", "hour_counts", "login_terms"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Levels of an address, the widest first, with the discount of each: addresses change more than countries
LEVELS: Final = MappingProxyType({"country": 0.1, "asn": 0.2, "network": 0.5, "ip": 0.8})
# What a score is made of; "tenant" is how rarely anyone of the tenant comes from there
TERMS: Final = (*LEVELS, "tenant", "kind", "method", "hour")
SLOTS: Final = 96
# How often an attacker's country, network (ASN) or address is one that nobody in the tenant has had
_FOREIGN: Final = MappingProxyType({"country": 0.3, "asn": 0.3})
# How an attacker's logins are shared out: what tells nothing about a user is as likely for both
_ATTACKER: Final = MappingProxyType({"kind": 0.5, "method": 0.2})
# How many attackers choose an exit in the victim's own country: they are for sale in each
_NEAR: Final = 0.5
_STRENGTH: Final = 1.0
_ORDINARY = ""
_LABEL: Final = "label"


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
    coded = _Coded(logins, past)
    facts = {name: _Fact(coded, name) for name in dict.fromkeys((*LEVELS, "kind", "method"))}
    nothing = np.zeros(len(logins))
    terms: dict[str, Floats] = {
        "address": -np.log(_address_lift(coded, facts, levels)),
        "tenant": nothing if "tenant" in without else nothing + _foreignness(coded, [facts[name] for name in levels]),
        "kind": nothing if "kind" in without else _oddness(coded, facts),
        "method": nothing if "method" in without else _change_of_method(coded, facts["method"]),
    }
    density, tail = _moments(logins, past)
    terms["hour"] = nothing if "hour" in without else -np.log(density)
    score = np.sum(list(terms.values()), axis=0)
    network = facts["asn"] if facts["asn"].all else facts["network"]
    new = np.sum([fact.known & (fact.own == 0) for fact in facts.values()], axis=0)
    return logins[[]].assign(
        **terms, hour_tail=tail, new=new, new_network=network.known & (network.own == 0), score=score
    )


class _Coded:
    """Logins and their past with a number for each text of a column, the same in both; -1 for none.

    Sums over numbers cost a fraction of sums over texts, and there are dozens of them. The column `label` is `kind`
    with a text for ordinary networks, too.
    """

    def __init__(self, logins: DataFrame, past: DataFrame) -> None:
        import pandas as pd

        self.n = past["n"].to_numpy(dtype=np.float64)
        self.past: dict[str, Ints] = {}
        self.logins: dict[str, Ints] = {}
        self.sizes: dict[str, int] = {}
        for name in ("entity", "role", *LEVELS, "kind", "method", _LABEL):
            texts = np.concatenate([_texts(past, name), _texts(logins, name)])
            codes, values = pd.factorize(texts)
            self.past[name], self.logins[name], self.sizes[name] = codes[: len(past)], codes[len(past) :], len(values)
            if name == _LABEL:
                self.ordinary = self.logins[name] == np.append(values, _ORDINARY).tolist().index(_ORDINARY)

    def sums(self, *names: str, known: str | None = None) -> Floats:
        """Return, for each login, the sum of `n` of the past rows that share its values of these columns.

        A value that is missing is shared by none. With `known` only rows count that have a value of that column.
        """
        rows = np.all([self.past[name] >= 0 for name in (*names, known or names[0])], axis=0)
        return _look(self._keys(self.past, names)[rows], self.n[rows], self._wanted(names))

    def distinct(self, name: str, *names: str) -> Floats:
        """Return, for each login, how many values of a column the past rows have that share its values of others."""
        keys, size = self.pairs(name, *names)
        return _look(keys // size, np.ones(len(keys)), self._wanted(names))

    def pairs(self, name: str, *names: str) -> tuple[Ints, int]:
        """Return the combinations of values in the past, that of `name` being the remainder by the size beside them."""
        rows = np.all([self.past[one] >= 0 for one in (name, *names)], axis=0)
        return np.unique(self._keys(self.past, (*names, name))[rows]), max(self.sizes[name], 1)

    def _keys(self, of: dict[str, Ints], names: tuple[str, ...]) -> Ints:
        key: Ints = np.zeros(len(of[names[0]]), dtype=np.int64)
        for name in names:
            key = key * max(self.sizes[name], 1) + of[name]
        return key

    def _wanted(self, names: tuple[str, ...]) -> Ints:
        known = np.all([self.logins[name] >= 0 for name in names], axis=0)
        return np.where(known, self._keys(self.logins, names), -1)


def _texts(frame: DataFrame, name: str) -> NDArray[Any]:
    column = frame["kind" if name == _LABEL else name].astype(object)
    return (column.where(column.notna(), _ORDINARY) if name == _LABEL else column).to_numpy()


def _look(keys: Ints, weights: Floats, wanted: Ints) -> Floats:
    """Return the sum of the weights of each wanted key, zero for one that is not there."""
    values, places = np.unique(keys, return_inverse=True)
    if not len(values):
        return np.zeros(len(wanted))
    total = np.bincount(places, weights=weights)
    at = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
    return np.where(values[at] == wanted, total[at], 0.0)


class _Fact:
    """One fact of logins, counted in the past: of the user, of the role, of the tenant."""

    def __init__(self, coded: _Coded, name: str) -> None:
        self.name = name
        codes, seen = coded.logins[name], coded.past[name] >= 0
        self.known = codes >= 0
        self.own = coded.sums("entity", name)
        self.total = coded.sums("entity", known=name)
        self.distinct = coded.distinct(name, "entity")
        self.peers = coded.sums("role", name)
        self.of_peers = coded.sums("role", known=name)
        counts = np.bincount(coded.past[name][seen], weights=coded.n[seen], minlength=max(coded.sizes[name], 1))
        self.everyone = np.where(self.known, counts[codes], 0.0)
        self.all = float(counts.sum())
        self.unseen = unseen_mass(counts)
        probability = root_probability(self.everyone, self.all, self.unseen)
        self.tenant = np.where(self.known, probability, np.nan)


def _change_of_method(coded: _Coded, fact: _Fact) -> Floats:
    """Return the log ratio of an attacker's share of the login method and the user's.

    How often anyone falls back to another method than the usual one, and how far users differ in that, is learned from
    the tenant: two hundred logins in one way do not exclude another where everybody has an exception now and then.
    """
    users, size = max(coded.sizes["entity"], 1), max(coded.sizes[fact.name], 1)
    rows = coded.past[fact.name] >= 0
    keys = coded.past["entity"][rows] * size + coded.past[fact.name][rows]
    table = np.bincount(keys, weights=coded.n[rows], minlength=users * size).reshape(users, size)
    total, most = table.sum(axis=1), table.max(axis=1)
    known = total > 0
    one, other = share_prior((total - most)[known], total[known]) if known.any() else (1.0, 1.0)
    at = coded.logins["entity"]
    change = (total[at] - most[at] + one) / (total[at] + one + other)
    usual = np.where(fact.own == most[at], 1 - change, change)
    # Whose habit is not known is expected to have that of the role
    chain = back_off([(fact.peers, fact.of_peers)], fact.tenant, _STRENGTH)
    term = np.log(_ATTACKER[fact.name]) - np.log(np.where(known[at], usual, chain[-1]))
    return np.where(fact.known, term, 0.0)


def _address_lift(coded: _Coded, facts: dict[str, _Fact], levels: list[str]) -> Floats:
    """Return p(address | user) / p(address | attacker), level inside level.

    An attacker's country is the victim's with the share `_NEAR`, else as common as in the tenant. Without the former
    the usual country would speak for the user by how rare it is among colleagues: most where few people sit.
    """
    lift: Floats = np.ones(len(coded.logins["entity"]))
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
            total, distinct = above.own, coded.distinct(name, "entity", above.name)
            tenant = np.minimum(fact.everyone / np.maximum(above.everyone, 1), 1.0)
        chain.append(Level(fact.own, total, np.where(fact.known, tenant, np.nan), distinct, LEVELS[name]))
        # A level that nobody's addresses are known at does not part the others
        above = fact if fact.all else above
    base = np.maximum(peers, 1.0)
    lift = hierarchy_lift(chain, _STRENGTH, base)
    if levels[0] == "country":
        lift = lift / (_NEAR * hierarchy_lift(chain[:1], _STRENGTH, base) + 1 - _NEAR)
    return lift


def _foreignness(coded: _Coded, facts: list[_Fact]) -> Floats:
    """Return the log ratio of a value being new to the tenant, of those that are new to the user.

    Each user counts once for each value: logins from one place come in series, and a series says no more than one.
    """
    found: Floats = np.zeros(())
    for fact in facts:
        if fact.name in _FOREIGN:
            pairs, size = coded.pairs(fact.name, "entity")
            unseen = unseen_mass(np.bincount(pairs % size))
            share = _FOREIGN[fact.name]
            new, old = math.log(share / unseen), math.log((1 - share) / max(1 - unseen, 1 - share))
            term = np.where(fact.everyone == 0, max(new, 0.0), old)
            found = found + np.where(fact.known & (fact.own == 0), term, 0.0)
    return found


def _oddness(coded: _Coded, facts: dict[str, _Fact]) -> Floats:
    """Return the log ratio of a network's kind (hosting, VPN ...) for an attacker and for the user's next new network.

    A network that the user had before explains its kind. Each user counts once for each network.
    """
    place = "asn" if facts["asn"].all else "ip"
    kinds, size = coded.pairs(_LABEL, "entity", place)
    users = kinds // size // max(coded.sizes[place], 1)
    counts = np.bincount(kinds % size, minlength=size)
    label, entity = coded.logins[_LABEL], coded.logins["entity"]
    root = root_probability(counts[label], counts.sum(), unseen_mass(counts))
    own = _look(users * size + kinds % size, np.ones(len(kinds)), entity * size + label)
    usual = predictive(own, _look(users, np.ones(len(kinds)), entity), root, _STRENGTH)
    odd = np.where(coded.ordinary, 1 - _ATTACKER["kind"], _ATTACKER["kind"])
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
