"""The deliver task: sums, digests, receipts, failures of one destination among several, windows tagged again."""

# ruff: noqa: TID253  # no DAG file imports a test

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from tests.deliver.conftest import NOW, STREAM, Results, World, a_hit, file_key, window_at

from sentinelone_collector.deliver import Payload, Surroundings
from sentinelone_collector.errors import (
    ConfigurationError,
    DeliveryError,
    IncompleteWindow,
    LakeError,
    UsageError,
)
from sentinelone_collector.lake import read_receipt, write_receipt
from sentinelone_collector.results import Delivered, Delivery
from sentinelone_collector.store.tables import ledger

W0, W1, W2 = window_at(0), window_at(1), window_at(2)
TWO_FILES = ({"type": "file", "path": "one"}, {"type": "file", "path": "two"})


def receipt_of(world: World, window: Any = W0) -> Any:
    return read_receipt(world.lake, "emea", STREAM, window)


def test_the_receipt_says_what_happened_to_the_window(world: World) -> None:
    world.hits[W0] = []
    results = world.collect(W0, 6, duplicates=2)
    world.tag(W0, [a_hit("r.one", world.uids(W0)[:3])])
    delivered = world.deliver(results)
    receipt = receipt_of(world)
    assert delivered.receipt == world.key("receipts", W0)
    assert receipt.span == W0
    assert (receipt.expected, receipt.fetched, receipt.duplicates) == (6, 8, 2)
    assert (receipt.events, receipt.quarantined, receipt.hits) == (6, 0, 1)
    assert receipt.raw_sha256 == world.lake.digest(world.key("raw", W0))
    assert receipt.events_sha256 == world.lake.digest(world.key("events", W0))
    assert receipt.hits_sha256 == world.lake.digest(world.key("hits", W0))
    assert (receipt.ruleset, receipt.code_version) == ("r" * 64, "1.2.3")


def test_the_result_fits_an_xcom_and_comes_back_from_it(world: World) -> None:
    delivered = world.deliver(world.collect(W0))
    assert Delivered.from_dict(json.loads(json.dumps(delivered.to_dict()))) == delivered


def test_delivering_again_changes_nothing_and_writes_nothing(world: World) -> None:
    results = world.collect(W0)
    first = world.deliver(results)
    before = {
        path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for folder in ("delivered", "lake/receipts")
        for path in (world.base / folder).rglob("*.*json")
    }
    second = world.deliver(results)
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in before}
    assert before == after
    assert len(before) == 2
    assert [delivery.written for delivery in first.deliveries] == [True]
    assert [delivery.written for delivery in second.deliveries] == [False]


def test_a_receipt_is_written_again_only_where_it_differs(world: World) -> None:
    results = world.collect(W0)
    world.deliver(results)
    path = world.base / "lake" / world.key("receipts", W0)
    inode = path.stat().st_ino
    world.deliver(results)
    assert path.stat().st_ino == inode
    later = msgspec.structs.replace(results.fetched, fetched_at="2026-11-23T00:00:00Z")
    world.deliver(Results(later, results.normalized, results.tagged))
    assert receipt_of(world).fetched_at == "2026-11-23T00:00:00Z"


@pytest.mark.parametrize("damage", ["deleted", "truncated", "foreign bytes", "ledger lost"])
def test_what_the_destination_holds_decides_not_the_ledger_alone(world: World, damage: str) -> None:
    results = world.collect(W0)
    world.deliver(results)
    path = world.base / "delivered" / file_key(W0)
    if damage == "deleted":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "foreign bytes":
        path.write_bytes(b"{}\n")
    else:
        with world.store.engine.begin() as connection:
            connection.execute(ledger.delete())
    (delivery,) = world.deliver(results).deliveries
    assert delivery.written is (damage != "ledger lost")
    assert world.delivered_files() == {file_key(W0): world.expected(W0)}
    assert world.store.ledger_digest(delivery.destination, delivery.target) == delivery.sha256


def test_the_ledger_knows_the_latest_delivery_of_each_target(world: World) -> None:
    world.destinations = TWO_FILES
    first = world.deliver(world.collect(W0, version=0)).deliveries
    second = world.deliver(world.collect(W0, version=1)).deliveries
    assert {(d.destination, d.target) for d in first} == {(d.destination, d.target) for d in second}
    for old, new in zip(first, second, strict=True):
        assert old.sha256 != new.sha256
        assert world.store.ledger_digest(new.destination, new.target) == new.sha256


