"""The domain field can't be used to reach other hosts."""

from __future__ import annotations

import pytest

from sentinelone_collector.console.hosts import allowed_url
from sentinelone_collector.errors import ConfigurationError

PUBLIC, PRIVATE = "192.0.43.8", "10.1.2.3"
ADDRESSES = {
    "usea1-example.sentinelone.net": [PUBLIC],
    "inner.sentinelone.net": [PUBLIC, PRIVATE],
    "meta.sentinelone.net": ["169.254.169.254"],
    "loop.sentinelone.net": ["127.0.0.1"],
    "six.sentinelone.net": ["::1"],
    "mapped.sentinelone.net": ["::ffff:10.0.0.1"],
    "unique.sentinelone.net": ["fd00::1"],
    "s1.example.com": [PRIVATE],
    "linked.example.com": ["169.254.169.254"],
    "wrapped.corp.example.com": ["::ffff:127.0.0.1"],
    "deep.corp.example.com": [PRIVATE],
    "sentinelone.net": [PUBLIC],
    "sentinelone.net.evil.example": [PUBLIC],
    "evilsentinelone.net": [PUBLIC],
}
HOSTS = ("s1.example.com", "s1.example.com:8443", "linked.example.com", "*.corp.example.com")


def _lookup(host: str) -> list[str]:
    if host not in ADDRESSES:
        raise OSError("no such name")
    return ADDRESSES[host]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("usea1-example.sentinelone.net", "https://usea1-example.sentinelone.net"),
        ("https://USEA1-example.SentinelOne.net/", "https://usea1-example.sentinelone.net"),
        ("https://s1.example.com", "https://s1.example.com"),
        ("https://s1.example.com:8443", "https://s1.example.com:8443"),
        ("https://deep.corp.example.com", "https://deep.corp.example.com"),
    ],
)
def test_consoles_are_reached(text: str, url: str) -> None:
    assert allowed_url(text, demo=False, hosts=HOSTS, lookup=_lookup) == url


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example",
        "https://sentinelone.net",
        "https://sentinelone.net.evil.example",
        "https://evilsentinelone.net",
        "https://usea1-example.sentinelone.net:22",
        "https://s1.example.com:9000",
        "https://corp.example.com",
        "http://usea1-example.sentinelone.net",
        "https://user@usea1-example.sentinelone.net",
        "https://usea1-example.sentinelone.net/path",
        "https://usea1-example.sentinelone.net#@evil.example",
        "https://inner.sentinelone.net",
        "https://meta.sentinelone.net",
        "https://loop.sentinelone.net",
        "https://six.sentinelone.net",
        "https://mapped.sentinelone.net",
        "https://unique.sentinelone.net",
        "https://linked.example.com",
        "https://wrapped.corp.example.com",
        "https://unknown.sentinelone.net",
        "https://169.254.169.254",
        "https://10.0.0.1",
        "https://[::1]",
        "http://127.0.0.1:8080",
        "http://localhost",
        "https://127.1",
        "https://0x7f000001",
        "https://2130706433",
        "gopher://usea1-example.sentinelone.net",
        "file:///etc/passwd",
        "",
    ],
)
def test_other_hosts_are_not(text: str) -> None:
    with pytest.raises(ConfigurationError):
        allowed_url(text, demo=False, hosts=HOSTS, lookup=_lookup)


def test_this_machine_is_reached_in_demonstrations_only() -> None:
    assert allowed_url("http://127.0.0.1:18080", demo=True, hosts=(), lookup=_lookup) == "http://127.0.0.1:18080"
    with pytest.raises(ConfigurationError):
        allowed_url("https://10.0.0.1", demo=True, hosts=(), lookup=_lookup)
