"""The statistics of anomaly detectors: pure functions over arrays, without state, clock or store.

Import it where it is used: numpy and scipy.special cost half a second, which only windows with events to judge pay.
Every probability is in [0, 1], every function takes scalars or arrays that broadcast, and none sees one thing twice as
likely because it was asked for in another order.
"""

from __future__ import annotations

from sentinelone_collector.detect.anomaly.statistics.counts import (
    CountModel,
    beta_binomial_tail,
    count_model,
    gamma_poisson_mass,
    gamma_poisson_tail,
    modified_z,
    pooled_dispersion,
    share_prior,
)
from sentinelone_collector.detect.anomaly.statistics.daytime import (
    DAY_KINDS,
    GRID,
    cell_of,
    daytime_density,
    tail_probability,
    tail_table,
    week_density,
)
from sentinelone_collector.detect.anomaly.statistics.evidence import (
    EARTH_KM,
    cauchy_combination,
    haversine_km,
    speed_kmh,
)
from sentinelone_collector.detect.anomaly.statistics.predictive import (
    Level,
    back_off,
    hierarchy_lift,
    likelihood_ratio,
    predictive,
    root_probability,
    unseen_mass,
)

__all__ = [
    "DAY_KINDS",
    "EARTH_KM",
    "GRID",
    "CountModel",
    "Level",
    "back_off",
    "beta_binomial_tail",
    "cauchy_combination",
    "cell_of",
    "count_model",
    "daytime_density",
    "gamma_poisson_mass",
    "gamma_poisson_tail",
    "haversine_km",
    "hierarchy_lift",
    "likelihood_ratio",
    "modified_z",
    "pooled_dispersion",
    "predictive",
    "root_probability",
    "share_prior",
    "speed_kmh",
    "tail_probability",
    "tail_table",
    "unseen_mass",
    "week_density",
]
