"""Coverage: what the heat map, the gaps and the receipts say, and collecting a range again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.console.conftest import HOSTILE, NOW, Console, write_receipt_of

from sentinelone_collector.console import Backfill, DagState, Run
from sentinelone_collector.console.coverage import Known, WindowState, days_of, gaps_of, state_of_window, weeks_of
from sentinelone_collector.lake import new_types_key
from sentinelone_collector.windows import Calendar, compact, iso

BEGIN = NOW - timedelta(hours=12)
RANGE = {"start": iso(BEGIN), "end": iso(NOW)}
DAG = "sentinelone__emea"


@pytest.fixture
def covered(console: Console) -> Console:
    """One instance with windows of an hour: 0, 1, 5 and 6 complete (6 by the audit), 2 failed, 3 running."""
    instance = console.register("emea", every="1h", live_since=BEGIN)
    console.airflow.known[DAG] = DagState(is_paused=False)
    windows = list(instance.calendar.due(NOW))
    for number in (0, 1, 5, 6):
        write_receipt_of(console.site, instance, windows[number])
    for number, state, run_id in ((0, "success", "s0"), (2, "failed", "s2"), (3, "running", "s3")):
        console.airflow.all_runs.append(Run(DAG, run_id, state, windows[number].start))
    console.airflow.all_runs.append(Run(DAG, "audit__6", "success", windows[6].start, "operator_triggered"))
    return console


def test_every_window_has_its_state(covered: Console) -> None:
    rows = covered.as_("viewer").get("/api/coverage/emea", params=RANGE).json()
    assert [row["state"] for row in rows] == [
        *("complete", "complete", "failed", "running", "missing", "complete", "complete"),
        *("missing", "missing", "missing", "missing", "open"),
    ]
    gaps = covered.as_("viewer").get("/api/coverage/emea/gaps").json()
    assert [(gap["start"][11:16], gap["windows"], gap["state"]) for gap in gaps] == [
        ("07:00", 4, "missing"),
        ("04:00", 1, "missing"),
        ("02:00", 1, "failed"),
    ]


def test_the_page_shows_days_windows_and_the_receipt_with_its_run(covered: Console) -> None:
    client = covered.as_("viewer")
    page = client.get("/coverage").text
    assert page.count('class="cell failed') >= 2  # the day and the window; the legend has one, too
    assert "06:00: complete, made up by the audit" in page
    assert "data-api" not in page, "a viewer may collect nothing"
    shown = client.get("/coverage", params={"instance": "emea", "window": compact(BEGIN)}).text
    receipt = client.get("/api/coverage/emea/receipt", params={"start": iso(BEGIN)}).json()
    assert receipt["raw_sha256"] in shown
    assert f'data-airflow="/dags/{DAG}/runs/s0"' in shown
    missing = client.get("/coverage", params={"window": compact(BEGIN + timedelta(hours=4))}).text
    assert "There is no receipt" in missing
    assert client.get("/api/coverage/emea/receipt", params={"start": iso(NOW)}).status_code == 404


def test_types_that_this_version_does_not_know_are_shown(covered: Console) -> None:
    client = covered.as_("viewer")
    assert "New activity types" not in client.get("/coverage").text
    span = {"first": iso(BEGIN), "last": iso(BEGIN + timedelta(hours=1))}
    noted = [{"type": "27", "name": "Known", **span}, {"type": "424242", "name": HOSTILE, **span}]
    covered.site.lake.put(new_types_key("emea"), json.dumps(noted).encode())
    page = client.get("/coverage").text
    assert "New activity types" in page
    assert "424242" in page
    assert ">27<" not in page.split('id="new-types"')[1], "this version knows it by now"
    assert HOSTILE not in page


def test_a_range_is_collected_by_a_backfill_of_its_windows(covered: Console) -> None:
    client = covered.as_("user")
    body = {"start": "2026-11-22T02:30:00Z", "end": "2026-11-22T04:10:00Z"}
    answer = client.post("/api/coverage/emea/collect", json=body)
    assert answer.status_code == 202
    (backfill,) = covered.airflow.all_backfills
    assert (backfill.start, backfill.end) == (BEGIN + timedelta(hours=2), BEGIN + timedelta(hours=4))
    assert client.get("/api/coverage/emea/collect").json()["total"] == 2
    assert client.post("/api/coverage/emea/collect", json=body).status_code == 409
    (change,) = covered.site.store.list_changes()
    assert (change.user, change.action, change.target) == ("user", "collect range", "emea")


def test_a_range_before_the_collection_is_collected_and_then_shown(
    covered: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentinelone_collector.console.receipts._RECENT_SECONDS", -1.0)
    client, day = covered.as_("user"), timedelta(days=1)
    assert client.get("/api/coverage/emea/gaps").json()[-1]["state"] == "failed"
    answer = client.post("/api/coverage/emea/collect", json={"start": iso(BEGIN - 3 * day), "end": iso(BEGIN - day)})
    assert answer.status_code == 202
    (backfill,) = covered.airflow.all_backfills
    assert (backfill.start, backfill.end) == (BEGIN - 3 * day, BEGIN - 2 * day)
    instance = covered.site.inventory.get("emea")
    write_receipt_of(covered.site, instance, instance.calendar.window_at(backfill.start))
    rows = client.get("/api/coverage/emea", params={"start": iso(BEGIN - 3 * day), "end": iso(BEGIN)}).json()
    assert [row["state"] for row in rows] == ["complete", "outside", "outside"]
    assert f"{(BEGIN - 3 * day).date()}: 1 complete" in client.get("/coverage").text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"start": "nonsense", "end": iso(NOW)}, "start"),
        ({"start": iso(NOW), "end": iso(BEGIN)}, "end"),
        ({"start": iso(NOW + timedelta(days=1)), "end": iso(NOW + timedelta(days=2))}, "end"),
        ({"start": iso(NOW - timedelta(minutes=1)), "end": iso(NOW)}, ""),
        ({"start": iso(BEGIN), "end": iso(NOW), "what": "everything"}, "what"),
        ({"start": "0001-01-01", "end": "0001-01-02"}, "start"),
        ({"start": "9999-12-31T23:59:59-23:59", "end": iso(NOW)}, "start"),
    ],
)
def test_a_range_that_is_none_is_told(covered: Console, body: dict[str, Any], field: str) -> None:
    answer = covered.as_("user").post("/api/coverage/emea/collect", json=body)
    if field:
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, [field])
        assert covered.airflow.all_backfills == []
    else:
        assert answer.status_code == 202, "the window that holds the range has ended"


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31", "99991231T235900Z", "00010101T000000Z", "x'--"])
def test_odd_times_are_refused_in_words(covered: Console, moment: str) -> None:
    client = covered.as_("viewer")
    for path in ("/coverage?day=", "/coverage?window=", "/api/coverage/emea?end=2026-11-22&start="):
        assert client.get(path + moment).status_code == 422, path
    assert client.get(f"/api/coverage/emea?start=2026-11-22&end={moment}").status_code == 422


def test_nothing_is_started_that_would_wait_for_ever(covered: Console) -> None:
    covered.airflow.known[DAG] = DagState(is_paused=True)
    assert covered.as_("user").post("/api/coverage/emea/collect", json=RANGE).status_code == 409
    covered.airflow.known.clear()
    assert covered.as_("user").post("/api/coverage/emea/collect", json=RANGE).status_code == 409
    assert covered.airflow.all_backfills == []


def test_progress_counts_the_runs_of_the_range(covered: Console) -> None:
    covered.airflow.all_backfills.append(Backfill(7, DAG, BEGIN, BEGIN + timedelta(hours=3)))
    progress = covered.as_("viewer").get("/api/coverage/emea/collect").json()
    assert {name: progress[name] for name in ("number", "total", "active", "failed", "done", "complete")} == {
        "number": 7,
        "total": 3,
        "active": 1,
        "failed": 1,
        "done": 2,
        "complete": False,
    }


def test_a_window_that_was_collected_meanwhile_is_seen(covered: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    client = covered.as_("viewer")
    before = client.get("/api/coverage/emea/gaps").json()
    instance = covered.site.inventory.get("emea")
    write_receipt_of(covered.site, instance, list(instance.calendar.due(NOW))[4])
    monkeypatch.setattr("sentinelone_collector.console.receipts._RECENT_SECONDS", -1.0)
    after = client.get("/api/coverage/emea/gaps").json()
    assert [gap for gap in before if gap not in after] == [gap for gap in before if gap["start"][11:16] == "04:00"]


_hours = st.sets(st.integers(0, 60))


@settings(max_examples=60)
@given(complete=_hours, active=_hours, failed=_hours, unavailable=st.booleans())
def test_days_and_gaps_agree_with_the_windows(
    complete: set[int], active: set[int], failed: set[int], unavailable: bool
) -> None:
    begin = NOW - timedelta(hours=60)
    calendar = Calendar(live_since=begin, every=timedelta(hours=1))
    windows = list(calendar.touching(begin, NOW + timedelta(hours=6)))
    known = Known(
        complete={windows[number] for number in complete},
        active={windows[number].start for number in active},
        failed={windows[number].start for number in failed},
        unavailable=unavailable,
    )
    days = days_of(calendar, known, begin.date(), NOW.date(), NOW)
    assert sum(sum(day.counts.values()) for day in days) == 24 * len(days)
    assert [day for week in weeks_of(days) for day in week if day] == days
    bad = {WindowState.MISSING, WindowState.FAILED, WindowState.UNAVAILABLE}
    wanted = {window for window in windows if state_of_window(calendar, window, known, NOW) in bad}
    gaps = gaps_of(calendar, known, NOW)
    assert {window for gap in gaps for window in calendar.touching(gap.start, gap.end)} == wanted
    assert sum(gap.windows for gap in gaps) == len(wanted)
    assert not wanted & set(known.complete)
