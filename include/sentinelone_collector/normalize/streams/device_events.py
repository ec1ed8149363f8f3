"""Device control: what was connected to an endpoint, and whether the agent let it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.devices import AGENT, agent, complete, names, owner
from sentinelone_collector.normalize.ocsf import OTHER, Observable, caption, observable
from sentinelone_collector.normalize.record import Context, stamp
from sentinelone_collector.normalize.sections import Section
from sentinelone_collector.normalize.states import base, finish, put, readable
from sentinelone_collector.normalize.values import text
from sentinelone_collector.source.endpoint import Endpoint, Stream

__all__ = ["STREAM", "map_record"]

_CLASS_UID: Final = 1010
_PROFILES: Final = ("host", "security_control")
_CONNECT, _DISCONNECT, _ENABLE, _DISABLE, _EJECT = 1, 2, 3, 4, 5
_BLOCKED: Final = frozenset({"block", "blocked", "denied", "deny"})
_DEEDS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("connect", "connected", "approved", "allowed", *_BLOCKED), _CONNECT),
    **dict.fromkeys(("disconnect", "disconnected", "removed"), _DISCONNECT),
    **dict.fromkeys(("enable", "enabled"), _ENABLE),
    **dict.fromkeys(("disable", "disabled"), _DISABLE),
    **dict.fromkeys(("eject", "ejected"), _EJECT),
}
# Device classes of the USB specification; a human interface (03) or audio device may be one of several things.
_KINDS: Final[Mapping[str, int]] = {"08": 1, "07": 4, "0e": 7}
_CARD: Final = "sdcard"
_INFORMATIONAL, _LOW = 1, 2


def map_record(record: Mapping[str, Any], raw: str, context: Context) -> Row:
    """Return the row of one device event; raise `RecordError` where it has no time, nor an id that holds one."""
    top = Section(record)
    row = Row()
    seen: list[Observable] = []
    stamp(row, {"id": text(top.peek("id"))}, raw, context, readable(top, "eventTime", "createdAt", "updatedAt"))
    top.text("id")
    word = top.word("eventType")
    blocked = word in _BLOCKED
    deed = _DEEDS.get(word, OTHER)
    told = text(top.peek("eventType")) or "Unknown"
    put(row, {"metadata.event_code": top.text("eventType")})
    names(row, seen, uid=top.text("agentId"), uid_alt=None, hostname=top.text("computerName"))
    agent(row, uid=None, version=None)
    person = top.text("lastLoggedInUserName")
    owner(row, seen, name=person, email=None)
    complete(row, required=True)
    _actor(row, seen, person)
    _peripheral(row, top, seen)
    _decision(row, top, deed, blocked=blocked)
    row["message"] = (
        f"{row['peripheral_device.name']} on {row.get('device.hostname', 'an unknown endpoint')}: {told.lower()}"
    )
    row.parts = (base(_CLASS_UID, deed, _LOW if blocked else _INFORMATIONAL, _PROFILES, told),)
    finish(row, top, seen)
    return row


def _actor(row: Row, seen: list[Observable], person: str | None) -> None:
    """Write who was logged in, the only person that the record names, and the agent that saw the device."""
    row["actor.app_name"] = AGENT
    put(row, {"actor.app_uid": row.get("device.uid"), "actor.user.name": person})
    if person is not None:
        seen.append(observable("actor.user.name", 4, person))


def _peripheral(row: Row, top: Section, seen: list[Observable]) -> None:
    told = (text(top.peek("deviceClass")) or "").lower().removesuffix("h").zfill(2)
    kind = 1 if top.word("interface") == _CARD else _KINDS.get(told, 0)
    vendor = top.text("vendorId")
    interface = text(top.peek("interface"))
    row["peripheral_device.name"] = top.text("deviceName") or f"{interface or 'Peripheral'} device"
    row["peripheral_device.type_id"], row["peripheral_device.type"] = kind, caption("peripheral", kind)
    uid = top.text("deviceId")
    put(
        row,
        {
            "peripheral_device.class": top.text("deviceClass"),
            "peripheral_device.uid": uid,
            "peripheral_device.model": top.text("productId"),
            "peripheral_device.serial_number": top.text("uId"),
            "peripheral_device.vendor_id_list": None if vendor is None else [vendor],
        },
    )
    if uid is not None:
        seen.append(observable("peripheral_device.uid", 10, uid))


def _decision(row: Row, top: Section, deed: int, *, blocked: bool) -> None:
    """Write what device control decided, and the rule that it went by."""
    allowed = deed == _CONNECT and not blocked
    found = 2 if blocked else 1 if allowed else 0
    row["action_id"], row["action"] = found, caption("action", found)
    row["disposition_id"], row["disposition"] = found, caption("disposition", found)
    if deed != OTHER:
        row["status_id"] = 2 if blocked else 1
        row["status"] = caption("status", row["status_id"])
    put(row, {"status_detail": top.text("accessPermission"), "policy.uid": top.text("ruleId")})


STREAM = Stream(
    name="device_events",
    endpoint=Endpoint(
        path="/device-control/events",
        time_field="eventTime",
        record_time=("eventTime",),
        sort_by="eventTime",
        permission="Device Control.view",
        page_size=1000,
    ),
    map_record=map_record,
)
