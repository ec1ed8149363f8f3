"""What is true of a computer beside its name: machine, addresses, who uses it."""

from __future__ import annotations

from sentinelone_collector.simulator._dice import Dice, mix
from sentinelone_collector.simulator._time import DAY, MS, id_ms
from sentinelone_collector.simulator.org import Agent, Organisation

__all__ = ["domain_of", "interfaces", "last_user", "machine_type", "os_revision", "registered"]

_INTERFACES, _LOGIN = 121, 122
_REVISIONS = {
    "Windows 11 Pro": "22631",
    "Windows Server 2022 Standard": "20348",
    "Ubuntu 22.04.4 LTS": "5.15.0-105-generic",
    "macOS Sonoma": "14.4.1 (23E224)",
    "Windows 10 Enterprise": "19045",
}


def machine_type(agent: Agent) -> str:
    """Say what kind of machine it is, in the console's words."""
    prefix = agent.name[:3]
    return {"SRV": "server", "lnx": "server", "mbp": "laptop", "NB-": "laptop"}.get(prefix, "desktop")


def os_revision(agent: Agent) -> str:
    """Give the revision of the operating system."""
    return _REVISIONS[agent.os_name]


def domain_of(agent: Agent) -> str:
    """Give the domain or workgroup."""
    return "ALDERMOOR" if agent.os_family == "windows" else "WORKGROUP" if agent.os_family == "macos" else "unknown"


def registered(agent: Agent) -> int:
    """Give the time (µs) at which the agent joined: that of its id."""
    return id_ms(int(agent.id)) * MS + 515


def last_user(org: Organisation, agent: Agent, at: int) -> str:
    """Name who was logged in last at a time (µs); nobody on most servers."""
    if machine_type(agent) == "server":
        return "" if mix(agent.index, _LOGIN) % 3 else "svc-backup"
    day = mix(org.seed, _LOGIN, agent.index, at // DAY)
    guest = day % 30 == 0
    return f"user{(day if guest else agent.index) % len(org.users):04d}"


def interfaces(agent: Agent, *, gateway: bool = True) -> list[dict[str, object]]:
    """List the network interfaces; one machine in sixteen has two dozen."""
    dice = Dice(agent.index, _INTERFACES, int(agent.id))
    count = 24 if dice.chance(1, 16) else dice.between(1, 3)
    mac = agent.os_family == "macos"
    rows = []
    for number in range(count):
        first = number == 0
        address = dice.hex(6).upper()
        row: dict[str, object] = {
            "id": str(dice.big_id()),
            "inet": [agent.ip] if first else [],
            "inet6": [f"fe80::{dice.hex(4)}:{dice.hex(4)}" for _ in range(dice.below(3))],
            "name": ("Wi-Fi" if mac else "Ethernet") if first else f"{'utun' if mac else 'vEthernet '}{number}",
            "physical": f"00-00-5E-{address[:2]}-{address[2:4]}-{address[4:]}",
        }
        if gateway:
            row |= {"gatewayIp": agent.ip.rpartition(".")[0] + ".1" if first else None, "gatewayMacAddress": None}
        rows.append(row)
    return rows
