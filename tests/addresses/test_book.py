"""Several sources asked as one, in order, and the bundled lists."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.addresses import AddressBook, Answer, Facts, Networks, open_book
from sentinelone_collector.addresses.databases import Database
from sentinelone_collector.addresses.facts import Address, Edition
from sentinelone_collector.settings import Settings

from .conftest import Write

PUBLIC = "81.2.69.142"


class Said:
    """A source that says the same of every address."""

    def __init__(self, name: str, facts: Facts | None) -> None:
        self.edition = Edition(name, "1", f"digest of {name}")
        self.facts = facts
        self.asked: list[Address] = []

    def find(self, address: Address) -> Facts | None:
        self.asked.append(address)
        return self.facts


def _facts(book: AddressBook, address: str = PUBLIC) -> Facts:
    answer = book.find(address)
    assert answer is not None
    return answer.facts


def test_the_first_source_that_knows_is_believed_and_kinds_add_up() -> None:
    first = Said("first", Facts(country="DE", kinds=("hosting",)))
    second = Said("second", Facts("DE", "Berlin", 52.5, 13.5, 64500, "Example Carrier", ("tor",)))
    third = Said("third", Facts("FR", "Lyon", 45.75, 4.75, 64501, "Other Carrier", ("tor",)))
    book = AddressBook([first, second, third])
    assert _facts(book) == Facts("DE", "Berlin", 52.5, 13.5, 64500, "Example Carrier", ("tor", "hosting"))
    answer = book.find(PUBLIC)
    assert answer is not None
    assert [part.edition.name for part in answer.parts] == ["first", "second", "third"]


def test_a_place_is_never_that_of_another_country() -> None:
    book = AddressBook([Said("first", Facts(country="DE")), Said("second", Facts("FR", "Lyon", 45.75, 4.75))])
    assert _facts(book) == Facts(country="DE")


def test_half_a_position_is_not_completed_by_another_source() -> None:
    book = AddressBook([Said("first", Facts("DE", lat=52.5)), Said("second", Facts("DE", lat=48.0, long=11.5))])
    assert (_facts(book).lat, _facts(book).long) == (48.0, 11.5)


def test_the_operators_kind_replaces_what_databases_say() -> None:
    own = Networks({ip_network("81.2.69.0/24"): Facts(kinds=("own",), network="Berlin egress")}, "7" * 64)
    book = AddressBook([Said("a", Facts("DE", asn=64500, kinds=("hosting",))), Said("b", Facts(kinds=("vpn",)))], own)
    assert _facts(book) == Facts("DE", asn=64500, kinds=("own",), network="Berlin egress")
    assert _facts(book, "81.2.70.1").kinds == ("vpn", "hosting")


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "127.0.0.1", "169.254.1.1", "100.64.0.1", "192.0.2.7", "224.0.0.5", "0.0.0.0", "255.255.255.255"),
        *("::1", "fe80::1", "fd00::1", "2001:db8::1", "::ffff:10.1.2.3", "ff02::1"),
    ],
)
def test_addresses_that_are_nowhere_are_looked_up_in_the_own_table_alone(address: str) -> None:
    source = Said("database", Facts(country="DE"))
    assert AddressBook([source]).find(address) is None
    own = Said("own", Facts(kinds=("own",), network="ours"))
    assert _facts(AddressBook([source], own), address) == Facts(kinds=("own",), network="ours")
    assert not source.asked


@pytest.mark.parametrize("text", ["", "unknown", "81.2.69", "81.2.69.142/24", "host.example.com"])
def test_what_is_no_address_gives_nothing(text: str) -> None:
    assert AddressBook([Said("database", Facts(country="DE"))]).find(text) is None


def test_the_digest_tells_data_and_order_apart() -> None:
    one, two = Said("one", None), Said("two", None)
    digests = {AddressBook(found).digest for found in ([one], [two], [one, two], [two, one], [])}
    digests.add(AddressBook([one], two).digest)
    assert len(digests) == 5  # the own table comes first: [two, one]
    assert AddressBook([Said("one", None)]).digest == AddressBook([one]).digest


PARTS = st.lists(st.integers(0, 255), min_size=1, max_size=10, unique=True)


@settings(max_examples=25)
@given(PARTS, st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=10))
def test_a_database_agrees_with_a_search_through_its_networks(
    new_mmdb: Write, places: list[int], asked: list[tuple[int, int]]
) -> None:
    networks: dict[IPv4Network, Facts] = {
        IPv4Network(f"81.2.{place}.0/{24 + place % 5}"): Facts("DE", f"City {place}") for place in places
    }
    records = {
        str(network): {"country": {"iso_code": "DE"}, "city": {"names": {"en": facts.city}}}
        for network, facts in networks.items()
    }
    book = AddressBook([Database(new_mmdb(records))])
    for third, fourth in asked + [(place, 0) for place in places]:
        address = ip_address(f"81.2.{third}.{fourth}")
        expected = next((facts for network, facts in networks.items() if address in network), None)
        answer = book.find(str(address))
        assert (None if answer is None else answer.facts) == expected


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a request to the outside")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("_no_network")
def test_the_bundled_lists_know_countries_and_hosters_without_a_request() -> None:
    settings_found = Settings.from_environment({})
    book = open_book(settings_found.addresses, settings_found.networks)
    assert book is not None
    answer = book.find("52.95.110.1")
    assert isinstance(answer, Answer)
    assert answer.facts.country is not None
    assert answer.facts.kinds == ("hosting",)
    assert [part.edition.name for part in answer.parts] == ["iptocc", "iporigin"]
    assert all(part.edition.version and len(part.edition.digest) == 64 for part in answer.parts)
    assert book.find("198.51.100.7") is None


def test_settings_name_files_in_order_and_the_table(tmp_path: Path, new_mmdb: Write) -> None:
    path = new_mmdb({"81.2.69.0/24": {"country_code": "DE"}}, "Own-Country")
    table = tmp_path / "networks.yaml"
    table.write_text("10.0.0.0/8: {name: office, kind: own}\n")
    found = Settings.from_environment({"S1C_ADDRESSES": f" {path} , bundled,", "S1C_NETWORKS": str(table)})
    book = open_book(found.addresses, found.networks)
    assert book is not None
    names = [edition.name for edition in book.editions]
    assert names == ["S1C_NETWORKS", "Own-Country", "iptocc", "iporigin"]


def test_none_looks_nothing_up() -> None:
    found = Settings.from_environment({"S1C_ADDRESSES": "none"})
    assert open_book(found.addresses, found.networks) is None
    with pytest.raises(Exception, match="none alone"):
        Settings.from_environment({"S1C_ADDRESSES": "none,bundled"})
