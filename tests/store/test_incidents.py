from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError  # noqa: TID253  # a test

from sentinelone_collector.detect import Hit
from sentinelone_collector.errors import UsageError
from sentinelone_collector.store import Store
from sentinelone_collector.windows import Window

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
START = datetime(2026, 1, 14, 12, tzinfo=UTC)
FIRST = Window(START, START + timedelta(minutes=10))
SECOND = Window(START + timedelta(minutes=10), START + timedelta(minutes=20))
ONE, TWO = "aaaaaa" + "0" * 26, "bbbbbb" + "0" * 26


def hit(number: int, incident: str | None = ONE, **more: Any) -> Hit:
    values: dict[str, Any] = {
        "hit_id": f"{number:032d}",
        "incident_id": incident,
        "rule_id": "aa-010",
        "rule_version": "1",
        "rule_title": "2FA disabled",
        "family": "administrative_actions",
        "classification": "admin:activity",
        "visibility": "incident",
        "level": "high",
        "severity_id": 4,
        "kind": "event",
        "event_uids": (f"e{number}",),
        "event_count": 1,
        "time": number * 1000,
        "last_time": number * 1000,
        "bucket": 0,
        "entity": "bob",
        "attacker": "ann",
        "victim": "bob",
        "summary": f"hit {number}",
        "note": None,
        "attacks": ("T1556.006",),
        "attacks_v19": ("T1556.006",),
    }
    return Hit(**(values | more))


def put(store: Store, window: Window, *hits: Hit, instance: str = "emea", now: datetime = NOW) -> None:
    digest = "-".join(one.hit_id[-3:] for one in hits)[:64]
    store.replace_hits(instance, "activities", window, console="c", digest=digest, hits=hits, now=now)


def get(store: Store, incident: str = ONE, now: datetime = NOW) -> Any:
    return store.get_incident(incident, now=now)


def test_an_incident_follows_from_its_hits(store: Store) -> None:
    put(store, FIRST, hit(3, level="medium", severity_id=3, note="direction unknown", attacker="zoe"), hit(1))
    found = get(store)
    assert (found.count, found.first_seen, found.last_seen) == (2, 1000, 3000)
    assert (found.level, found.severity_id, found.note) == ("high", 4, None)  # the severest hit
    assert (found.summary, found.attacker) == ("hit 3", "zoe")  # the latest hit
    assert (found.status, found.superseded, found.short_id, found.instances) == ("open", False, "aaaaaa", ("emea",))
    assert [one.hit_id[-1] for one in found.hits] == ["1", "3"]
    assert [line.kind for line in found.history] == ["opened"]


def test_the_order_of_windows_does_not_matter(store: Store) -> None:
    put(store, SECOND, hit(5))
    put(store, FIRST, hit(1), hit(2))
    backwards = get(store).to_dict()
    put(store, FIRST)
    put(store, SECOND)
    put(store, FIRST, hit(1), hit(2))
    put(store, SECOND, hit(5))
    assert {key: value for key, value in get(store).to_dict().items() if key != "history"} == {
        key: value for key, value in backwards.items() if key != "history"
    }


def test_a_hit_that_two_instances_found_counts_once(store: Store) -> None:
    put(store, FIRST, hit(1))
    put(store, FIRST, hit(1), instance="apac")
    found = get(store)
    assert (found.count, found.instances, len(found.hits)) == (1, ("apac", "emea"), 2)


def test_an_observation_opens_no_incident(store: Store) -> None:
    put(store, FIRST, hit(1, incident=None, visibility="observation"))
    assert store.list_incidents(now=NOW) == []
    assert store.tagged_digest("emea", "activities", FIRST) == "001"


def test_an_incident_without_hits_is_superseded_and_keeps_its_notes(store: Store) -> None:
    put(store, FIRST, hit(1))
    store.add_note(ONE, "seen", author="eve", now=NOW)
    put(store, FIRST)
    found = get(store)
    assert (found.superseded, found.count, [note.text for note in found.notes]) == (True, 0, ["seen"])
    assert store.list_incidents(now=NOW) == []
    assert [one.id for one in store.list_incidents(now=NOW, superseded=True)] == [ONE]
    put(store, FIRST, hit(1))
    assert not get(store).superseded
    assert [line.kind for line in get(store).history] == ["opened", "superseded", "restored"]


def test_status_and_notes_survive_tagging_again(store: Store) -> None:
    put(store, FIRST, hit(1))
    closed = store.close_incident("aaaaaa", "acceptable_risk", "fine", author="eve", now=NOW)
    assert (closed.status, closed.status_reason) == ("closed", "acceptable_risk")
    put(store, FIRST, hit(1, summary="told otherwise"))
    found = get(store)
    assert (found.status, found.status_reason, found.summary) == ("closed", "acceptable_risk", "told otherwise")
    assert [(note.author, note.text) for note in found.notes] == [("eve", "fine")]


