"""Whether a baseline is long enough to judge by, and whose: the user's own, that of the peers, or the tenant's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pandas import DataFrame  # for the type checker

__all__ = ["FEWEST", "SHORTEST", "Grounds", "grounds"]

SHORTEST = 14  # days
FEWEST = 5  # events
_DAY_MS = 86_400_000


class Grounds(NamedTuple):
    """The baseline that counts: of whom, since how many days, how many events; `cold` where none is long enough."""

    basis: str
    days: int
    events: int
    cold: bool


def grounds(day: int, own: DataFrame, peers: DataFrame, everybody: DataFrame) -> Grounds:
    """Return the closest baseline with `SHORTEST` days and `FEWEST` events before `day`, else the tenant's, cold."""
    found = None
    for basis, frame in (("user", own), ("role", peers), ("tenant", everybody)):
        events = int(frame["n"].sum())
        days = day - int(frame["first"].min()) // _DAY_MS if events else 0
        found = Grounds(basis, days, events, cold=not (days >= SHORTEST and events >= FEWEST))
        if not found.cold:
            break
    assert found is not None  # noqa: S101  # the loop runs three times
    return found
