"""Readers for single values of vendor records: None where a value can't be what is asked for, whatever its type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from sentinelone_collector.errors import UsageError
from sentinelone_collector.windows import parse_time

__all__ = [
    "EARLIEST_MS",
    "LATEST_MS",
    "Folded",
    "direction",
    "email",
    "epoch_ms",
    "has_secrets",
    "ips",
    "number",
    "redact",
    "snowflake_ms",
    "text",
]

EARLIEST_MS: Final = 1_400_000_000_000  # 2014, before the vendor's first console
LATEST_MS: Final = 4_100_000_000_000  # 2099; later dates are known nonsense of the console
_SNOWFLAKE_EPOCH_MS: Final = 1_483_228_800_000  # 2017-01-01T00:00:00Z
_SNOWFLAKE_BITS: Final = 63
_TIME_LENGTH: Final = len("2026-11-22T10:00:00.123456Z")  # the console's own form, worth a fast path
_MASK: Final = "***"
_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_SECRETS = (
    "passphrase",
    "password",
    "token",
    "secret",
    "apikey",
    "licensekey",
    "privatekey",
    "recoverycode",
    "recoverycodes",
)
SECRET_ENDINGS: Final = ("passphrase", "password", "token", "secret", "key", "code", "codes")
_CONTAINERS = frozenset({dict, list})
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
def _second_ms(second: str) -> int | None:
    try:
        moment = datetime.fromisoformat(second + "+00:00")
    except ValueError:
        return None
    return int(moment.timestamp()) * 1000


def epoch_ms(value: Any) -> int | None:
    """Return an ISO 8601 time as epoch milliseconds, cut (not rounded); integers are taken as milliseconds.

    None where the value is no time, or one before 2014 or after 2099.
    """
    result = None
    if type(value) is int:
        result = value
    elif type(value) is str:
        fraction = value[20:26]
        if len(value) == _TIME_LENGTH and value[19] == "." and value[26] == "Z" and fraction.isdecimal():
            second = _second_ms(value[:19])
            result = None if second is None else second + int(fraction[:3])
        else:
            result = _slow_epoch_ms(value)
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


@lru_cache(maxsize=1 << 12)
def _shape(keys: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the keys by their lower case, and those whose values are secrets; records repeat a few hundred shapes."""
    secrets = tuple(key for key in keys if key.lower().replace("_", "").replace("-", "").endswith(_SECRETS))
    return {key.lower(): key for key in keys}, secrets


class Folded:
    """A mapping read by lower-case keys, whatever the case of its own; it costs no second dict."""

    __slots__ = ("_keys", "_values", "has_secrets")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._keys, secrets = _shape(tuple(values))
        self.has_secrets = bool(secrets)
        self._values = values if len(self._keys) == len(values) else self._merged(values)

    def _merged(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return one value for each folded key: of keys that differ in case only, the first that holds something."""
        merged: dict[str, Any] = {}
        for key, value in values.items():
            name = self._keys[key.lower()]
            if merged.get(name) in (None, ""):
                merged[name] = value
        return merged

    def get(self, name: str) -> Any:
        """Return the value of a lower-case key, None where there is none."""
        key = self._keys.get(name)
        return None if key is None else self._values[key]


def has_secrets(mapping: Mapping[str, Any]) -> bool:
    """Say whether a key of the mapping itself names a secret."""
    return bool(_shape(tuple(mapping))[1])


def redact(value: Any) -> Any:
    """Return the value with a mask in place of tokens, passphrases and keys, at any depth; itself if it has none."""
    if type(value) is list:
        clean = [redact(item) for item in value]
        return clean if any(new is not old for new, old in zip(clean, value, strict=True)) else value
    if type(value) is not dict:
        return value
    secrets = _shape(tuple(value))[1]
    inner = [key for key, held in value.items() if type(held) in _CONTAINERS]
    if not secrets and not inner:
        return value
    changed = {key: clean for key in inner if (clean := redact(value[key])) is not value[key]}
    changed |= {key: _MASK for key in secrets if value[key] and type(value[key]) is not bool}
    return {**value, **changed} if changed else value
