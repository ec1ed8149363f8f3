"""Where a source address is stands in the event, with the editions that said so, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from sentinelone_collector.addresses import AddressBook, Facts
from sentinelone_collector.addresses.facts import Address, Edition
from sentinelone_collector.lake import FolderStorage
from sentinelone_collector.normalize import Context, decode_record, iter_events, normalize
from sentinelone_collector.normalize.columns import to_event
from sentinelone_collector.normalize.lines import Lines
from sentinelone_collector.normalize.profile13 import LOST, to_1_3
from sentinelone_collector.normalize.quick import quick_reader
from sentinelone_collector.normalize.streams.activities import map_record
from sentinelone_collector.normalize.table import routes
from sentinelone_collector.normalize.tables import TableBuilder

from .conftest import CONSOLE, INSTANCE, STREAM, WINDOW, Room, long_way, parts_of

BUILT = 1_795_305_600
HOME, TOR, OFFICE, UNKNOWN = "81.2.69.142", "81.2.69.200", "198.51.100.7", "81.2.70.1"
KNOWN: Mapping[str, Facts] = {
    HOME: Facts("DE", "Munich", 48.25, 11.5, 64500, "Example Carrier", ("residential",)),
    TOR: Facts(country="NL", kinds=("tor", "public_proxy", "hosting")),
}


class Told:
    """A source with a table in place of a file."""

    def __init__(self, known: Mapping[str, Facts], name: str = "Test-City", built: int | None = BUILT) -> None:
        self.known = known
        self.edition = Edition(name, "2026-11-22T00:00:00Z", "ab" * 32, built)

    def find(self, address: Address) -> Facts | None:
        return self.known.get(str(address))


def _book() -> AddressBook:
    own = Told({OFFICE: Facts(kinds=("own",), network="Berlin egress")}, "S1C_NETWORKS", None)
    return AddressBook([Told(KNOWN)], own)


Make = Callable[..., dict[str, Any]]


def _event(record: Mapping[str, Any], book: AddressBook | None) -> dict[str, Any]:
    text, decoded = decode_record(msgspec.json.encode(record))
    return to_event(map_record(decoded, text, Context(CONSOLE, STREAM, book)).whole())


def _login(activity: Make, address: str, kind: int = 27) -> dict[str, Any]:
    return activity(kind, {"username": "anna@example.com", "ipAddress": address, "source": "sso"})


def test_a_login_tells_place_network_and_who_said_so(
    activity: Make, problems: Callable[[Mapping[str, Any]], list[str]]
) -> None:
    event = _event(_login(activity, HOME), _book())
    assert event["src_endpoint"] == {
        "ip": HOME,
        "location": {"country": "DE", "city": "Munich", "lat": 48.25, "long": 11.5},
        "autonomous_system": {"number": 64500, "name": "Example Carrier"},
    }
    assert event["enrichments"] == [
        {
            "name": "src_endpoint.ip",
            "value": HOME,
            "data": {
                "country": "DE",
                "city": "Munich",
                "lat": 48.25,
                "long": 11.5,
                "asn": 64500,
                "as_name": "Example Carrier",
                "kinds": ["residential"],
                "version": "2026-11-22T00:00:00Z",
                "sha256": "ab" * 32,
            },
            "type": "location",
            "provider": "Test-City",
            "created_time": BUILT * 1000,
        }
    ]
    assert "labels" not in event["metadata"]
    assert problems(event) == []


def test_kinds_become_labels_beside_those_of_the_type(activity: Make) -> None:
    off = activity(67, {"username": "anna", "byUser": "root@example.com", "newValue": False, "ipAddress": TOR})
    event = _event(off, _book())
    assert event["metadata"]["labels"] == ["direction:off", "address:tor", "address:proxy", "address:hosting"]
    assert event["src_endpoint"]["location"] == {"country": "NL"}


def test_own_networks_are_marked(activity: Make, problems: Callable[[Mapping[str, Any]], list[str]]) -> None:
    event = _event(_login(activity, OFFICE), _book())
    assert event["metadata"]["labels"] == ["address:own"]
    assert "location" not in event["src_endpoint"]
    (entry,) = event["enrichments"]
    assert (entry["provider"], entry["data"]["network"], entry["type"]) == ("S1C_NETWORKS", "Berlin egress", "network")
    assert "created_time" not in entry
    assert problems(event) == []


@pytest.mark.parametrize("address", [UNKNOWN, "192.0.2.7", "10.1.2.3", "no address", ""])
def test_of_an_unknown_address_nothing_is_said(activity: Make, address: str) -> None:
    record = _login(activity, address)
    assert _event(record, _book()) == _event(record, None)


def test_both_ways_of_mapping_agree_for_every_type(activity: Make) -> None:
    context = Context(CONSOLE, STREAM, _book())
    data = {"username": "anna@example.com", "ipAddress": HOME, "computerName": "pc-7", "newValue": True}
    lines = [msgspec.json.encode(activity(kind, data, agentId="7")) for kind in routes()]
    quick, numbers = quick_reader(context)(Lines.joined(lines))
    slow = long_way([lines[number] for number in numbers], context)
    assert parts_of(quick) == parts_of(slow)
    events = []
    for found in (quick, slow):
        builder = TableBuilder()
        builder.add(found)
        events.append(list(iter_events(builder.table())))
    assert events[0] == events[1]
    assert sum("location" in event.get("src_endpoint", {}) for event in events[0]) > 100


def test_the_source_of_blocked_traffic_is_located(
    activity: Make, problems: Callable[[Mapping[str, Any]], list[str]]
) -> None:
    kind = next(number for number, route in routes().items() if route.object == "connection")
    data = {"reportedRemoteHost": TOR, "reportedDirection": "inbound", "reportedLocalHost": "10.1.2.3", "ruleName": "r"}
    record = activity(kind, data, agentId="7")
    event = _event(record, _book())
    assert event["src_endpoint"] == {"ip": TOR, "location": {"country": "NL"}}
    assert "address:tor" in event["metadata"]["labels"]
    assert problems(event) == []
    rows, _ = quick_reader(Context(CONSOLE, STREAM, _book()))(Lines.joined([msgspec.json.encode(record)]))
    builder = TableBuilder()
    builder.add(rows)
    (quick,) = iter_events(builder.table())
    assert quick == event


def test_another_book_is_not_answered_by_what_was_kept_of_the_first(activity: Make) -> None:
    record = _login(activity, HOME)
    moved = AddressBook([Told({HOME: Facts(country="FR")})])
    countries = [
        _event(record, book).get("src_endpoint", {}).get("location", {}).get("country")
        for book in (None, _book(), moved, None, _book())
    ]
    assert countries == [None, "DE", "FR", None, "DE"]


def test_files_read_back_what_was_written_and_the_result_names_the_data(
    activity: Make, new_room: Callable[[], Room]
) -> None:
    lines = [
        msgspec.json.encode(_login(activity, address) | {"id": str(2_619_000_000_000_000_000 + number)})
        for number, address in enumerate((HOME, TOR, OFFICE, UNKNOWN))
    ]
    room = new_room()
    plain = room.normalized(lines)
    assert plain.result.addresses == ""
    book = _book()
    lake: FolderStorage = room.lake
    result = normalize(INSTANCE, STREAM, WINDOW, console=CONSOLE, lake=lake, addresses=book)
    assert result.addresses == book.digest
    assert result.events_sha256 != plain.result.events_sha256
    with lake.local(room.key("events")) as path:
        assert path is not None
        events = sorted(iter_events(path), key=lambda event: event["metadata"]["original_event_uid"])
    assert events == [_event(msgspec.json.decode(line), book) for line in lines]
    again = normalize(INSTANCE, STREAM, WINDOW, console=CONSOLE, lake=lake, addresses=_book())
    assert again == result
    assert room.run().result == plain.result


def test_ocsf_1_3_keeps_the_place(activity: Make) -> None:
    event = _event(_login(activity, HOME), _book())
    older = to_1_3(event)
    assert older["src_endpoint"]["location"]["country"] == "DE"
    assert older["src_endpoint"]["autonomous_system"]["number"] == 64500
    kept = older["enrichments"][0] | {
        path.rpartition(".")[2]: value for path, value in older.get("unmapped", {}).get(LOST, {}).items()
    }
    assert kept.items() >= event["enrichments"][0].items()
