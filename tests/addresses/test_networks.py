"""The operator's own table of networks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinelone_collector.addresses import Facts, Networks, read_networks
from sentinelone_collector.addresses.facts import parse_address
from sentinelone_collector.errors import ConfigurationError

TABLE = """\
# who we are
10.0.0.0/8: {name: office network, kind: own}
10.9.0.0/16: {name: guests, kind: residential}
198.51.100.0/24: {name: Berlin egress, kind: own, country: DE, city: Berlin, lat: 52.5, long: 13.5}
2001:db8:7::/48: {name: VPN of a partner, kind: vpn, asn: 64500, as_name: Example Carrier}
"""


def _read(folder: Path, text: str) -> Networks:
    path = folder / "networks.yaml"
    path.write_text(text, encoding="utf-8")
    return read_networks(path)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", Facts(kinds=("own",), network="office network")),
        ("10.9.2.3", Facts(kinds=("residential",), network="guests")),
        ("198.51.100.7", Facts("DE", "Berlin", 52.5, 13.5, kinds=("own",), network="Berlin egress")),
        ("2001:db8:7::9", Facts(asn=64500, as_name="Example Carrier", kinds=("vpn",), network="VPN of a partner")),
        ("11.0.0.1", None),
        ("2001:db8:8::9", None),
    ],
)
def test_the_narrowest_network_speaks(tmp_path: Path, address: str, expected: Facts | None) -> None:
    assert _read(tmp_path, TABLE).find(parse_address(address)) == expected


def test_an_empty_table_is_one(tmp_path: Path) -> None:
    assert _read(tmp_path, "# none yet\n").find(ip_address("10.0.0.1")) is None


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("10.0.0.0/8: {name: a, kind: own}\n10.0.0.1/8: {name: b, kind: own}\n", 2, "host bits"),
        ("10.0.0.0/8: {name: a, kind: own}\n10.0.0.0/8: {name: b, kind: own}\n", 2, "second time"),
        ("10.0.0.0/8: {name: a, kind: mine}\n", 1, "kind"),
        ("10.0.0.0/8: {kind: own}\n", 1, "name"),
        ("10.0.0.0/8: {name: a, kind: own, country: Germany}\n", 1, "country"),
        ("10.0.0.0/8: {name: a, kind: own, country: EU}\n", 1, "ISO 3166-1"),
        ("10.0.0.0/8: {name: a, kind: own, lat: 95}\n", 1, "lat"),
        ("10.0.0.0/8: {name: a, kind: own, color: red}\n", 1, "color"),
        ("10.0.0.0/8: office\n", 1, "10.0.0.0/8"),
        ("office: {name: a, kind: own}\n", 1, "office"),
        ("- 10.0.0.0/8\n", 1, "table"),
        ("10.0.0.0/8: {name: a\n", 2, "YAML"),
    ],
)
def test_mistakes_are_named_with_file_and_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _read(tmp_path, text)
    assert refused.value.line == line
    assert says in str(refused.value)
    assert str(tmp_path / "networks.yaml") in str(refused.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="S1C_NETWORKS"):
        read_networks(tmp_path / "none.yaml")


V4 = st.builds(
    lambda value, length: ip_network((value >> (32 - length) << (32 - length), length)),
    st.integers(0x0A000000, 0x0A0000FF),
    st.integers(20, 32),
)
V6 = st.builds(
    lambda value, length: ip_network((value >> (128 - length) << (128 - length), length)),
    st.integers(0x20010DB8 << 96, (0x20010DB8 << 96) + 255),
    st.integers(112, 128),
)


@settings(max_examples=100)
@given(
    st.lists(st.one_of(V4, V6), max_size=12, unique=True),
    st.lists(st.integers(0, 300), min_size=1, max_size=8),
)
def test_lookups_agree_with_a_search_through_all_networks(
    networks: list[IPv4Network | IPv6Network], hosts: list[int]
) -> None:
    table = Networks({network: Facts(network=str(network)) for network in networks}, "0" * 64)
    for host in hosts:
        for address in (ip_address(0x0A000000 + host), ip_address((0x20010DB8 << 96) + host)):
            holding = [network for network in networks if address in network]
            narrowest = max(holding, key=lambda network: network.prefixlen, default=None)
            expected = None if narrowest is None else Facts(network=str(narrowest))
            assert table.find(address) == expected
