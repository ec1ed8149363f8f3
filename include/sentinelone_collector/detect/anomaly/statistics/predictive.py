"""How likely a value is, given what was seen before: of the user, of the role, of the tenant, of anyone.

A count says little where there are few of them, so each level borrows from the next wider one:
`p(x|u) = (n_ux + m * p(x|role)) / (n_u + m)`, the predictive of a hierarchical Dirichlet prior (Teh et al. 2006,
"Hierarchical Dirichlet Processes", section 4, with a fixed concentration m). Its root keeps mass for the unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Level", "back_off", "hierarchy_lift", "likelihood_ratio", "predictive", "root_probability", "unseen_mass"]

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
    # Where nothing was seen twice the bias-corrected form keeps the mass below one
    pairs, twice = ((total - 1) * once, twice) if twice else ((total - 1) * max(once - 1, 0.0), 1.0)
    share = pairs / (pairs + 2 * twice)
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


class Level(NamedTuple):
    """One level of a hierarchy of values, as arrays.

    `own` is how often the user had the value and `total` how often any inside the same wider value (at the widest
    level: any); `tenant` is the tenant's probability of it inside the wider one, nan where the level is not known.
    `distinct` is how many values the user has had there, `discount` in [0, 1) how much a value that was seen speaks
    for new ones instead of itself.
    """

    own: ArrayLike
    total: ArrayLike
    tenant: ArrayLike
    distinct: ArrayLike = 0.0
    discount: float = 0.0


def hierarchy_lift(levels: Sequence[Level], strength: ArrayLike = STRENGTH, base: ArrayLike = 1.0) -> Floats:
    """Return `p(x|u) / p(x)` of a value that lies inside wider ones, such as country, network (ASN), address.

    The widest level comes first. An address is as likely as its network, times its share there:
    `p(ip|u) = p(ip|asn,u) * p(asn|country,u) * p(country|u)`, each backing off to the tenant (Freeman et al., NDSS
    2016, "Who Are You? A Statistical Approach to Measuring User Authenticity", section V-B), so that whoever is in a
    new country is not called strange once more for the new address there. Each level is of the Pitman-Yor form
    `(n_ux - d + (m + d * distinct) * p(x)) / (n_u + m)`, in which who often has new values is expected to have more
    (Teh 2006, "A Hierarchical Bayesian Language Model based on Pitman-Yor Processes", eq. 5, one table a value).
    `base` is the lift that others, say of the same role, give the widest level.
    """
    weight = _floats(strength)
    above, lift = _floats(base), _floats(1.0)
    for level in levels:
        count, total, tenant, distinct = (_floats(value) for value in level[:4])
        own = np.where(count > 0, count - level.discount, 0.0)
        own = np.divide(own, tenant, out=np.zeros(np.broadcast(own, tenant).shape), where=count > 0)
        here = (own + (weight + level.discount * distinct) * above) / (total + weight)
        known = ~np.isnan(tenant)
        lift = np.where(known, lift * here, lift)
        # What the widest level that is known backs off to is spent there
        above = np.where(known, 1.0, above)
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
