"""How likely a value is, given what was seen before: of the user, of the role, of the tenant, of anyone.

A count says little where there are few of them, so each level borrows from the next wider one:
`p(x|u) = (n_ux + m * p(x|role)) / (n_u + m)`, the predictive of a hierarchical Dirichlet prior (Teh et al. 2006,
"Hierarchical Dirichlet Processes", section 4, with a fixed concentration m). Its root keeps mass for the unseen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["back_off", "hierarchy_lift", "likelihood_ratio", "predictive", "root_probability", "unseen_mass"]

Floats = NDArray[np.float64]

# How many observations of the wider level a narrower one is born with
STRENGTH = 5.0


def _floats(value: ArrayLike) -> Floats:
    return np.asarray(value, dtype=np.float64)


def unseen_mass(counts: ArrayLike) -> float:
    """Return the probability that the next value is none of those counted.

    `counts` is how often each value was seen, shape (values,). Good-Turing in the form of Chao & Jost 2012 ("Coverage-
    based rarefaction and extrapolation", eq. 4a), which stays below one where every value was seen once; at least
    1/(n + 1), since no finite past excludes a new value. One where nothing was seen.
    """
    seen = _floats(counts)
    seen = seen[seen > 0]
    total = float(seen.sum())
    if total == 0:
        return 1.0
    once, twice = float((seen == 1).sum()), float((seen == 2).sum())  # noqa: PLR2004  # doubletons
    pairs = (total - 1) * once
    share = pairs / (pairs + 2 * twice) if pairs + 2 * twice > 0 else 0.0
    return max(once / total * share, 1 / (total + 1))


def root_probability(count: ArrayLike, total: ArrayLike, unseen: ArrayLike, space: ArrayLike = 1.0) -> Floats:
    """Return the probability of values at the widest level: counted, or one of `space` values nobody has had yet.

    `count` of `total` observations, `unseen` as `unseen_mass` says. Summed over the values seen and over `space`
    unseen ones this is one; with `space` 1 an unseen value means "anything else".
    """
    count, total, unseen, space = (_floats(value) for value in (count, total, unseen, space))
    known = (1 - unseen) * count / np.maximum(total, 1)
    return np.where(count > 0, known, unseen / space)


def predictive(count: ArrayLike, total: ArrayLike, prior: ArrayLike, strength: ArrayLike = STRENGTH) -> Floats:
    """Return `(count + strength * prior) / (total + strength)`, the probability of a value at one level."""
    count, total, prior, strength = (_floats(value) for value in (count, total, prior, strength))
    return (count + strength * prior) / (total + strength)


def back_off(
    levels: Sequence[tuple[ArrayLike, ArrayLike]], root: ArrayLike, strength: ArrayLike = STRENGTH
) -> tuple[Floats, ...]:
    """Return the probability at each level, the widest first; the last is the user's.

    `levels` are pairs (count of the value, all observations), the widest first, say role and user; `root` is the
    tenant's probability from `root_probability`.
    """
    found = []
    prior = _floats(root)
    for count, total in levels:
        prior = predictive(count, total, prior, strength)
        found.append(prior)
    return tuple(found)


def hierarchy_lift(
    levels: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]], strength: ArrayLike = STRENGTH, base: ArrayLike = 1.0
) -> Floats:
    """Return `p(x|u) / p(x)` of a value that lies inside wider ones, such as address, network (ASN), country.

    `levels` are triples (count of the user, all of the user, probability in the tenant), the widest first; a level
    that is not known is left out. What the user never had at one level is as likely as the level above makes it:
    `p(ip|u) = (n_u,ip + m * p(ip|asn) * p(asn|u)) / (n_u + m)` (Freeman et al., NDSS 2016, "Who Are You? A
    Statistical Approach to Measuring User Authenticity", section V-B). `base` is the lift above the widest level.
    """
    lift = _floats(base)
    weight = _floats(strength)
    for level in levels:
        count, total, tenant = (_floats(value) for value in level)
        own = np.divide(count, tenant, out=np.zeros(np.broadcast(count, tenant).shape), where=count > 0)
        lift = (own + weight * lift) / (total + weight)
    return lift


def likelihood_ratio(lifts: Sequence[ArrayLike]) -> Floats:
    """Return `sum(log p(x_k) / p(x_k|u))` over features, in nats: above zero, someone else is the likelier origin.

    `lifts` are `p(x_k|u) / p(x_k)` of each feature (Freeman et al., NDSS 2016, section IV, eq. 5 with independent
    features and users that are attacked alike).
    """
    total = np.zeros(())
    for lift in lifts:
        total = total - np.log(_floats(lift))
    return total
