"""The endpoint of a record that describes one: what it is, where it belongs, its addresses and its agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.ocsf import MACHINES, OTHER, SYSTEMS, Observable, caption, observable
from sentinelone_collector.normalize.record import VENDOR
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.values import text

__all__ = [
    "AGENT",
    "address",
    "agent",
    "cloud",
    "complete",
    "interfaces",
    "known",
    "machine",
    "names",
    "owner",
    "scope",
    "system",
]

AGENT: Final = "SentinelOne Agent"
_LEGACY: Final = "windows_legacy"
_IDENTITIES: Final = ("device.uid", "device.hostname", "device.ip", "device.name", "device.instance_uid")


def names(row: Row, seen: list[Observable], *, uid: str | None, uid_alt: str | None, hostname: str | None) -> None:
    """Write how the endpoint is called: the console's id of its agent, the agent's own UUID, the computer's name.

    The UUID takes the place of the id where nothing else is known.
    """
    if uid is None and hostname is None:
        uid = uid_alt
    if uid is not None:
        row["device.uid"] = uid
        seen.append(observable("device.uid", 10, uid))
    if uid_alt is not None:
        row["device.uid_alt"] = uid_alt
    if hostname is not None:
        row["device.hostname"] = hostname
        seen.append(observable("device.hostname", 1, hostname))


def known(row: Row) -> bool:
    """Say that the row names an endpoint; where none is named, what else is told is of the alert, not of a device."""
    return any(path in row for path in _IDENTITIES)


def machine(row: Row, section: Section, *fields: str) -> None:
    """Write the kind of machine from the first field that OCSF has a word for, else the vendor's own word."""
    for field in fields:
        kind = section.choice(field, MACHINES)
        if kind is not None:
            row["device.type_id"], row["device.type"] = kind, caption("device", kind)
            return
    for field in fields:
        word = section.text(field)
        if word is not None:
            row["device.type_id"], row["device.type"] = OTHER, word
            return


def system(row: Row, section: Section, family: str, name: str, version: str) -> None:
    """Write the operating system, where family or name is known; `fields` are those of the section."""
    if text(section.peek(family)) is None and text(section.peek(name)) is None:
        return
    legacy = section.word(family) == _LEGACY  # the family alone tells it, so the word stays among the unmapped
    kind = SYSTEMS["windows"] if legacy else section.choice(family, SYSTEMS)
    told = text(section.peek(family))
    row["device.os.name"] = section.text(name) or told
    if kind is not None:
        row["device.os.type_id"], row["device.os.type"] = kind, caption("os", kind)
    elif told is None:
        row["device.os.type_id"], row["device.os.type"] = 0, caption("os", 0)
    else:
        row["device.os.type_id"], row["device.os.type"] = OTHER, section.text(family)
    revision = section.text(version)
    if revision is not None:
        row["device.os.version"] = revision


def scope(row: Row, sections: Mapping[str, tuple[Section, str, str]]) -> None:
    """Write account, site and group; for each the section and the names of its id and name fields.

    A site stands below an account in OCSF; without one it stays among the unmapped.
    """
    account, account_id, account_name = sections["account"]
    uid, name = account.text(account_id), account.text(account_name)
    if uid is not None or name is not None:
        site, site_id, site_name = sections["site"]
        found = {
            "device.org.uid": uid,
            "device.org.name": name,
            "device.org.ou_uid": site.text(site_id),
            "device.org.ou_name": site.text(site_name),
        }
        row.update({path: value for path, value in found.items() if value is not None})
    group, group_id, group_name = sections["group"]
    uid, name = group.text(group_id), group.text(group_name)
    if uid is not None or name is not None:
        row["device.groups"] = [(uid, name)]


@lru_cache(maxsize=1 << 12)
def _tells(found: str) -> bool:
    parsed = ip_address(found)
    return not (parsed.is_loopback or parsed.is_link_local)


def address(row: Row, seen: list[Observable], addresses: Iterable[str]) -> None:
    """Write the first address, and as observables all that mean something outside of the endpoint's own network."""
    told = list(dict.fromkeys(addresses))
    useful = [found for found in told if _tells(found)]
    if told:
        row["device.ip"] = (useful or told)[0]
    seen.extend(observable("device.ip", 2, found) for found in useful)


def interfaces(row: Row, seen: list[Observable], sections: Iterable[Section]) -> tuple[str, ...]:
    """Write the network interfaces, one entry for each address, and return the addresses."""
    entries: list[dict[str, Any]] = []
    found: dict[str, None] = {}
    for section in sections:
        known = {"name": section.text("name"), "mac": section.mac("physical"), "uid": section.text("id")}
        entry = {attribute: value for attribute, value in known.items() if value is not None}
        own = (*section.addresses("inet"), *section.addresses("inet6"))
        found |= dict.fromkeys(own)
        if "mac" in entry:
            seen.append(observable("device.network_interfaces.mac", 3, entry["mac"]))
        entries += [{**entry, "ip": one} for one in own] or ([entry] if entry else [])
    if entries:
        row["device.network_interfaces"] = entries
    return tuple(found)


def agent(row: Row, *, uid: str | None, version: str | None) -> None:
    """Write the agent that watches the endpoint."""
    entry = {"name": AGENT, "type_id": 1, "type": caption("agent", 1), "vendor_name": VENDOR}
    if uid is not None:
        entry["uid"] = uid
    if version is not None:
        entry["version"] = version
    row["device.agent_list"] = [entry]


def owner(row: Row, seen: list[Observable], *, name: str | None, email: str | None) -> None:
    """Write who was last logged in, which is what OCSF calls the owner."""
    if name is None and email is None:
        return
    row["device.owner.name"] = name or email
    seen.append(observable("device.owner.name", 4, row["device.owner.name"]))
    if email is not None:
        row["device.owner.email_addr"] = email
        seen.append(observable("device.owner.email_addr", 5, email))


def cloud(row: Row, providers: Section) -> bool:
    """Write the cloud that an endpoint runs in, of `{"AWS": {…}}` the first; return whether there is one."""
    for provider, section in providers.objects():
        if provider and section:
            row["cloud.provider"] = provider
            found = {
                "cloud.region": section.text("cloudLocation"),
                "cloud.account.uid": section.text("cloudAccount"),
                "device.instance_uid": section.text("cloudInstanceId"),
                "device.vpc_uid": section.text("cloudNetwork"),
                "device.image.uid": section.text("cloudImage"),
            }
            row.update({path: value for path, value in found.items() if value is not None})
            return True
    return False


def complete(row: Row, *, required: bool = False) -> None:
    """Add what OCSF asks of every device: a type, and one thing that it is known by."""
    if not required and not any(path.startswith("device.") for path in row):
        return
    row.setdefault("device.type_id", 0)
    row.setdefault("device.type", caption("device", 0))
    if not known(row):
        row["device.name"] = "unknown"
