"""Lists of incidents for people: both databases count, sort and bound them alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinelone_collector.detect import Hit
from sentinelone_collector.errors import UsageError
from sentinelone_collector.store import SORTS, IncidentFilter, Overview, Store, split_terms
from sentinelone_collector.windows import Window

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
START = datetime(2026, 1, 14, 23, 50, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=10))
IDS = [letter * 6 + "0" * 26 for letter in "abcd"]


def hit(number: int, incident: str, at: datetime, **more: Any) -> Hit:
    moment = int(at.timestamp() * 1000)
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
        "time": moment,
        "last_time": moment,
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


@pytest.fixture
def filled(store: Store) -> Store:
    later = START + timedelta(minutes=20)
    own = [
        hit(1, IDS[0], START, account="Before"),
        hit(2, IDS[0], later, account="Example AG", role="Admin"),
        hit(3, IDS[1], START, attacker=None, level="low", severity_id=2, account="Example AG"),
    ]
    other = [
        hit(1, IDS[0], START),  # the same hit, seen by another instance of the console
        hit(4, IDS[2], later, rule_id="aa-001", attacker="50%_off", kind="correlation", attacks=("T1110",)),
    ]
    for instance, hits in (("emea", own), ("apac", other)):
        store.replace_hits(instance, "activities", WINDOW, console="c", digest=instance, hits=hits, now=NOW)
    return store


def ids(found: list[Any]) -> list[str]:
    return [each.id for each in found]


def test_hits_are_counted_once_by_day_and_rule(filled: Store) -> None:
    span = (START - timedelta(days=1), START + timedelta(days=1))
    whole = Overview(filled)
    assert whole.hits_by_day("aa-010", *span) == {"2026-01-14": 2, "2026-01-15": 1}
    assert whole.hits_by_rule(*span) == {"aa-010": 3, "aa-001": 1}
    assert whole.hits_by_rule(START + timedelta(minutes=1), span[1]) == {"aa-010": 1, "aa-001": 1}
    assert Overview(filled, ["apac"]).hits_by_rule(*span) == {"aa-010": 1, "aa-001": 1}
    assert Overview(filled, []).hits_by_rule(*span) == {}


def test_what_may_be_seen_bounds_lists_counts_and_choices(filled: Store) -> None:
    assert Overview.seen_instances(filled) == ["apac", "emea"]
    apac = Overview(filled, ["apac"])
    assert set(ids(apac.page(IncidentFilter(), now=NOW))) == {IDS[0], IDS[2]}
    assert apac.counts(IncidentFilter(rule="aa-001"), now=NOW)["open"] == (1, 2)
    assert apac.rules(now=NOW) == [("aa-001", "2FA disabled"), ("aa-010", "2FA disabled")]
    assert Overview(filled, []).page(IncidentFilter(), now=NOW) == []


def test_every_order_gives_every_incident_once_and_turns_around(filled: Store) -> None:
    whole = Overview(filled)
    for sort in SORTS:
        down, up = (whole.page(IncidentFilter(), now=NOW, sort=sort, descending=way) for way in (True, False))
        assert set(ids(down)) == set(ids(up)) == set(IDS[:3]), sort
    by_attacker = whole.page(IncidentFilter(), now=NOW, sort="attacker", descending=False)
    assert [each.attacker for each in by_attacker] == [None, "50%_off", "ann"], "nobody stands before everybody"
    assert ids(whole.page(IncidentFilter(), now=NOW, sort="level"))[-1] == IDS[1]
    assert ids(whole.page(IncidentFilter(), now=NOW, sort="role"))[0] == IDS[0]
    assert ids(whole.page(IncidentFilter(), now=NOW, sort="instance"))[0] == IDS[1], "the others begin with apac"
    filled.add_note(IDS[1], "x", author="x", now=NOW)
    assert ids(whole.page(IncidentFilter(), now=NOW, sort="notes"))[0] == IDS[1]
    with pytest.raises(UsageError, match="not sorted by"):
        whole.page(IncidentFilter(), now=NOW, sort="id; --")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (IncidentFilter(attacker="0%_O"), {IDS[2]}),
        (IncidentFilter(attacker="%"), {IDS[2]}),
        (IncidentFilter(victim="BO"), set(IDS[:3])),
        (IncidentFilter(kind="correlation"), {IDS[2]}),
        (IncidentFilter(technique="T1110"), {IDS[2]}),
        (IncidentFilter(technique="T1556"), set()),
        (IncidentFilter(level="medium"), {IDS[0], IDS[2]}),
        (IncidentFilter(instance="apac", rule="aa-010"), {IDS[0]}),
        (IncidentFilter(account="Example AG"), {IDS[0], IDS[1]}),
        (IncidentFilter(account="Before"), set()),
        (IncidentFilter(role="Admin"), {IDS[0]}),
    ],
)
def test_filters(filled: Store, wanted: IncidentFilter, found: set[str]) -> None:
    assert set(ids(Overview(filled).page(wanted, now=NOW))) == found


def test_a_snooze_that_ran_out_counts_and_sorts_as_open(filled: Store) -> None:
    filled.snooze_incident(IDS[0], NOW + timedelta(hours=1), author="x", now=NOW)
    whole = Overview(filled)
    assert whole.counts(IncidentFilter(status="open"), now=NOW)["snoozed"] == (1, 1)
    later = NOW + timedelta(hours=2)
    assert whole.counts(IncidentFilter(), now=later)["open"] == (3, 3)
    assert whole.note_counts(IDS) == {}
    filled.add_note(IDS[0], "x", author="x", now=NOW)
    assert whole.note_counts(IDS) == {IDS[0]: 1}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Classification = "admin:activity"', set(IDS[:3])),
        ('classification="ADMIN:activity" AND Threat Level = "High"', {IDS[0], IDS[2]}),
        ('Role = "admin"', {IDS[0]}),
        ('Role != "admin"', {IDS[1], IDS[2]}),
        ('Role = ""', {IDS[1], IDS[2]}),
        ('Attacker != "ann"', {IDS[1], IDS[2]}),
        ('Deployment = "APAC"', {IDS[0], IDS[2]}),
        ('Deployment != "apac"', {IDS[1]}),
        ('MITRE Technique = "t1110"', {IDS[2]}),
        ('Detection Source = "Rule"', {IDS[0], IDS[1]}),
        ('Correlation Name = "2fa DISABLED"', set(IDS[:3])),
        ('Correlation Name = "AA-001"', {IDS[2]}),
        ('Incident ID = "AAAAAA"', {IDS[0]}),
        ('Status = "Open"', set(IDS[:3])),
        ('Status = "closed"', set()),
        ('Account = "Example AG" AND hit 3', {IDS[1]}),
        ('hit 3 AND Account = "Example AG"', {IDS[1]}),
        ('Account = "Ex%"', set()),
        ('Victim = "bob" Level != "low" 50%_off', {IDS[2]}),
    ],
)
def test_comparisons_of_the_search_field(filled: Store, text: str, found: set[str]) -> None:
    terms, words = split_terms(text)
    wanted = IncidentFilter(terms=terms, text=words or None)
    assert set(ids(Overview(filled).page(wanted, now=NOW))) == found


def test_plain_words_stay_words_and_unknown_names_are_told() -> None:
    for text in ("", "ann@example.com", "a=b", "x' OR 1=1 --", 'say "hello"', "this AND that", "role is admin"):
        assert split_terms(text) == ((), text)
    for text in ('Colour = "red"', '= "red"', 'Role = "a" and b != "c"'):
        with pytest.raises(UsageError, match="names no field of incidents"):
            split_terms(text)


def test_facets_count_by_the_filters_of_the_other_fields(filled: Store) -> None:
    whole = Overview(filled).facets(IncidentFilter(level="high"), now=NOW)
    assert whole["level"] == {"high": 2, "low": 1}
    assert whole["rule"] == {"aa-001": 1, "aa-010": 1}
    assert whole["instance"] == {"apac": 2, "emea": 1}
    assert whole["account"] == {"Example AG": 1}
    narrow = Overview(filled, ["emea"]).facets(IncidentFilter(rule="aa-010"), now=NOW)
    assert narrow["instance"] == {"emea": 2}
    assert narrow["role"] == {"Admin": 1}
