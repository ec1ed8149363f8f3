"""An activity as the console sent it, decoded straight into its known fields.

Nearly all activities have no field that the API does not document. Those are decoded without a dict in between, and
what has no place in an event is written back as JSON without one; all others take a detour with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from sentinelone_collector.normalize.record import json_text
from sentinelone_collector.normalize.shapes import redact

__all__ = ["ATTRIBUTES", "ActivityRecord", "activity_record"]


class ActivityRecord(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False, rename="camel"):
    """The fields of one activity, None where absent; any of them may hold any JSON value.

    Source: `GET /activities`; `applications` is sent by consoles although not documented.
    """

    account_id: Any = None
    account_name: Any = None
    activity_type: Any = None
    activity_uuid: Any = None
    agent_id: Any = None
    agent_updated_version: Any = None
    applications: Any = None
    comments: Any = None
    created_at: Any = None
    data: Any = None
    description: Any = None
    group_id: Any = None
    group_name: Any = None
    hash: Any = None
    id: Any = None
    os_family: Any = None
    primary_description: Any = None
    secondary_description: Any = None
    site_id: Any = None
    site_name: Any = None
    threat_id: Any = None
    updated_at: Any = None
    user_id: Any = None

    def get(self, name: str) -> Any:
        """Return the value of a documented field."""
        return getattr(self, ATTRIBUTES[name])

    def unmapped(self, *, plain: bool) -> str:
        """Return as JSON text what has no place in an event, and use up the record.

        A field that has its place is left out unless its type is wrong. `plain` says that there is no secret inside.
        """
        for name in _MAPPED:
            if type(getattr(self, name)) in _SCALARS:
                setattr(self, name, None)
        if plain and type(self) is ActivityRecord:
            return json_text(self)
        known = {name: getattr(self, attribute) for name, attribute in ATTRIBUTES.items()}
        rest = {name: value for name, value in (known | self._others()).items() if value is not None}
        return json_text(redact(rest))

    def _others(self) -> dict[str, Any]:
        return {}


class _WithOthers(ActivityRecord, gc=False):
    """An activity with fields that the API does not document."""

    others: dict[str, Any] = {}  # msgspec copies it

    def _others(self) -> dict[str, Any]:
        return self.others


ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType(
    dict(zip(ActivityRecord.__struct_encode_fields__, ActivityRecord.__struct_fields__, strict=True))
)
"""From the API's name of a field to the attribute's."""

_MAPPED: Final = ("account_id", "activity_type", "created_at", "id", "primary_description")
_SCALARS: Final = frozenset({str, int})


def activity_record(record: Mapping[str, Any]) -> ActivityRecord:
    """Return a decoded JSON object as an activity."""
    others = {name: value for name, value in record.items() if name not in ATTRIBUTES}
    known = {ATTRIBUTES[name]: value for name, value in record.items() if name in ATTRIBUTES}
    return _WithOthers(**known, others=others) if others else ActivityRecord(**known)
