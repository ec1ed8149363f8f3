"""Incidents: the list and its filters, one incident with its evidence, and what people do with them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.console.conftest import HOSTILE, NOW, ZERO, Console

from sentinelone_collector.console.charts import Point, baseline_of, columns_chart, rows_chart
from sentinelone_collector.console.pages.incidents import COLUMNS
from sentinelone_collector.console.telling import REASONS
from sentinelone_collector.detect.evidence import evidence_of
from sentinelone_collector.errors import LakeError
from sentinelone_collector.lake import object_key
from sentinelone_collector.store import CLOSE_REASONS, SORTS, Incident
from sentinelone_collector.windows import Window

LIST = "/api/incidents"
_START, _END = (int(moment.timestamp() * 1000) for moment in (ZERO, NOW))


class _Tags(HTMLParser):
    """Collects what a browser would take for elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    return parser.tags


def listed(console: Console, **params: Any) -> list[dict[str, Any]]:
    answer = console.as_("viewer").get(LIST, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["incidents"]
    return found


def one(console: Console, victim: str = "bob") -> Incident:
    known = console.site.store.list_incidents(now=NOW)
    [found] = [each for each in known if each.victim == victim and each.rule_id in {"aa-005", "ul-003"}]
    return console.site.store.get_incident(found.id, now=NOW)


def victims(rows: list[dict[str, Any]]) -> set[str | None]:
    return {row["victim"] for row in rows}


ALL = {"bob", "dora", f"v{HOSTILE}", "eve"}


FILTERS: list[tuple[dict[str, str], set[str]]] = [
    ({}, ALL),
    ({"status": "open"}, ALL),
    ({"status": "closed"}, set()),
    ({"level": "medium"}, {"eve"}),
    ({"level": "low"}, ALL),
    ({"classification": "brute-force"}, {"eve"}),
    ({"family": "administrative_actions"}, ALL - {"eve"}),
    ({"kind": "correlation"}, {"eve"}),
    ({"kind": "anomaly"}, set()),
    ({"rule": "aa-005"}, ALL - {"eve"}),
    ({"instance": "emea"}, ALL),
    ({"instance": "apac"}, set()),
    ({"attacker": "ANN"}, {"bob"}),
    ({"attacker": "203.0.113."}, {"eve"}),
    ({"victim": "or"}, {"dora", f"v{HOSTILE}"}),  # the hostile name holds `onerror`
    ({"victim": "%"}, set()),
    ({"victim": "_"}, set()),
    ({"assignee": "ann"}, set()),
    ({"technique": "T1110.001"}, {"eve"}),
    ({"technique": "T1110"}, set()),
    ({"technique": "%"}, set()),
    ({"text": "dora"}, {"dora"}),
    ({"text": "x' OR 1=1 --"}, set()),
    ({"text": 'Classification = "brute-force"'}, {"eve"}),
    ({"text": 'Classification != "brute-force" AND dora'}, {"dora"}),
    ({"account": "Example AG"}, {"bob"}),
    ({"account": "example"}, set()),
    ({"role": "Admin"}, {"bob"}),
    ({"role": "SOC", "account": "Example AG"}, set()),
    ({"range": "1h"}, set()),
    ({"range": "24h"}, ALL),
    ({"since": "2026-11-22T09:00:00Z"}, {"eve", f"v{HOSTILE}"}),
    ({"until": "2026-11-22T08:10:00Z"}, {"bob"}),
    ({"since": "2026-11-22T08:10", "until": "2026-11-22T09"}, {"dora"}),
]


def test_filters_leave_what_they_say(worked: Console) -> None:
    for params, wanted in FILTERS:
        assert victims(listed(worked, **params)) == wanted, params
        assert worked.as_("viewer").get("/incidents", params=params).status_code == 200, params


def test_pages_and_orders_hold_every_incident_once(worked: Console) -> None:
    whole = [row["id"] for row in listed(worked, sort="victim", order="asc")]
    pages = [listed(worked, sort="victim", order="asc", size=3, page=page) for page in (1, 2, 3)]
    assert [row["id"] for page in pages for row in page] == whole
    ascending = [row["victim"] for row in listed(worked, sort="victim", order="asc")]
    assert ascending == sorted(ascending)
    assert [row["victim"] for row in listed(worked, sort="victim")] == ascending[::-1]
    assert listed(worked, sort="level")[0]["level"] == "medium"
    times = [row["last_seen"] for row in listed(worked)]
    assert times == sorted(times, reverse=True)
    answer = worked.as_("viewer").get(LIST, params={"size": 3}).json()
    assert (answer["more"], answer["page"]) == (True, 1)


def test_counters_say_filtered_and_total(worked: Console) -> None:
    worked.site.store.close_incident(one(worked).id, "other", author="x", now=NOW)
    counts = worked.as_("viewer").get(LIST, params={"rule": "aa-005", "status": "open"}).json()["counts"]
    assert counts == {
        "open": {"filtered": 2, "total": 4},
        "snoozed": {"filtered": 0, "total": 0},
        "closed": {"filtered": 1, "total": 1},
    }
    page = worked.as_("viewer").get("/incidents", params={"rule": "aa-005", "status": "open"}).text
    assert "2 / 4" in page
    assert "3 / 5" in page


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"status": "gone"}, "status"),
    ({"level": "awful"}, "level"),
    ({"sort": "id; DROP TABLE incidents"}, "sort"),
    ({"since": "yesterday"}, "since"),
    ({"until": "9999-99-99"}, "until"),
    ({"order": "random"}, "order"),
    ({"page": 0}, "page"),
    ({"size": 9999}, "size"),
    ({"nothing": "x"}, "nothing"),
    ({"text": 'Colour = "red"'}, "text"),
]


