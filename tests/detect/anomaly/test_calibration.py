"""Detectors that compare a probability with a limit: on clean data they call no more unusual than the limit says.

The data are drawn from models like those of people (counts that vary more than Poisson's, hours of their own, shares of
their own), with a fixed seed, and go through counters and detectors as they are. Of `n` chances at most
`1.2 * alpha * n` plus three standard deviations may be called unusual, at each of the limits 0.05, 0.01 and 0.001.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from sentinelone_collector.detect.anomaly import statistics
from sentinelone_collector.detect.anomaly.counters import FrameCounters, Seen
from sentinelone_collector.detect.anomaly.detectors.volume import expectations
from sentinelone_collector.detect.anomaly.features import FEATURES
from sentinelone_collector.detect.anomaly.judge import Day, Finding, read_detector

ALPHAS = (0.05, 0.01, 0.001)
DAY_MS = 86_400_000
FIRST = 20_457  # Monday, 2026-01-05
PAST = 56  # days that are known before the first one that is judged
MARGIN = 1.2  # by so much an estimated model may be off
Called = dict[float, tuple[int, int]]


def seen(feature: str, day: int, entity: str, n: int, **facts: Any) -> Seen:
    """Return one counter of a day, which is one window."""
    value = msgspec.json.encode([facts.get(name) for name in FEATURES[feature].names]).decode()
    return Seen(f"w{day}", day, feature, entity, value, n, day * DAY_MS, day * DAY_MS + 1000)


def found(rows: Sequence[Seen], days: Sequence[int], **block: Any) -> Iterator[Finding]:
    """Yield what a detector says of some days."""
    counters, detector = FrameCounters(rows), read_detector({"days": PAST, **block})
    for day in days:
        yield from detector.judge(Day(day, counters))


def most(alpha: float, chances: int) -> float:
    """Return how many of the chances may be called unusual."""
    return MARGIN * alpha * chances + 3 * math.sqrt(alpha * chances)


def judged_days(number: int) -> list[int]:
    """Return the first so many working days after the past."""
    return [day for day in range(FIRST + PAST, FIRST + PAST + 2 * number) if (day + 3) % 7 < 5][:number]


def counts(users: int, days: int, seed: int) -> Any:
    """Draw daily counts of users who differ, and whose days vary more than Poisson's; shape (users, days)."""
    rng = np.random.default_rng(seed)
    means, dispersion = rng.gamma(0.8, 3.0, users), 0.6
    return rng.poisson(rng.gamma(1 / dispersion, means[:, None] * dispersion, (users, days)))


def excess(called: Called) -> dict[float, tuple[int, int]]:
    """Return the limits at which more is called unusual than may be."""
    return {alpha: (number, of) for alpha, (number, of) in called.items() if number > most(alpha, of)}


def called_by_volume(feature: str = "failure", users: int = 200, number: int = 2) -> Called:
    """Return how many days of users are called unusual at each limit, and of how many."""
    days = judged_days(number)
    drawn = counts(users, days[-1] + 1 - FIRST, seed=1)
    rows = [seen(feature, FIRST + day, f"u{user}", int(n), code="133") for (user, day), n in np.ndenumerate(drawn) if n]
    block = {"type": "volume", "feature": feature, "least": 2}
    return {alpha: (len(list(found(rows, days, tail=alpha, **block))), users * len(days)) for alpha in ALPHAS}


def called_of_tenants(number: int = 200) -> Called:
    """Return the same of what all users of a tenant did together; of each tenant one day, by its own days alone."""
    import pandas as pd

    day = judged_days(1)[0]
    drawn = counts(number, day + 1 - FIRST, seed=2) + counts(number, day + 1 - FIRST, seed=3)
    past = [at for at in range(day - FIRST) if (FIRST + at + 3) % 7 < 5]
    scores = []
    for tenant in drawn:
        series = pd.DataFrame({"entity": "", "day": [FIRST + at for at in past], "n": tenant[past]})
        expected = expectations(day, series, PAST, [""])[""]
        scores.append(float(statistics.gamma_poisson_tail(tenant[-1], expected.mean, expected.dispersion)))
    return {alpha: (sum(score < alpha for score in scores), number) for alpha in ALPHAS}


