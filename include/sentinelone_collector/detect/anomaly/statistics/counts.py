"""How unusual a number is: of actions on a day, of verdicts among many, of anything with a past.

Counts of people's actions vary more than a Poisson distribution allows, so days follow a Gamma-Poisson (negative
binomial) distribution with `var = mean + dispersion * mean**2`. A user's few days say little about both, so each is
drawn to the pool of the tenant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CountModel",
    "beta_binomial_tail",
    "count_model",
    "gamma_poisson_mass",
    "gamma_poisson_tail",
    "modified_z",
    "pooled_dispersion",
    "share_prior",
]

Floats = NDArray[np.float64]

# How many days of the pool a user is born with: of the mean, which users differ in, and of the dispersion
_MEAN_DAYS = 2.0
_DISPERSION_DAYS = 30.0
_LEAST_DISPERSION = 0.02
_NORMAL = 0.6745


class CountModel(NamedTuple):
    """What a day is expected to bring: `var = mean + dispersion * mean**2`, arrays of one shape."""

    mean: Floats
    dispersion: Floats


def _floats(*values: ArrayLike) -> list[Floats]:
    return [np.asarray(value, dtype=np.float64) for value in values]


def _moments(days: Floats, total: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Return mean and (unbiased) variance of each user's days."""
    mean = total / np.maximum(days, 1)
    spread = np.maximum(squares - total * mean, 0.0) / np.maximum(days - 1, 1)
    return mean, spread


def pooled_dispersion(days: ArrayLike, total: ArrayLike, squares: ArrayLike) -> float:
    """Return the dispersion that the users of a tenant have in common.

    Of each user: days observed (those without an action included), the sum of the daily counts and of their squares,
    shape (users,). Method of moments, summed before divided so that quiet users don't dominate (Clark & Perry 1989,
    "Estimation of the negative binomial parameter kappa by maximum quasi-likelihood", section 2).
    """
    days, total, squares = _floats(days, total, squares)
    enough = days >= 2  # noqa: PLR2004  # a variance needs two
    mean, spread = _moments(days[enough], total[enough], squares[enough])
    weight = days[enough] - 1
    # mean**2 is biased upwards by the variance of the mean
    square = np.maximum(mean**2 - spread / np.maximum(days[enough], 1), 0.0)
    below = float((weight * square).sum())
    above = float((weight * (spread - mean)).sum())
    return max(above / below, _LEAST_DISPERSION) if below > 0 else 1.0


def count_model(
    days: ArrayLike, total: ArrayLike, squares: ArrayLike, *, pool_mean: ArrayLike, pool_dispersion: ArrayLike
) -> CountModel:
    """Return the model of each user's next day, drawn to the pool where the user's own days are few.

    Parameters as in `pooled_dispersion`, with the mean of the pool's days and its dispersion. That the mean itself is
    only estimated adds its variance to the prediction (as the posterior predictive of a Gamma prior does; Gelman et
    al. 2013, "Bayesian Data Analysis", section 2.6).
    """
    days, total, squares, pool, shared = _floats(days, total, squares, pool_mean, pool_dispersion)
    mean = (total + _MEAN_DAYS * pool) / (days + _MEAN_DAYS)
    own_mean, spread = _moments(days, total, squares)
    # What the user's days say about dispersion grows with what they count: a day with none says nothing
    weight = np.maximum(days - 1, 0) * own_mean / (1 + own_mean)
    square = np.maximum(own_mean**2, 1e-12)
    own = np.clip((spread - own_mean) / square, 0.0, None)
    dispersion = (weight * own + _DISPERSION_DAYS * shared) / (weight + _DISPERSION_DAYS)
    dispersion = np.maximum(dispersion, _LEAST_DISPERSION)
    # Relative variance of the estimated mean; var = E[var] + var[E] over it
    doubt = (1 / np.maximum(mean, 1e-9) + dispersion) / (days + _MEAN_DAYS)
    return CountModel(mean, dispersion + doubt * (1 + dispersion))


