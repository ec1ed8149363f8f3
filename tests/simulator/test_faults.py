from __future__ import annotations

import http.client
import json
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from tests.simulator.conftest import NOW, Answer, Client, Clock, Start, ids, iso

from sentinelone_collector.simulator import Simulator
from sentinelone_collector.simulator.faults import FAULTS, parse_fault

SORT = {"sortBy": "createdAt", "sortOrder": "asc"}
HOUR = {"createdAt__gte": iso(NOW - timedelta(hours=1)), "createdAt__lt": iso(NOW)}


def first(console: Client, fault: str, **query: object) -> Answer:
    console.simulator.set_faults(fault)
    return console.get(**({"limit": 20} | SORT | HOUR | query))


def truth(console: Client) -> list[int]:
    return ids(console.simulator.truth(NOW - timedelta(hours=1), NOW))


def cursor(console: Client) -> str:
    console.simulator.clear_faults()
    found = console.get(limit=20, **SORT, **HOUR).cursor
    assert found
    return found


def test_429_is_a_web_page_with_or_without_a_header(console: Client) -> None:
    plain = first(console, "429:every=1")
    assert plain.status == 429
    assert plain.headers["content-type"] == "text/html"
    assert plain.body.startswith(b"<html>\r\n<head><title>429 Too Many Requests</title>")
    assert "retry-after" not in plain.headers
    assert first(console, "429-seconds:every=1:seconds=7").headers["retry-after"] == "7"
    dated = first(console, "429-date:every=1:seconds=30").headers["retry-after"]
    assert parsedate_to_datetime(dated) == (NOW + timedelta(seconds=30)).replace(microsecond=0)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_errors(console: Client, status: int) -> None:
    answer = first(console, f"{status}:every=1")
    assert answer.status == status
    if status == 502:
        assert answer.body == b"Bad Gateway"
    else:
        assert answer.json["errors"][0]["code"] == {500: 5000010, 503: 5030010}[status]


def test_a_reset_in_the_middle_of_the_body(console: Client) -> None:
    console.simulator.set_faults("reset:first=1")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        console.get(limit=1000, **SORT, **HOUR)
    assert console.get(limit=5).status == 200


def test_truncated_json_arrives_as_a_complete_transfer(console: Client) -> None:
    answer = first(console, "truncated:every=1")
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


def test_a_web_page_with_status_200(console: Client) -> None:
    answer = first(console, "html-200:every=1")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_a_body_that_trickles(console: Client) -> None:
    began = time.monotonic()
    answer = first(console, "slow:every=1:seconds=0.2")
    assert time.monotonic() - began >= 0.15
    assert ids(answer.rows) == truth(console)[:20]


def test_a_cursor_refused_in_mid_walk(console: Client) -> None:
    here = cursor(console)
    console.simulator.set_faults("cursor-rejected:every=1")
    assert console.get(limit=20, **SORT, **HOUR).status == 200
    answer = console.get(limit=20, cursor=here, **SORT, **HOUR)
    assert answer.status == 400
    assert answer.json["errors"][0]["detail"] == "Invalid cursor value received"


def test_a_cursor_that_leads_to_itself(console: Client) -> None:
    here = cursor(console)
    console.simulator.set_faults("cursor-cycle:every=1")
    answer = console.get(limit=20, cursor=here, **SORT, **HOUR)
    assert answer.cursor == here
    assert ids(answer.rows) == truth(console)[20:40]


@pytest.mark.parametrize("sort", [SORT, {"sortBy": "id", "sortOrder": "desc"}, {"sortBy": "activityType"}])
def test_an_empty_page_with_a_cursor_loses_nothing(console: Client, sort: dict[str, str]) -> None:
    for condition in ("every=3", "at=1"):
        console.simulator.set_faults(f"empty-page:{condition}")
        pages = list(console.walk(20, **sort, **HOUR))
        empty = [page for page in pages if not page.rows]
        assert empty
        assert empty[0].cursor
        found = [row for page in pages for row in ids(page.rows)]
        assert len(found) == len(set(found))
        assert set(found) == set(truth(console))


def test_records_that_come_twice_across_pages(console: Client) -> None:
    console.simulator.set_faults("duplicates:every=2")
    found = ids(console.all(20, **SORT, **HOUR))
    assert len(found) > len(set(found))
    assert set(found) == set(truth(console))