def test_a_filter_that_will_not_do_is_named(worked: Console) -> None:
    for params, field in WRONG:
        answer = worked.as_("viewer").get(LIST, params=params)
        assert answer.status_code == 422, params
        assert set(answer.json()["error"]["fields"]) == {field}
        assert worked.as_("viewer").get("/incidents", params=params).status_code == 422, params


def test_choices_and_json_say_how_many_they_leave(worked: Console) -> None:
    page = worked.as_("viewer").get("/incidents", params={"classification": "admin:activity"}).text
    for words in ("admin:activity (3)", "brute-force (2)", "Example AG (1)", "Critical (0)"):
        assert f">{words}</option>" in page
    answer = worked.as_("viewer").get(LIST, params={"classification": "admin:activity", "facets": "true"}).json()
    assert answer["facets"]["classification"] == {"admin:activity": 3, "brute-force": 2}
    assert answer["facets"]["role"] == {"Admin": 1}
    assert "facets" not in worked.as_("viewer").get(LIST).json()
    hidden = worked.as_("elsewhere").get(LIST, params={"facets": "true"}).json()
    assert set(map(str, hidden["facets"].values())) == {"{}"}


def test_every_column_is_shown_and_every_order_is_offered(worked: Console) -> None:
    found = one(worked)
    worked.site.store.add_note(found.id, "seen", author="x", now=NOW)
    page = worked.as_("viewer").get("/incidents", params={"col": list(COLUMNS), "text": "bob"}).text
    for header in COLUMNS.values():
        assert header in page
    assert {"Example AG", "Admin"} <= set(re.findall(r"<td>([^<]*)</td>", page))
    assert [row["note_count"] for row in listed(worked, sort="notes")] == [1, 0, 0, 0, 0]
    for sort in SORTS:
        assert victims(listed(worked, sort=sort)) == ALL
        assert sort not in COLUMNS or f"sort={sort}&" in page, sort
    shown = worked.as_("viewer").get(f"/incidents/{found.id}").text
    assert "<dt>Account</dt><dd>Example AG</dd><dt>Role</dt><dd>Admin</dd>" in shown


def test_columns_can_be_chosen_and_stand_in_the_links(worked: Console) -> None:
    worked.site.store.add_note(one(worked).id, "hello", author="x", now=NOW)
    columns = ["title", "technique", "tactic", "notes", "kind", "rule", "count", "first_seen", "classification"]
    page = worked.as_("viewer").get("/incidents", params={"col": columns, "size": 2}).text
    assert "Password Guessing" in page
    assert "Credential Access" in page
    assert "col=technique" in page
    assert "page=2" in page
    assert ">Attacker</a>" not in page


