"""Destination `s3`, and the whole task on an S3 lake, against a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.deliver.conftest import STREAM, World, a_hit, file_key, window_at

from sentinelone_collector.errors import DeliveryError
from sentinelone_collector.lake import S3Storage, read_receipt, sha256_of
from sentinelone_collector.normalize import event_schema, iter_events

W0, W1 = window_at(0), window_at(1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


def place(world: World, s3_server: Any) -> S3Storage:
    """Return what the first destination's bucket and prefix hold."""
    entry = world.destinations[0]
    return S3Storage(entry["bucket"], entry["prefix"], s3_server.client())


def events_in(storage: S3Storage, key: str) -> list[dict[str, Any]]:
    with storage.local(key) as path:
        assert path is not None
        if key.endswith(".parquet"):
            return list(iter_events(path))
        return [json.loads(line) for line in path.read_bytes().splitlines()]


def held(world: World, s3_server: Any) -> dict[str, list[dict[str, Any]]]:
    storage = place(world, s3_server)
    return {key: events_in(storage, key) for key in storage.keys("")}


def test_a_window_is_one_parquet_object_with_labels_in_hive_partitions(s3_world: World, s3_server: Any) -> None:
    import pyarrow.parquet as pq

    results = s3_world.collect(W0, 9)
    s3_world.tag(W0, [a_hit("r.one", s3_world.uids(W0)[2:4])])
    (delivery,) = s3_world.deliver(results).deliveries
    assert held(s3_world, s3_server) == {file_key(W0, ".parquet"): s3_world.expected(W0)}
    assert delivery.target == f"{place(s3_world, s3_server).url}/{file_key(W0, '.parquet')}"
    with place(s3_world, s3_server).local(file_key(W0, ".parquet")) as path:
        assert path is not None
        assert sha256_of(path) == delivery.sha256
        assert pq.read_schema(path) == event_schema()


def test_ndjson_is_the_same_text_as_the_file_destination_writes(s3_world: World, s3_server: Any) -> None:
    (entry,) = s3_world.destinations
    s3_world.destinations = ({**entry, "format": "ndjson"}, {"type": "file", "path": "delivered"})
    s3_world.deliver(s3_world.collect(W0))
    text = place(s3_world, s3_server).read(file_key(W0))
    assert text == (s3_world.base / "delivered" / file_key(W0)).read_bytes()
    assert text


def test_the_connection_that_the_entry_names_is_asked_for(s3_world: World, s3_server: Any) -> None:
    asked: list[str | None] = []

    def client_for(connection_id: str | None) -> Any:
        asked.append(connection_id)
        return s3_server.client()

    (entry,) = s3_world.destinations
    s3_world.destinations = (entry, {**entry, "prefix": s3_server.fresh_prefix(), "connection_id": "aws_logs"})
    delivered = s3_world.deliver(s3_world.collect(W0), s3_client_for=client_for)
    assert asked == [None, "aws_logs"]
    assert delivered.deliveries[1].destination.startswith("s3:aws_logs@lake/")


def test_what_lies_there_already_is_not_put_again(s3_world: World, s3_server: Any) -> None:
    results = s3_world.collect(W0)
    s3_world.deliver(results)
    never, left = s3_server.faulty_client("PutObject", 403)
    (delivery,) = s3_world.deliver(results, s3_client_for=lambda _: never).deliveries
    assert not delivery.written
    assert left == [403], "a PUT would notify every subscriber again"


def test_an_object_that_was_deleted_or_replaced_there_is_written_again(s3_world: World, s3_server: Any) -> None:
    results = s3_world.collect(W0)
    s3_world.deliver(results)
    storage, key = place(s3_world, s3_server), file_key(W0, ".parquet")
    for harm in (lambda: storage.delete(key), lambda: storage.put(key, b"truncated")):
        harm()
        assert [delivery.written for delivery in s3_world.deliver(results).deliveries] == [True]
        assert held(s3_world, s3_server) == {key: s3_world.expected(W0)}


@pytest.mark.parametrize("faults", [(503, 500), ("timeout", 503), ("lost answer", 503)], ids=str)
def test_a_passing_fault_ends_in_the_same_set_as_none(
    s3_world: World, s3_server: Any, faults: tuple[int | str, ...]
) -> None:
    """Mutant M7: a retry must send the batch that failed, not the one after it."""
    client, left = s3_server.faulty_client("PutObject", *faults)
    for window in (W0, W1):
        s3_world.deliver(s3_world.collect(window), s3_client_for=lambda _: client)
    assert left == []
    assert held(s3_world, s3_server) == {file_key(window, ".parquet"): s3_world.expected(window) for window in (W0, W1)}


