"""What people with rights do on the console: users, tokens, policy, exclusions, rules, agents, scopes."""

from __future__ import annotations

from collections.abc import Callable

from sentinelone_collector.simulator.kinds.agents import agent_block
from sentinelone_collector.simulator.records import Fill, Kind, Scene

__all__ = ["KINDS"]

_PATHS = (
    "C:\\Program Files\\Contoso Backup\\agent\\*.bak",
    "/opt/ledger/bin/ledgerd",
    "D:\\Daten\\Büro\\index.mdb",
)
_BY = "The management user {byUser} "
_ME = "The management user {username} "


def _actor(scene: Scene, data: dict[str, object]) -> None:
    """Name the acting user; computers, if any, are the object."""
    agent_block(scene, data)
    user = scene.user
    data["username"] = user.name if user else None
    data["role"] = user.role if user else None
    data["userScope"] = scene.org.places[user.place].level if user else None
    data["realUser"] = None
    data["sourceType"] = "API" if user and user.service else "UI"
    data["userId"] = int(user.id) if user else None
    data["scopeId"] = int(scene.place.scope_id) if scene.place.scope_id else None
    data["ipAddress"] = user.office_ip if user else None


def _on(value: str) -> Fill:
    """Make a fill for a policy switch that is turned on."""

    def fill(scene: Scene, data: dict[str, object]) -> None:
        _actor(scene, data)
        data["newValue"] = True
        data["policyName"] = scene.place.scope_id
        data["policy"] = {"id": scene.place.scope_id, "setting": value}

    return fill


def _named(key: str, *names: str) -> Fill:
    """Make a fill for an object with a name and an id, as `ruleName` and `ruleId`."""

    def fill(scene: Scene, data: dict[str, object]) -> None:
        _actor(scene, data)
        data[f"{key}Name"] = scene.dice.pick(names)
        data[f"{key}Id"] = scene.dice.big_id()

    return fill


def _target_user(scene: Scene, data: dict[str, object]) -> None:
    """Name the actor in `byUser`, and as `username` the user it is done to."""
    _actor(scene, data)
    data["byUser"] = data["username"]
    data["username"] = f"contractor-{scene.dice.below(10_000):04d}"
    data["role"] = "Viewer"
    data["userScope"] = "site" if scene.place.level == "group" else scene.place.level
    data["deactivationPeriodInDays"] = "90"


def _role_change(scene: Scene, data: dict[str, object]) -> None:
    _target_user(scene, data)
    data |= {"oldRole": "Viewer", "modifiedFields": ["fullName"], "scopeLevelName": data["scopeName"]}


def _by_inactivity(scene: Scene, data: dict[str, object]) -> None:
    data |= {"byUser": None, "username": f"leaver-{scene.dice.below(10_000):04d}", "deactivationPeriodInDays": "90"}


def _second_factor(scene: Scene, data: dict[str, object]) -> None:
    _actor(scene, data)
    data |= {"byUser": data["username"], "newValue": True}


def _token(scene: Scene, data: dict[str, object]) -> None:
    _actor(scene, data)
    data |= {"byUser": data["username"], "expiration": None}


def _exclusion(kind: str) -> Fill:
    """Make a fill for an exclusion of a type, narrow and harmless."""

    def fill(scene: Scene, data: dict[str, object]) -> None:
        _actor(scene, data)
        value = scene.dice.hex(40) if kind == "hash" else scene.dice.pick(_PATHS)
        data |= {
            "description": "Ticket CHG-" + str(scene.dice.between(1000, 9999)),
            "exclusionType": kind,
            "fileContentHash": value if kind == "hash" else None,
            "osFamily": "windows",
            "value": value,
        }

    return fill


def _rule_status(scene: Scene, data: dict[str, object]) -> None:
    _named("rule", "Office spawns shell", "Règle LSASS", "Tor egress")(scene, data)
    data |= {"oldStatus": "Draft", "newStatus": "Active", "Status": "Active"}


def _files(scene: Scene, data: dict[str, object]) -> None:
    _actor(scene, data)
    data |= {"commandId": scene.dice.big_id(), "files": ["C:\\Temp\\trace.etl"]}


def _machine(sentence: str) -> tuple[str, Callable[[Scene, dict[str, object]], None]]:
    return _ME + sentence + " {computerName} ({externalIp}).", _actor


def _site(scene: Scene, data: dict[str, object]) -> None:
    _actor(scene, data)
    data |= {"changedKeys": ["description"], "siteName": scene.place.site_name or "Rotterdam HQ"}


_USERS = (
    Kind(23, "User Added", _BY + "added the user {username} as {role}.", _target_user),
    Kind(24, "User Modified", _BY + "changed the user {username}.", _role_change),
    Kind(25, "User Deleted", _BY + "deleted the user {username}.", _target_user),
    Kind(37, "User modified", _BY + "changed the user {username}.", _role_change),
    Kind(102, "User Deleted", "The user {username} was deleted after inactivity.", _by_inactivity),
    Kind(67, "User 2FA Modified", _BY + "changed two-factor authentication of the user {username}.", _second_factor),
    Kind(107, "User Created RBAC Role", _ME + "created the role {roleName}.", _named("role", "Auditor EU", "L1")),
    Kind(112, "API token Generated", _ME + "generated an API token.", _token),
    Kind(113, "API Token Revoked", _ME + "revoked an API token.", _token),
    Kind(114, "API Token Revoked", "The API token of {username} was revoked.", _token),
    Kind(140, "Service User creation", _BY + "created the service user {username}.", _target_user),
    Kind(145, "Enroll 2FA", _ME + "enrolled in two-factor authentication.", _second_factor),
    Kind(147, "User Configured 2FA", _ME + "configured two-factor authentication.", _second_factor),
)

