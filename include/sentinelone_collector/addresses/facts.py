"""What is known about one address, and what a database, the bundled lists or the operator's own table are to a book."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, NamedTuple, Protocol

__all__ = ["KINDS", "OWN", "Address", "Edition", "Facts", "Source", "country_code", "parse_address"]

Address = IPv4Address | IPv6Address

OWN: Final = "own"
KINDS: Final = ("tor", "vpn", "relay", "public_proxy", "hosting", "residential")
"""What a network can be, the most telling first; an address may be of several kinds."""

_CODE = re.compile("[A-Z]{2}")
_NO_COUNTRY: Final = frozenset({"EU", "AP", "XX", "ZZ"})  # a region, or unknown; no country of ISO 3166-1


class Facts(NamedTuple):
    """What one source says of an address; None and () where it says nothing.

    `country` is ISO 3166-1 alpha-2, `lat` and `long` are degrees, `asn` and `as_name` tell the autonomous system,
    `kinds` are some of `KINDS`, or `own`; `network` is the name of the provider's or operator's network.
    """

    country: str | None = None
    city: str | None = None
    lat: float | None = None
    long: float | None = None
    asn: int | None = None
    as_name: str | None = None
    kinds: tuple[str, ...] = ()
    network: str | None = None


NOTHING: Final = Facts()


@dataclass(frozen=True, slots=True)
class Edition:
    """Which data answered: its name, version, digest, and when it was built in epoch seconds, None where unknown."""

    name: str
    version: str
    digest: str
    built: int | None = None


class Source(Protocol):
    """Knows about addresses; the same edition always says the same."""

    @property
    def edition(self) -> Edition:
        """The data that answers."""

    def find(self, address: Address) -> Facts | None:
        """Return what is known about an address, None where nothing is."""


def parse_address(value: str) -> Address | None:
    """Return an address, that of IPv4 where IPv6 only wraps one; None where the text is none."""
    try:
        address = ip_address(value)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def country_code(value: Any) -> str | None:
    """Return a code of ISO 3166-1 alpha-2 in capitals; None for anything else, regions and names included."""
    if type(value) is not str or not _CODE.fullmatch(value.upper()):
        return None
    code = value.upper()
    return None if code in _NO_COUNTRY else code
