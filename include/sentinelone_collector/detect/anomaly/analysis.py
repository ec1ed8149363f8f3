"""What an anomaly hit says about itself: the baseline it deviates from, in words and in numbers."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["PATTERNS", "Analysis", "Expected", "Pattern", "Verdict"]

Pattern = Literal[
    "unseen", "rare", "off_hours", "high_volume", "surge", "impossible_travel", "dormant", "risk", "accumulated"
]
PATTERNS: tuple[str, ...] = Pattern.__args__  # type: ignore[attr-defined]


class Expected(msgspec.Struct, frozen=True):
    """One value of the baseline: a country, an hour or a day, and how often it was seen."""

    value: str
    count: float


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is unusual.

    `observed` is what was seen of the `parameter` (country, hour, logins a day), `baseline` what is usual: values with
    counts, the most frequent first, or a series by hour or day in order of time, ready to be drawn. It spans `days`
    days before the day of the event and holds `events` events of `basis` (user, role, tenant). `score` is what was
    compared, named by `measure` (probability, km/h, days). `words` says it all in one sentence; `{who}` in it is
    filled in when the hit is made. `cold` says that the baseline is too short to raise an incident, `common` that the
    tenant has so many of these that one more is none.
    """

    detector: str
    parameter: str
    pattern: Pattern
    observed: str
    basis: str
    days: int
    events: int
    score: float
    measure: str
    words: str
    baseline: tuple[Expected, ...] = ()
    series: bool = False
    cold: bool = False
    common: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's judgement of a window: which events are unusual, and why.

    It is about the events of a feature, in order of time: those of an `entity` (None: of anybody) with just these facts
    (`value` as counters write them, None: any). Of these the `at`-th, counted from 1, completes the hit; `level` is
    one that the detector chose instead of the rule's own.
    """

    rule: str
    feature: str
    entity: str | None
    value: str | None
    analysis: Analysis
    at: int = 1
    level: str | None = None