def test_content_from_consoles_is_text_on_every_page(worked: Console) -> None:
    hostile = one(worked, f"v{HOSTILE}")
    worked.site.store.add_note(hostile.id, HOSTILE, author=HOSTILE, now=NOW)
    worked.site.store.assign_incident(hostile.id, HOSTILE, author="x", now=NOW)
    for path in (f"/incidents/{hostile.id}", "/incidents", f"/incidents?text={HOSTILE}&attacker={HOSTILE}"):
        text = worked.as_("op").get(path).text
        found = tags(text)
        assert "onerror" in text, path
        assert not [tag for tag, _ in found if tag == "img"], path
        assert not [attributes for _, attributes in found if any(name.startswith("on") for name in attributes)], path
        assert not [attributes for _, attributes in found if "style" in attributes], "the policy would refuse it"
        assert "49" not in [attributes.get("value") for _, attributes in found]
        scripts = [attributes for tag, attributes in found if tag == "script"]
        assert all(attributes.get("src", "").startswith("/static/") for attributes in scripts)  # type: ignore[union-attr]


def test_an_incident_tells_what_happened(worked: Console) -> None:
    guessed = one(worked, "eve")
    text = worked.as_("viewer").get(f"/incidents/{guessed.short_id}").text
    assert "What happened" in text
    assert guessed.summary.rstrip(".") in text
    assert "Many failures in a short time are guesses of a password." in text
    assert "Check whether a login succeeded after the failures" in text, "the recommendation"
    assert "https://attack.mitre.org/techniques/T1110/001/" in text
    assert 'target="_blank"' not in text, "the frame blocks it"
    assert f'data-link="/incidents/{guessed.id}"' in text
    assert "data-api" not in text, "a viewer changes nothing"


def test_all_events_of_a_correlation_are_found_across_windows(worked: Console) -> None:
    guessed = one(worked, "eve")
    [hit] = guessed.hits
    path = f"{LIST}/{guessed.id}/hits/{hit.hit_id}/events"
    found = worked.as_("user").get(path).json()
    assert {each["event"]["metadata"]["uid"] for each in found["events"]} == {f"g{n}" for n in range(10)}
    assert [each["event"]["time"] for each in found["events"]] == sorted(
        each["event"]["time"] for each in found["events"]
    )
    assert found["missing"] == []
    assert {json.loads(each["raw"])["secret"] for each in found["events"]} == {f"record-of-g{n}" for n in range(10)}
    assert "raw_data" not in found["events"][0]["event"]
    page = worked.as_("user").get(f"/incidents/{guessed.id}").text
    assert "what g9 says" in page
    assert "record-of-g9" in page


def test_raw_records_are_for_those_who_may_start_runs(worked: Console) -> None:
    guessed = one(worked)
    [hit] = guessed.hits
    found = worked.as_("viewer").get(f"{LIST}/{guessed.id}/hits/{hit.hit_id}/events")
    assert [each["raw"] for each in found.json()["events"]] == [None]
    assert "record-of" not in found.text
    page = worked.as_("viewer").get(f"/incidents/{guessed.id}").text
    assert "what d1 says" in page
    assert "record-of" not in page
    assert "record-of-d1" in worked.as_("user").get(f"/incidents/{guessed.id}").text


def test_evidence_is_bounded_and_says_what_is_missing(worked: Console) -> None:
    lake, uids = worked.site.lake, [f"g{n}" for n in range(10)]
    whole = evidence_of(lake, "emea", "activities", [*uids, "nowhere"], first=_START, last=_END)
    assert whole.missing == ("nowhere",)
    assert whole.looked == 3
    two = evidence_of(lake, "emea", "activities", uids, first=_START, last=_END, most_windows=1)
    assert two.looked == 1
    assert {event["metadata"]["uid"] for event in two.events} | set(two.missing) == set(uids)
    assert 0 < len(two.events) < len(uids)
    assert evidence_of(lake, "emea", "activities", uids, first=_START, last=_START + 1).looked == 0
    early = evidence_of(lake, "emea", "activities", ["d1", "d2"], first=_START, last=whole.events[0]["time"])
    assert {event["metadata"]["uid"] for event in early.events} == {"d1", "d2"}