def test_what_is_in_quarantine_is_not_lost(world: World) -> None:
    results = world.collect(W0, 6, duplicates=2)
    three = msgspec.structs.replace(results.normalized, quarantined=3)
    with pytest.raises(IncompleteWindow, match=r"8 records were .* 6 events, 3 quarantined and 2 duplicates make 11"):
        world.deliver(Results(results.fetched, three, results.tagged))
    eleven = msgspec.structs.replace(results.fetched, fetched=11)
    world.deliver(Results(eleven, three, results.tagged))
    receipt = receipt_of(world)
    assert receipt.fetched == receipt.events + receipt.quarantined + receipt.duplicates == 11


@pytest.mark.parametrize(("fetched", "duplicates"), [(6, 0), (5, 1), (4, 0)])
def test_records_that_got_lost_between_the_tasks_fail_the_window(world: World, fetched: int, duplicates: int) -> None:
    results = world.collect(W0, 5)
    wrong = msgspec.structs.replace(results.fetched, fetched=fetched, duplicates=duplicates)
    with pytest.raises(IncompleteWindow, match=rf"emea/activities \[.*{fetched} records were.*from fetch on"):
        world.deliver(Results(wrong, results.normalized, results.tagged))
    assert world.delivered_files() == {}
    assert receipt_of(world) is None


@pytest.mark.parametrize(
    ("part", "task", "damage"),
    [
        ("raw", "fetch", "missing"),
        ("raw", "fetch", "other bytes"),
        ("events", "normalize", "missing"),
        ("events", "normalize", "other bytes"),
        ("hits", "tag", "missing"),
    ],
)
def test_a_lake_that_does_not_hold_what_the_tasks_wrote_names_the_task_to_run_again(
    world: World, part: str, task: str, damage: str
) -> None:
    results = world.collect(W0)
    world.deliver(results)
    if damage == "missing":
        world.lake.delete(world.key(part, W0))
    else:
        world.lake.put(world.key(part, W0), b"other")
    with pytest.raises(LakeError, match=rf"{world.key(part, W0)}.*again from {task} on"):
        world.deliver(results)
    assert receipt_of(world) is None, "the receipt would vouch for what is not there"


def test_results_of_another_window_are_refused(world: World) -> None:
    mine, other = world.collect(W0), world.collect(W1)
    with pytest.raises(UsageError, match="got the Tagged of emea/activities"):
        world.deliver(Results(mine.fetched, mine.normalized, other.tagged))


def test_an_unknown_destination_or_wrong_options_fail_before_anything_is_written(world: World) -> None:
    results = world.collect(W0)
    world.destinations = ({"type": "file", "path": "delivered"}, {"type": "s3"})
    with pytest.raises(ConfigurationError, match=r"emea: destination 2 \(s3\): bucket is missing"):
        world.deliver(results)
    assert world.delivered_files() == {}


def test_without_destinations_the_window_is_complete_all_the_same(world: World) -> None:
    world.destinations = ()
    assert world.deliver(world.collect(W0)).deliveries == ()
    assert receipt_of(world) is not None


class Shaky:
    """A destination that fails a given number of times and keeps what it got."""

    def __init__(self, name: str, failures: list[Exception]) -> None:
        self.name = name
        self.failures = failures
        self.kept: dict[str, list[Any]] = {}

    def __call__(self, options: Mapping[str, Any], surroundings: Surroundings) -> Shaky:
        return self

    def deliver(self, payload: Payload) -> Delivery:
        if self.failures:
            raise self.failures.pop(0)
        self.kept[payload.window.name] = list(payload.iter_events())
        return Delivery(destination=self.name, target=payload.window.name, records=1, sha256="", written=True)


def shaky_world(world: World, **failures: list[Exception]) -> dict[str, Shaky]:
    world.destinations = tuple({"type": name} for name in failures)
    return {name: Shaky(name, list(faults)) for name, faults in failures.items()}


def test_every_destination_is_tried_and_a_failed_one_leaves_no_receipt(world: World) -> None:
    sinks = shaky_world(world, first=[], second=[DeliveryError("second says no", retryable=True)], third=[])
    results = world.collect(W0)
    with pytest.raises(DeliveryError, match="second says no") as caught:
        world.deliver(results, destinations=sinks)
    assert caught.value.retryable
    assert receipt_of(world) is None
    expected = {W0.name: world.expected(W0)}
    assert (sinks["first"].kept, sinks["second"].kept, sinks["third"].kept) == (expected, {}, expected)
    world.deliver(results, destinations=sinks)
    assert sinks["second"].kept == expected
    assert receipt_of(world) is not None