def test_counts_that_disagree(console: Client) -> None:
    right = len(truth(console))
    assert first(console, "count-smaller", countOnly="true").total < right
    assert first(console, "count-larger").total > right
    console.simulator.set_faults("count-moving")
    assert len({console.get(countOnly="true", **HOUR).total for _ in range(5)}) >= 3


def test_a_token_refused_in_mid_walk(console: Client) -> None:
    here = cursor(console)
    console.simulator.set_faults("401-mid-walk:every=1")
    assert console.get(limit=20, **SORT, **HOUR).status == 200
    answer = console.get(limit=20, cursor=here, **SORT, **HOUR)
    assert (answer.status, answer.json["errors"][0]["code"]) == (401, 4010010)


def test_one_stream_forbidden(console: Client) -> None:
    answer = first(console, "403-stream")
    assert (answer.status, answer.json["errors"][0]["code"]) == (403, 4030010)
    assert console.get("/web/api/v2.1/system/info").status == 200
    assert first(console, "403-stream:stream=threats").status == 200


def test_rows_out_of_order(console: Client) -> None:
    answer = first(console, "shuffled:every=1")
    assert ids(answer.rows) != truth(console)[:20]
    assert sorted(ids(answer.rows)) == sorted(truth(console)[:20])
    assert sorted(ids(console.all(20, **SORT, **HOUR))) == sorted(truth(console))


def test_200_with_errors_and_no_data(console: Client) -> None:
    answer = first(console, "errors-200:every=1")
    assert answer.status == 200
    assert answer.json["data"] is None
    assert answer.json["errors"][0]["title"]


def test_a_redirect_to_another_host(console: Client) -> None:
    answer = first(console, "redirect:every=1:to=http://127.0.0.1:9/elsewhere")
    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1:9/elsewhere")
    assert first(console, "redirect:every=1").headers["location"].startswith("http://elsewhere.invalid/")


def test_every_fault_of_the_registry_has_a_test_in_this_folder() -> None:
    text = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*faults.py"))
    untested = [
        name
        for name in FAULTS
        if f'"{name}' not in text and f"{name}:" not in text and name not in {"500", "502", "503"}
    ]
    assert untested == []


def statuses(seed: int, spec: str) -> list[int]:
    simulator = Simulator(
        seed=seed, users=2, records_per_day=1_000, days=1, rate_limits=False, now=Clock(), faults=[spec]
    )
    with simulator:
        client = Client(simulator)
        found = [client.get(limit=1).status for _ in range(60)]
        client.close()
    return found


def test_a_rate_strikes_the_same_requests_for_the_same_seed() -> None:
    once = statuses(4, "500:0.25")
    assert statuses(4, "500:0.25") == once
    assert statuses(5, "500:0.25") != once
    assert 5 <= once.count(500) <= 28


def test_conditions_by_number() -> None:
    assert [n for n, status in enumerate(statuses(1, "503:every=20"), 1) if status == 503] == [20, 40, 60]
    assert [n for n, status in enumerate(statuses(1, "503:at=7"), 1) if status == 503] == [7]
    assert [n for n, status in enumerate(statuses(1, "503:first=3"), 1) if status == 503] == [1, 2, 3]


def test_faults_may_be_set_and_cleared_over_http(console: Client) -> None:
    set_ = console.call("POST", "/__sim__/faults", json.dumps({"faults": ["503:every=1"]}).encode())
    assert set_.status == 200
    assert console.get(limit=1).status == 503
    state: dict[str, Any] = console.call("GET", "/__sim__/state").json
    assert state["faults"] == [{"fault": "503", "matched": 1, "struck": 1}]
    console.call("POST", "/__sim__/faults", b'{"faults": []}')
    assert console.get(limit=1).status == 200
    wrong = console.call("POST", "/__sim__/faults", b'{"faults": ["plague"]}')
    assert wrong.status == 400
    assert "unknown fault 'plague'" in wrong.json["error"]


@pytest.mark.parametrize("spec", ["plague", "500:every=0", "500:when=never", "500:every=2:at=1", "500:often"])
def test_faults_that_make_no_sense_are_refused(start: Start, spec: str) -> None:
    with pytest.raises(ValueError, match=r"fault|could not convert"):
        parse_fault(spec)
    console = start(faults=["503:every=1"])
    with pytest.raises(ValueError, match=r"fault|could not convert"):
        console.simulator.set_faults(spec)
    assert console.get(limit=1).status == 503, "a refused change leaves the old faults"
