"""How usual a moment is for someone: a density over the time of day, on working days and at weekends.

Time of day is a circle, so the kernel is von Mises (Mardia & Jupp 2000, "Directional Statistics", section 3.5.4;
density estimates on the circle: Taylor 2008, "Automatic bandwidth selection for circular density estimation").
kappa 8 is a standard deviation of 1.4 hours. Densities are kept as masses on a grid of `GRID` cells of five minutes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["DAY_KINDS", "GRID", "cell_of", "daytime_density", "tail_probability", "tail_table", "week_density"]

Floats = NDArray[np.float64]

GRID = 288
# Working days and weekend days of a week
DAY_KINDS = (5, 2)
KAPPA = 8.0
# How many observations of the tenant a user is born with: of the time of day, and of the kind of day
STRENGTH = 5.0
_TIE = 1e-9


@cache
def _kernel(bins: int, kappa: float) -> Floats:
    """Return, for each of `bins` equal parts of the day, the masses of the grid's cells; shape (bins, GRID)."""
    centres = (np.arange(bins) + 0.5) / bins
    cells = (np.arange(GRID) + 0.5) / GRID
    weight = np.exp(kappa * (np.cos(2 * np.pi * (cells[None, :] - centres[:, None])) - 1))
    kernel: Floats = weight / weight.sum(axis=1, keepdims=True)
    kernel.setflags(write=False)
    return kernel


def daytime_density(
    counts: ArrayLike, prior: ArrayLike | None = None, *, kappa: float = KAPPA, strength: float = STRENGTH
) -> Floats:
    """Return the masses of a day's cells, shape (..., GRID), each row summing to one.

    `counts` are observations per part of the day, shape (..., bins), the first bin beginning at midnight; `prior` are
    masses of shape (..., GRID) that count as much as `strength` observations, uniform where None.
    """
    seen = np.asarray(counts, dtype=np.float64)
    own = seen @ _kernel(seen.shape[-1], kappa)
    wider = np.full(GRID, 1 / GRID) if prior is None else np.asarray(prior, dtype=np.float64)
    density: Floats = (own + strength * wider) / (seen.sum(axis=-1, keepdims=True) + strength)
    return density


def week_density(counts: ArrayLike, tenant: ArrayLike, *, kappa: float = KAPPA, strength: float = STRENGTH) -> Floats:
    """Return the masses of a week's cells, shape (..., 2, GRID): working days, then weekends; all sum to one.

    `counts` are a user's observations per kind of day and part of the day, shape (..., 2, bins); `tenant` those of
    all users, shape (2, bins), the prior: of the hours within a kind of day, and of the share of weekends (a Beta
    whose mean is the tenant's share, itself drawn to two days in seven).
    """
    seen = np.asarray(counts, dtype=np.float64)
    pool = np.asarray(tenant, dtype=np.float64)
    days = np.asarray(DAY_KINDS, dtype=np.float64)
    share = (pool.sum(axis=-1) + strength * days / days.sum()) / (pool.sum() + strength)
    own = seen.sum(axis=-1)
    kind = (own + strength * share) / (own.sum(axis=-1, keepdims=True) + strength)
    # What a user's other days say about the hours is worth as much as what the tenant's same days say
    usual = daytime_density(pool, kappa=kappa, strength=strength)
    anyone = daytime_density(pool.sum(axis=-2), kappa=kappa, strength=strength)
    both = daytime_density(seen.sum(axis=-2), anyone, kappa=kappa, strength=strength)[..., None, :]
    masses: Floats = kind[..., None] * daytime_density(seen, (usual + both) / 2, kappa=kappa, strength=strength)
    return masses


def tail_table(masses: ArrayLike) -> Floats:
    """Return, for each cell of a week, the share of the mass in cells that are at most as dense.

    `masses` as `week_density` gives them, shape (..., 2, GRID), and so is the result. It is the level of the highest-
    density region whose border the cell lies on (Hyndman 1996, "Computing and Graphing Highest Density Regions"):
    moments drawn from the density have it uniform on [0, 1].
    """
    mass = np.asarray(masses, dtype=np.float64)
    # A weekend's mass is spread over fewer days than that of a working week
    density = (mass / np.asarray(DAY_KINDS, dtype=np.float64)[:, None]).reshape(*mass.shape[:-2], -1)
    order = np.argsort(density, axis=-1, kind="stable")
    dense = np.take_along_axis(density, order, axis=-1)
    below = np.cumsum(np.take_along_axis(mass.reshape(density.shape), order, axis=-1), axis=-1)
    # Cells that are equally dense share the greatest sum among them
    last = np.ones(dense.shape, dtype=bool)
    last[..., :-1] = dense[..., 1:] > dense[..., :-1] * (1 + _TIE)
    shared = np.minimum.accumulate(np.where(last, below, np.inf)[..., ::-1], axis=-1)[..., ::-1]
    table = np.empty_like(density)
    np.put_along_axis(table, order, np.minimum(shared, 1.0), axis=-1)
    return table.reshape(mass.shape)


def cell_of(hour: ArrayLike) -> NDArray[np.intp]:
    """Return the cell of the grid that an hour in [0, 24) lies in."""
    return np.minimum((np.asarray(hour, dtype=np.float64) * GRID / 24).astype(np.intp), GRID - 1)


def tail_probability(masses: ArrayLike, kind: ArrayLike, hour: ArrayLike) -> Floats:
    """Return the `tail_table` entry of moments: `kind` 0 on working days, 1 at weekends, `hour` in [0, 24).

    Of one week's masses, shape (2, GRID), and any moments, or of one moment each per week's masses.
    """
    table = tail_table(masses)
    at, cell = np.broadcast_arrays(np.asarray(kind, dtype=np.intp), cell_of(hour))
    if table.ndim == 2:  # noqa: PLR2004  # one week
        return np.asarray(table[at, cell])
    rows = np.broadcast_to(np.arange(len(table)), at.shape)
    return np.asarray(table[rows, at, cell])
