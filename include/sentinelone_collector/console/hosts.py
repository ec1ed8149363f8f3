"""Which hosts the form may make this server connect to: SentinelOne's consoles, and those that the operator allows.

Without this anybody who may add an instance could use the server to look around in its own network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from sentinelone_collector.errors import CollectorError, ConfigurationError
from sentinelone_collector.instances import check_console_url

__all__ = ["VENDOR", "address_of", "allowed_url", "is_known", "port_of", "resolve"]

VENDOR = "*.sentinelone.net"
_LOOPBACK_NAMES = frozenset({"localhost"})


def resolve(host: str) -> list[str]:
    """Return the addresses of a host name; raise `OSError` where it has none."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))  # the system puts first what it can reach


def allowed_url(
    text: str, *, demo: bool, hosts: Sequence[str], lookup: Callable[[str], Sequence[str]] = resolve
) -> str:
    """Return a console's address as `check_console_url` does, if the form may reach it.

    That is https on port 443 to `*.sentinelone.net`, or what `hosts` names (`console.example.com`,
    `console.example.com:8443` or `*.example.com`). The names must lead to public addresses; only those in `hosts` may
    lead to private ones, and none to this machine or its link. Loopback is for demonstrations: `demo`. Raise
    `ConfigurationError` otherwise.
    """
    url = check_console_url(text)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not _is_this_machine(host) and not is_known(host, parts.port, hosts=hosts):
        raise ConfigurationError(
            f"{parts.netloc} is no SentinelOne console ({VENDOR}, port 443); an administrator can allow other hosts "
            "in S1C_CONSOLE_HOSTS"
        )
    address_of(host, parts.port, demo=demo, hosts=hosts, lookup=lookup)
    return url


def is_known(host: str, port: int | None, *, hosts: Sequence[str]) -> bool:
    """Say whether a host is one of SentinelOne's or one of `hosts`; its port is 443 where none is given."""
    return any(_matches(host, port, pattern) for pattern in (VENDOR, *hosts))


def address_of(
    host: str,
    port: int | None,
    *,
    demo: bool,
    hosts: Sequence[str],
    lookup: Callable[[str], Sequence[str]] = resolve,
) -> str:
    """Return the address at which a host may be reached; raise `ConfigurationError` where one of its addresses may not.

    Whoever connects to this address, and not to the name, can't be led elsewhere by an answer that changes meanwhile.
    """
    if _is_this_machine(host):
        if not demo:
            raise ConfigurationError("this machine itself is reached in demonstrations only; write your console's name")
        return "127.0.0.1" if host in _LOOPBACK_NAMES else host
    listed = any(_matches(host, port, pattern) for pattern in hosts)
    return _outer(host, listed=listed, lookup=lookup)[0]


def _matches(host: str, port: int | None, pattern: str) -> bool:
    name, _, wanted = pattern.partition(":")
    if (port or 443) != int(wanted if wanted.isdigit() else 443):
        return False
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    return host == name


def _outer(host: str, *, listed: bool, lookup: Callable[[str], Sequence[str]]) -> list[str]:
    try:
        addresses = [ipaddress.ip_address(address.partition("%")[0]) for address in lookup(host)]
    except (OSError, UnicodeError):
        raise ConfigurationError(f"{host} has no address; look for a misspelling") from None
    for address in addresses:
        inner = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
        mapped = getattr(address, "ipv4_mapped", None)
        if inner or mapped is not None or (not address.is_global and not listed):
            raise ConfigurationError(f"{host} leads to {address}, which is no public address")
    if not addresses:
        raise ConfigurationError(f"{host} has no address; look for a misspelling")
    return [str(address) for address in addresses]


def _is_this_machine(host: str) -> bool:
    return host in _LOOPBACK_NAMES or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def port_of(url: str) -> int:
    """Return the port of a console's address."""
    parts = urlsplit(url)
    if parts.port is not None:
        return parts.port
    if parts.scheme not in {"http", "https"}:
        raise CollectorError(f"{parts.scheme} has no port")
    return 443 if parts.scheme == "https" else 80
