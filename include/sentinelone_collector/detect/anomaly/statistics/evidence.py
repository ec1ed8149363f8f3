"""Distances on the earth, and several pieces of weak evidence made one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["EARTH_KM", "cauchy_combination", "haversine_km", "speed_kmh"]

Floats = NDArray[np.float64]

# Mean radius (IUGG 1980)
EARTH_KM = 6371.0088
_TINY = 1e-15


def haversine_km(lat: ArrayLike, long: ArrayLike, other_lat: ArrayLike, other_long: ArrayLike) -> Floats:
    """Return great-circle distances in km of places in degrees (Sinnott 1984, "Virtues of the Haversine")."""
    one, two, three, four = (
        np.radians(np.asarray(value, dtype=np.float64)) for value in (lat, long, other_lat, other_long)
    )
    half = np.sin((three - one) / 2) ** 2 + np.cos(one) * np.cos(three) * np.sin((four - two) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


def speed_kmh(distance_km: ArrayLike, seconds: ArrayLike) -> Floats:
    """Return the speed in km/h of covering a distance in a time; zero for none, infinite where no time passed."""
    distance, time = np.asarray(distance_km, dtype=np.float64), np.abs(np.asarray(seconds, dtype=np.float64))
    shape = np.broadcast(distance, time).shape
    fast = np.divide(distance * 3600, time, out=np.full(shape, np.inf), where=time > 0)
    return np.where(distance > 0, fast, 0.0)


def cauchy_combination(p_values: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return one p-value for several that may depend on each other, combined along the last axis.

    nan means that there is no such evidence. Liu & Xie 2020, "Cauchy Combination Test" (JASA 115), eq. 1 and theorem 1;
    a p-value of one counts as 1 - 1/d, as their ACAT does (Liu et al. 2019, AJHG 104), since it would outweigh any
    other otherwise. One where there is no evidence at all.
    """
    p = np.asarray(p_values, dtype=np.float64)
    weight = np.broadcast_to(1.0 if weights is None else np.asarray(weights, dtype=np.float64), p.shape)
    weight = np.where(np.isnan(p), 0.0, weight)
    number = (weight > 0).sum(axis=-1, keepdims=True)
    total = weight.sum(axis=-1)
    most = np.where(number > 1, 1 - 1 / np.maximum(number, 2), 1.0)
    value = np.clip(np.where(np.isnan(p), 0.5, p), 1e-300, most)
    # tan loses all digits near its pole, where it is the reciprocal
    score = np.where(value < _TINY, 1 / (value * np.pi), np.tan((0.5 - np.maximum(value, _TINY)) * np.pi))
    mean = np.divide((weight * score).sum(axis=-1), total, out=np.full(total.shape, -np.inf), where=total > 0)
    high = mean > 1 / _TINY
    tail = 0.5 - np.arctan(mean) / np.pi
    return np.clip(np.where(high, 1 / (np.where(high, mean, 1.0) * np.pi), tail), 0.0, 1.0)
