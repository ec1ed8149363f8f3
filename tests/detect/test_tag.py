from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from detect_world import CONSOLE, NOW, at, event, failures, instance

from sentinelone_collector.detect import hit_schema
from sentinelone_collector.errors import LakeError
from sentinelone_collector.instances import RuleSettings
from sentinelone_collector.instances.model import AllowEntry
from sentinelone_collector.lake import Receipt, ReceiptWindow, object_key, write_receipt
from sentinelone_collector.windows import Window

TEN = timedelta(minutes=10)
NOON = at("2026-01-14T12:00")
BEFORE_MIDNIGHT = at("2026-01-14T23:50")


def window(start: Any = NOON) -> Window:
    return Window(start, start + TEN)


def rules_of(world: Any, *windows: Window) -> list[tuple[str, tuple[str, ...]]]:
    return [(hit.rule_id, hit.event_uids) for one in windows for hit in world.hits(one)]


def test_one_event_gives_one_hit_that_says_who_did_what(make_world: Any) -> None:
    world = make_world()
    world.put(window(), [event("e1", NOON, "67", actor="ann@x.io", user="bob", labels=["direction:off"])])
    tagged = world.tag(window())
    (hit,) = world.hits(window())
    assert (tagged.hits, tagged.incidents, tagged.retagged) == (1, 1, ())
    assert (hit.rule_id, hit.level, hit.severity_id, hit.note) == ("aa-010", "high", 4, None)
    assert (hit.attacker, hit.victim, hit.event_uids) == ("ann@x.io", "bob", ("e1",))
    assert hit.summary == "ann@x.io turned off two-factor authentication for bob."
    assert hit.attacks == ("T1556.006",)
    (incident,) = world.incidents()
    assert (incident["id"], incident["count"], incident["console"]) == (hit.incident_id, 1, CONSOLE)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["direction:off"], [("high", None)]),
        (["direction:unknown"], [("medium", "direction unknown")]),
        ([], [("medium", "direction unknown")]),
        (["direction:on"], []),
    ],
)
def test_an_unknown_direction_lowers_the_level_and_says_so(make_world: Any, labels: Any, expected: Any) -> None:
    world = make_world()
    world.put(window(), [event("e1", NOON, "76", actor="ann", labels=labels)])
    world.tag(window())
    assert [(hit.level, hit.note) for hit in world.hits(window())] == expected


def test_a_burst_over_midnight_is_found_in_the_window_of_its_last_event(make_world: Any) -> None:
    world = make_world()
    rows = failures(10, at("2026-01-14T23:56:00"), timedelta(seconds=30))
    first, second = world.collect(rows, BEFORE_MIDNIGHT, BEFORE_MIDNIGHT + 2 * TEN)
    assert {name for name, _ in rules_of(world, first)} == set()
    assert dict(rules_of(world, second))["ul-003"] == tuple(f"f{n}" for n in range(10))


@pytest.mark.parametrize(("seconds", "found"), [(66, True), (67, False)])
def test_a_window_of_ten_minutes_slides_and_never_snaps(make_world: Any, seconds: int, found: bool) -> None:
    world = make_world()
    rows = failures(10, NOON + timedelta(minutes=4, seconds=30), timedelta(seconds=seconds))
    windows = world.collect(rows, NOON, NOON + 3 * TEN)
    assert ("ul-003" in dict(rules_of(world, *windows))) is found


def test_an_earlier_window_that_comes_late_completes_the_burst_of_a_later_one(make_world: Any) -> None:
    world = make_world()
    rows = failures(10, at("2026-01-14T23:56:00"), timedelta(seconds=30))
    first, second = window(BEFORE_MIDNIGHT), window(BEFORE_MIDNIGHT + TEN)
    world.put(second, rows)
    assert world.tag(second).hits == 0
    world.put(first, rows)
    assert world.tag(first).retagged == (second.name,)
    assert {name for name, _ in rules_of(world, second)} == {"ul-003", "ul-003-source"}
    assert world.tag(first).retagged == ()


