"""`s1c collect`, `coverage` and `audit` against a simulated console."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

from sentinelone_collector.lake import catalogue_key
from sentinelone_collector.simulator import Simulator

from .conftest import CANARY, YESTERDAY, Desk, hours, iso


def _truth(console: Simulator, begin: float, end: float) -> list[bytes]:
    return sorted(console.truth(YESTERDAY + timedelta(hours=begin), YESTERDAY + timedelta(hours=end)))


def test_a_range_is_collected_whole_and_again_to_the_same_bytes(desk: Desk, console: Simulator) -> None:
    desk.add()
    said = desk.run("collect", "emea", *hours(0, 3), "--json")
    assert [row["state"] for row in said.json] == ["complete"] * 3
    assert [row["window"]["start"] for row in said.json] == [iso(YESTERDAY + timedelta(hours=h)) for h in range(3)]
    for row in said.json:
        assert row["expected"] == row["fetched"] - row["duplicates"]
        assert row["fetched"] == row["events"] + row["quarantined"] + row["duplicates"]
    assert sorted(desk.delivered()) == _truth(console, 0, 3)
    assert sum(row["hits"] for row in said.json) > 0
    data = {part: desk.objects(part) for part in ("raw", "events", "hits", "quarantine")}
    again = desk.run("collect", "emea", *hours(0, 3), "--json").json
    assert {part: desk.objects(part) for part in data} == data
    times = {"fetched_at"}
    assert [{k: v for k, v in row.items() if k not in times} for row in again] == [
        {k: v for k, v in row.items() if k not in times} for row in said.json
    ]
    assert sorted(desk.delivered()) == _truth(console, 0, 3)
    assert (desk.folder / ".run" / "s1c.db").is_file()


def test_a_range_takes_every_window_that_it_touches(desk: Desk) -> None:
    desk.add()
    rows = desk.run("collect", "emea", *hours(2.5, 3.2), "--json").json
    assert [row["window"]["start"] for row in rows] == [iso(YESTERDAY + timedelta(hours=h)) for h in (2, 3)]


def test_later_tasks_run_again_without_the_console(desk: Desk) -> None:
    with Simulator(seed=9, users=5, records_per_day=1200, days=3, token=CANARY, rate_limits=False) as gone:
        desk.connect(gone.url)
        desk.add()
        first = desk.run("collect", "emea", *hours(2, 3), "--json").json
        before = desk.objects()
    for task in ("normalize", "tag", "deliver"):
        assert desk.run("collect", "emea", *hours(2, 3), "--reprocess", task, "--json").json == first
    assert desk.objects() == before
    key = next(key for key in before if key.startswith("events/"))
    (desk.lake / key).unlink()
    desk.run("collect", "emea", *hours(2, 3), "--reprocess", "normalize")
    assert desk.objects() == before


def test_events_stay_as_located_until_they_are_normalized_again(desk: Desk) -> None:
    table = desk.folder / "networks.yaml"
    table.write_text("0.0.0.0/0: {name: first, kind: own}\n::/0: {name: first, kind: own}\n")
    desk.set("S1C_NETWORKS", str(table))
    desk.add()
    desk.run("collect", "emea", *hours(2, 3))
    first = desk.objects()
    table.write_text("0.0.0.0/0: {name: second, kind: vpn}\n::/0: {name: second, kind: vpn}\n")
    for task in ("tag", "deliver"):
        desk.run("collect", "emea", *hours(2, 3), "--reprocess", task)
        assert desk.objects() == first
    desk.run("collect", "emea", *hours(2, 3), "--reprocess", "normalize")
    second = desk.objects()
    assert {key.partition("/")[0] for key in first if first[key] != second[key]} >= {"events", "receipts"}
    table.write_text("0.0.0.0/0: {name: first, kind: own}\n::/0: {name: first, kind: own}\n")
    desk.run("collect", "emea", *hours(2, 3), "--reprocess", "normalize")
    assert desk.objects() == first


def test_what_was_never_fetched_can_not_be_reprocessed(desk: Desk) -> None:
    desk.add()
    said = desk.run("collect", "emea", *hours(5, 6), "--reprocess", "tag", "--json", code=1)
    (row,) = said.json
    assert row["state"] == "failed"
    assert "--reprocess fetch" in row["error"]


def test_coverage_tells_complete_missing_and_open(desk: Desk) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(1, 3))
    end = iso(datetime.now().astimezone() + timedelta(hours=1))
    rows = desk.run("coverage", "emea", "--from", iso(YESTERDAY - timedelta(days=1)), "--to", end, "--json").json
    states = {row["window"]["start"]: row["state"] for row in rows}
    assert states[iso(YESTERDAY - timedelta(days=1))] == "outside"
    assert states[iso(YESTERDAY)] == "missing"
    assert states[iso(YESTERDAY + timedelta(hours=1))] == states[iso(YESTERDAY + timedelta(hours=2))] == "complete"
    assert rows[-1]["state"] == "open"
    shown = desk.run("coverage", "emea", *hours(0, 4))
    assert "4 windows: 2 complete, 2 missing." in shown.err
    assert "unpause it first" in shown.err
    assert shown.out.count("complete") == 2


def test_a_collection_that_begins_earlier_now_makes_its_first_window_missing(desk: Desk, console: Simulator) -> None:
    path = desk.folder / "include/instances.d/emea.yaml"
    path.parent.mkdir(parents=True)
    text = f"name: EMEA\nlive_since: {iso(YESTERDAY)}\nevery: 1h\nsettle: 1m\n"
    text += "destinations: [{type: file, path: delivered}]\n"
    path.write_text(text + f"collection_start: {iso(YESTERDAY + timedelta(minutes=40))}\n")
    desk.run("collect", "emea", *hours(0, 1))
    assert sorted(desk.delivered()) == _truth(console, 40 / 60, 1)
    path.write_text(text + f"collection_start: {iso(YESTERDAY + timedelta(minutes=10))}\n")
    (row,) = desk.run("coverage", "emea", *hours(0, 1), "--json").json
    assert row["state"] == "missing"
    assert "only" in row["note"]
    desk.run("audit", "emea", *hours(0, 1))
    (row,) = desk.run("coverage", "emea", *hours(0, 1), "--json").json
    assert row["state"] == "complete"
    assert sorted(desk.delivered()) == _truth(console, 10 / 60, 1)


def test_the_audit_collects_what_has_no_receipt_and_nothing_else(desk: Desk, console: Simulator) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(0, 2))
    before = desk.objects()
    lost = next(key for key in before if key.startswith("receipts/") and f"{YESTERDAY:%Y%m%d}T010000Z--" in key)
    (desk.lake / lost).unlink()
    said = desk.run("audit", "emea", *hours(0, 2), "--json")
    assert [row["window"]["start"] for row in said.json] == [iso(YESTERDAY + timedelta(hours=1))]
    assert {key: data for key, data in desk.objects().items() if key != lost} == {
        key: data for key, data in before.items() if key != lost
    }
    assert (desk.lake / lost).is_file()
    assert desk.run("audit", "emea", *hours(0, 2), "--json").json == []
    assert sorted(desk.delivered()) == _truth(console, 0, 2)


def test_the_audit_collects_what_became_visible_after_its_window_was_collected(desk: Desk) -> None:
    day = datetime(2026, 1, 15, tzinfo=UTC)  # of whose records of both streams some come late, and not all
    begin, end = day + timedelta(hours=8), day + timedelta(hours=10)
    span = ("--from", iso(begin), "--to", iso(end))
    clock = [end + timedelta(minutes=10)]
    streams = ("activities", "device_events")
    with Simulator(
        seed=5, users=15, records_per_day=24_000, late_share=0.2, days=2, token=CANARY, now=lambda: clock[0]
    ) as console:

        def truth(stream: str) -> set[bytes]:
            return set(console.truth(begin, end, stream=stream))

        desk.connect(console.url)
        desk.add("emea", "--stream", "device_events", live_since=day)
        desk.run("collect", "emea", *span)
        early = [truth(stream) for stream in streams]
        assert sorted(desk.delivered()) == sorted(set().union(*early))
        assert desk.run("audit", "emea", *span, "--json").json == []
        clock[0] += timedelta(hours=7)
        whole = [truth(stream) for stream in streams]
        assert [before < after for before, after in zip(early, whole, strict=True)] == [True, True]
        said = desk.run("audit", "emea", *span, "--json")
        assert {(row["stream"], row["state"]) for row in said.json} == {(stream, "complete") for stream in streams}
        assert "windows of emea had fewer records than the console counts now." in said.err
        assert sorted(desk.delivered()) == sorted(set().union(*whole))
        assert desk.run("audit", "emea", *span, "--json").json == []
        # what is gone there stays here
        objects = desk.objects()
        clock[0] -= timedelta(hours=7)
        said = desk.run("audit", "emea", *span, "--json")
        assert said.json == []
        assert "the token sees less than before" in said.err
        assert desk.objects() == objects
        # windows of another calendar could not be collected again
        (path,) = desk.folder.rglob("emea.yaml")
        path.write_text(path.read_text().replace("every: 1h", "every: 2h"))
        assert "the token sees less" not in desk.run("audit", "emea", *span, code=1).err


def test_an_audit_that_can_not_count_fails_and_says_why(desk: Desk, console: Simulator) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(0, 1))
    desk.connect(console.url, token="eyJwrong")
    span = {"start": iso(YESTERDAY), "end": iso(YESTERDAY + timedelta(days=2))}
    said = desk.run("audit", "emea", "--from", span["start"], "--to", span["end"], "--json", code=1)
    (uncounted,) = [row for row in said.json if row["window"] == span]
    assert uncounted["state"] == "failed"
    assert "token" in uncounted["error"]


def test_types_that_this_version_does_not_know_are_told(desk: Desk) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(1, 3))
    assert "type 424242 " not in desk.run("coverage", "emea").err
    # as a console would have sent it that is newer than the product
    for (raw, packed), receipt in zip(desk.objects("raw").items(), desk.objects("receipts"), strict=True):
        lines = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        newer = zstandard.compress(re.sub(rb'"activityType":\d+,', b'"activityType":424242,', lines, count=1))
        (desk.lake / raw).write_bytes(newer)
        before, after = (hashlib.sha256(content).hexdigest() for content in (packed, newer))
        (desk.lake / receipt).write_text((desk.lake / receipt).read_text().replace(before, after))
    names = {"console": "x", "read_at": "", "types": [{"id": 424242, "action": "Logged \x1b[31m[red]In"}]}
    (desk.lake / catalogue_key("emea")).write_bytes(json.dumps(names).encode())
    desk.run("collect", "emea", *hours(1, 3), "--reprocess", "normalize")
    (told,) = [line for line in desk.run("coverage", "emea", "--json").err.splitlines() if "type 424242 " in line]
    assert "new to this version" in told
    for words in ("type 424242 (Logged [31m[red]In)", *(iso(YESTERDAY + timedelta(hours=hour)) for hour in (1, 3))):
        assert words in told


def test_an_open_window_is_told_with_the_moment_it_opens(desk: Desk) -> None:
    desk.add()
    now = datetime.now().astimezone()
    rows = desk.run("collect", "emea", "--from", iso(now), "--to", iso(now + timedelta(minutes=1)), "--json").json
    assert {row["state"] for row in rows} == {"open"}
    assert all(row["ready_at"] for row in rows)
    assert desk.objects() == {}


def test_a_refused_token_is_tried_once(desk: Desk, console: Simulator) -> None:
    desk.add()
    desk.connect(console.url, token="eyJnot0the0right0one")
    said = desk.run("collect", "emea", *hours(0, 5), "--json", code=1)
    (row,) = said.json
    assert row["state"] == "failed"
    assert "token" in said.err
    assert "4 more windows were not tried" in said.err
    assert "not0the0right" not in said.out + said.err


def test_one_failed_window_does_not_keep_the_others_from_being_collected(desk: Desk, console: Simulator) -> None:
    desk.add()
    desk.run("collect", "emea", *hours(1, 2))
    receipt = next(iter(desk.objects("receipts")))
    moved = desk.lake / receipt.replace("T010000Z--", "T011000Z--")
    (desk.lake / receipt).rename(moved)  # as a calendar of other widths would have left it
    said = desk.run("collect", "emea", *hours(0, 3), "--json", code=1)
    assert [row["state"] for row in said.json] == ["complete", "failed", "complete"]
    assert "the calendar was changed" in said.err


def test_wrong_use_is_told_before_anything_is_asked(desk: Desk, console: Simulator) -> None:
    desk.add()
    asked = len(console.requests)
    for arguments, words in {
        ("collect", "emea"): "Missing option",
        ("collect", "nobody", *hours(0, 1)): "known are: emea",
        ("collect", "emea", *hours(2, 1)): "--from must be before --to",
        ("collect", "emea", "--from", "noon", "--to", "2026-01-01"): "is no time",
        ("collect", "emea", *hours(0, 1), "--stream", "threats"): "does not collect threats",
        ("collect", "emea", *hours(0, 1), "--reprocess", "everything"): "everything",
        ("coverage", "nobody"): "known are: emea",
        ("audit", "emea"): "Missing option",
        ("no-such-command",): "No such command",
    }.items():
        said = desk.run(*arguments, code=2)
        assert words in " ".join(said.err.split())
        assert said.out == ""
    assert len(console.requests) == asked


def test_a_missing_connection_is_one_error_for_all_windows(desk: Desk) -> None:
    desk.add("apac")
    for command in ("collect", "audit"):
        said = desk.run(command, "apac", *hours(0, 5), "--json", code=2)
        assert said.err.count("AIRFLOW_CONN_SENTINELONE_APAC is not set") == 1
        assert said.out == ""


def test_a_wrong_store_or_lake_is_named(desk: Desk) -> None:
    desk.add()
    desk.set("S1C_STORE", "mysql://me:secret0word@host/db")
    said = desk.run("incidents", "list", code=2)
    assert "S1C_STORE" in said.err
    assert "secret0word" not in said.err
    desk.set("S1C_LAKE", "ftp://somewhere/else")
    assert "S1C_LAKE" in desk.run("coverage", "emea", code=2).err


def test_the_installed_program_keeps_json_on_one_stream(desk: Desk, console: Simulator, tmp_path: Path) -> None:
    desk.add()
    program = Path(sys.executable).with_name("s1c")
    done = subprocess.run(
        [program, "--verbose", "collect", "emea", *hours(0, 2), "--json"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [row["state"] for row in json.loads(done.stdout)] == ["complete", "complete"]
    assert "Collecting emea" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert sorted(desk.delivered()) == _truth(console, 0, 2)
    failed = subprocess.run(
        [program, "coverage", "nobody"], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
