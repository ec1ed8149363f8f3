from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sentinelone_collector.store import Store
from sentinelone_collector.windows import Window

START = datetime(2026, 1, 14, 12, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=10))


def record(store: Store, target: str, sha256: str) -> None:
    store.record_delivery(
        destination="file:out",
        target=target,
        instance="emea",
        stream="activities",
        window=WINDOW,
        sha256=sha256,
        records=3,
        now=START,
    )


def test_the_ledger_tells_what_was_delivered_last(store: Store) -> None:
    assert store.ledger_digest("file:out", "a") is None
    record(store, "a", "1" * 64)
    record(store, "b", "2" * 64)
    record(store, "a", "3" * 64)
    assert store.ledger_digest("file:out", "a") == "3" * 64
    assert store.ledger_digest("file:out", "b") == "2" * 64
    assert store.ledger_digest("s3:out", "a") is None


def test_a_long_target_is_kept(store: Store) -> None:
    target = "s3://bucket/" + "k" * 1000
    record(store, target, "1" * 64)
    assert store.ledger_digest("file:out", target) == "1" * 64