def gamma_poisson_tail(count: ArrayLike, mean: ArrayLike, dispersion: ArrayLike) -> Floats:
    """Return P(X >= count) of a Gamma-Poisson distribution; of a Poisson one where the dispersion is zero.

    The regularized incomplete beta function is its tail (NIST DLMF 8.17.24; Johnson, Kemp & Kotz 2005, "Univariate
    Discrete Distributions", section 5.6).
    """
    from scipy.special import betainc, gammainc

    count, mean, dispersion = _floats(count, mean, dispersion)
    least = np.maximum(np.ceil(count), 1.0)
    size = 1 / np.maximum(dispersion, 1e-12)
    spread = np.asarray(betainc(least, size, mean / (mean + size)), dtype=np.float64)
    poisson = np.asarray(gammainc(least, mean), dtype=np.float64)
    # Below this the incomplete beta function loses the digits that the Poisson tail still has
    tail = np.where(dispersion > 1e-8, spread, poisson)  # noqa: PLR2004
    return np.where(count <= 0, 1.0, tail)


def gamma_poisson_mass(count: ArrayLike, mean: ArrayLike, dispersion: ArrayLike) -> Floats:
    """Return P(X = count) for whole counts."""
    count = np.asarray(count, dtype=np.float64)
    return np.maximum(
        gamma_poisson_tail(count, mean, dispersion) - gamma_poisson_tail(count + 1, mean, dispersion), 0.0
    )


def modified_z(value: ArrayLike, past: ArrayLike, *, floor: float = 1.0) -> Floats:
    """Return `0.6745 * (value - median) / MAD` with the MAD not below `floor`, in the value's unit.

    `past` has shape (..., n), nan where there is no observation. Iglewicz & Hoaglin 1993, "How to Detect and Handle
    Outliers", section 3.2: above 3.5 it is one.
    """
    seen = np.asarray(past, dtype=np.float64)
    middle = np.nanmedian(seen, axis=-1)
    spread = np.nanmedian(np.abs(seen - middle[..., None]), axis=-1)
    return np.asarray(_NORMAL * (np.asarray(value, dtype=np.float64) - middle) / np.maximum(spread, floor))


def share_prior(successes: ArrayLike, trials: ArrayLike, *, most: float = 200.0) -> tuple[float, float]:
    """Return (a, b) of the Beta distribution that the shares of a tenant's people follow.

    One success count and one number of trials per person. Mean by the sums with one virtual success and failure;
    strength by moments (Kleinman 1973, "Proportions with extraneous variance", section 3), between 2 and `most`: a
    small team must not look more alike than it can show.
    """
    hits, tries = _floats(successes, trials)
    total = float(tries.sum())
    mean = (float(hits.sum()) + 1) / (total + 2)
    people = tries[tries > 0]
    strength = 2.0
    if len(people) > 1:
        share = hits[tries > 0] / people
        spread = float((people * (share - mean) ** 2).sum())
        noise = mean * (1 - mean)
        scale = total - float((people**2).sum()) / total
        between = (spread - noise * (len(people) - 1)) / scale if scale > 0 else 0.0
        strength = noise / between - 1 if between > 0 else most
    strength = min(max(strength, 2.0), most)
    return mean * strength, (1 - mean) * strength


def beta_binomial_tail(successes: ArrayLike, trials: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """Return P(X >= successes) of `trials` whose chance follows Beta(a, b).

    Summed term by term in logarithms (Johnson, Kemp & Kotz 2005, section 6.9.2).
    """
    from scipy.special import betaln, gammaln

    hits, tries, one, two = np.broadcast_arrays(*_floats(successes, trials, a, b))
    most = int(tries.max(initial=0))
    each = np.arange(most + 1, dtype=np.float64)
    n, x, y = tries[..., None], one[..., None], two[..., None]
    rest = np.maximum(n - each, 0.0)
    log_mass = gammaln(n + 1) - gammaln(each + 1) - gammaln(rest + 1) + betaln(each + x, rest + y) - betaln(x, y)
    mass = np.where(each <= n, np.exp(log_mass), 0.0)
    tail = np.where(each >= hits[..., None], mass, 0.0).sum(axis=-1)
    return np.where(hits <= 0, 1.0, np.clip(tail, 0.0, 1.0))
