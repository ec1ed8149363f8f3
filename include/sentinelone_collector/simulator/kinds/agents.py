"""What computers with an agent report: scans, updates, devices, firewall, group moves."""

from __future__ import annotations

from sentinelone_collector.simulator._time import MS, SECOND, from_us, iso
from sentinelone_collector.simulator.records import Kind, Scene

__all__ = ["KINDS", "agent_block"]

_DEVICES = (
    ("USB", "SanDisk Ultra", "0781", "5581"),
    ("USB", "Kingston DataTraveler", "0951", "1666"),
    ("Bluetooth", "Headset Évo 65", "0b0e", "24c9"),
    ("Thunderbolt", "Dock TB16", "413c", "b06e"),
)
_FIREWALL_RULES = ("Block SMB out", "Block telnet", "Deny RDP from clients", "Bloquer P2P sortant")


def agent_block(scene: Scene, data: dict[str, object]) -> None:
    """Add the keys that name the computer."""
    agent = scene.agent
    if agent is None:
        return
    data["computerName"] = agent.name
    data["externalIp"] = agent.external_ip
    data["uuid"] = agent.uuid


def _system(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    data["system"] = True
    data["username"] = None


def _scan(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    moment = scene.at - scene.dice.between(8 * MS, 30 * MS)
    data["createdAt"] = iso(moment)
    data["when"] = from_us(moment).strftime("%a, %d %b %Y, %H:%M:%S UTC")
    data["status"] = "started"


def _ended_scan(scene: Scene, data: dict[str, object]) -> None:
    _scan(scene, data)
    data["status"] = "finished"


def _update(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    data["newVersion"] = data["version"] = scene.agent.version if scene.agent else None
    data["osType"] = scene.agent.os_family if scene.agent else None


def _enabled(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    data |= {"disabledLevel": None, "enabledReason": "expired", "expiration": None}


def _moved(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    siblings = [
        place
        for place in scene.org.places
        if place.level == "group" and place.site_id == scene.place.site_id and place is not scene.place
    ]
    old = scene.dice.pick(siblings)
    data |= {"newGroupId": scene.place.group_id, "newGroupName": scene.place.group_name}
    data |= {"oldGroupId": old.group_id, "oldGroupName": old.group_name}


def _device(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    dice = scene.dice
    interface, name, vendor, product = dice.pick(_DEVICES)
    # The endpoint's clock: usually behind, sometimes ahead of the server.
    moment = from_us(scene.at - dice.between(-14 * SECOND, 170 * SECOND))
    data |= {
        "deviceClass": "08h",
        "deviceName": name,
        "eventTime": moment.isoformat(timespec="milliseconds"),
        "eventType": "connected",
        "interface": interface,
        "lastLoggedInUserName": "aldermoor\\" + dice.pick(("anna", "b.visser", "kiosk", "søren")),
        "lmpVersion": "N/A",
        "productId": product,
        "ruleId": dice.big_id(),
        "ruleType": "vendorId",
        "uid": dice.hex(16).upper(),
        "vendorId": vendor,
    }


def _firewall(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    dice = scene.dice
    data |= {
        "application": dice.pick(("C:\\Windows\\System32\\svchost.exe", "/usr/sbin/sshd", "")),
        "direction": dice.pick(("inbound", "outbound")),
        "localHost": scene.agent.ip if scene.agent else None,
        "localPort": dice.between(1024, 65535),
        "numberOfEvents": dice.between(1, 9),
        "protocol": dice.pick(("TCP", "UDP")),
        "remoteHost": f"203.0.113.{dice.between(1, 254)}",
        "remotePort": dice.pick((23, 135, 445, 3389, 6881)),
        "ruleId": dice.big_id(),
        "ruleName": dice.pick(_FIREWALL_RULES),
        "ruleScopeLevel": "site",
    }


def _content(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    data |= {"commandId": scene.dice.big_id(), "contentVersion": f"1.0.{scene.dice.between(200, 999)}"}


def _upload(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    path = f"/agents/{scene.agent.id if scene.agent else 0}/uploads/{scene.dice.big_id()}"
    data |= {"downloadUrl": path, "filePath": path, "fileSize": scene.dice.between(10_000, 9_000_000)}
    data["filename"] = f"logs_{scene.dice.hex(6)}.zip"


def _group(scene: Scene, data: dict[str, object]) -> None:
    data["filterName"] = scene.dice.pick(("Laptops by OU", "Serveurs Linux", "Old agents"))
    data["groupId"] = scene.place.group_id


KINDS = (
    Kind(16, "Agent software updated", "The agent {computerName} was updated to version {newVersion}.", _update),
    Kind(17, "Agent subscribed", "The agent {computerName} joined the console.", _update),
    Kind(43, "Agent updated", "The agent {computerName} runs version {newVersion} now.", _update),
    Kind(47, "Agent Decommissioned", "The agent {computerName} was decommissioned automatically.", agent_block),
    Kind(48, "Agent Recommissioned", "The agent {computerName} was recommissioned.", agent_block),
    Kind(66, "Agent Uploaded Full Log Report", "The agent {computerName} uploaded its logs.", _upload, "filename"),
    Kind(71, "Scan Initiated", "A full disk scan of {computerName} ({externalIp}) was started by the system.", _system),
    Kind(80, "Agent Uploaded Fetched Files", "The agent {computerName} uploaded files.", _upload, "filename"),
    Kind(86, "Agent Uploaded Threat File", "The agent {computerName} uploaded a file.", _upload, "filename"),
    Kind(90, "Agent Started Full Disk Scan", "{computerName} started a full disk scan at {when}.", _scan),
    Kind(91, "Agent Aborted Full Disk Scan", "{computerName} aborted a full disk scan at {when}.", _ended_scan),
    Kind(92, "Agent Completed Full Disk Scan", "{computerName} completed a full disk scan at {when}.", _ended_scan),
    Kind(120, "Agent Enabled", "The agent {computerName} was enabled: its time had run out.", _enabled),
    Kind(3614, "Agent Started On-Demand Disk Scan", "{computerName} started a scan on demand.", _scan),
    Kind(3617, "Agent Completed On-Demand Scan", "{computerName} completed a scan on demand.", _ended_scan),
    Kind(3630, "Agent Content Update Sent To Agent", "Content {contentVersion} was sent to {computerName}.", _content),
    Kind(
        3631,
        "Agent Content Update Merged To Agent",
        "Content {contentVersion} was merged on {computerName}.",
        _content,
    ),
    Kind(5004, "Dynamic Group Update Started", "An update of the group {groupName} was started.", _group),
    Kind(5005, "Dynamic Group Update Finished", "The update of the group {groupName} is done.", _group),
    Kind(
        5009,
        "Agent Moved To A Different Group",
        "The agent {computerName} moved from the group {oldGroupName} to {newGroupName}.",
        _moved,
    ),
    Kind(
        5125,
        "Device Control Blocked Event",
        "{interface} device {deviceName} was blocked on {computerName}.",
        _device,
        "deviceName",
    ),
    Kind(
        5126,
        "Device Control Approved Event",
        "{interface} device {deviceName} was connected to {computerName}.",
        _device,
        "deviceName",
    ),
    Kind(
        5232,
        "Firewall Control Blocked Event",
        "Firewall rule {ruleName} blocked {protocol} traffic on {computerName}.",
        _firewall,
    ),
)