def test_all_failures_are_told_and_one_that_may_pass_makes_a_retry_worthwhile(world: World) -> None:
    sinks = shaky_world(
        world,
        first=[DeliveryError("first: no rights", retryable=False)],
        second=[ConfigurationError("connection aws_logs is missing; create it")],
        third=[LakeError("third may pass")],
    )
    with pytest.raises(DeliveryError) as caught:
        world.deliver(world.collect(W0), destinations=sinks)
    text = str(caught.value)
    assert text.startswith("3 deliveries failed: ")
    for said in ("first: no rights", "destination second: connection aws_logs is missing; create it", "third may pass"):
        assert said in text
    assert caught.value.retryable


@pytest.mark.parametrize("error", [DeliveryError("no rights", retryable=False), ConfigurationError("no connection")])
def test_failures_that_a_person_must_mend_are_not_retried(world: World, error: Exception) -> None:
    sinks = shaky_world(world, first=[error])
    with pytest.raises(DeliveryError, match=r"emea/activities|no rights") as caught:
        world.deliver(world.collect(W0), destinations=sinks)
    assert not caught.value.retryable


def test_a_failed_delivery_takes_away_the_receipt_of_an_earlier_one(world: World) -> None:
    results = world.collect(W0)
    world.deliver(results)
    sinks = shaky_world(world, first=[DeliveryError("down", retryable=True)])
    with pytest.raises(DeliveryError):
        world.deliver(results, destinations=sinks)
    assert receipt_of(world) is None


def test_a_broken_receipt_is_replaced(world: World) -> None:
    results = world.collect(W0)
    world.lake.put(world.key("receipts", W0), b"{half")
    world.deliver(results)
    assert receipt_of(world).events == 5


# Windows whose hits changed because of another window


def complete(world: World, *windows: Any) -> list[Results]:
    every = [world.collect(window) for window in windows]
    for results in every:
        world.deliver(results)
    return every


def test_a_retagged_window_is_delivered_again_with_its_present_labels_and_count(world: World) -> None:
    complete(world, W1)
    results = world.collect(W0)
    world.tag(W1, [a_hit("r.late", world.uids(W1)[:2]), a_hit("r.late", world.uids(W1)[:1], number=1)])
    delivered = world.deliver(results.with_retagged(W1))
    assert world.delivered_files() == {file_key(W0): world.expected(W0), file_key(W1): world.expected(W1)}
    assert receipt_of(world, W1).hits == 2
    assert receipt_of(world, W1).hits_sha256 == world.lake.digest(world.key("hits", W1))
    assert [Path(delivery.target).stem for delivery in delivered.deliveries] == [W1.name, W0.name]


def test_only_hits_change_in_the_receipt_of_a_retagged_window(world: World) -> None:
    complete(world, W1)
    before = receipt_of(world, W1)
    results = world.collect(W0)
    results = Results(results.fetched, results.normalized, msgspec.structs.replace(results.tagged, ruleset="n" * 64))
    world.tag(W1, [a_hit("r.late", world.uids(W1)[:2])])
    world.deliver(results.with_retagged(W1), code_version="9.9.9")
    after = receipt_of(world, W1)
    assert after == msgspec.structs.replace(before, hits=1, hits_sha256=after.hits_sha256)


def test_a_retagged_window_that_is_not_complete_is_left_to_its_own_run(world: World) -> None:
    own = world.collect(W1)
    world.tag(W1, [a_hit("r.late", world.uids(W1)[:2])])
    world.deliver(world.collect(W0).with_retagged(W1))
    assert receipt_of(world, W1) is None
    assert set(world.delivered_files()) == {file_key(W0)}
    world.deliver(own)
    assert world.delivered_files()[file_key(W1)] == world.expected(W1)


def test_a_retagged_window_whose_events_are_being_replaced_is_left_to_its_own_run(world: World) -> None:
    complete(world, W1)
    receipt = receipt_of(world, W1)
    own = world.collect(W1, version=1)
    write_receipt(world.lake, receipt)  # as if its run had not come to the point where it takes the receipt away
    before = world.delivered_files()[file_key(W1)]
    world.deliver(world.collect(W0).with_retagged(W1))
    assert world.delivered_files()[file_key(W1)] == before
    world.deliver(own)
    assert world.delivered_files()[file_key(W1)] == world.expected(W1)
    assert receipt_of(world, W1).events_sha256 == own.normalized.events_sha256


