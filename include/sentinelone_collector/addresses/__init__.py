"""Where an address is, whose network it is in, and of what kind: from files on this machine, never by a request."""

from __future__ import annotations

from sentinelone_collector.addresses.book import AddressBook, Answer, Part, open_book
from sentinelone_collector.addresses.facts import KINDS, Facts
from sentinelone_collector.addresses.networks import Networks, read_networks

__all__ = ["KINDS", "AddressBook", "Answer", "Facts", "Networks", "Part", "open_book", "read_networks"]
