"""Bar charts as plain geometry for inline SVG: pure functions, the template only draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

__all__ = ["Bar", "Baseline", "Chart", "Point", "baseline_of", "columns_chart", "days_of", "rows_chart"]

_WIDTH, _HEIGHT = 720, 150
_LEFT, _TOP, _BOTTOM = 44, 8, 22
_ROW, _NAME, _END = 24, 190, 70
_LABELS = 8  # below the columns, at most
_MOST_ROWS = 15
_LEAST = 1e-9  # a value below counts as nothing
_SHOWN = 28  # characters of a name beside a row


@dataclass(frozen=True, slots=True)
class Point:
    """One value to draw; a marked one is what was observed."""

    label: str
    value: float
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle with the point that it stands for."""

    point: Point
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of `width` × `height` units; `labels` and `lines` are places on its axes with their texts."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    labels: tuple[tuple[float, float, str], ...]
    lines: tuple[tuple[float, str], ...] = ()
    sideways: bool = False

    @property
    def points(self) -> list[Point]:
        """What is drawn, for a table of the same."""
        return [bar.point for bar in self.bars]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual, as a chart, and what an anomaly says about itself."""

    chart: Chart | None
    words: str
    observed: str
    parameter: str
    pattern: str
    basis: str
    days: int
    events: int
    measure: str
    score: float


def columns_chart(points: Sequence[Point]) -> Chart:
    """Return upright bars in the order given, with a scale of whole steps."""
    top = _ceiling(max((point.value for point in points), default=0))
    inner, depth = _WIDTH - _LEFT, _HEIGHT - _TOP - _BOTTOM
    step = inner / max(len(points), 1)
    bars = []
    for number, point in enumerate(points):
        high = depth * point.value / top
        high = max(high, 1.5) if point.value > 0 else 0.0
        bars.append(_bar(point, _LEFT + number * step, _TOP + depth - high, max(step - min(step * 0.2, 4), 0.8), high))
    every = max(math.ceil(len(points) / _LABELS), 1)
    labels = tuple(
        (round(_LEFT + (number + 0.4) * step, 1), float(_HEIGHT - 6), point.label)
        for number, point in enumerate(points)
        if number % every == 0 or point.marked
    )
    lines = tuple((round(_TOP + depth * (1 - part), 1), f"{top * part:g}") for part in (0, 0.5, 1))
    return Chart(_WIDTH, _HEIGHT, tuple(bars), _apart(labels), lines)


def rows_chart(points: Sequence[Point]) -> Chart:
    """Return bars that lie below each other, each with its name; the marked ones are always among those shown."""
    kept = [point for number, point in enumerate(points) if number < _MOST_ROWS or point.marked]
    top = max((point.value for point in kept), default=0) or 1
    inner = _WIDTH - _NAME - _END
    bars, labels = [], []
    for number, point in enumerate(kept):
        bars.append(_bar(point, _NAME, number * _ROW + 4, max(inner * point.value / top, 1.5), _ROW - 8))
        name = point.label if len(point.label) <= _SHOWN else f"{point.label[: _SHOWN - 1]}…"
        labels.append((float(_NAME - 8), float(number * _ROW + _ROW / 2 + 4), name))
    return Chart(_WIDTH, max(len(kept), 1) * _ROW, tuple(bars), tuple(labels), sideways=True)


def _bar(point: Point, x: float, y: float, width: float, height: float) -> Bar:
    return Bar(point, round(x, 1), round(y, 1), round(width, 1), round(height, 1))


def _ceiling(most: float) -> float:
    """Return an even number that the scale ends with, or a power of ten times 1, 2 or 5 where there is no whole one."""
    if most < _LEAST:
        return 2
    size = 10.0 ** math.floor(math.log10(most))
    return next((size * part for part in (1, 2, 4, 6, 8) if most <= size * part), size * 10)


def _apart(labels: Sequence[tuple[float, float, str]]) -> tuple[tuple[float, float, str], ...]:
    """Leave out labels that would lie upon the one after them."""
    kept: list[tuple[float, float, str]] = []
    for label in reversed(labels):
        if not kept or kept[-1][0] - label[0] >= _WIDTH / (_LABELS + 2):
            kept.append(label)
    return tuple(reversed(kept))


def days_of(counts: Mapping[str, int], first: date, last: date) -> list[Point]:
    """Return a point for every UTC day from `first` to `last`, both inclusive; days without a count are 0."""
    days = [(first + timedelta(number)).isoformat() for number in range((last - first).days + 1)]
    return [Point(day, counts.get(day, 0)) for day in days]


def baseline_of(analysis: Any) -> Baseline | None:
    """Return what an anomaly's `analysis` says, with its baseline drawn; None for anything that is none."""
    if not isinstance(analysis, Mapping) or not isinstance(analysis.get("observed"), str):
        return None
    points = _points(analysis.get("baseline") or ())
    observed = analysis["observed"]
    chart: Chart | None = None
    if points and analysis.get("series"):
        chart = columns_chart(_marked_series(points, observed))
    elif points:
        chart = rows_chart(_marked_values(points, observed, str(analysis.get("pattern", ""))))
    return Baseline(
        chart=chart,
        words=str(analysis.get("words", "")),
        observed=observed,
        parameter=str(analysis.get("parameter", "value")),
        pattern=str(analysis.get("pattern", "")).replace("_", " "),
        basis=str(analysis.get("basis", "")),
        days=int(analysis.get("days", 0)),
        events=int(analysis.get("events", 0)),
        measure=str(analysis.get("measure", "score")),
        score=float(analysis.get("score", 0.0)),
    )


def _points(baseline: Any) -> list[Point]:
    return [Point(str(each["value"]), max(float(each["count"]), 0.0)) for each in baseline]


def _marked_series(points: list[Point], observed: str) -> list[Point]:
    """Mark the hour that was observed in a series of hours, or add the observed number to a series of days."""
    hour = f"{observed[:2]}:00"
    if any(point.label == hour for point in points):
        return [Point(point.label, point.value, point.label == hour) for point in points]
    try:
        return [*points, Point("observed", float(observed), marked=True)]
    except ValueError:
        return points


def _marked_values(points: list[Point], observed: str, pattern: str) -> list[Point]:
    if any(point.label == observed for point in points):
        return [Point(point.label, point.value, point.label == observed) for point in points]
    return [*points, Point(observed, 0, marked=True)] if pattern in {"unseen", "rare"} else points
