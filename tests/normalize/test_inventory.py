"""Agents as inventory, and device control as peripheral activity."""

from __future__ import annotations

from typing import Any

import pytest

from .records import full


@pytest.mark.parametrize(
    ("changes", "managed"),
    [
        ({}, True),
        ({"isDecommissioned": True}, False),
        ({"isUninstalled": True}, False),
        ({"isUninstalled": None, "isDecommissioned": None}, None),
        ({"isUninstalled": "yes", "isDecommissioned": False}, True),
    ],
)
def test_an_agent_that_is_gone_manages_nothing(event_of: Any, changes: dict[str, Any], managed: bool | None) -> None:
    assert event_of("agents", full("agents", changes))["device"].get("is_managed") is managed


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("server", (1, "Server")),
        ("desktop", (2, "Desktop")),
        ("laptop", (3, "Laptop")),
        ("unknown", (0, "Unknown")),
        ("storage", (99, "storage")),
        ("kubernetes pod", (99, "kubernetes pod")),
        (None, (0, "Unknown")),
    ],
)
def test_machines(event_of: Any, word: Any, kind: tuple[int, str]) -> None:
    device = event_of("agents", full("agents", {"machineType": word}))["device"]
    assert (device["type_id"], device["type"]) == kind


@pytest.mark.parametrize(
    ("word", "bits", "architecture"), [("32 bit", 32, None), ("64 bit", 64, None), ("ARM64", None, "ARM")]
)
def test_architectures(event_of: Any, word: str, bits: int | None, architecture: str | None) -> None:
    device = event_of("agents", full("agents", {"osArch": word}))["device"]
    assert device["os"].get("cpu_bits") == bits
    assert device["hw_info"].get("cpu_architecture") == architecture


def test_an_address_of_each_interface_is_an_entry(event_of: Any) -> None:
    device = event_of("agents", full("agents"))["device"]
    assert [(entry["name"], entry["ip"]) for entry in device["network_interfaces"]] == [
        ("Wi-Fi", "192.0.2.9"),
        ("Wi-Fi", "fe80::9"),
    ]


def test_a_hardware_address_that_ocsf_refuses_stays(event_of: Any, problems: Any) -> None:
    wide = {"id": "1", "name": "ib0", "physical": "00:25:96:FF:FE:12:34:56", "inet": [], "inet6": []}
    event = event_of("agents", full("agents", {"networkInterfaces": [wide]}))
    assert problems(event) == []
    assert event["unmapped"]["networkInterfaces"] == [{"physical": "00:25:96:FF:FE:12:34:56"}]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("connected", ("Connect", "Allowed", "Success")),
        ("Connected", ("Connect", "Allowed", "Success")),
        ("approved", ("Connect", "Allowed", "Success")),
        ("blocked", ("Connect", "Denied", "Failure")),
        ("disconnected", ("Disconnect", "Unknown", "Success")),
        ("enabled", ("Enable", "Unknown", "Success")),
        ("disabled", ("Disable", "Unknown", "Success")),
        ("ejected", ("Eject", "Unknown", "Success")),
        ("paired", ("paired", "Unknown", None)),
        (None, ("Unknown", "Unknown", None)),
    ],
)
def test_device_events(event_of: Any, problems: Any, word: Any, told: tuple[Any, ...]) -> None:
    event = event_of("device_events", full("device_events", {"eventType": word}))
    assert problems(event) == []
    assert (event["activity_name"], event["action"], event.get("status")) == told


@pytest.mark.parametrize(
    ("interface", "device_class", "kind"),
    [
        ("USB", "08h", "External Storage"),
        ("USB", "8", "External Storage"),
        ("USB", "07", "Printer"),
        ("USB", "0Eh", "Webcam"),
        ("USB", "03h", "Unknown"),
        ("SDCard", None, "External Storage"),
        ("Bluetooth", "0540", "Unknown"),
        (None, None, "Unknown"),
    ],
)
def test_peripheral_kinds(event_of: Any, interface: Any, device_class: Any, kind: str) -> None:
    changes = {"interface": interface, "deviceClass": device_class}
    assert event_of("device_events", full("device_events", changes))["peripheral_device"]["type"] == kind


def test_a_device_event_is_of_the_endpoints_clock(event_of: Any) -> None:
    event = event_of("device_events", full("device_events"))
    assert event["metadata"]["original_time"] == "2026-11-22T10:07:01.000000Z"
    assert event["unmapped"]["createdAt"] == "2026-11-22T10:09:51.500000Z"
