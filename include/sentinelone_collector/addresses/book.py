"""An address book: all sources of an installation, asked as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from sentinelone_collector.addresses.facts import (
    KINDS,
    NOTHING,
    OWN,
    Address,
    Edition,
    Facts,
    Source,
    parse_address,
)

__all__ = ["BUNDLED", "AddressBook", "Answer", "Part", "open_book"]

BUNDLED: Final = "bundled"
_KEPT: Final = 1 << 14  # addresses; a few megabytes


class Part(NamedTuple):
    """What one source says of an address."""

    edition: Edition
    facts: Facts


class Answer(NamedTuple):
    """What is known about an address: all sources together, and each alone, the operator's own table first."""

    facts: Facts
    parts: tuple[Part, ...]


class AddressBook:
    """Sources in order: the first that knows a country, or an autonomous system, is believed; kinds add up.

    The operator's own table comes before all, holds for addresses of every sort, and its kind replaces what others say.
    The others are asked about globally reachable addresses alone. `digest` changes with any of the data.
    """

    def __init__(self, sources: Sequence[Source], own: Source | None = None) -> None:
        self._sources = tuple(sources)
        self._own = own
        self.find = lru_cache(maxsize=_KEPT)(self._find)
        """Return what is known about an address given as text, None where nothing is."""

    @property
    def editions(self) -> tuple[Edition, ...]:
        """The editions of all sources, in the order in which they are believed."""
        return tuple(source.edition for source in (*([self._own] if self._own else []), *self._sources))

    @property
    def digest(self) -> str:
        """The digest of all data that answers, in its order."""
        told = "\n".join(edition.digest for edition in self.editions)
        return hashlib.sha256(told.encode()).hexdigest()

    def _find(self, value: str) -> Answer | None:
        address = parse_address(value)
        if address is None:
            return None
        parts = tuple(self._parts(address))
        return Answer(_together([part.facts for part in parts]), parts) if parts else None

    def _parts(self, address: Address) -> Iterator[Part]:
        own = None if self._own is None else self._own.find(address)
        if self._own is not None and own is not None:
            yield Part(self._own.edition, own)
        if not address.is_global or address.is_multicast:
            return
        for source in self._sources:
            facts = source.find(address)
            if facts is not None and own is not None:
                facts = facts._replace(kinds=())  # the operator knows what the network is
            if facts is not None and facts != NOTHING:
                yield Part(source.edition, facts)


def _together(told: Sequence[Facts]) -> Facts:
    """Return all as one: place and position are of the country that is believed, not of another one."""
    country = next((facts.country for facts in told if facts.country), None)
    place = [facts for facts in told if facts.country == country]
    system = next((facts for facts in told if facts.asn), next((facts for facts in told if facts.as_name), NOTHING))
    position = next((facts for facts in place if facts.lat is not None and facts.long is not None), NOTHING)
    kinds = {kind for facts in told for kind in facts.kinds}
    return Facts(
        country=country,
        city=next((facts.city for facts in place if facts.city), None),
        lat=position.lat,
        long=position.long,
        asn=system.asn,
        as_name=system.as_name,
        kinds=tuple(kind for kind in (OWN, *KINDS) if kind in kinds),
        network=next((facts.network for facts in told if facts.network), None),
    )


def open_book(databases: Sequence[str], networks: Path | None = None) -> AddressBook | None:
    """Return the book of an installation, None where it has no source.

    `databases` are paths of MMDB files, or the word `bundled` for what is installed with the product; `networks` is
    the operator's own table. Raise `ConfigurationError` for a file that can't be used.
    """
    from sentinelone_collector.addresses.bundled import Published, Registries
    from sentinelone_collector.addresses.databases import Database
    from sentinelone_collector.addresses.networks import read_networks

    sources: list[Source] = []
    for name in databases:
        if name == BUNDLED:
            sources += [Registries(), Published()]
        else:
            sources.append(Database(Path(name).expanduser()))
    own = None if networks is None else read_networks(networks)
    return AddressBook(sources, own) if sources or own else None
