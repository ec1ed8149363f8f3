"""Versions of objects: the same while nothing is written, another after every write."""

from __future__ import annotations

from sentinelone_collector.lake import Storage


def test_a_version_changes_with_every_write_and_with_nothing_else(lake: Storage) -> None:
    for key in ("events/a/1", "events/b/2", "hits/a/1"):
        lake.put(key, b"one")
    before = {one.key: one for one in lake.versions("events/")}
    assert list(before) == ["events/a/1", "events/b/2"] == list(lake.keys("events/"))
    assert all(one.size == 3 for one in before.values())
    assert {one.key: one for one in lake.versions("events/")} == before
    lake.put("events/a/1", b"two")
    after = {one.key: one.version for one in lake.versions("events/")}
    assert [key for key, version in after.items() if version != before[key].version] == ["events/a/1"]


def test_a_listing_begins_after_a_key(lake: Storage) -> None:
    for key in ("e/a/1", "e/a/2", "e/b/1", "e/c"):
        lake.put(key, b"x")
    assert [one.key for one in lake.versions("e/", after="e/a/1")] == ["e/a/2", "e/b/1", "e/c"]
    assert [one.key for one in lake.versions("e/", after="e/b/")] == ["e/b/1", "e/c"]
    assert list(lake.versions("none/")) == []
