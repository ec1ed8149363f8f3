"""Two instances in real Airflow; the order of these tests is the order of a day's work."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec

from sentinelone_collector.lake import read_receipt, write_receipt
from sentinelone_collector.windows import DAY, Window

from .conftest import E2E, SETTLE, Site

pytestmark = E2E


def test_history_and_live_windows_are_collected_by_the_scheduler(site: Site) -> None:
    history = [window for window in site.due("beta") if window.end - window.start == DAY]
    assert len(history) == 3
    site.wait_for("beta", history)
    live = site.due("alpha", site.started + timedelta(minutes=2))
    assert len(live) >= 2  # some minutes; those of a day that ends meanwhile are one window
    site.wait_for("alpha", live)
    assert site.assert_delivered("beta", history) > 50_000
    assert site.assert_delivered("alpha", live) > 0
    first = read_receipt(site.installation.lake, "alpha", "activities", live[0])
    assert first is not None
    assert datetime.fromisoformat(first.collected_from) == site.started - timedelta(minutes=5)
    assert all(left.end == right.start for left, right in pairwise(live))
    assert site.installation.count_incidents("beta") > 0


def test_a_backfill_of_an_older_range(site: Site) -> None:
    calendar = site.instance("beta").calendar
    first = calendar.first
    windows = [calendar.window_at(first.start - days * DAY) for days in (2, 1)]
    site.airflow.call(
        "POST",
        "backfills",
        dag_id="sentinelone__beta",
        from_date=windows[0].start.isoformat(),
        to_date=windows[-1].start.isoformat(),
        run_backwards=True,
    )
    site.wait_for("beta", windows)
    assert site.assert_delivered("beta", windows) > 30_000


def test_a_manual_run_collects_its_window_again(site: Site) -> None:
    window = site.due("alpha")[0]
    site.wait_for("alpha", [window])
    lake = site.installation.lake
    before = read_receipt(lake, "alpha", "activities", window)
    lake.delete(f"receipts/instance=alpha/stream=activities/day={window.day}/{window.name}.json")
    site.airflow.call(
        "POST",
        "dags/sentinelone__alpha/dagRuns",
        logical_date=(window.start + timedelta(seconds=17)).isoformat(),
        conf={},
    )
    site.wait_for("alpha", [window])
    after = read_receipt(lake, "alpha", "activities", window)
    assert before is not None
    assert after is not None
    assert (after.raw_sha256, after.events_sha256) == (before.raw_sha256, before.events_sha256)
    site.assert_delivered("alpha", [window])


def test_a_run_without_a_logical_date_takes_the_last_window_that_has_ended(site: Site) -> None:
    calendar = site.instance("beta").calendar
    run = site.airflow.call("POST", "dags/sentinelone__beta/dagRuns", logical_date=None, conf={})
    window = calendar.last_ended(datetime.fromisoformat(run["run_after"]))
    state = site.wait(
        "manual run",
        lambda: (
            (found := site.airflow.call("GET", f"dags/sentinelone__beta/dagRuns/{run['dag_run_id']}"))["state"]
            in {"success", "failed"}
            and found["state"]
        ),
    )
    assert state == "success"
    assert window in site.complete("beta")
    site.assert_delivered("beta", [window])


def _collect_again(site: Site, slug: str) -> None:
    window = site.instance(slug).calendar.first
    key = f"receipts/instance={slug}/stream=activities/day={window.day}/{window.name}.json"
    site.installation.lake.delete(key)
    site.airflow.call(
        "POST", f"dags/sentinelone__{slug}/dagRuns", logical_date=(window.start + timedelta(seconds=9)).isoformat()
    )
    site.wait_for(slug, [window])
    site.assert_delivered(slug, [window])


def test_the_scheduler_is_killed_and_the_console_goes_down(site: Site) -> None:
    site.wait("two more windows", lambda: len(site.complete("alpha")) >= 8)
    site.kill("scheduler")
    site.consoles["alpha"].go_down("refuse")
    down_at = datetime.now(UTC)
    _collect_again(site, "beta")  # the other instance goes on
    site.wait("a minute of silence", lambda: datetime.now(UTC) > down_at + timedelta(seconds=75))
    site.consoles["alpha"].come_up()
    up_at = datetime.now(UTC)
    windows = site.due("alpha", up_at + timedelta(seconds=60))
    site.wait_for("alpha", windows)
    assert len(windows) >= 8
    site.assert_delivered("alpha", windows)


def _upcoming(site: Site, dag_id: str) -> datetime:
    return datetime.fromisoformat(site.airflow.call("GET", f"dags/{dag_id}")["next_dagrun_logical_date"])


def test_windows_that_a_backfill_makes_the_scheduler_skip_are_found_by_the_audit(site: Site) -> None:
    """The next scheduled run follows the newest of scheduled and backfill runs; see facts of Airflow 3.3."""
    site.wait("a first window", lambda: site.complete("alpha"))
    # the audit of the hour would find them before it is seen that Airflow skips them
    site.airflow.call("PATCH", "dags/sentinelone__audit?update_mask=is_paused", is_paused=True)
    site.airflow.call("PATCH", "dags/sentinelone__alpha?update_mask=is_paused", is_paused=True)
    paused_at = datetime.now(UTC)
    calendar = site.instance("alpha").calendar

    def unscheduled() -> list[Window]:
        """List the windows that had not settled when the DAG was paused, and have by now."""
        windows = calendar.touching(paused_at - timedelta(minutes=2), datetime.now(UTC) - 2 * SETTLE)
        settled = [window for window in windows if calendar.ready_at(window) < datetime.now(UTC)]
        return [window for window in settled if calendar.ready_at(window) > paused_at + timedelta(seconds=10)]

    site.wait("three windows while paused", lambda: len(unscheduled()) >= 3)
    *skipped, newest = unscheduled()
    site.airflow.call(
        "POST",
        "backfills",
        dag_id="sentinelone__alpha",
        from_date=newest.start.isoformat(),
        to_date=newest.start.isoformat(),
    )
    # the next parse of the DAG file is what makes Airflow look past the windows in between
    site.wait("Airflow to look past them", lambda: _upcoming(site, "sentinelone__alpha") > newest.start)
    site.airflow.call("PATCH", "dags/sentinelone__alpha?update_mask=is_paused", is_paused=False)
    following = calendar.after(newest)
    site.wait_for("alpha", [newest, following])
    assert not set(skipped) & site.complete("alpha"), "Airflow mends this itself now: the audit DAG has lost its reason"
    site.airflow.call("PATCH", "dags/sentinelone__audit?update_mask=is_paused", is_paused=False)
    site.airflow.call("POST", "dags/sentinelone__audit/dagRuns", logical_date=None, conf={})
    site.wait_for("alpha", skipped)
    windows = [window for window in site.due("alpha") if window <= following]
    site.wait_for("alpha", windows)
    site.assert_delivered("alpha", windows)


def test_a_window_that_the_console_has_more_records_of_by_now_is_collected_again_by_the_audit(site: Site) -> None:
    lake, window = site.installation.lake, max(site.due("beta"))
    site.wait_for("beta", [window])
    now = read_receipt(lake, "beta", "activities", window)
    assert now is not None
    # as if one of its records had become visible only after it was read
    less = {"expected": now.expected - 1, "fetched": now.fetched - 1, "events": now.events - 1}
    write_receipt(lake, msgspec.structs.replace(now, **less))
    site.airflow.call("POST", "dags/sentinelone__audit/dagRuns", logical_date=None, conf={})

    def again() -> bool:
        receipt = read_receipt(lake, "beta", "activities", window)
        return receipt is not None and receipt.expected >= now.expected  # of a new window, more may have come by now

    site.wait("the window is collected again", again)
    site.assert_delivered("beta", [window])
    reason = f" records of activities instead of {now.expected - 1}"
    site.wait("an audit says why", lambda: any(told.endswith(reason) for told in _told_by_audits(site)))


def _told_by_audits(site: Site) -> list[str]:
    """List why the last audits, that of the hour included, have started runs."""
    told: list[str] = []
    for run in site.airflow.call("GET", "dags/sentinelone__audit/dagRuns?limit=5&order_by=-run_after")["dag_runs"]:
        place = f"dags/sentinelone__audit/dagRuns/{run['dag_run_id']}/taskInstances/audit/xcomEntries/return_value"
        for number in range(2):
            answer = site.airflow.call("GET", f"{place}?map_index={number}", allow=(404,))
            told += answer["value"]["started"].values() if answer else ()
    return told


def test_other_dags_hear_of_each_window_by_an_asset_event(site: Site) -> None:
    events = site.airflow.call("GET", "assets/events?limit=100&order_by=-timestamp")["asset_events"]
    extras = [event["extra"] for event in events if event["uri"] == "x-sentinelone://beta/activities"]
    window = site.instance("beta").calendar.first
    (extra, *_) = [e for e in extras if e["window"]["start"] == window.start.isoformat().replace("+00:00", "Z")]
    receipt = read_receipt(site.installation.lake, "beta", "activities", window)
    assert receipt is not None
    assert (extra["events"], extra["quarantined"], extra["duplicates"]) == (
        receipt.events,
        receipt.quarantined,
        receipt.duplicates,
    )
    assert site.installation.lake.read(extra["receipt"]) is not None


def test_the_connection_can_be_tested_in_airflow(site: Site) -> None:
    console = site.consoles["beta"]
    host, _, port = console.url.removeprefix("http://").partition(":")
    body = {"connection_id": "probe", "conn_type": "sentinelone", "host": f"http://{host}", "port": int(port)}
    good = site.airflow.call("POST", "connections/test", **body, password=console.token)
    assert good["status"] is True
    assert "expires" in good["message"]
    bad = site.airflow.call("POST", "connections/test", **body, password="eyJwrong.token.canary")
    assert bad["status"] is False
    assert "token" in bad["message"]
    assert "canary" not in json.dumps(bad)


def _import_error(site: Site, place: str) -> dict[str, str] | None:
    """Find the error that names this place; a busy machine may add that a DAG file took too long."""
    errors = site.airflow.call("GET", "importErrors")["import_errors"]
    return next((error for error in errors if place in error["stack_trace"]), None)


def test_one_bad_inventory_file_is_shown_and_hides_no_other(site: Site) -> None:
    path = site.installation.settings.instances / "gamma.yaml"
    path.write_text("name: Gamma\nlive_since: 2026-11-01T00:00:00Z\nevery: 7m\n")
    try:
        error = site.wait("import error", lambda: _import_error(site, f"{path}:3"))
        assert "does not divide a day" in error["stack_trace"]
        dags = {dag["dag_id"] for dag in site.airflow.call("GET", "dags")["dags"]}
        assert {"sentinelone__alpha", "sentinelone__beta", "sentinelone__audit"} <= dags
    finally:
        path.unlink()


def test_no_token_reaches_a_log_a_row_or_a_file(site: Site) -> None:
    tokens = [console.token.encode() for console in site.consoles.values()]
    read = 0
    for folder, folders, names in os.walk(site.layout.root):
        if Path(folder) == site.layout.root:
            folders.remove("postgres")
        for path in (path for name in names if (path := Path(folder, name)).is_file()):
            with contextlib.suppress(FileNotFoundError):  # a file on its way into the lake has got its name meanwhile
                content = path.read_bytes()
                assert not any(token in content for token in tokens), path
                read += 1
    assert read > 100
    dump = json.dumps(site.airflow.call("GET", "dags/~/dagRuns/~/taskInstances?limit=1000"))
    assert not any(token.decode() in dump for token in tokens)
