"""The search page and its API: what a link finds, what stays text, who may see it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from sentinelone_collector.lake import object_key
from sentinelone_collector.normalize.schema import event_schema
from sentinelone_collector.search import Budget
from sentinelone_collector.windows import Window

from .conftest import NOW, Console

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
START = NOW - timedelta(hours=1)


def put(console: Console, rows: Sequence[dict[str, Any]], slug: str = "emea") -> str:
    """Write events of the hour before now, one a second from its begin on; return their key."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lake = console.site.lake
    key = object_key("events", slug, "activities", Window(START, NOW))
    begin = int(START.timestamp() * 1000)
    full = [
        {"time": begin + n * 1000, "raw_data": json.dumps({"n": n}), **row, "metadata": {"uid": row["uid"]}}
        for n, row in enumerate(rows)
    ]
    for row in full:
        del row["uid"]
    with lake.scratch() as folder:
        pq.write_table(pa.Table.from_pylist(full, event_schema()), folder / "e", store_schema=False)
        lake.put(key, folder / "e")
    return key


@pytest.fixture
def filled(console: Console) -> Console:
    console.register()
    rows = [{"uid": f"u{n}", "message": f"login number {n}", "class_name": "Authentication"} for n in range(60)]
    put(console, [*rows, {"uid": "evil", "message": EVIL, "user": {"name": EVIL}, "class_name": EVIL}])
    return console


def get(console: Console, path: str, role: str | None = "viewer", **link: Any) -> Any:
    return console.as_(role).get(f"{path}?{urlencode({name.rstrip('_'): value for name, value in link.items()})}")


def test_the_newest_come_first_page_by_page(filled: Console) -> None:
    first = get(filled, "/api/search", q="login").json()
    second = get(filled, "/api/search", q="login", cursor=first["cursor"]).json()
    assert [row["uid"] for row in first["rows"] + second["rows"]] == [f"u{n}" for n in reversed(range(60))]
    assert second["cursor"] is None
    put(filled, [{"uid": "only", "message": "login"}])  # collected again: seen at once
    assert [row["uid"] for row in get(filled, "/api/search", q="login").json()["rows"]] == ["only"]


def test_the_page_shows_what_was_found_and_keeps_the_search_in_its_link(filled: Console) -> None:
    answer = get(filled, "/search", q='number "login number 7"', user="", class_="authentication")
    assert answer.status_code == 200
    assert "login number 7" in answer.text
    assert "login number 8" not in answer.text
    assert 'value="number &#34;login number 7&#34;"' in answer.text
    assert 'value="authentication"' in answer.text


def test_records_stay_text(filled: Console) -> None:
    answer = get(filled, "/search", q="script OR alert")
    assert "evil" in answer.text
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    typed = get(filled, "/search", q=EVIL.replace('"', "'"))
    assert "<script>alert" not in typed.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert " style=" not in answer.text
    assert " onclick" not in answer.text


def test_counts_add_up(filled: Console) -> None:
    counts = get(filled, "/api/search/counts", q="login").json()
    assert counts["exact"] is True
    assert counts["total"] == sum(bucket["count"] for bucket in counts["buckets"]) == 60
    assert counts["facets"]["class"] == {"Authentication": 60}


def test_a_row_opens_to_the_event_and_the_raw_record(filled: Console) -> None:
    row = get(filled, "/api/search", q='"number 5"').json()["rows"][0]
    found = get(filled, "/api/search/event", "op", key=row["key"], uid=row["uid"]).json()
    assert found["event"]["message"] == "login number 5"
    assert json.loads(found["raw"]) == {"n": 5}
    assert found["hits"] == []
    gone = get(filled, "/api/search/event", key=row["key"], uid="gone")
    assert "collected again" in gone.json()["error"]["message"]