def test_a_retagged_window_that_can_not_be_delivered_leaves_the_task_without_a_receipt(world: World) -> None:
    complete(world, W1, W2)
    results = world.collect(W0)
    world.tag(W1, [a_hit("r.late", world.uids(W1)[:2])])
    world.tag(W2, [a_hit("r.late", world.uids(W2)[:2])])
    sinks = shaky_world(world, first=[DeliveryError("down for W1", retryable=True)])
    with pytest.raises(DeliveryError, match="down for W1"):
        world.deliver(results.with_retagged(W1, W2), destinations=sinks)
    assert receipt_of(world, W0) is None
    assert set(sinks["first"].kept) == {W0.name, W2.name}, "the others are tried all the same"
    assert receipt_of(world, W1).hits == 0, "its receipt does not claim what was not delivered"
    world.deliver(results.with_retagged(W1, W2), destinations=sinks)
    assert sinks["first"].kept == {window.name: world.expected(window) for window in (W0, W1, W2)}
    assert receipt_of(world, W1).hits == 1


class TaggedMeanwhile(Shaky):
    """A destination during whose work another task tags the window."""

    def __init__(self, world: World, times: int) -> None:
        super().__init__("first", [])
        self.world, self.times = world, times

    def deliver(self, payload: Payload) -> Delivery:
        done = super().deliver(payload)
        if self.times:
            self.times -= 1
            self.world.tag(W0, [a_hit(f"r.{self.times}", self.world.uids(W0)[:2])])
        return done


def test_hits_that_change_during_the_delivery_are_delivered_too(world: World) -> None:
    world.destinations = ({"type": "first"},)
    sink = TaggedMeanwhile(world, 3)
    world.deliver(world.collect(W0), destinations={"first": sink})
    assert sink.kept == {W0.name: world.expected(W0)}
    assert receipt_of(world).hits_sha256 == world.lake.digest(world.key("hits", W0))


def test_hits_that_never_rest_end_in_an_error_not_in_a_loop(world: World) -> None:
    world.destinations = ({"type": "first"},)
    with pytest.raises(DeliveryError, match=r"its hits changed .* times") as caught:
        world.deliver(world.collect(W0), destinations={"first": TaggedMeanwhile(world, 1_000)})
    assert caught.value.retryable
    assert receipt_of(world) is None


class Counting(Shaky):
    """A destination that notes how many tasks deliver the same window to it at once."""

    def __init__(self) -> None:
        super().__init__("first", [])
        self.inside: Counter[str] = Counter()
        self.most = 0
        self.gate = threading.Lock()
        self.never = threading.Event()

    def deliver(self, payload: Payload) -> Delivery:
        name = payload.window.name
        with self.gate:
            self.inside[name] += 1
            self.most = max(self.most, self.inside[name])
        self.never.wait(0.05)  # time for another task to come in, where it can
        with self.gate:
            self.inside[name] -= 1
        return super().deliver(payload)


def test_one_window_is_delivered_by_one_task_at_a_time(world: World) -> None:
    """The scheduled run, a manual run, a back-fill, and a run that retagged the window may meet."""
    world.destinations = ({"type": "first"},)
    sink = Counting()
    first, second = world.collect(W0), world.collect(W1)
    world.deliver(second, destinations={"first": sink})
    with ThreadPoolExecutor(4) as pool:
        every = [first.with_retagged(W1), second, first, second.with_retagged(W0)]
        runs = [pool.submit(world.deliver, results, destinations={"first": sink}) for results in every]
    assert [len(run.result().deliveries) >= 1 for run in runs] == [True] * 4
    assert sink.most == 1
    assert sink.kept == {window.name: world.expected(window) for window in (W0, W1)}


def test_a_receipt_of_other_events_is_gone_before_the_first_byte_leaves(world: World) -> None:
    results = world.collect(W0)
    world.deliver(results)
    old = receipt_of(world)
    newer = world.collect(W0, 6, version=1)
    write_receipt(world.lake, old)  # left there by whoever replaced the events
    seen: list[bool] = []

    class Looking(Shaky):
        def deliver(self, payload: Payload) -> Delivery:
            seen.append(receipt_of(world) is None)
            return super().deliver(payload)

    world.destinations = ({"type": "first"},)
    world.deliver(newer, destinations={"first": Looking("first", [])})
    assert seen == [True]
    assert receipt_of(world).events == 6


def test_the_ledger_says_when_an_object_was_written_last(world: World) -> None:
    results = world.collect(W0)

    def times() -> list[str]:
        with world.store.reading() as connection:
            return list(connection.execute(select(ledger.c.delivered_at)).scalars())

    world.deliver(results)
    first = times()
    world.deliver(results, now=lambda: NOW + timedelta(hours=1))
    assert times() == first, "nothing was written"
    (world.base / "delivered" / file_key(W0)).unlink()
    world.deliver(results, now=lambda: NOW + timedelta(hours=2))
    assert times() > first