def test_later_windows_are_named_until_their_receipts_show_their_hits(make_world: Any) -> None:
    world = make_world()
    rows = failures(10, at("2026-01-14T23:56:00"), timedelta(seconds=30))
    first, second = world.collect(rows, BEFORE_MIDNIGHT, BEFORE_MIDNIGHT + 2 * TEN)
    receipt = {
        "instance": "emea",
        "stream": "activities",
        "window": ReceiptWindow(second.start.isoformat(), second.end.isoformat()),
        "console": CONSOLE,
        "collected_from": second.start.isoformat(),
        **dict.fromkeys(("expected", "fetched", "events"), 10),
        **dict.fromkeys(("duplicates", "quarantined"), 0),
        **dict.fromkeys(("first_time", "last_time"), None),
        **dict.fromkeys(("raw_sha256", "events_sha256", "ruleset", "code_version", "fetched_at"), ""),
    }
    write_receipt(world.lake, Receipt(**receipt, hits=0))
    assert world.tag(first).retagged == (second.name,)
    write_receipt(world.lake, Receipt(**receipt, hits=2, hits_sha256="of other hits"))
    assert world.tag(first).retagged == (second.name,)
    digest = world.lake.digest(object_key("hits", "emea", "activities", second))
    write_receipt(world.lake, Receipt(**receipt, hits=2, hits_sha256=digest))
    assert world.tag(first).retagged == ()


def test_events_without_a_group_key_count_for_nobody(make_world: Any) -> None:
    world = make_world()
    rows = [event(f"f{n}", NOON + timedelta(seconds=n), "133") for n in range(20)]
    world.collect(rows, NOON, NOON + TEN)
    assert world.hits(window()) == []


def test_a_burst_that_goes_on_gives_one_hit_per_bucket_and_one_incident_per_day(make_world: Any) -> None:
    world = make_world()
    rows = failures(360, NOON, timedelta(seconds=5))
    windows = world.collect(rows, NOON, NOON + 4 * TEN)
    hits = [hit for one in windows for hit in world.hits(one) if hit.rule_id == "ul-003"]
    assert [hit.last_time for hit in hits] == sorted({hit.last_time for hit in hits})
    assert len(hits) == 3
    assert len({hit.incident_id for hit in hits}) == 1


def test_a_window_without_hits_has_a_hits_file_with_the_frozen_schema(make_world: Any) -> None:
    import pyarrow.parquet as pq

    world = make_world()
    world.put(window(), [])
    assert world.tag(window()).hits == 0
    path = world.folder / "lake" / object_key("hits", "emea", "activities", window())
    assert pq.read_table(path).num_rows == 0
    assert pq.read_schema(path).equals(hit_schema())


def test_tagging_again_gives_the_same_bytes_and_writes_nothing(make_world: Any) -> None:
    world = make_world()
    world.put(window(), [event("e1", NOON, "67", actor="ann", user="bob", labels=["direction:off"])])
    world.tag(window())
    path = world.folder / "lake" / object_key("hits", "emea", "activities", window())
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    world.tag(window())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_an_event_that_two_rules_match_gives_two_hits(make_world: Any) -> None:
    world = make_world()
    world.put(window(), [event("e1", NOON, "3008", actor="ann", entity="C:\\")])
    world.tag(window())
    assert {name for name, _ in rules_of(world, window())} == {"aa-016", "aa-017"}


def test_a_disabled_rule_gives_no_hits_and_still_counts_in_correlations(make_world: Any) -> None:
    world = make_world(instance=instance(rules=RuleSettings(disable=("aa-020", "ul-*"))))
    rows = [event(f"e{n}", NOON + timedelta(seconds=n), "3602", actor="ann", entity=f"r{n}") for n in range(3)]
    world.put(window(), [*rows, *failures(10, NOON, timedelta(seconds=1))])
    world.tag(window())
    assert rules_of(world, window()) == [("aa-020-burst", ("e0", "e1", "e2"))]


@pytest.mark.parametrize(
    ("who", "allowed"),
    [("ann", True), ("ANN", True), ("a*", True), ("203.0.113.0/24", True), ("Berlin", True), ("bob", False)],
)
def test_an_allow_entry_matches_actor_address_or_site(make_world: Any, who: str, allowed: bool) -> None:
    entry = AllowEntry(rule="aa-016", who=who, reason="roll-out")
    world = make_world(instance=instance(rules=RuleSettings(allow=(entry,))))
    world.put(
        window(), [event("e1", NOON, "3008", actor="Ann", ip="203.0.113.9", entity="x", data={"siteName": "Berlin"})]
    )
    world.tag(window())
    assert (rules_of(world, window()) == []) is allowed


