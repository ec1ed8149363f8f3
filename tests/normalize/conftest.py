"""What the tests of normalize share: records, a window's way through the task, and the schema's judgement."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import zstandard
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize import Context, decode_record, iter_events, map_activity, normalize
from sentinelone_collector.normalize.columns import Row, to_event
from sentinelone_collector.normalize.rows import Rows, placed
from sentinelone_collector.normalize.streams import get_stream
from sentinelone_collector.normalize.streams.activities import map_record
from sentinelone_collector.normalize.tables import to_table
from sentinelone_collector.results import Normalized
from sentinelone_collector.windows import Window

INSTANCE, STREAM, CONSOLE = "emea", "activities", "console.example.com"
WINDOW = Window(datetime(2026, 11, 22, 10, tzinfo=UTC), datetime(2026, 11, 22, 11, tzinfo=UTC))
_FIRST_ID = 2_619_000_000_000_000_000


@dataclass(frozen=True)
class Outcome:
    """What one run of the task left behind."""

    result: Normalized
    events: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]
    events_bytes: bytes


@dataclass
class Room:
    """A lake with one window."""

    lake: FolderStorage
    stream: str = STREAM

    def key(self, part: str) -> str:
        return object_key(part, INSTANCE, self.stream, WINDOW)

    def put_raw(self, lines: Iterable[bytes]) -> None:
        self.lake.put(self.key("raw"), zstandard.compress(b"".join(line + b"\n" for line in lines)))

    def run(self) -> Outcome:
        result = normalize(INSTANCE, self.stream, WINDOW, console=CONSOLE, lake=self.lake)
        quarantined = self.lake.read(self.key("quarantine"))
        lines = b"" if quarantined is None else zstandard.ZstdDecompressor().decompressobj().decompress(quarantined)
        with self.lake.local(self.key("events")) as path:
            assert path is not None
            return Outcome(
                result, list(iter_events(path)), [json.loads(line) for line in lines.splitlines()], path.read_bytes()
            )

    def normalized(self, lines: Iterable[bytes]) -> Outcome:
        self.put_raw(lines)
        return self.run()


def long_way(lines: Iterable[bytes], context: Context) -> Rows:
    """Map activities one by one."""
    return placed([map_record(record, text, context) for text, record in map(decode_record, lines)])


def parts_of(rows: Rows) -> list[list[Any]]:
    """Return what the rows of one block share with others, row by row."""
    [block] = rows.blocks.values()
    return [[part.of(number) for part in block.parts] for number in rows.numbers]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(FolderStorage(tmp_path / "lake"))


@pytest.fixture(scope="session")
def new_room(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Room]:
    """A factory, for property tests that need a fresh lake for each example."""
    return lambda: Room(FolderStorage(tmp_path_factory.mktemp("lake")))


@pytest.fixture
def stream_room(tmp_path: Path) -> Callable[[str], Room]:
    """A factory: a lake with one window of another stream."""
    return lambda stream: Room(FolderStorage(tmp_path / "lake"), stream)


def _stream_row(stream: str, record: Mapping[str, Any] | bytes) -> Row:
    line = record if isinstance(record, bytes) else msgspec.json.encode(record)
    raw, decoded = decode_record(line)
    row: Row = get_stream(stream).map_record(decoded, raw, Context(CONSOLE, stream))
    return row


@pytest.fixture(scope="session")
def event_of() -> Callable[..., dict[str, Any]]:
    """Map one record of any stream, as its line is mapped."""
    return lambda stream, record: to_event(_stream_row(stream, record).whole())


@pytest.fixture(scope="session")
def columns_of() -> Callable[..., dict[str, Any]]:
    """Map one record of any stream into an Arrow table and read its event back."""

    def run(stream: str, record: Mapping[str, Any] | bytes) -> dict[str, Any]:
        [event] = iter_events(to_table([_stream_row(stream, record)]))
        return event

    return run


@pytest.fixture(scope="session")
def activity() -> Callable[..., dict[str, Any]]:
    """Make one activity as a console sends it; `data` and any top-level field may be given."""

    def make(kind: Any, data: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        return {
            "accountId": "1480000000000000001",
            "accountName": "Northwind",
            "activityType": kind,
            "activityUuid": "5a4b0a3e-7c1d-4a7e-9d36-0b7f6f9f1c11",
            "agentId": None,
            "agentUpdatedVersion": None,
            "comments": None,
            "createdAt": "2026-11-22T10:07:01.250999Z",
            "data": {"accountName": "Northwind", "scopeLevel": "Account", "scopeName": "Northwind", **(data or {})},
            "description": None,
            "groupId": None,
            "groupName": None,
            "hash": None,
            "id": str(_FIRST_ID),
            "osFamily": None,
            "primaryDescription": "What happened, as the console words it.",
            "secondaryDescription": None,
            "siteId": None,
            "siteName": None,
            "threatId": None,
            "updatedAt": "2026-11-22T10:07:01.245120Z",
            "userId": "1480000000000000777",
            **fields,
        }

    return make


@pytest.fixture(scope="session")
def as_event() -> Callable[..., dict[str, Any]]:
    """Map one record, as its line is mapped."""

    def run(record: Mapping[str, Any] | bytes) -> dict[str, Any]:
        line = record if isinstance(record, bytes) else msgspec.json.encode(record)
        _, decoded = decode_record(line)
        return map_activity(decoded, line, Context(CONSOLE, STREAM))

    return run


@pytest.fixture(scope="session")
def through_columns() -> Callable[[bytes], dict[str, Any]]:
    """Map one line into an Arrow table and read its event back."""

    def run(line: bytes) -> dict[str, Any]:
        raw, record = decode_record(line)
        [event] = iter_events(to_table([map_record(record, raw, Context(CONSOLE, STREAM))]))
        return event

    return run


@pytest.fixture(scope="session")
def many(activity: Callable[..., dict[str, Any]]) -> Callable[..., list[bytes]]:
    """Make lines of different types, ids and times, in order of time."""

    def make(count: int, *, step_ms: int = 7) -> list[bytes]:
        kinds = (27, 133, 71, 90, 3008, 5126, 17, 2001, 67, 424242)
        start = int(WINDOW.start.timestamp() * 1000)
        lines = []
        for number in range(count):
            moment = start + number * step_ms
            text = datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            record = activity(
                kinds[number % len(kinds)],
                {"username": f"user {number % 50}", "computerName": f"host-{number % 300}", "ipAddress": "192.0.2.7"},
                id=str(_FIRST_ID + number),
                createdAt=f"{text}.{moment % 1000:03d}500Z",
                agentId=str(number % 300),
            )
            lines.append(msgspec.json.encode(record))
        return lines

    return make


@cache
def _schemas() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))


@cache
def _validator(class_uid: int, profiles: tuple[str, ...]) -> Any:
    name = _schemas().lookup_class_name_from_uid(class_uid)
    schema = _schemas().get_class_schema(class_name=name, profiles=list(profiles))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


@cache
def _class(class_uid: int) -> dict[str, Any]:
    classes = get_ocsf_schema(version="1.8.0")["classes"].values()
    return next(found for found in classes if found.get("uid") == class_uid)


def _caption_problems(event: Mapping[str, Any]) -> Iterator[str]:
    found = _class(event["class_uid"])
    enum = {name: spec.get("enum", {}) for name, spec in found["attributes"].items()}
    if event["class_name"] != found["caption"] or event["category_name"] != found["category_name"]:
        yield "class_name, category_name: not the schema's captions"
    if event["type_name"] != enum["type_uid"][str(event["type_uid"])]["caption"]:
        yield "type_name: not the schema's caption"
    pairs = [("activity_id", "activity_name")]
    pairs += [(name, name.removesuffix("_id")) for name in enum if name.endswith("_id") and name != "activity_id"]
    for number, text in pairs:
        if number not in event or text not in event:
            continue
        caption = enum[number][str(event[number])]["caption"]
        # 99 is "mapped by the source": there the text is the vendor's.
        if event[number] != 99 and event[text] != caption:
            yield f"{text}: {event[text]!r} is not {caption!r}"


def _problems(event: Mapping[str, Any]) -> Iterator[str]:
    check = _validator(event["class_uid"], tuple(sorted(event["metadata"]["profiles"])))
    for error in check.iter_errors(event):
        yield f"{'/'.join(map(str, error.instance_path))}: {error.message}"
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield "type_uid: not class_uid * 100 + activity_id"
    if event["category_uid"] != event["class_uid"] // 1000:
        yield "category_uid: not class_uid // 1000"
    if not 1_400_000_000_000 < event["time"] < 4_100_000_000_000:
        yield "time: not epoch milliseconds"
    yield from _caption_problems(event)


@pytest.fixture(scope="session")
def problems() -> Callable[[Mapping[str, Any]], list[str]]:
    """Judge an event by the packaged OCSF 1.8.0 schema and by what that one does not check; [] is a valid event."""
    return lambda event: list(_problems(event))


def record_bytes(entry: Mapping[str, Any]) -> bytes:
    """The bytes of a quarantined record."""
    return base64.b64decode(entry["record_base64"]) if "record_base64" in entry else entry["record"].encode()


@pytest.fixture(scope="session")
def bytes_of() -> Callable[[Mapping[str, Any]], bytes]:
    return record_bytes