def test_only_a_hit_that_it_never_had_reopens_a_closed_incident(store: Store) -> None:
    put(store, FIRST, hit(1), hit(2))
    store.close_incident(ONE, "other", author="eve", now=NOW)
    put(store, FIRST, hit(1))
    put(store, FIRST, hit(1), hit(2))
    assert get(store).status == "closed"
    put(store, SECOND, hit(7), now=NOW + timedelta(hours=1))
    found = get(store)
    assert (found.status, found.status_reason) == ("open", None)
    last = found.history[-1]
    assert (last.kind, last.author, last.at) == ("reopened", "collector", "2026-02-01T13:00:00.000Z")


def test_a_snooze_runs_out(store: Store) -> None:
    put(store, FIRST, hit(1))
    until = NOW + timedelta(days=1)
    assert store.snooze_incident(ONE, until, "on it", author="eve", now=NOW).status == "snoozed"
    assert store.count_incidents(now=NOW) == {"open": 0, "snoozed": 1, "closed": 0}
    assert store.count_incidents(now=until) == {"open": 1, "snoozed": 0, "closed": 0}
    assert [one.status for one in store.list_incidents(now=until, status="open")] == ["open"]
    assert store.list_incidents(now=until, status="snoozed") == []
    assert store.reopen_incident(ONE, author="eve", now=NOW).snooze_until is None


def test_filters_choose_incidents(store: Store) -> None:
    put(
        store,
        FIRST,
        hit(1),
        hit(
            2,
            incident=TWO,
            rule_id="ul-003",
            family="user_login_ad",
            level="low",
            severity_id=2,
            victim="50%_carol",
            time=9000,
            last_time=9000,
        ),
    )
    put(
        store,
        FIRST,
        hit(
            2,
            incident=TWO,
            rule_id="ul-003",
            family="user_login_ad",
            level="low",
            severity_id=2,
            victim="50%_carol",
            time=9000,
            last_time=9000,
        ),
        instance="apac",
    )

    def ids(**filters: Any) -> list[str]:
        return [one.short_id for one in store.list_incidents(now=NOW, **filters)]

    assert ids() == ["bbbbbb", "aaaaaa"]
    assert ids(limit=1, offset=1) == ["aaaaaa"]
    assert ids(family="user_login_ad") == ["bbbbbb"]
    assert ids(level="medium") == ["aaaaaa"]
    assert ids(rule="ul-003") == ["bbbbbb"]
    assert ids(instance="apac") == ["bbbbbb"]
    assert ids(instance="emea") == ["bbbbbb", "aaaaaa"]
    assert ids(text="CAROL") == ["bbbbbb"]
    assert ids(text="%_c") == ["bbbbbb"]
    assert ids(text="a_n") == []
    assert ids(since=datetime.fromtimestamp(5, UTC)) == ["bbbbbb"]
    assert ids(until=datetime.fromtimestamp(5, UTC)) == ["aaaaaa"]
    assert ids(classification="recon") == []


@pytest.mark.parametrize("wrong", ["", "aaaa", "zzzzzz", "cccccc", "aaaaaa'--"])
def test_an_unknown_id_is_wrong_use(store: Store, wrong: str) -> None:
    put(store, FIRST, hit(1))
    with pytest.raises(UsageError):
        get(store, wrong)


def test_a_short_id_that_two_incidents_share_is_refused(store: Store) -> None:
    put(store, FIRST, hit(1, incident="abcdef" + "0" * 26), hit(2, incident="abcdef" + "1" * 26))
    with pytest.raises(UsageError, match="more than one"):
        get(store, "abcdef")
    assert get(store, "abcdef1").id == "abcdef" + "1" * 26


def test_wrong_words_are_refused(store: Store) -> None:
    put(store, FIRST, hit(1))
    with pytest.raises(UsageError, match="acceptable_risk"):
        store.close_incident(ONE, "because", author="eve", now=NOW)
    with pytest.raises(UsageError, match="is past"):
        store.snooze_incident(ONE, NOW, author="eve", now=NOW)
    with pytest.raises(UsageError, match="empty"):
        store.add_note(ONE, "  ", author="eve", now=NOW)
    with pytest.raises(UsageError, match="no status"):
        store.list_incidents(now=NOW, status="done")
    with pytest.raises(UsageError, match="no level"):
        store.list_incidents(now=NOW, level="urgent")


def test_a_failed_replacement_leaves_everything_as_it_was(store: Store) -> None:
    put(store, FIRST, hit(1))
    before = get(store)
    with pytest.raises(IntegrityError):
        put(store, FIRST, hit(2), hit(2))
    assert get(store) == before
    assert store.tagged_digest("emea", "activities", FIRST) == "001"


def test_very_many_hits_are_kept(store: Store) -> None:
    put(store, FIRST, *(hit(n, incident=f"{n % 450:06x}" + "0" * 26) for n in range(1, 1200)))
    assert len(store.list_incidents(now=NOW, limit=1000)) == 450