def test_evidence_that_is_gone_or_damaged_is_said_and_the_page_stays(worked: Console) -> None:
    found = one(worked)
    window = Window(ZERO.replace(hour=8), ZERO.replace(hour=9))
    key = object_key("events", "emea", "activities", window)
    worked.site.lake.put(key, b"no parquet")
    with pytest.raises(LakeError, match=r"no file of events.*collect the window"):
        evidence_of(worked.site.lake, "emea", "activities", ["d1"], first=_START, last=_END)
    page = worked.as_("op").get(f"/incidents/{found.id}")
    assert (page.status_code, "no file of events" in page.text) == (200, True)
    worked.site.lake.delete(key)
    page = worked.as_("op").get(f"/incidents/{found.id}")
    assert (page.status_code, "not in the lake any more" in page.text) == (200, True)


def analysis(**changes: Any) -> dict[str, Any]:
    return {
        "detector": "first_seen",
        "parameter": "country",
        "pattern": "unseen",
        "observed": "BR",
        "basis": "user",
        "days": 90,
        "events": 221,
        "score": 0.004,
        "measure": "probability",
        "words": "eve never logged in from BR before.",
        "baseline": [{"value": "DE", "count": 212.0}, {"value": "FR", "count": 9.0}],
        "series": False,
        "cold": False,
        **changes,
    }


def test_an_anomaly_shows_its_baseline_as_a_chart(worked: Console) -> None:
    guessed = one(worked, "eve")
    content = guessed.hits[0].content | {"analysis": analysis(words=f"eve {HOSTILE}")}
    with worked.site.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE incident_hits SET content = ? WHERE incident_id = ?", (json.dumps(content), guessed.id)
        )
    text = worked.as_("viewer").get(f"/incidents/{guessed.id}").text
    svg = [attributes for tag, attributes in tags(text) if tag == "rect"]
    assert [each["class"] for each in svg] == ["bar", "bar", "bar marked"]
    assert float(svg[0]["width"] or 0) > float(svg[1]["width"] or 0) > float(svg[2]["width"] or 0)
    assert "221 events of the user in 90 days" in text
    assert not [tag for tag, _ in tags(text) if tag == "img"]
    assert "What is usual" not in worked.as_("viewer").get(f"/incidents/{one(worked).id}").text


def test_what_was_observed_is_marked_in_every_kind_of_baseline() -> None:
    def marked(**changes: Any) -> list[tuple[str, float]]:
        found = baseline_of(analysis(**changes))
        assert found is not None
        assert found.chart is not None
        return [(point.label, point.value) for point in found.chart.points if point.marked]

    hours = [{"value": f"{hour:02d}:00", "count": float(hour)} for hour in range(24)]
    days = [{"value": f"2026-11-{day:02d}", "count": 3.0} for day in range(1, 20)]
    assert marked() == [("BR", 0)]
    assert marked(observed="FR", pattern="rare") == [("FR", 9)]
    assert marked(observed="900 km/h", pattern="impossible_travel") == []
    assert marked(baseline=hours, series=True, observed="03:15 UTC on a workday") == [("03:00", 3)]
    assert marked(baseline=days, series=True, observed="57") == [("observed", 57)]
    assert marked(baseline=days, series=True, observed="many") == []
    empty = baseline_of(analysis(baseline=[]))
    assert empty is not None
    assert empty.chart is None
    assert [baseline_of(each) for each in (None, "x", {}, {"observed": 3})] == [None] * 4


@given(st.lists(st.floats(0, 1e9), max_size=120))
@settings(max_examples=60)
def test_bars_lie_inside_the_drawing_and_keep_their_order(values: list[float]) -> None:
    points = [Point(str(number), value) for number, value in enumerate(values)]
    for chart in (columns_chart(points), rows_chart(points)):
        for bar in chart.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= chart.width + 0.2
            assert -0.1 <= bar.y <= bar.y + bar.height <= chart.height + 0.1
            assert (bar.height > 0 and bar.width > 0) or bar.point.value == 0
    heights = {bar.point.value: bar.height for bar in columns_chart(points).bars}
    assert [heights[value] for value in sorted(heights)] == sorted(heights.values())