@pytest.mark.parametrize("key", ["../../secret", "raw/instance=emea", "events/../x", ""])
def test_no_other_object_can_be_opened(filled: Console, key: str) -> None:
    assert get(filled, "/api/search/event", key=key, uid="u1").status_code == 404


def test_records_are_shown_to_those_only_who_may_start_runs(filled: Console) -> None:
    row = get(filled, "/api/search", q='"number 5"').json()["rows"][0]
    found = get(filled, "/api/search/event", "viewer", key=row["key"], uid=row["uid"]).json()
    assert found["event"]["message"] == "login number 5"
    assert found["raw"] is None
    for role, count in (("viewer", 0), ("op", 60)):
        lines = get(filled, "/api/search/export", role, q="login", format="ndjson").text.splitlines()
        assert len(lines) == 60
        assert sum("raw_data" in json.loads(line) for line in lines) == count


def test_exports_hold_everything(filled: Console) -> None:
    lines = list(csv.DictReader(io.StringIO(get(filled, "/api/search/export", q="login", format="csv").text)))
    assert [line["uid"] for line in lines] == [f"u{n}" for n in reversed(range(60))]
    events = get(filled, "/api/search/export", q="login", format="ndjson")
    assert {json.loads(line)["metadata"]["uid"] for line in events.text.splitlines()} == {f"u{n}" for n in range(60)}
    assert "attachment" in events.headers["content-disposition"]


def test_a_cell_is_no_formula(console: Console) -> None:
    console.register()
    put(console, [{"uid": "f", "message": "=HYPERLINK(1)", "user": {"name": "@x"}}])
    line = next(csv.DictReader(io.StringIO(get(console, "/api/search/export", q="hyperlink").text)))
    assert (line["message"], line["user"]) == ("'=HYPERLINK(1)", "'@x")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"q": "usr:x"}, "did you mean user"),
        ({"q": '"open'}, "close the phrase"),
        ({"from_": "yesterday"}, "is no time"),
        ({"from_": "2026-11-22", "to": "2026-11-21"}, "is empty"),
        ({"stream": "nope"}, "available"),
        ({"cursor": "x y"}, "leave it out"),
        ({"severity": ">=high"}, "write a number"),
    ],
)
def test_a_wrong_link_is_told_what_to_do(filled: Console, link: dict[str, str], said: str) -> None:
    answer = get(filled, "/api/search", **link)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]
    page = get(filled, "/search", **link)
    assert page.status_code == 422
    assert 'id="search"' in page.text


def test_who_may_not_see_an_instance_finds_nothing_of_it(filled: Console) -> None:
    for path in ("/search", "/api/search", "/api/search/counts", "/api/search/export"):
        assert get(filled, path, role=None).status_code == 401
        assert get(filled, path, role="stranger").status_code == 403
        assert get(filled, path, instance="other").status_code == 404
    put(filled, [{"uid": "hidden", "message": "login"}], slug="unregistered")
    assert "hidden" not in get(filled, "/api/search", q="login", limit=500).text
    hidden = object_key("events", "unregistered", "activities", Window(START, NOW))
    assert get(filled, "/api/search/event", key=hidden, uid="hidden").status_code == 404


def test_an_empty_lake_says_what_to_do(console: Console) -> None:
    console.register()
    assert "Coverage" in get(console, "/search", q="x").text
    assert get(console, "/api/search/counts").json()["total"] == 0


def test_what_is_not_indexed_yet_is_read_while_the_page_asks_again(
    filled: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    used_up = Budget(0.0)
    used_up.spend(1)
    monkeypatch.setattr("sentinelone_collector.console.pages.search.budget", lambda: used_up)
    reading = get(filled, "/search", q="login")
    assert reading.status_code == 200
    assert 'http-equiv="refresh"' in reading.text
    assert "this page asks again" in reading.text
    monkeypatch.undo()
    found = get(filled, "/search", q="login")
    assert 'http-equiv="refresh"' not in found.text
    assert "login number 59" in found.text
