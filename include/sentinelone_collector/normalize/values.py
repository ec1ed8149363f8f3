"""Readers for single values of vendor records: None where a value can't be what is asked for, whatever its type."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from sentinelone_collector.errors import UsageError
from sentinelone_collector.windows import parse_time

__all__ = [
    "EARLIEST_MS",
    "LATEST_MS",
    "console_ms",
    "direction",
    "email",
    "epoch_ms",
    "ips",
    "number",
    "snowflake_ms",
    "text",
]

EARLIEST_MS: Final = 1_400_000_000_000  # 2014, before the vendor's first console
LATEST_MS: Final = 4_100_000_000_000  # 2099; later dates are known nonsense of the console
_SNOWFLAKE_EPOCH_MS: Final = 1_483_228_800_000  # 2017-01-01T00:00:00Z
_SNOWFLAKE_BITS: Final = 63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_TIME_LENGTH: Final = len("2026-11-22T10:00:00.123456Z")  # the console's own form, worth a fast path
_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_ON = frozenset({"true", "enabled", "enable", "on", "yes", "1", "active", "activated"})
_OFF = frozenset({"false", "disabled", "disable", "off", "no", "0", "inactive", "deactivated"})


def text(value: Any) -> str | None:
    """Return a text or an exact integer as text; None for anything else and for empty text."""
    if type(value) is str:
        return value or None
    return str(value) if type(value) is int else None


def number(value: Any, *, bits: int = 31) -> int | None:
    """Return an integer, or digits as one, that fits into the bits; None otherwise."""
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) < 20:  # noqa: PLR2004  # longest int64
        value = int(value)
    return value if type(value) is int and 0 <= value < 1 << bits else None


def direction(value: Any) -> str:
    """Return `on`, `off` or `unknown` for a switch that comes as a bool, 0 or 1, or a word."""
    if type(value) is bool:
        return "on" if value else "off"
    word = (text(value) or "").strip().lower()
    return "on" if word in _ON else "off" if word in _OFF else "unknown"


@lru_cache(maxsize=1 << 14)
def _ips(value: str) -> tuple[str, ...]:
    found = []
    for part in value.split(","):
        try:
            address = str(ip_address(part.strip()))
        except ValueError:
            continue
        if "%" not in address and address not in found:  # a zone means something on its own host only
            found.append(address)
    return tuple(found)


def ips(value: Any) -> tuple[str, ...]:
    """Return the distinct IP addresses in a comma-joined text, in order; what is none is left out."""
    return _ips(value) if type(value) is str and value else ()


@lru_cache(maxsize=1 << 14)
def _email(value: str) -> str | None:
    return value if _EMAIL.fullmatch(value) else None


def email(value: Any) -> str | None:
    """Return the value if it is an e-mail address as OCSF takes it, None otherwise."""
    return _email(value) if type(value) is str and "@" in value else None


@lru_cache(maxsize=1 << 12)
def _minute_ms(begin: str) -> int | None:
    try:
        return (datetime.fromisoformat(f"{begin}00Z") - _EPOCH) // _MILLISECOND if begin[10] == "T" else None
    except ValueError:
        return None


def console_ms(value: str) -> int | None:
    """Return a time in the console's own form, with six digits of a second, as epoch milliseconds; None for others."""
    if len(value) != _TIME_LENGTH or value[26] != "Z" or value[19] != ".":
        return None
    minute = _minute_ms(value[:17])
    seconds = value[17:19] + value[20:26]
    if minute is None or not (seconds.isascii() and seconds.isdecimal()) or seconds >= "60":
        return None
    return minute + int(seconds[:5])


def epoch_ms(value: Any) -> int | None:
    """Return an ISO 8601 time as epoch milliseconds, cut (not rounded); integers are taken as milliseconds.

    None where the value is no time, or one before 2014 or after 2099.
    """
    result = None
    if type(value) is str:
        result = console_ms(value)
        if result is None:
            result = _slow_epoch_ms(value)
    elif type(value) is int:
        result = value
    return result if result is not None and EARLIEST_MS < result < LATEST_MS else None


def _slow_epoch_ms(value: str) -> int | None:
    try:
        moment = parse_time(value)
    except (UsageError, OverflowError):
        return None
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def snowflake_ms(record_id: Any) -> int | None:
    """Return the time inside a console id in epoch milliseconds, None where it can't be one."""
    value = number(record_id, bits=_SNOWFLAKE_BITS)
    if value is None or value >> 23 == 0:
        return None
    return _SNOWFLAKE_EPOCH_MS + (value >> 23)