def test_closing_has_the_effect_of_the_command_and_is_in_the_audit_log(worked: Console) -> None:
    first, second = one(worked, "bob"), one(worked, "dora")
    form = {"ids": [first.id, second.short_id], "reason": "threat_not_valid", "note": "known person"}
    answer = worked.as_("user").post(f"{LIST}/close", json=form)
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"] == "2 incidents are closed."
    assert set(answer.json()["changed"]) == {first.id, second.id}
    command = worked.site.store.close_incident(
        one(worked, "eve").id, "threat_not_valid", "known person", author="user", now=NOW
    )
    for victim in ("bob", "dora"):
        now = one(worked, victim)
        assert (now.status, now.status_reason) == (command.status, command.status_reason)
        assert [(note.author, note.text) for note in now.notes] == [("user", "known person")]
        assert [(line.author, line.kind) for line in now.history] == [("collector", "opened"), ("user", "closed")]
        [change] = worked.site.store.list_changes(target=now.id)
        assert (change.user, change.action) == ("user", "close incident")
        assert change.detail == "threat_not_valid: known person"
    page = worked.as_("viewer").get(f"/incidents/{first.id}").text
    assert "Closed: Not a valid threat" in page
    assert "known person" in page


def test_every_reason_to_close_is_offered_and_taken(worked: Console) -> None:
    assert set(REASONS) == set(CLOSE_REASONS)
    found = one(worked)
    page = worked.as_("user").get(f"/incidents/{found.id}").text
    offered = {attributes.get("value") for tag, attributes in tags(page) if tag == "option"}
    assert set(CLOSE_REASONS) <= offered
    for reason in CLOSE_REASONS:
        form = {"ids": [found.id], "reason": reason}
        assert worked.as_("user").post(f"{LIST}/close", json=form).status_code == 200
        assert one(worked).status_reason == reason


def test_snooze_reopen_assign_and_note(worked: Console) -> None:
    found, client = one(worked), worked.as_("user")
    assert client.post(f"{LIST}/snooze", json={"ids": [found.id], "hours": 4}).status_code == 200
    assert (one(worked).status, one(worked).snooze_until) == ("snoozed", "2026-11-22T16:00:00.000Z")
    later = worked.site.store.get_incident(found.id, now=NOW + timedelta(hours=5))
    assert later.status == "open"
    assert client.post(f"{LIST}/reopen", json={"ids": [found.id], "note": "again"}).status_code == 200
    assert one(worked).status == "open"
    until = {"ids": [found.id], "until": "2026-12-01T08:00:00Z"}
    assert client.post(f"{LIST}/snooze", json=until).status_code == 200
    assert one(worked).snooze_until == "2026-12-01T08:00:00.000Z"
    assert client.post(f"{LIST}/assign", json={"ids": [found.id], "assignee": "ann"}).status_code == 200
    assert victims(listed(worked, assignee="ann")) == {"bob"}
    client = worked.as_("user")
    assert client.post(f"{LIST}/assign", json={"ids": [found.id]}).json()["message"].endswith("assigned to nobody.")
    assert one(worked).assignee is None
    assert client.post(f"{LIST}/{found.id}/notes", json={"text": " looked at it "}).status_code == 200
    assert [note.text for note in one(worked).notes] == ["again", "looked at it"]
    actions = [change.action for change in worked.site.store.list_changes(target=found.id)]
    assert actions[::-1] == [f"{verb} incident" for verb in ("snooze", "reopen", "snooze", "assign", "assign", "note")]


REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("close", {"reason": "other"}, 422),
    ("close", {"ids": [], "reason": "other"}, 422),
    ("close", {"ids": ["ffffff"], "reason": "other"}, 404),
    ("close", {"ids": ["zz"], "reason": "other"}, 422),
    ("close", {"ids": ["KNOWN"], "reason": "because"}, 422),
    ("close", {"ids": ["KNOWN"], "reason": "other", "note": "x" * 4001}, 422),
    ("close", {"ids": ["aaaaaa"] * 201, "reason": "other"}, 422),
    ("snooze", {"ids": ["KNOWN"], "until": "2026-11-22T11:00:00Z"}, 422),
    ("snooze", {"ids": ["KNOWN"], "until": "2036-11-22"}, 422),
    ("snooze", {"ids": ["KNOWN"], "until": "soon"}, 422),
    ("snooze", {"ids": ["KNOWN"], "hours": 0}, 422),
    ("KNOWN/notes", {"text": "  "}, 422),
    ("ffffff/notes", {"text": "x"}, 404),
]


