"""The operator's own table of networks: which addresses are the company's, and what only the company knows of others.

```yaml
10.0.0.0/8: {name: office network, kind: own}
198.51.100.0/24: {name: Berlin egress, kind: own, country: DE, city: Berlin, lat: 52.52, long: 13.4}
2001:db8:7::/48: {name: partner's VPN, kind: vpn, asn: 64500, as_name: Example Carrier}
```
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentinelone_collector.addresses.facts import Address, Edition, Facts, country_code
from sentinelone_collector.errors import ConfigurationError

__all__ = ["Networks", "read_networks"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BITS: Final = {4: 32, 6: 128}


class _Network(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Literal["own", "tor", "vpn", "relay", "public_proxy", "hosting", "residential"]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    city: Annotated[str, Field(min_length=1)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    long: Annotated[float, Field(ge=-180, le=180)] | None = None
    asn: Annotated[int, Field(gt=0, lt=2**32)] | None = None
    as_name: Annotated[str, Field(min_length=1)] | None = None


class Networks:
    """Facts by network; of those that hold an address the narrowest speaks. `digest` tells one table from another."""

    def __init__(self, entries: Mapping[IPv4Network | IPv6Network, Facts], digest: str) -> None:
        self.edition = Edition("S1C_NETWORKS", digest[:12], digest)
        self._by_length: dict[tuple[int, int], dict[int, Facts]] = {}
        for network, facts in entries.items():
            held = self._by_length.setdefault((network.version, network.prefixlen), {})
            held[int(network.network_address)] = facts
        self._lengths = {
            version: sorted((length for known, length in self._by_length if known == version), reverse=True)
            for version in _BITS
        }

    def find(self, address: Address) -> Facts | None:
        """Return the facts of the narrowest network that holds an address, None where none does."""
        value, version = int(address), address.version
        for length in self._lengths[version]:
            host = _BITS[version] - length
            found = self._by_length[version, length].get(value >> host << host)
            if found is not None:
                return found
        return None


def read_networks(path: Path) -> Networks:
    """Read the table of `S1C_NETWORKS`; raise `ConfigurationError` that names file, line and cure."""
    try:
        data = path.read_bytes()
        node = yaml.compose(data, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ConfigurationError(
            f"no valid YAML: {error.problem}; correct the syntax", path=path, line=mark.line + 1 if mark else None
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"can't be read: {error}; correct S1C_NETWORKS, or the file", path=path) from None
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(
            "holds no table; write lines like `10.0.0.0/8: {name: office, kind: own}`", path=path, line=1
        )
    entries: dict[IPv4Network | IPv6Network, Facts] = {}
    for key, value in node.value if node is not None else ():
        line = key.start_mark.line + 1
        network = _network(str(key.value), path, line)
        if network in entries:
            raise ConfigurationError(f"{network} stands here a second time; keep one", path=path, line=line)
        entries[network] = _facts(str(network), value, path, line)
    return Networks(entries, hashlib.sha256(data).hexdigest())


def _network(text: str, path: Path, line: int) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ConfigurationError(f"{error}; write a network like 198.51.100.0/24", path=path, line=line) from None


def _facts(network: str, node: yaml.Node, path: Path, line: int) -> Facts:
    try:
        told = _Network.model_validate(yaml.load(yaml.serialize(node), Loader=_Loader))  # noqa: S506  # the safe loader
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join([network, *map(str, problem["loc"])])
        raise ConfigurationError(f"{place}: {problem['msg']}; correct this entry", path=path, line=line) from None
    if told.country is not None and country_code(told.country) is None:
        raise ConfigurationError(
            f"{network}.country: {told.country} is no country of ISO 3166-1; correct it", path=path, line=line
        )
    return Facts(
        told.country, told.city, told.lat, told.long, told.asn, told.as_name, kinds=(told.kind,), network=told.name
    )
