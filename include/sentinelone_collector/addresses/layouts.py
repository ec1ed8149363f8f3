"""Records of address databases: the names that the common editions of MMDB files give to the same facts.

MaxMind GeoLite2 and GeoIP2 (Country, City, ASN, ISP, Anonymous IP, Enterprise), DB-IP, IPinfo (Lite, Core, Plus,
Privacy) and IP2Location (with IP2Proxy). Their names do not contradict each other, so a record is read by those that
it has.
Sources: https://dev.maxmind.com/geoip/docs/databases, https://ipinfo.io/developers/database-types,
https://db-ip.com/db/format, https://www.ip2location.com/database/mmdb
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sentinelone_collector.addresses.facts import KINDS, NOTHING, Facts, country_code

__all__ = ["facts_of"]

_ASN = re.compile(r"(?:AS)?(\d{1,10})", re.IGNORECASE)
_LARGEST_ASN: Final = 2**32 - 1
_NO_TEXT: Final = frozenset({"", "-", "--", "N/A"})
_TRUE: Final = frozenset({"true", "1", "yes"})
_SECTIONS: Final = ("traits", "anonymizer", "anonymous", "privacy")  # where flags stand, beside the record itself
_FLAGS: Final[Mapping[str, str]] = {
    "is_tor_exit_node": "tor",
    "is_tor": "tor",
    "tor": "tor",
    "is_anonymous_vpn": "vpn",
    "is_vpn": "vpn",
    "vpn": "vpn",
    "is_relay": "relay",
    "relay": "relay",
    "is_public_proxy": "public_proxy",
    "is_proxy": "public_proxy",
    "is_web_proxy": "public_proxy",
    "is_residential_proxy": "public_proxy",
    "is_res_proxy": "public_proxy",
    "proxy": "public_proxy",
    "is_hosting_provider": "hosting",
    "is_hosting": "hosting",
    "hosting": "hosting",
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "user_type": {"hosting": "hosting", "residential": "residential"},
    "usage_type": {
        "dch": "hosting",
        "cdn": "hosting",
        "isp": "residential",
        "mob": "residential",
        "isp/mob": "residential",
    },
    "proxy_type": {
        "tor": "tor",
        "vpn": "vpn",
        "cpn": "relay",
        "pub": "public_proxy",
        "web": "public_proxy",
        "res": "public_proxy",
        "dch": "hosting",
    },
}


def facts_of(record: Any) -> Facts | None:
    """Return what a record of any known layout says, None where it says nothing that is looked for."""
    if type(record) is not dict:
        return None
    lat, long = _position(record)
    asn, as_name = _system(record)
    found = Facts(
        country=_country(record),
        city=_named(record.get("city")) or _text(record.get("city_name")),
        lat=lat,
        long=long,
        asn=asn,
        as_name=as_name,
        kinds=_kinds(record),
    )
    return None if found == NOTHING else found


def _inner(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if type(found) is dict else {}


def _text(value: Any) -> str | None:
    return value if type(value) is str and value not in _NO_TEXT else None


def _named(value: Any) -> str | None:
    """Return a name that stands as it is, or by language; English comes before the others."""
    if type(value) is not dict:
        return _text(value)
    names = _inner(value, "names")
    return _text(names.get("en")) or _text(value.get("name")) or next(filter(None, map(_text, names.values())), None)


def _country(record: Mapping[str, Any]) -> str | None:
    inner, registered = _inner(record, "country"), _inner(record, "registered_country")
    told = (
        record.get("country_code"),
        record.get("country_short"),
        inner.get("iso_code"),
        inner.get("code"),
        record.get("country"),
        registered.get("iso_code"),
    )
    return next(filter(None, map(country_code, told)), None)


def _position(record: Mapping[str, Any]) -> tuple[float | None, float | None]:
    place = _inner(record, "location")
    for held, north, east in (
        (place, "latitude", "longitude"),
        (record, "latitude", "longitude"),
        (record, "lat", "lng"),
        (record, "lat", "lon"),
    ):
        lat, long = _degrees(held.get(north), 90), _degrees(held.get(east), 180)
        if lat is not None and long is not None:
            return lat, long
    return None, None


def _degrees(value: Any, limit: int) -> float | None:
    try:
        found = float(value) if type(value) in (int, float, str) else math.nan
    except ValueError:
        return None
    return found if -limit <= found <= limit else None


def _system(record: Mapping[str, Any]) -> tuple[int | None, str | None]:
    traits, inner = _inner(record, "traits"), _inner(record, "asn")
    numbers = (
        record.get("autonomous_system_number"),
        traits.get("autonomous_system_number"),
        inner.get("asn"),
        record.get("asn"),
    )
    names = (
        record.get("autonomous_system_organization"),
        traits.get("autonomous_system_organization"),
        inner.get("name"),
        record.get("as_name"),
        record.get("as"),
    )
    return next(filter(None, map(_number, numbers)), None), next(filter(None, map(_text, names)), None)


def _number(value: Any) -> int | None:
    match = _ASN.fullmatch(value) if type(value) is str else None
    found = int(match[1]) if match else value
    return found if type(found) is int and 0 < found <= _LARGEST_ASN else None


def _kinds(record: Mapping[str, Any]) -> tuple[str, ...]:
    found = set(_told_kinds(record))
    return tuple(kind for kind in KINDS if kind in found)


def _told_kinds(record: Mapping[str, Any]) -> Iterator[str]:
    for held in (record, *(_inner(record, name) for name in _SECTIONS)):
        for name, kind in _FLAGS.items():
            if _is_true(held.get(name)):
                yield kind
        for name, words in _WORDS.items():
            kind = words.get((_text(held.get(name)) or "").lower(), "")
            if kind:
                yield kind
    if _text(_inner(record, "asn").get("type")) == "hosting":
        yield "hosting"


def _is_true(value: Any) -> bool:
    return value is True or value == 1 or (type(value) is str and value.lower() in _TRUE)