def test_a_change_that_will_not_do_changes_nothing(worked: Console) -> None:
    before = one(worked)
    for path, form, status in REFUSED:
        text = json.dumps(form).replace("KNOWN", before.id)
        answer = worked.as_("op").post(f"{LIST}/{path.replace('KNOWN', before.id)}", json=json.loads(text))
        assert answer.status_code == status, (path, form, answer.text)
        assert one(worked) == before
    assert worked.site.store.list_changes() == []


def test_of_several_incidents_those_that_can_be_are_changed(worked: Console) -> None:
    form = {"ids": ["ffffff", one(worked).id], "reason": "other"}
    answer = worked.as_("user").post(f"{LIST}/close", json=form).json()
    assert answer["changed"] == [one(worked).id]
    assert [each["id"] for each in answer["refused"]] == ["ffffff"]
    assert "1 could not be changed" in answer["message"]


def test_a_viewer_changes_no_incident(worked: Console) -> None:
    for verb in ("close", "snooze", "reopen", "assign"):
        form = {"ids": [one(worked).id]} | ({"reason": "other"} if verb == "close" else {})
        assert worked.as_("viewer").post(f"{LIST}/{verb}", json=form).status_code == 403
        client = worked.as_(None)
        client.headers = {"X-Role": "op", "X-SentinelOne-Console": "1", "Sec-Fetch-Site": "cross-site"}  # type: ignore[assignment]
        assert client.post(f"{LIST}/{verb}", json=form).status_code == 403
    assert one(worked).status == "open"
    assert worked.site.store.list_changes() == []


def test_who_may_not_see_an_instance_sees_none_of_its_incidents(worked: Console) -> None:
    found = one(worked)
    [hit] = found.hits
    client = worked.as_("elsewhere")
    answer = client.get(LIST).json()
    assert answer["incidents"] == []
    assert answer["counts"]["open"] == {"filtered": 0, "total": 0}
    for path in (f"/incidents/{found.id}", f"{LIST}/{found.id}", f"{LIST}/{found.id}/hits/{hit.hit_id}/events"):
        assert client.get(path).status_code == 404, path
    assert client.post(f"{LIST}/close", json={"ids": [found.id], "reason": "other"}).status_code == 404
    assert client.post(f"{LIST}/{found.id}/notes", json={"text": "x"}).status_code == 404
    assert "bob" not in client.get("/incidents").text
    assert client.get("/api/rules/aa-005/hits").json()["days"] == {}
    assert worked.as_("op").get("/api/rules/aa-005/hits").json()["days"] == {"2026-11-22": 3}
    assert one(worked) == found


def test_an_unknown_incident_is_not_found(worked: Console) -> None:
    known = one(worked).id
    for incident_id in ("ffffff", "x", "0" * 33, "' OR '1'='1"):
        for path in (f"{LIST}/{incident_id}", f"/incidents/{incident_id}", f"{LIST}/{known}/hits/{incident_id}/events"):
            assert worked.as_("op").get(path).status_code == 404, path
    assert worked.as_("op").get(f"/incidents/{known}?hit=ffff").status_code == 404


def test_an_incident_whose_hits_went_away_says_so(worked: Console) -> None:
    found = one(worked)
    for hour in (8, 9, 10):
        window = Window(ZERO.replace(hour=hour), ZERO.replace(hour=hour + 1))
        worked.site.store.replace_hits(
            "emea", "activities", window, console=found.console, digest="x", hits=[], now=NOW
        )
    page = worked.as_("op").get(f"/incidents/{found.id}").text
    assert "No longer holds" in page
    assert "no hit is left" in page
    assert listed(worked) == []
    assert victims(listed(worked, superseded="true")) == ALL


def test_empty_pages_say_what_to_do_next(console: Console) -> None:
    assert "Register an application" in console.as_("viewer").get("/incidents").text
    console.register()
    assert "Coverage" in console.as_("viewer").get("/incidents").text
    assert "Clear the filters" in console.as_("viewer").get("/incidents", params={"text": "x"}).text


def test_times_are_in_utc_and_machine_readable(worked: Console) -> None:
    found = one(worked)
    text = worked.as_("viewer").get(f"/incidents/{found.id}").text
    moment = datetime.fromtimestamp(found.last_seen / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    assert f"{moment} UTC</time>" in text