_POLICY = (
    Kind(
        46, "Auto Decommission Period Modified", _ME + "changed the decommission period.", _on("autoDecommissionDays")
    ),
    Kind(56, "Auto Mitigation Actions Modified", _ME + "changed the automatic mitigation.", _on("mitigationMode")),
    Kind(68, "Engine Modified In Policy", _ME + "changed the engines in the policy.", _on("engines")),
    Kind(69, "Mitigation Policy Modified", _ME + "changed the mitigation policy.", _on("mitigationMode")),
    Kind(73, "Scan New Agents Changed", _ME + "changed the scan of new agents.", _on("scanNewAgents")),
    Kind(76, "Anti Tampering Modified", _ME + "changed anti-tampering of {scopeName}.", _on("antiTampering")),
    Kind(79, "Agent Logging Modified", _ME + "changed the logging of agents.", _on("agentLogging")),
    Kind(84, "Deep Visibility Settings Modified", _ME + "changed Deep Visibility.", _on("deepVisibility")),
    Kind(87, "Remote Shell Settings Modified", _ME + "changed the remote shell settings.", _on("remoteShell")),
)

_CONTENT = (
    Kind(3001, "User Added Hash Exclusion", _ME + "added a hash exclusion.", _exclusion("hash"), "fileContentHash"),
    Kind(3002, "User Added Blacklist Hash", _ME + "added a hash to the blocklist.", _exclusion("hash"), "value"),
    Kind(3008, "New Path Exclusion", _ME + "added an exclusion for the path {value}.", _exclusion("path"), "value"),
    Kind(3012, "Path Exclusion Modified", _ME + "changed the exclusion {value}.", _exclusion("path"), "value"),
    Kind(
        3600,
        "Custom Rules - User Created A Rule",
        _ME + "created the rule {ruleName}.",
        _named("rule", "Office spawns shell", "Règle LSASS", "Tor egress"),
    ),
    Kind(
        3601,
        "Custom Rules - User Changed A Rule",
        _ME + "changed the rule {ruleName}.",
        _named("rule", "Office spawns shell", "Règle LSASS", "Tor egress"),
    ),
    Kind(
        3602, "Custom Rules - User Deleted A Rule", _ME + "deleted the rule {ruleName}.", _named("rule", "Draft rule")
    ),
    Kind(3603, "Custom Rules - Rule Status Changed", _ME + "activated the rule {ruleName}.", _rule_status),
    Kind(5120, "Device Rule Created", _ME + "created the device rule {ruleName}.", _named("rule", "Allow headsets")),
    Kind(5121, "Device Rule Modified", _ME + "changed the device rule {ruleName}.", _named("rule", "Allow headsets")),
    Kind(5220, "Firewall Rule Created", _ME + "created the firewall rule {ruleName}.", _named("rule", "Block SMB out")),
    Kind(
        5221, "Firewall Rule Modified", _ME + "changed the firewall rule {ruleName}.", _named("rule", "Block SMB out")
    ),
    Kind(3653, "Tag Manager - User Attached Tag", _ME + "attached the tag {tagName}.", _named("tag", "VIP", "Büro")),
    Kind(3654, "Tag Manager - User Detached Tag", _ME + "detached the tag {tagName}.", _named("tag", "VIP", "Büro")),
)

_MACHINES = (
    Kind(50, "Uninstall Agent", *_machine("sent an uninstall command to the agent")),
    Kind(51, "Agent Uninstalled", "The agent {computerName} was uninstalled.", agent_block),
    Kind(52, "User Approved Agent Uninstall Request", *_machine("approved the uninstall request of the agent")),
    Kind(54, "User Decommissioned Agent", *_machine("decommissioned the agent")),
    Kind(61, "User Disconnected Agent From Network", *_machine("isolated the agent")),
    Kind(62, "User Reconnected Agent to Network", *_machine("reconnected the agent")),
    Kind(64, "User Requested Passphrase", *_machine("viewed the passphrase of the agent")),
    Kind(65, "User Requested Full Log Report", *_machine("requested the logs of the agent")),
    Kind(81, "User Requested Fetch Files", _machine("fetched files from the agent")[0], _files),
    Kind(85, "User Requested Fetch Threat File", _machine("fetched a threat file from the agent")[0], _files),
    Kind(3200, "User Started Remote Shell", *_machine("started a remote shell on the agent")),
    Kind(3201, "Remote Shell Created", "A remote shell of {username} was created on {computerName}.", _actor),
    Kind(3203, "Remote Shell Terminated", "The remote shell of {username} on {computerName} ended.", _actor),
)

_SCOPES = (
    Kind(5007, "Group Info Changed", _ME + "changed the group {groupLabelName}.", _named("groupLabel", "Servers")),
    Kind(5008, "Static Group Created", _ME + "created the group {newGroupName}.", _named("newGroup", "Kiosks")),
    Kind(5020, "Site Created", _ME + "created the site {newSiteName}.", _named("newSite", "Utrecht Annex")),
    Kind(5021, "Site Modified", _ME + "changed the site {siteName}.", _site),
)

KINDS = (*_USERS, *_POLICY, *_CONTENT, *_MACHINES, *_SCOPES)
