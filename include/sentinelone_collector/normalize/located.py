"""Where the source address of an event is, and in whose network: what an address book says, with its editions.

The answer and the versions of the data that gave it stand in the event itself, so that an event says tomorrow what it
said today, whatever databases there are by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sentinelone_collector.addresses import AddressBook, Facts, Part
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.record import json_text

__all__ = ["locate_source"]

_IP: Final = "src_endpoint.ip"
_LABELS: Final = "metadata.labels"
_PLACE: Final = "src_endpoint.location."
_SYSTEM: Final = "src_endpoint.autonomous_system."
_WORDS: Final[Mapping[str, str]] = {"public_proxy": "proxy"}  # the other labels are the kinds themselves
_UNLABELLED: Final = "residential"


def locate_source(row: Row, book: AddressBook | None) -> None:
    """Write what the book knows of the row's `src_endpoint.ip`; nothing where it knows nothing or there is no book."""
    if book is None or _IP not in row:
        return
    address: str = row[_IP]
    answer = book.find(address)
    if answer is None:
        return
    row.update(_attributes(answer.facts))
    labels = [f"address:{_WORDS.get(kind, kind)}" for kind in answer.facts.kinds if kind != _UNLABELLED]
    if labels:
        row[_LABELS] = [*row.parts[0].get(_LABELS, ()), *labels]
    row["enrichments"] = [_enrichment(address, part) for part in answer.parts]


def _attributes(facts: Facts) -> Iterator[tuple[str, Any]]:
    if facts.country is not None or facts.city is not None:  # OCSF takes no position without one of them
        place = {"country": facts.country, "city": facts.city, "lat": facts.lat, "long": facts.long}
        yield from ((_PLACE + name, value) for name, value in place.items() if value is not None)
    system = {"number": facts.asn, "name": facts.as_name}
    yield from ((_SYSTEM + name, value) for name, value in system.items() if value is not None)


def _enrichment(address: str, part: Part) -> tuple[str, str, str, str, str, int | None]:
    """Return one entry in the order of the schema: name, value, data, type, provider, created_time."""
    edition, facts = part
    told = {name: value for name, value in facts._asdict().items() if value not in (None, ())}
    data = json_text({**told, "version": edition.version, "sha256": edition.digest})
    kind = "location" if facts.country is not None else "network"
    return _IP, address, data, kind, edition.name, None if edition.built is None else edition.built * 1000
