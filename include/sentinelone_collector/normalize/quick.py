"""The quick way for regular activities, which are nearly all of them; every other one goes through `map_record`.

Both give the same row, which a test compares on all types. This one does without a dict for each row and without a call
for each attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from sentinelone_collector.normalize.activity_record import ActivityRecord
from sentinelone_collector.normalize.columns import FlatRow, Row
from sentinelone_collector.normalize.located import locate_source
from sentinelone_collector.normalize.messages import clean
from sentinelone_collector.normalize.objects import ONE_OFF, one_off
from sentinelone_collector.normalize.parts import plan_of
from sentinelone_collector.normalize.record import Context
from sentinelone_collector.normalize.table import routes
from sentinelone_collector.normalize.values import EARLIEST_MS, LATEST_MS, console_ms

__all__ = ["quick_reader"]

_PATHS: Final = (
    "time",
    "metadata.uid",
    "metadata.original_event_uid",
    "metadata.log_name",
    "metadata.original_time",
    "metadata.tenant_uid",
    "raw_data",
    "message",
    "unmapped",
)
_UNMAPPED: Final = 8


def quick_reader(context: Context) -> Callable[[bytes], FlatRow | None]:
    """Return a function that turns the raw line of a regular activity into its row, and gives None for any other.

    An activity is regular if it has documented fields only and no nested ones but `data`; if its type is in the table;
    if id, account, time and description are texts as the API documents them; and if no field's name speaks of a secret.
    """
    known = routes()
    decode = msgspec.json.Decoder(ActivityRecord).decode
    encode = msgspec.json.Encoder().encode
    log_name, uid_of, addresses = context.stream, context.uid, context.addresses

    def read(line: bytes) -> FlatRow | None:
        inner = line.find(b"{", 1)
        if line.find(b"{", inner + 1) >= 0 or line.find(b"[") >= 0:
            return None
        try:
            record = decode(line)
            route = known.get(record.activity_type)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            return None
        created = record.created_at
        time = console_ms(created) if type(created) is str else None
        data, uid, account, told = record.data, record.id, record.account_id, record.primary_description
        if (
            route is None
            or type(data) is not dict
            or type(record.activity_type) is not int
            or not (type(uid) is str and type(account) is str and type(told) is str and uid and account and told)
            or time is None
            or not EARLIEST_MS < time < LATEST_MS
        ):
            return None
        message = clean(told)
        plan = plan_of(route, tuple(data))
        if plan.secrets or not plan.unique or not message:
            return None
        parts = plan.parts(record, data, addresses)
        event_uid = uid_of(uid)
        paths = _PATHS
        values = [time, event_uid, uid, log_name, created, account, line, message, None]
        if route.object in ONE_OFF:
            row = Row()
            row["metadata.original_event_uid"] = uid
            row.parts = parts
            one_off(route, row, record, data)
            locate_source(row, addresses)
            parts = row.parts
            del row["metadata.original_event_uid"]
            paths = (*_PATHS, *row)
            values += row.values()
        record.account_id = record.activity_type = record.created_at = record.id = record.primary_description = None
        values[_UNMAPPED] = encode(record)
        return time, event_uid, paths, values, parts

    return read
