"""Many times in the console's own form at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentinelone_collector.normalize.values import EARLIEST_MS, LATEST_MS

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LENGTH", "console_times"]

_FORM: Final = b"2026-11-22T10:00:00.123456Z"
LENGTH: Final = len(_FORM)
"""Bytes of a time in that form."""

_DIGITS: Final = tuple(place for place, letter in enumerate(_FORM) if chr(letter).isdigit())
_MARKS: Final = tuple(place for place in range(LENGTH) if place not in _DIGITS)


def console_times(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the epoch milliseconds (cut, not rounded) of times, and which of them are times between 2014 and 2099.

    `texts` holds one time of `LENGTH` bytes in each row. Does for many what `values.console_ms` does for one.
    """
    import numpy as np

    marks = np.frombuffer(_FORM, np.uint8)[list(_MARKS)]
    digits = texts[:, _DIGITS].astype(np.int64) - ord("0")
    good = (texts[:, _MARKS] == marks).all(axis=1) & ((digits >= 0) & (digits <= 9)).all(axis=1)  # noqa: PLR2004
    digits[~good] = 0
    year, (month, day, hour, minute, second) = (
        _number(digits[:, :4]),
        (_number(digits[:, at : at + 2]) for at in range(4, 14, 2)),
    )
    good &= (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)  # noqa: PLR2004
    months = (year - 1970) * 12 + np.where(good, month, 1) - 1
    begin, end = (
        each.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for each in (months, months + 1)
    )
    good &= (day >= 1) & (day <= end - begin)
    seconds = (((begin + day - 1) * 24 + hour) * 60 + minute) * 60 + second
    times = seconds * 1000 + _number(digits[:, 14:17])
    return times, good & (times > EARLIEST_MS) & (times < LATEST_MS)


def _number(digits: np.ndarray) -> np.ndarray:
    value = digits[:, 0]
    for place in range(1, digits.shape[1]):
        value = value * 10 + digits[:, place]
    return value
