"""What is known without a database of the operator's: two packages whose data may be used and passed on freely.

`iptocc` (MIT or Apache-2.0) holds the countries to which the five regional registries have given networks; `iporigin`
1.0 (MIT) the networks that hosters, VPN services and Tor publish, and CC0 lists of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from typing import Any, Final

from sentinelone_collector.addresses.facts import Address, Edition, Facts, country_code

__all__ = ["Published", "Registries"]

_KINDS: Final[Mapping[str, str]] = {
    "hosting": "hosting",
    "cdn": "hosting",
    "bot": "hosting",
    "vpn": "vpn",
    "tor": "tor",
}
_RELAYS: Final = frozenset({"Apple Private Relay"})  # listed among VPNs; its users are no more hidden than at home


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Registries:
    """The country that a network was given to, which is where it is used for about 95 % of addresses."""

    @cached_property
    def edition(self) -> Edition:
        """The installed package."""
        found = version("iptocc")
        return Edition("iptocc", found, _digest(f"iptocc {found}"))

    def find(self, address: Address) -> Facts | None:
        """Return the country of an address, None where no registry has given its network away."""
        import iptocc

        code = country_code(iptocc.country_code(str(address)))
        return None if code is None else Facts(country=code)


class Published:
    """Networks of hosters, VPN services and Tor exits."""

    @cached_property
    def edition(self) -> Edition:
        """The installed package, whose lists carry the time at which they were gathered."""
        found, built = version("iporigin"), int(self._table.built_at)
        gathered = datetime.fromtimestamp(built, UTC)
        return Edition(
            "iporigin", f"{found} of {gathered:%Y-%m-%dT%H:%M:%SZ}", _digest(f"iporigin {found} {built}"), built
        )

    @cached_property
    def _table(self) -> Any:
        from iporigin._data import dataset  # the public way parses and checks each address once more

        return dataset()  # type: ignore[no-untyped-call]

    def find(self, address: Address) -> Facts | None:
        """Return the kind of an address and who runs its network, None where it is in no list."""
        found = self._table.find(int(address), address.version)
        if found is None:
            return None
        network, kind = found
        known = "relay" if network in _RELAYS else _KINDS.get(kind)
        return None if known is None else Facts(kinds=(known,), network=network or None)
