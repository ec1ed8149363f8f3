"""What every stream's records share: from a raw line to a checked record, and the attributes that name an event."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL

import msgspec

from sentinelone_collector.addresses import AddressBook
from sentinelone_collector.errors import RecordError
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.ocsf import VERSION
from sentinelone_collector.normalize.uuids import uuid5_texts
from sentinelone_collector.normalize.values import epoch_ms, snowflake_ms, text

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "VENDOR",
    "Context",
    "common",
    "decode_record",
    "is_flat",
    "json_text",
    "stamp",
    "stamp_values",
]

VENDOR: Final = "SentinelOne"
_MAX_DEPTH: Final = 100  # far above any real record, far below the interpreter's own limit
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Context:
    """Where records come from: the console's host and the stream, both part of every event id.

    `addresses` says where the addresses in them are; None where nothing is to be said.
    """

    __slots__ = ("_names", "addresses", "console", "stream")

    def __init__(self, console: str, stream: str, addresses: AddressBook | None = None) -> None:
        self.console = console
        self.stream = stream
        self.addresses = addresses
        self._names = NAMESPACE_URL.bytes + f"{console}/{stream}/".encode()

    def uid(self, record_id: str, version: str | None = None) -> str:
        """Return `uuid5(NAMESPACE_URL, "<console>/<stream>/<record id>[/<version>]")`."""
        key = record_id if version is None else f"{record_id}/{version}"
        name = hashlib.sha1(self._names + key.encode(), usedforsecurity=False).hexdigest()
        return f"{name[:8]}-{name[8:12]}-5{name[13:16]}-{_VARIANT[name[16]]}{name[17:20]}-{name[20:32]}"

    def uids(self, record_ids: Sequence[str]) -> np.ndarray:
        """Return the `uid` of each record id, 36 bytes each."""
        return uuid5_texts(self._names, record_ids)


def common() -> dict[str, Any]:
    """Return the attributes that are the same in every event."""
    return {
        "metadata.version": VERSION,
        "metadata.product.name": VENDOR,
        "metadata.product.vendor_name": VENDOR,
        "metadata.log_provider": VENDOR,
        "metadata.profiles": ["host"],
    }


def decode_record(line: bytes) -> tuple[str, dict[str, Any]]:
    """Return a raw line as text and as a record; raise `RecordError` where it holds no JSON object that can be kept.

    Of a key that occurs twice the last value counts; integers stay exact; half surrogates become U+FFFD; a number too
    large for a float stays as its text.
    """
    try:
        raw = line.decode()
    except UnicodeDecodeError as error:
        raise RecordError(f"the record is not UTF-8: byte {error.start}") from None
    if not is_flat(raw) and raw.count("{") + raw.count("[") > _MAX_DEPTH and _depth(raw) > _MAX_DEPTH:
        raise RecordError(f"the record is nested deeper than {_MAX_DEPTH} levels")
    try:
        record = _decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        record = _decode_unusual(raw)
    if type(record) is not dict:
        raise RecordError(f"the record is no JSON object but a {type(record).__name__}")
    return raw, record


def _depth(raw: str) -> int:
    depth = deepest = 0
    for letter in _STRINGS.sub("", raw):
        if letter in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "}]":
            depth -= 1
    return deepest


def _decode_unusual(raw: str) -> Any:
    """Decode what the strict decoder refuses although JSON allows it."""
    try:
        value = json.loads(raw, parse_float=_float, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"the record is no JSON: {error}") from None
    return _without_surrogates(value)


def _float(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(inner) for key, inner in value.items()}
    return value


def stamp(
    row: Row, record: Mapping[str, Any], raw: str, context: Context, created: Any, *, version: str | None = None
) -> None:
    """Write id, time, origin and raw text of a record into its row.

    `created` is the record's own time; where it is none the time inside the record's id is taken. Of records that
    change, `version` tells the states of one apart. Raise `RecordError` where there is no time.
    """
    uid, account = record.get("id"), record.get("accountId")
    stamp_values(row, raw, context, created=created, uid=uid, account=account, version=version)


def stamp_values(
    row: Row, raw: str, context: Context, *, created: Any, uid: Any, account: Any, version: str | None = None
) -> None:
    """Do as `stamp`, with the record's time, its id and that of its account as the console sent them."""
    record_id = text(uid)
    time = epoch_ms(created)
    if time is None:
        time = snowflake_ms(record_id)
        if time is None:
            raise RecordError("the record has neither a readable time nor an id that holds one")
    if record_id is None:
        record_id = "sha256:" + hashlib.sha256(raw.encode()).hexdigest()
    row["time"] = time
    row["metadata.uid"] = context.uid(record_id, version)
    row["metadata.original_event_uid"] = record_id
    row["metadata.log_name"] = context.stream
    if type(created) is str:
        row["metadata.original_time"] = created
    tenant = text(account)
    if tenant is not None:
        row["metadata.tenant_uid"] = tenant
    row["raw_data"] = raw


def json_text(value: dict[str, Any] | msgspec.Struct) -> str:
    """Return vendor attributes as JSON text, integers exact; secrets must be masked before."""
    return _encode(value).decode()


def is_flat(raw: str) -> bool:
    """Say that a record holds one object at most and no list, as nearly all do; braces in texts count as well."""
    # Searching is far quicker than counting.
    inner = raw.find("{", raw.find("{") + 1)
    return (inner < 0 or raw.find("{", inner + 1) < 0) and raw.find("[") < 0
