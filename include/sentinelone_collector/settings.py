"""Settings of one installation, read from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sentinelone_collector.errors import ConfigurationError

__all__ = ["Settings", "number"]

_DEFAULT_LAKE = ".run/lake"
_DEFAULT_INVENTORY = "include/instances.d"
_DEFAULT_ADDRESSES = "bundled"
_NO_ADDRESSES = "none"
_DEFAULT_SEARCH_MB = 4096.0


def number(name: str, default: float, environment: Mapping[str, str] = os.environ) -> float:
    """Return a variable that holds a positive number, or the default where it is not set.

    Raise `ConfigurationError` for any other text.
    """
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{name}={text!r}: write a number above 0, like {default:g}, or leave it out")
    return value


def _addresses(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if _NO_ADDRESSES in names and len(names) > 1:
        raise ConfigurationError(
            f"S1C_ADDRESSES={text!r}: write {_NO_ADDRESSES} alone, or files and bundled without it"
        )
    return () if _NO_ADDRESSES in names else names


@dataclass(frozen=True, slots=True)
class Settings:
    """Where lake, store, inventory, own rules, relative delivery paths and the search's indexes are.

    `addresses` are the address databases, in the order in which they are believed, `networks` the operator's own table
    of networks. `store` is a SQLAlchemy URL and may hold a password: it is left out of the text form.
    """

    lake: str
    store: str
    instances: Path
    rules: Path | None
    delivered: Path
    search_cache: Path
    search_cache_bytes: int
    addresses: tuple[str, ...] = ()
    networks: Path | None = None

    def __repr__(self) -> str:
        return f"Settings(lake={self.lake!r}, instances={str(self.instances)!r})"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read `S1C_LAKE`, `S1C_STORE`, `S1C_INSTANCES`, `S1C_RULES`, `S1C_DELIVERED`, addresses' and the search's.

        Those are `S1C_ADDRESSES` and `S1C_NETWORKS`, `S1C_SEARCH_CACHE` and `S1C_SEARCH_CACHE_MB`.

        Without them the lake is `.run/lake` below the working directory, the store an SQLite file beside the lake,
        the inventory `include/instances.d`; relative delivery paths and the search's folder begin beside the lake, and
        addresses are looked up in the bundled lists; `S1C_ADDRESSES=none` looks nothing up.
        """
        lake = environment.get("S1C_LAKE") or _DEFAULT_LAKE
        beside = Path.cwd() if "://" in lake else Path(lake).expanduser().absolute().parent
        rules, networks = environment.get("S1C_RULES"), environment.get("S1C_NETWORKS")
        return cls(
            lake=lake,
            store=environment.get("S1C_STORE") or f"sqlite:///{beside / 's1c.db'}",
            instances=Path(environment.get("S1C_INSTANCES") or _DEFAULT_INVENTORY).expanduser(),
            rules=Path(rules).expanduser() if rules else None,
            delivered=Path(environment.get("S1C_DELIVERED") or beside).expanduser(),
            addresses=_addresses(environment.get("S1C_ADDRESSES") or _DEFAULT_ADDRESSES),
            networks=Path(networks).expanduser() if networks else None,
            search_cache=Path(environment.get("S1C_SEARCH_CACHE") or beside / "search").expanduser(),
            search_cache_bytes=int(number("S1C_SEARCH_CACHE_MB", _DEFAULT_SEARCH_MB, environment) * (1 << 20)),
        )
