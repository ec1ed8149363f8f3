"""How well the anomaly statistics tell attackers' logins from people's: on a synthetic world, or on public data."""

from __future__ import annotations

from sentinelone_collector.detect.evaluation.attackers import MODELS, attacks
from sentinelone_collector.detect.evaluation.population import World, build_world
from sentinelone_collector.detect.evaluation.rba import evaluate_rba, read_rba
from sentinelone_collector.detect.evaluation.run import Calibration, Evaluation, Measured, evaluate, evaluate_frames

__all__ = [
    "MODELS",
    "Calibration",
    "Evaluation",
    "Measured",
    "World",
    "attacks",
    "build_world",
    "evaluate",
    "evaluate_frames",
    "evaluate_rba",
    "read_rba",
]
