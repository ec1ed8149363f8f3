"""Times as integers: microseconds since 1970 (UTC), and the ids that hold a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["DAY", "HOUR", "MINUTE", "MS", "SECOND", "from_us", "id_minute", "id_ms", "iso", "snowflake", "to_us"]

MS = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID_EPOCH_MS = 1_483_228_800_000  # 2017-01-01T00:00:00Z, the zero of the console's ids
_LOW_BITS = 23


def to_us(moment: datetime) -> int:
    """Turn an aware datetime into microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """Turn microseconds since 1970 into an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=us)


@lru_cache(maxsize=4096)
def _minute_text(minute: int) -> str:
    return from_us(minute * MINUTE).strftime("%Y-%m-%dT%H:%M:")


def iso(us: int) -> str:
    """Write a time as the console does: six fraction digits and `Z`."""
    minute, rest = divmod(us, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    return f"{_minute_text(minute)}{seconds:02d}.{fraction:06d}Z"


def snowflake(ms: int, low: int) -> int:
    """Make an id of a time (milliseconds since 1970) and 23 low bits."""
    return ((ms - _ID_EPOCH_MS) << _LOW_BITS) | low


def id_ms(record_id: int) -> int:
    """Give the time of an id, in milliseconds since 1970."""
    return (record_id >> _LOW_BITS) + _ID_EPOCH_MS


def id_minute(record_id: int) -> int:
    """Give the minute since 1970 whose bucket an id belongs to."""
    return id_ms(record_id) // 60_000
