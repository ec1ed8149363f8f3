"""Every common layout of an address database is read, and what is none is refused with a cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.addresses import AddressBook, Facts, open_book
from sentinelone_collector.addresses.databases import Database
from sentinelone_collector.addresses.facts import parse_address
from sentinelone_collector.addresses.layouts import facts_of
from sentinelone_collector.errors import ConfigurationError

from .conftest import Write

ADDRESS, NETWORK = "81.2.69.142", "81.2.69.0/24"
LAYOUTS: dict[str, tuple[str, dict[str, Any], Facts]] = {
    "GeoLite2 Country": (
        "GeoLite2-Country",
        {"continent": {"code": "EU"}, "country": {"iso_code": "DE", "names": {"en": "Germany"}}},
        Facts(country="DE"),
    ),
    "GeoLite2 registered only": (
        "GeoLite2-Country",
        {"registered_country": {"iso_code": "FR"}},
        Facts(country="FR"),
    ),
    "GeoIP2 City": (
        "GeoIP2-City",
        {
            "city": {"geoname_id": 1, "names": {"de": "München", "en": "Munich"}},
            "country": {"iso_code": "DE"},
            "registered_country": {"iso_code": "FR"},
            "location": {"latitude": 48.25, "longitude": 11.5, "accuracy_radius": 20},
        },
        Facts("DE", "Munich", 48.25, 11.5),
    ),
    "GeoLite2 ASN": (
        "GeoLite2-ASN",
        {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Carrier"},
        Facts(asn=64500, as_name="Example Carrier"),
    ),
    "GeoIP2 Anonymous IP": (
        "GeoIP2-Anonymous-IP",
        {"is_anonymous": True, "is_anonymous_vpn": True, "is_hosting_provider": True, "is_tor_exit_node": False},
        Facts(kinds=("vpn", "hosting")),
    ),
    "GeoIP2 Enterprise": (
        "GeoIP2-Enterprise",
        {
            "country": {"iso_code": "US", "confidence": 99},
            "traits": {"autonomous_system_number": 64501, "user_type": "residential", "is_residential_proxy": True},
        },
        Facts(country="US", asn=64501, kinds=("public_proxy", "residential")),
    ),
    "DB-IP City Lite": (
        "DBIP-City-Lite",
        {
            "city": {"names": {"en": "Lyon"}},
            "country": {"iso_code": "FR", "is_in_european_union": True},
            "location": {"latitude": 45.75, "longitude": 4.75},
        },
        Facts("FR", "Lyon", 45.75, 4.75),
    ),
    "IPinfo Lite": (
        "ipinfo bundle_lite.mmdb",
        {"asn": "AS64502", "as_name": "Example Net", "country": "Japan", "country_code": "JP"},
        Facts(country="JP", asn=64502, as_name="Example Net"),
    ),
    "IPinfo Plus": (
        "ipinfo plus.mmdb",
        {"city": "Osaka", "country": "JP", "lat": "34.5", "lng": "135.5", "is_hosting": True, "is_relay": "true"},
        Facts("JP", "Osaka", 34.5, 135.5, kinds=("relay", "hosting")),
    ),
    "IPinfo Privacy": (
        "ipinfo standard_privacy.mmdb",
        {"hosting": "", "proxy": "true", "tor": "", "vpn": "true", "relay": "", "service": "Example VPN"},
        Facts(kinds=("vpn", "public_proxy")),
    ),
    "IPinfo ASN object": (
        "ipinfo core.mmdb",
        {"asn": {"asn": "AS64503", "name": "Example Cloud", "type": "hosting"}},
        Facts(asn=64503, as_name="Example Cloud", kinds=("hosting",)),
    ),
    "IP2Location": (
        "IP2Location-DB26",
        {"country_code": "BR", "city_name": "Natal", "latitude": -5.75, "longitude": -35.25, "usage_type": "DCH"},
        Facts("BR", "Natal", -5.75, -35.25, kinds=("hosting",)),
    ),
    "IP2Proxy": (
        "IP2Proxy-PX11",
        {"country_code": "-", "proxy_type": "TOR", "asn": "64504", "as": "Example Tor"},
        Facts(asn=64504, as_name="Example Tor", kinds=("tor",)),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_the_known_vendors_are_read(layout: str, new_mmdb: Write) -> None:
    kind, record, expected = LAYOUTS[layout]
    database = Database(new_mmdb({NETWORK: record}, kind))
    assert database.find(parse_address(ADDRESS)) == expected
    assert database.find(parse_address("81.2.70.1")) is None
    assert database.edition.name == kind
    assert database.edition.version.endswith("Z")
    assert database.edition.built


@pytest.mark.parametrize(
    "record",
    [
        {"country_code": "EU"},
        {"country": "Germany"},
        {"country": {"iso_code": 7}},
        {"latitude": "north", "longitude": 4.0},
        {"latitude": 91.0, "longitude": 4.0},
        {"latitude": float("nan"), "longitude": 4.0},
        {"latitude": 1.0},
        {"asn": "AS99999999999"},
        {"asn": 0},
        {"as_name": "-", "city": {"names": {}}},
        {"vpn": "", "is_tor": False, "hosting": 0},
        {"proxy_type": "-"},
        "text",
        7,
        [],
        {},
    ],
)
def test_what_says_nothing_gives_nothing(record: Any) -> None:
    assert facts_of(record) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    sorted({key for _, record, _ in LAYOUTS.values() for key in record} | {"as", "privacy", "anonymizer", "usage_type"})
)


@settings(max_examples=100)
@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_odd_records_are_no_error(record: dict[str, Any]) -> None:
    found = facts_of(record)
    if found is not None and found.lat is not None:
        assert -90 <= found.lat <= 90


def test_a_database_of_ipv4_alone_says_nothing_of_ipv6(new_mmdb: Write) -> None:
    database = Database(new_mmdb({NETWORK: {"country_code": "DE"}}, version=4))
    assert database.find(parse_address("2a02:ff80::1")) is None
    assert database.find(parse_address(f"::ffff:{ADDRESS}")) == Facts(country="DE")


def test_the_digest_is_that_of_the_bytes(new_mmdb: Write, tmp_path: Path) -> None:
    path = new_mmdb({NETWORK: {"country_code": "DE"}})
    copy = tmp_path / "copy.mmdb"
    copy.write_bytes(path.read_bytes())
    other = new_mmdb({NETWORK: {"country_code": "FR"}})
    digest = Database(path).edition.digest
    assert Database(copy).edition.digest == digest
    assert Database(other).edition.digest != digest


def _refused(path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        open_book([str(path)])
    assert refused.value.path == path
    return str(refused.value)


def test_a_missing_file_is_named_with_its_setting(tmp_path: Path) -> None:
    assert "S1C_ADDRESSES" in _refused(tmp_path / "none.mmdb")


@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", b"\x00" * 5000])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.mmdb"
    path.write_bytes(content)
    assert "download it again" in _refused(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "download it again" in _refused(tmp_path)


def test_a_database_of_something_else_is_refused(new_mmdb: Write) -> None:
    said = _refused(new_mmdb({NETWORK: {"connection_type": "Cable"}}, "GeoIP2-Connection-Type"))
    assert "GeoIP2-Connection-Type" in said
    assert "connection_type" in said


def test_a_file_cut_short_is_never_half_read(new_mmdb: Write, tmp_path: Path) -> None:
    records = {f"81.{number}.0.0/16": {"country_code": "DE", "city": f"City {number}"} for number in range(200)}
    whole = new_mmdb(records).read_bytes()
    marker = whole.rindex(b"\xab\xcd\xefMaxMind.com")
    path = tmp_path / "cut.mmdb"
    path.write_bytes(whole[: marker // 2] + whole[marker:])

    def read_all() -> None:
        book = AddressBook([Database(path)])
        for number in range(200):
            answer = book.find(f"81.{number}.0.1")
            assert answer is None or answer.facts == Facts("DE", f"City {number}")

    with pytest.raises(ConfigurationError) as refused:
        read_all()
    assert refused.value.path == path
