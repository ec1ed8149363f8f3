"""What a score is worth: recall at a fixed rate of alerts, ranking, calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ALERTS", "area_under_curve", "calibration", "recall", "threshold"]

Floats = NDArray[np.float64]

# Alerts per legitimate login that the product may raise
ALERTS = 1 / 1000


def threshold(incidents: ArrayLike, logins: int, rate: float = ALERTS) -> float:
    """Return the score above which at most `rate * logins` of the legitimate incidents lie.

    `incidents` are the greatest scores of each user and day, since that is what one alert groups.
    """
    scores = np.sort(np.asarray(incidents, dtype=np.float64))[::-1]
    allowed = int(rate * logins)
    return float(scores[allowed]) if allowed < len(scores) else float("-inf")


def recall(attacks: ArrayLike, least: float) -> float:
    """Return the share of attacks that score above the threshold."""
    scores = np.asarray(attacks, dtype=np.float64)
    return float((scores > least).mean()) if len(scores) else float("nan")


def area_under_curve(legitimate: ArrayLike, attacks: ArrayLike) -> float:
    """Return the chance that an attack scores higher than a legitimate login; ties count half (Mann-Whitney)."""
    clean, bad = np.sort(np.asarray(legitimate, dtype=np.float64)), np.asarray(attacks, dtype=np.float64)
    if not len(clean) or not len(bad):
        return float("nan")
    below = np.searchsorted(clean, bad, side="left") + np.searchsorted(clean, bad, side="right")
    return float(below.mean() / 2 / len(clean))


def calibration(tails: ArrayLike, levels: tuple[float, ...] = (0.05, 0.01, 0.001)) -> dict[float, float]:
    """Return how often tail probabilities of clean data lie below each level; a calibrated one equals the level."""
    values = np.asarray(tails, dtype=np.float64)
    return {level: float((values < level).mean()) for level in levels}
