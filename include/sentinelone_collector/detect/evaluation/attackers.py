"""Logins of attackers who hold a user's credentials, by three models (Freeman et al. 2016; Wiefling et al. 2022).

*Naive*: from anywhere, mostly hosting, with the password. *VPN*: an exit in the victim's country, by the victim's
method. *Targeted*: a popular provider at home in the victim's country, by the victim's method, half of the time in
the victim's working hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sentinelone_collector.detect.evaluation.population import (
    COLUMNS,
    COUNTRIES,
    HOME,
    Person,
    World,
    address,
    popularity,
    provider_asn,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from pandas import DataFrame  # for the type checker

__all__ = ["MODELS", "attacks"]

MODELS: Final = ("naive", "vpn", "targeted")
# Where naive attackers come from beside the countries of the population, as often as from all of those
_FAR: Final = ("RU", "CN", "NG", "VN", "ID", "IR", "UA", "RO")
# How many hosting and VPN networks an address database knows as such
_LABELLED: Final = {"naive": 0.9, "vpn": 0.7}


def attacks(world: World, model: str, number: int, seed: int) -> DataFrame:
    """Return so many logins of attackers on the world's test days, with the columns of its logins.

    `model` is one of `MODELS`; victims are drawn evenly among people. The same seed gives the same attacks.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 3, MODELS.index(model)])
    rows = []
    for _ in range(number):
        victim = world.people[int(rng.integers(len(world.people)))]
        day = world.baseline_days + int(rng.integers(world.test_days))
        hour = rng.uniform(0, 24)
        if model == "targeted" and rng.integers(2):
            hour = 8.7 + HOME[victim.country][1] + rng.uniform(0, 9)
        method = "sso" if victim.sso and model != "naive" else "mgmt"
        where = _origin(model, victim, rng)
        row = (victim.name, day, int(hour * 4) % 96, day % 7 > 4, *(where[name] for name in COLUMNS[4:9]))  # noqa: PLR2004  # Friday
        rows.append((*row, method, victim.role))
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).assign(n=1)
    return frame.sort_values("day", kind="stable", ignore_index=True)


def _origin(model: str, victim: Person, rng: Generator) -> dict[str, Any]:
    host = int(rng.integers(1, 255))
    if model == "targeted":
        asn = provider_asn(victim.country, int(rng.choice(6, p=popularity(6))))
        return {"country": victim.country, "kind": None, **address(asn, int(rng.integers(400)), host)}
    labelled = "hosting" if model == "naive" else "vpn"
    kind = labelled if rng.random() < _LABELLED[model] else None
    if model == "vpn":
        asn = provider_asn(victim.country, 60 + int(rng.integers(10)))
        return {"country": victim.country, "kind": kind, **address(asn, int(rng.integers(20)), host)}
    if rng.integers(2):
        far = str(rng.choice(_FAR))
        return {"country": far, "kind": kind, **address(9000 + _FAR.index(far) * 10 + host % 10, 7, host)}
    country = str(rng.choice(list(COUNTRIES)))
    return {"country": country, "kind": kind, **address(provider_asn(country, 60 + host % 10), 30, host)}
