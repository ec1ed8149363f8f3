"""The quick way for regular activities, which are nearly all of them; every other one goes through `map_record`.

Both give the same row, which a test compares on all types. This one takes many lines at a time, so that what is done
for each of them is done column by column and not call by call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

import msgspec

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.normalize.activity_record import ActivityRecord
from sentinelone_collector.normalize.columns import FlatRow, Row
from sentinelone_collector.normalize.located import locate_source
from sentinelone_collector.normalize.messages import clean
from sentinelone_collector.normalize.objects import one_off
from sentinelone_collector.normalize.parts import Plan, plan_of
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


_Found = tuple[ActivityRecord, Plan, int, str]
"""A regular activity, how it is read, its time and its message."""


def _reader() -> Callable[[bytes], _Found | None]:
    """Return a function that decodes a line that holds a regular activity, and gives None for any other.

    An activity is regular if it has documented fields only and no nested ones but `data`; if its type is in the table;
    if id, account, time and description are texts as the API documents them; and if no field's name speaks of a secret.
    """
    known = routes()
    decode = msgspec.json.Decoder(ActivityRecord).decode

    def regular(line: bytes) -> _Found | None:
        inner = line.find(b"{", 1)
        if line.find(b"{", inner + 1) >= 0 or b"[" in line:
            return None
        try:
            record = decode(line)
            route = known.get(record.activity_type)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            return None
        created, told, data = record.created_at, record.primary_description, record.data
        if (
            route is None
            or type(data) is not dict
            or type(record.activity_type) is not int
            or not (type(created) is type(told) is type(record.id) is type(record.account_id) is str)
            or not (told and record.id and record.account_id)
        ):
            return None
        time = console_ms(created)
        if time is None or not EARLIEST_MS < time < LATEST_MS:
            return None
        plan, message = plan_of(route, tuple(data)), clean(told)
        return None if plan.secrets or not plan.unique or not message else (record, plan, time, message)

    return regular


def quick_reader(context: Context) -> Callable[[Sequence[bytes]], list[FlatRow | None]]:
    """Return a function that turns raw lines into the rows of those that are regular activities, None for any other."""
    regular = _reader()
    encode = msgspec.json.Encoder().encode
    addresses = context.addresses

    def read(lines: Sequence[bytes]) -> list[FlatRow | None]:
        found = list(map(regular, lines))
        whole = [one for one in found if one is not None]
        if not whole:
            return [None] * len(lines)
        raw = lines if len(whole) == len(lines) else [line for line, one in zip(lines, found, strict=True) if one]
        records, plans, times, messages = zip(*whole, strict=True)
        ids = [record.id for record in records]
        uids = context.uids(ids)
        created = [record.created_at for record in records]
        accounts = [record.account_id for record in records]
        parts = [plan.parts(record, record.data, addresses) for plan, record in zip(plans, records, strict=True)]
        own = {n: _own(plan, records[n], parts[n], addresses) for n, plan in enumerate(plans) if plan.one_off}
        for record in records:
            record.account_id = record.activity_type = record.created_at = record.id = record.primary_description = None
        rest = map(encode, records)
        values = zip(times, uids, ids, repeat(context.stream), created, accounts, raw, messages, rest, strict=False)
        rows: list[FlatRow] = list(zip(times, uids, repeat(_PATHS), values, parts, strict=False))
        for n, row in own.items():
            rows[n] = (*rows[n][:2], (*_PATHS, *row), (*rows[n][3], *row.values()), row.parts)
        if len(rows) == len(lines):
            return list(rows)
        each = iter(rows)
        return [None if one is None else next(each) for one in found]

    return read


def _own(
    plan: Plan, record: ActivityRecord, parts: tuple[Mapping[str, Any], ...], addresses: AddressBook | None
) -> Row:
    """Return what an activity's object tells of it alone."""
    row = Row()
    row["metadata.original_event_uid"] = record.id  # it may be asked for, and is written with the others
    row.parts = parts
    one_off(plan.route, row, record, record.data)
    locate_source(row, addresses)
    del row["metadata.original_event_uid"]
    return row