def test_an_allow_entry_expires_by_the_time_of_the_event(make_world: Any) -> None:
    entry = AllowEntry(rule="aa-016", who="ann", reason="roll-out", expires=date(2026, 1, 14))
    world = make_world(instance=instance(rules=RuleSettings(allow=(entry,))))
    midnight = at("2026-01-15T00:00")
    rows = [
        event("last", midnight - timedelta(milliseconds=1), "3008", actor="ann", entity="x"),
        event("first", midnight, "3008", actor="ann", entity="x"),
    ]
    windows = world.collect(rows, BEFORE_MIDNIGHT, BEFORE_MIDNIGHT + 2 * TEN)
    assert rules_of(world, *windows) == [("aa-016", ("first",))]


def test_the_last_person_of_a_burst_does_not_excuse_the_others(make_world: Any) -> None:
    entry = AllowEntry(rule="ul-003-source", who="carol", reason="pen test")
    world = make_world(instance=instance(rules=RuleSettings(allow=(entry,))))
    rows = [
        event(
            f"e{n}",
            NOON + timedelta(seconds=n),
            "133",
            user="carol" if n == 9 else f"user{n}",
            actor="carol",
            ip="203.0.113.9",
        )
        for n in range(10)
    ]
    world.put(window(), rows)
    world.tag(window())
    assert "ul-003-source" in dict(rules_of(world, window()))


def test_equal_events_of_two_consoles_make_separate_incidents(make_world: Any) -> None:
    from sentinelone_collector.detect import tag

    world = make_world()
    rows = failures(10, NOON, timedelta(seconds=1))
    world.put(window(), rows)
    ids = set()
    for console in ("one.example", "two.example"):
        tag(
            world.instance,
            "activities",
            window(),
            console=console,
            lake=world.lake,
            store=world.store,
            ruleset=world.ruleset,
            now=lambda: NOW,
        )
        ids |= {hit.incident_id for hit in world.hits(window())}
    assert len(ids) == 4


def test_a_window_without_events_is_refused_with_the_cure(make_world: Any) -> None:
    with pytest.raises(LakeError, match=r"emea/activities .*run normalize"):
        make_world().tag(window())


def test_a_store_that_lost_a_write_is_brought_up_to_date(make_world: Any) -> None:
    world = make_world()
    world.put(window(), [event("e1", NOON, "67", actor="ann", user="bob", labels=["direction:off"])])
    world.tag(window())
    before = world.incidents()
    world.store.replace_hits("emea", "activities", window(), console=CONSOLE, digest="lost", hits=[], now=NOW)
    assert world.incidents() == []
    world.tag(window())
    assert world.incidents() == before


def test_events_in_two_overlapping_windows_count_once(make_world: Any) -> None:
    world = make_world()
    rows = failures(5, NOON, timedelta(seconds=1))
    whole = Window(at("2026-01-14"), at("2026-01-15"))
    world.put(window(), rows)
    world.put(whole, rows)
    world.tag(window())
    world.tag(whole)
    assert world.hits(whole) == []
    world.put(window(), failures(10, NOON, timedelta(seconds=1)))
    world.tag(window())
    assert {hit.event_count for hit in world.hits(window())} == {10}


def test_nothing_is_written_outside_the_lock_of_the_instance(make_world: Any) -> None:
    world = make_world()
    held: list[str] = []
    seen: list[tuple[str, tuple[str, ...]]] = []

    class Watched:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            if name in {"put", "replace_hits"}:
                seen.append((name, tuple(held)))
            return getattr(self.inner, name)

        @contextmanager
        def lock(self, name: str) -> Iterator[None]:
            with self.inner.lock(name):
                held.append(name)
                yield
                held.remove(name)

    world.put(window(), [])
    world.store, world.lake = Watched(world.store), Watched(world.lake)
    world.tag(window())
    assert seen == [("put", ("emea",)), ("replace_hits", ("emea",))]
