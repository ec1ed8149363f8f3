"""Destination `file`: one file per window, the same bytes each time, labels of hits on the events."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deliver.conftest import STREAM, World, a_hit, file_key, window_at

from sentinelone_collector.deliver import Payload
from sentinelone_collector.deliver.payload import read_labels
from sentinelone_collector.errors import DeliveryError
from sentinelone_collector.lake import read_receipt


def test_a_window_is_one_file_of_its_events_at_the_key_of_the_window(world: World) -> None:
    window = window_at(0)
    delivered = world.deliver(world.collect(window, 7))
    assert world.delivered_files() == {file_key(window): world.expected(window)}
    (delivery,) = delivered.deliveries
    assert delivery.target == str(world.base / "delivered" / file_key(window))
    assert (delivery.destination, delivery.records, delivery.written) == ("file:delivered", 7, True)


def test_events_come_in_order_of_time_with_their_raw_text_and_unmapped_as_an_object(world: World) -> None:
    window = window_at(0)
    world.deliver(world.collect(window, 7))
    (events,) = world.delivered_files().values()
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert json.loads(events[0]["raw_data"])["id"] == f"{window.name}-0"
    assert isinstance(events[0]["unmapped"], dict)


def test_an_event_carries_rule_and_family_of_every_hit_that_names_it(world: World) -> None:
    window = window_at(0)
    results = world.collect(window, 4)
    uids = world.uids(window)
    hits = [a_hit("r.one", uids[:2]), a_hit("r.two", [uids[1], "uid-of-another-window"], family="tamper")]
    world.tag(window, [*hits, a_hit("r.one", uids[1:2], number=2)])
    world.deliver(results)
    (events,) = world.delivered_files().values()
    assert [event["metadata"].get("labels") for event in events] == [
        ["family:access", "rule:r.one"],
        ["family:access", "family:tamper", "rule:r.one", "rule:r.two"],
        None,
        None,
    ]


def test_labels_that_an_event_has_already_are_kept(world: World) -> None:
    window = window_at(0)
    results = world.collect(window, 1)
    (uid,) = world.uids(window)
    world.tag(window, [a_hit("r.one", [uid])])
    with world.lake.local(world.key("hits", window)) as hits, world.lake.local(world.key("events", window)) as events:
        assert hits is not None
        assert events is not None
        labels, count = read_labels(hits)
        assert count == 1
        once = world.base / "once.parquet"
        Payload("emea", STREAM, window, events, labels).write_parquet(once)
    again = Payload("emea", STREAM, window, once, {uid: ("rule:r.two",)})
    assert [event["metadata"]["labels"] for event in again.iter_events()] == [
        ["family:access", "rule:r.one", "rule:r.two"]
    ]
    assert results.normalized.events == 1


def test_an_empty_window_is_an_empty_file_so_that_it_is_told_from_a_missing_one(world: World) -> None:
    window = window_at(0)
    delivered = world.deliver(world.collect(window, 0))
    assert world.delivered_files() == {file_key(window): []}
    assert delivered.deliveries[0].records == 0
    assert read_receipt(world.lake, "emea", STREAM, window) is not None


def test_a_compressed_file_holds_the_same_lines(world: World) -> None:
    window = window_at(0)
    world.destinations = (
        {"type": "file", "path": "plain"},
        {"type": "file", "path": "packed", "compression": "gzip"},
    )
    world.deliver(world.collect(window, 7))
    plain = (world.base / "plain" / file_key(window)).read_bytes()
    packed = (world.base / "packed" / file_key(window, ".ndjson.gz")).read_bytes()
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain)


def test_an_absolute_path_is_taken_as_it_is(world: World, tmp_path: Path) -> None:
    window = window_at(0)
    world.destinations = ({"type": "file", "path": str(tmp_path / "elsewhere")},)
    world.base = tmp_path / "unused"
    world.deliver(world.collect(window))
    assert (tmp_path / "elsewhere" / file_key(window)).is_file()
    assert not world.base.exists()


_WRITER = """
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from sentinelone_collector.deliver import Payload
from sentinelone_collector.windows import Window

