"""Score a world's logins and its attackers' with the detectors' own functions, and say how well they are told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sentinelone_collector.detect.anomaly.login_scoring import login_terms
from sentinelone_collector.detect.anomaly.statistics import (
    count_model,
    gamma_poisson_mass,
    gamma_poisson_tail,
    pooled_dispersion,
)
from sentinelone_collector.detect.evaluation.attackers import MODELS, attacks
from sentinelone_collector.detect.evaluation.measures import ALERTS, area_under_curve, calibration, recall, threshold
from sentinelone_collector.detect.evaluation.population import COLUMNS, World

if TYPE_CHECKING:
    from pandas import DataFrame, Series  # for the type checker

__all__ = ["WHOLE", "Calibration", "Evaluation", "Measured", "evaluate", "evaluate_frames"]

WHOLE: Final = "whole score"
HIGHER: Final = (5 / 1000, 10 / 1000)
_TERMS: Final = ("address", "tenant", "kind", "method", "hour")
_FEWEST_HOURS = 20


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One score: recall and area under the ROC curve by attacker model, and the mean recall."""

    score: str
    rate: float
    recall: dict[str, float]
    auc: dict[str, float]
    mean_recall: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How often a tail probability lies below a level on clean data, by level."""

    tail: str
    observed: dict[str, float]
    number: int


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation found on `logins` legitimate logins, `new_networks` of them from a network new to the user.

    `rate` of a score is how many alerts there may be per legitimate login, an alert being one per user and day.
    """

    logins: int
    new_networks: int
    attacks: dict[str, int]
    scores: tuple[Measured, ...]
    calibrations: tuple[Calibration, ...]


def evaluate(world: World, *, seed: int, number: int = 1000) -> Evaluation:
    """Evaluate on a synthetic world with `number` attacks of each model."""
    return evaluate_frames(
        world.logins,
        {model: attacks(world, model, number, seed) for model in MODELS},
        baseline_days=world.baseline_days,
        test_days=range(world.baseline_days, world.baseline_days + world.test_days),
        seed=seed,
    )


def evaluate_frames(
    logins: DataFrame, hostile: dict[str, DataFrame], *, baseline_days: int, test_days: Collection[int], seed: int
) -> Evaluation:
    """Evaluate logins of people against those of attackers, both as rows of `COLUMNS` and `n`.

    Each day is scored against the `baseline_days` days before it, as the detectors do; `seed` randomizes tails of
    counts.
    """
    import pandas as pd

    scored = pd.concat(list(_scored(logins, hostile, baseline_days, test_days)), ignore_index=True)
    clean = scored[scored["model"] == ""]
    return Evaluation(
        logins=len(clean),
        new_networks=int(clean["new_network"].sum()),
        attacks={model: int((scored["model"] == model).sum()) for model in hostile},
        scores=tuple(_measured(scored, clean, tuple(hostile))),
        calibrations=(_hours(clean), _volumes(logins, baseline_days, test_days, np.random.default_rng([seed, 4]))),
    )


def _measured(scored: DataFrame, clean: DataFrame, models: tuple[str, ...]) -> Iterator[Measured]:
    """Yield each score at the rate that is asked for, the whole one at higher rates, too."""
    by_model = {model: _scores(scored[scored["model"] == model]) for model in models}
    for name, values in _scores(clean).items():
        for rate in (ALERTS, *HIGHER) if name == WHOLE else (ALERTS,):
            least = threshold(_incidents(clean, values), len(clean), rate)
            found = {model: recall(by_model[model][name], least) for model in models}
            yield Measured(
                score=name,
                rate=rate,
                recall=found,
                auc={model: area_under_curve(values, by_model[model][name]) for model in models},
                mean_recall=float(np.mean(list(found.values()))),
            )


def _scored(
    logins: DataFrame, hostile: dict[str, DataFrame], baseline_days: int, test_days: Collection[int]
) -> Iterator[DataFrame]:
    import pandas as pd

    facts = [name for name in COLUMNS if name != "day"]
    for day in test_days:
        past = logins[(logins["day"] >= day - baseline_days) & (logins["day"] < day)]
        past = past.groupby(facts, dropna=False)["n"].sum().reset_index()
        parts = [logins[logins["day"] == day].assign(model="")]
        parts += [frame[frame["day"] == day].assign(model=model) for model, frame in hostile.items()]
        today = pd.concat([part for part in parts if len(part)], ignore_index=True)
        if len(today) and len(past):
            own = past.groupby("entity")["n"].sum()
            events = today["entity"].map(own).fillna(0)
            terms = login_terms(today, past)
            yield pd.concat([today[["entity", "day", "model"]], terms], axis=1).assign(events=events)


def _scores(frame: DataFrame) -> dict[str, Series[float]]:
    """Return the scores that are compared, the whole one first."""
    found: dict[str, Any] = {WHOLE: frame["score"]}
    found |= {f"without {term}": frame["score"] - frame[term] for term in _TERMS}
    return found | {
        "address alone": frame["address"],
        "hour alone": frame["hour"],
        "number of new features": frame["new"].astype(float),
    }


def _incidents(clean: DataFrame, values: Series[float]) -> NDArray[np.float64]:
    grouped = values.groupby([clean["entity"], clean["day"]]).max()
    return np.asarray(grouped, dtype=np.float64)


def _hours(clean: DataFrame) -> Calibration:
    tails = clean.loc[clean["events"] >= _FEWEST_HOURS, "hour_tail"]
    return Calibration(tail="unusual hour", observed=_levels(tails), number=len(tails))


def _levels(tails: Any) -> dict[str, float]:
    return {f"{level:g}": share for level, share in calibration(tails).items()}


def _volumes(
    logins: DataFrame, baseline_days: int, test_days: Collection[int], rng: np.random.Generator
) -> Calibration:
    """Judge each person's number of logins on each working day; tails of counts are randomized inside their steps."""
    working = logins[~logins["weekend"].astype(bool)]
    daily = working.groupby(["entity", "day"])["n"].sum().reset_index()
    daily = daily.pivot_table(index="entity", columns="day", values="n", fill_value=0)
    table, columns = daily.to_numpy(dtype=np.float64), daily.columns.to_numpy()
    tails = []
    for day in sorted(set(test_days) & set(columns)):
        past = table[:, (columns >= day - baseline_days) & (columns < day)]
        days = np.full(len(past), past.shape[1])
        total, squares = past.sum(axis=1), (past**2).sum(axis=1)
        mean, dispersion = count_model(
            days,
            total,
            squares,
            pool_mean=total.sum() / max(days.sum(), 1),
            pool_dispersion=pooled_dispersion(days, total, squares),
        )
        seen = table[:, columns == day][:, 0]
        inside = rng.uniform(size=len(seen)) * gamma_poisson_mass(seen, mean, dispersion)
        tails.append(gamma_poisson_tail(seen + 1, mean, dispersion) + inside)
    values = np.concatenate(tails) if tails else np.zeros(0)
    return Calibration(tail="logins a working day", observed=_levels(values), number=len(values))