def called_by_fan_out(users: int = 100, number: int = 4) -> Called:
    """Return the same of the hosts that people reach into on a day."""
    days = judged_days(number)
    drawn = counts(users, days[-1] + 1 - FIRST, seed=4)
    rows = [
        seen("remote", FIRST + day, f"u{user}", 1, host=f"h{host}")
        for (user, day), n in np.ndenumerate(drawn)
        for host in range(n)
    ]
    scores = [
        one.analysis.score
        for one in found(rows, days, type="fan_out", feature="remote", value="host", least=2, tail=ALPHAS[0])
    ]
    return {alpha: (sum(score < alpha for score in scores), users * len(days)) for alpha in ALPHAS}


def called_by_share(people: int = 250) -> Called:
    """Return the same of the days of analysts who differ in how often they say "false positive"."""
    rng, day = np.random.default_rng(5), judged_days(1)[0]
    shares = rng.beta(3.0, 9.0, people)
    rows = []
    for person, share in enumerate(shares):
        for at, tries in ((day - 1, int(rng.integers(20, 80))), (day, int(rng.integers(10, 40)))):
            like = int(rng.binomial(tries, share))
            for verdict, n in (("False positive", like), ("True positive", tries - like)):
                if n:
                    rows.append(seen("verdict", at, f"u{person}", n, verdict=verdict))
    block = {"type": "share", "feature": "verdict", "value": "verdict", "like": "false positive", "fewest": 10}
    scores = [one.analysis.score for one in found(rows, [day], tail=ALPHAS[0], **block)]
    return {alpha: (sum(score < alpha for score in scores), people) for alpha in ALPHAS}


def called_by_hour(users: int = 120) -> Called:
    """Return the same of the logins of a week; people have hours of their own, some come at weekends."""
    rng, rows = np.random.default_rng(6), []
    logins = 0
    centres, spread = rng.normal(9, 2, users), rng.gamma(4, 0.5, users)
    for user, day in np.ndindex(users, PAST + 7):
        weekend = (FIRST + day + 3) % 7 >= 5
        for _ in range(rng.poisson(0.15 if weekend else 1.2)):
            slot = int((rng.normal(centres[user] + 2 * weekend, spread[user]) % 24) * 4) % 96
            rows.append(seen("login", FIRST + day, f"u{user}", 1, slot=str(slot), weekend=str(int(weekend))))
            logins += day >= PAST
    days = range(FIRST + PAST, FIRST + PAST + 7)
    scores = [one.analysis.score for one in found(rows, days, type="hour", feature="login", fewest=20, tail=ALPHAS[0])]
    return {alpha: (sum(score < alpha for score in scores), logins) for alpha in ALPHAS}


CALLED: dict[str, Callable[[], Called]] = {
    "acts of users": lambda: called_by_volume("act"),
    "failures of users": called_by_volume,
    "failures of tenants": called_of_tenants,
    "hosts of users": called_by_fan_out,
    "shares of analysts": called_by_share,
    "hours of users": called_by_hour,
}


@pytest.mark.parametrize("what", CALLED)
def test_no_more_is_called_unusual_than_the_limit_says(what: str) -> None:
    assert excess(CALLED[what]()) == {}


def _poisson(count: Any, mean: Any, _dispersion: Any) -> Any:
    return REAL["gamma_poisson_tail"](count, mean, 0.0)


def _too_alike(successes: Any, trials: Any) -> tuple[float, float]:
    a, b = REAL["share_prior"](successes, trials)
    return 8 * a, 8 * b


def _too_narrow(own: Any, tenant: Any) -> Any:
    return REAL["week_density"](own, tenant, kappa=400.0, strength=0.1)


REAL: dict[str, Any] = {
    name: getattr(statistics, name) for name in ("gamma_poisson_tail", "share_prior", "week_density")
}


@pytest.mark.parametrize(
    ("name", "wrong", "what"),
    [
        ("gamma_poisson_tail", _poisson, "failures of users"),
        ("gamma_poisson_tail", _poisson, "hosts of users"),
        ("share_prior", _too_alike, "shares of analysts"),
        ("week_density", _too_narrow, "hours of users"),
    ],
)
def test_a_model_that_promises_too_much_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any, what: str
) -> None:
    monkeypatch.setattr(statistics, name, wrong)
    assert excess(CALLED[what]()) != {}