window, events, target = Window.from_name(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
labels = {uid: ("family:access", "rule:r.one") for uid in sys.argv[4:]}
payload = Payload("emea", "activities", window, events, labels)
payload.write_ndjson(target / "plain", compressed=False)
payload.write_ndjson(target / "some-other-name", compressed=True)
payload.write_parquet(target / "parquet")
"""


def test_the_same_events_give_the_same_bytes_in_every_process_and_at_every_time(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = window_at(0)
    world.collect(window, 50)
    uids = world.uids(window)[:20]
    monkeypatch.setattr("time.time", lambda: 1e9)
    with world.lake.local(world.key("events", window)) as events:
        assert events is not None
        payload = Payload("emea", STREAM, window, events, dict.fromkeys(uids, ("family:access", "rule:r.one")))
        here = tmp_path / "here"
        here.mkdir()
        payload.write_ndjson(here / "plain", compressed=False)
        payload.write_ndjson(here / "packed", compressed=True)
        payload.write_parquet(here / "parquet")
        there = tmp_path / "there"
        there.mkdir()
        subprocess.run(
            [sys.executable, "-c", _WRITER, window.name, str(events), str(there), *reversed(uids)],
            env={"PYTHONHASHSEED": "7", "PATH": "/usr/bin:/bin"},
            check=True,
        )
    assert (here / "plain").read_bytes() == (there / "plain").read_bytes()
    assert (here / "packed").read_bytes() == (there / "some-other-name").read_bytes()
    assert (here / "parquet").read_bytes() == (there / "parquet").read_bytes()


def test_the_parquet_form_has_the_lakes_schema_and_row_groups(world: World, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from sentinelone_collector.normalize import event_schema

    window = window_at(0)
    world.collect(window, 30)
    uids = world.uids(window)
    with world.lake.local(world.key("events", window)) as lake_file:
        assert lake_file is not None
        table = pq.read_table(lake_file)
    source, target = tmp_path / "source", tmp_path / "target"
    pq.write_table(table, source, row_group_size=8)
    payload = Payload("emea", STREAM, window, source, {uids[9]: ("rule:r.one",)})
    assert payload.write_parquet(target) == 30
    with pq.ParquetFile(target) as file:
        assert file.schema_arrow == event_schema()
        assert [file.metadata.row_group(number).num_rows for number in range(4)] == [8, 8, 8, 6]
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    written = pq.read_table(target)
    labels = written.column("metadata").combine_chunks().field("labels").to_pylist()
    assert labels == [["rule:r.one"] if uid == uids[9] else None for uid in uids]
    others = [name for name in table.column_names if name != "metadata"]
    assert written.select(others) == table.select(others)


class Watched(dict[str, Any]):
    """An event of which is known whether anything holds it still."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def test_events_are_let_go_once_they_are_written(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    def many(_: Path) -> Iterator[Watched]:
        nonlocal most
        for number in range(5_000):
            event = Watched(metadata={"uid": str(number)})
            alive.add(event)
            yield event
            most = max(most, len(alive))

    monkeypatch.setattr("sentinelone_collector.normalize.iter_events", many)
    payload = Payload("emea", STREAM, window_at(0), tmp_path / "unused", {"7": ("rule:r.one",)})
    assert payload.write_ndjson(tmp_path / "out", compressed=True) == 5_000
    assert most < 10


def test_a_folder_that_can_not_be_written_is_named_with_the_cure(world: World) -> None:
    window = window_at(0)
    (world.base / "delivered").write_text("a file stands here")
    results = world.collect(window)
    with pytest.raises(
        DeliveryError, match=r"emea/activities \[2026-11-22T10:00:00Z.*destination file:delivered.*check space, rights"
    ) as caught:
        world.deliver(results)
    assert not caught.value.retryable
    assert read_receipt(world.lake, "emea", STREAM, window) is None


def test_a_full_disk_may_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    window = window_at(0)
    results = world.collect(window)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sentinelone_collector.lake.files.replace_file", full)
    with pytest.raises(DeliveryError, match=r"file:delivered.*No space left on device") as caught:
        world.deliver(results)
    assert caught.value.retryable
    assert world.delivered_files() == {}