def test_a_lasting_fault_fails_the_task_which_then_delivers_the_same_window(s3_world: World, s3_server: Any) -> None:
    client, _ = s3_server.faulty_client("PutObject", 503, 503, 503)
    results = s3_world.collect(W0)
    with pytest.raises(
        DeliveryError, match=r"emea/activities \[2026.*destination s3:lake/t\d+: .*SlowDown.*again"
    ) as one:
        s3_world.deliver(results, s3_client_for=lambda _: client)
    assert one.value.retryable
    assert read_receipt(s3_world.lake, "emea", STREAM, W0) is None
    s3_world.deliver(results, s3_client_for=lambda _: client)
    assert held(s3_world, s3_server) == {file_key(W0, ".parquet"): s3_world.expected(W0)}
    assert read_receipt(s3_world.lake, "emea", STREAM, W0) is not None


def test_a_missing_bucket_is_named_with_the_cure_and_not_retried(s3_world: World) -> None:
    s3_world.destinations = ({"type": "s3", "bucket": "no-such-bucket", "prefix": "p"},)
    with pytest.raises(DeliveryError, match=r"s3://no-such-bucket/p/instance=emea.*create the bucket") as caught:
        s3_world.deliver(s3_world.collect(W0))
    assert not caught.value.retryable


def test_refused_credentials_are_not_retried_and_not_shown(s3_world: World, s3_server: Any) -> None:
    client = s3_server.client(aws_secret_access_key="hunter2-hunter2")
    with pytest.raises(DeliveryError, match=r"renew the access key|grant s3:") as caught:
        s3_world.deliver(s3_world.collect(W0), s3_client_for=lambda _: client)
    assert not caught.value.retryable
    assert "hunter2" not in str(caught.value)


def test_where_writing_is_all_that_is_allowed_the_ledger_decides(s3_world: World, s3_server: Any) -> None:
    results = s3_world.collect(W0)

    def deliver() -> bool:
        client, _ = s3_server.faulty_client("HeadObject", 403)
        (delivery,) = s3_world.deliver(results, s3_client_for=lambda _: client).deliveries
        return delivery.written

    assert deliver()
    assert not deliver()
    s3_world.tag(W0, [a_hit("r.one", s3_world.uids(W0)[:1])])
    assert deliver()
    assert held(s3_world, s3_server) == {file_key(W0, ".parquet"): s3_world.expected(W0)}


def test_where_a_place_only_does_not_answer_the_ledger_decides_nothing(s3_world: World, s3_server: Any) -> None:
    """The ledger would take a window for delivered whose object was deleted meanwhile."""
    results = s3_world.collect(W0)
    s3_world.deliver(results)
    place(s3_world, s3_server).delete(file_key(W0, ".parquet"))
    client, left = s3_server.faulty_client("HeadObject", 503, 503, 503)
    with pytest.raises(DeliveryError) as caught:
        s3_world.deliver(results, s3_client_for=lambda _: client)
    assert caught.value.retryable
    assert left == []
    s3_world.deliver(results, s3_client_for=lambda _: client)
    assert held(s3_world, s3_server) == {file_key(W0, ".parquet"): s3_world.expected(W0)}


def test_the_whole_task_works_on_an_s3_lake(s3_world: World, s3_server: Any, tmp_path: Path) -> None:
    lake = S3Storage(s3_server.bucket, f"{s3_server.fresh_prefix()}/lake", s3_server.client())
    s3_world.lake = lake
    s3_world.destinations = (*s3_world.destinations, {"type": "file", "path": "delivered"})
    first, second = s3_world.collect(W0), s3_world.collect(W1)
    s3_world.deliver(second)
    s3_world.tag(W1, [a_hit("r.late", s3_world.uids(W1)[:2])])
    s3_world.deliver(first.with_retagged(W1))
    expected = {window: s3_world.expected(window) for window in (W0, W1)}
    assert held(s3_world, s3_server) == {file_key(window, ".parquet"): expected[window] for window in expected}
    assert s3_world.delivered_files() == {file_key(window): expected[window] for window in expected}
    receipts = {window: read_receipt(lake, "emea", STREAM, window) for window in (W0, W1)}
    assert {window: receipt.hits for window, receipt in receipts.items() if receipt} == {W0: 0, W1: 1}
    parts = {key.split("/")[0] for key in lake.keys("")}
    assert parts == {"raw", "events", "hits", "receipts"}
    again = s3_world.deliver(first.with_retagged(W1))
    assert not any(delivery.written for delivery in again.deliveries)
