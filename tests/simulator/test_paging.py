from __future__ import annotations

import base64
import json
from datetime import timedelta
from itertools import pairwise
from urllib.parse import unquote

import pytest
from tests.simulator.conftest import ACTIVITIES, NOW, Client, Start, ids, iso

ASCENDING = {"sortBy": "createdAt", "sortOrder": "asc"}
HOUR = {"createdAt__gte": iso(NOW - timedelta(hours=1)), "createdAt__lt": iso(NOW)}


def refused(console: Client, detail: str, **query: object) -> None:
    answer = console.get(**query)
    assert answer.status == 400
    assert answer.json == {"errors": [{"code": 4000010, "detail": detail, "title": "Validation Error"}]}


def test_the_default_page_has_ten_records_and_is_not_in_order_of_creation(console: Client) -> None:
    answer = console.get()
    assert len(answer.rows) == 10
    found = ids(answer.rows)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("limit", [1, 7, 60, 1000])
def test_pages_of_any_size_give_the_records_of_the_range_once_and_in_order(console: Client, limit: int) -> None:
    truth = console.simulator.truth(NOW - timedelta(minutes=20 if limit < 7 else 60), NOW)
    hour = HOUR | {"createdAt__gte": iso(NOW - timedelta(minutes=20 if limit < 7 else 60))}
    assert ids(console.all(limit, **ASCENDING, **hour)) == ids(truth)


@pytest.mark.parametrize("sort_by", ["id", "createdAt", "activityType"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_each_order_gives_the_same_set_in_its_own_order(console: Client, sort_by: str, order: str) -> None:
    rows = console.all(17, sortBy=sort_by, sortOrder=order, **HOUR)
    keys = [(int(row["id"]) if sort_by == "id" else row[sort_by], int(row["id"])) for row in rows]
    assert keys == sorted(keys, reverse=order == "desc")
    assert set(ids(rows)) == set(ids(console.simulator.truth(NOW - timedelta(hours=1), NOW)))


def test_without_a_sort_the_walk_still_reaches_everything(console: Client) -> None:
    assert set(ids(console.all(40, **HOUR))) == set(ids(console.simulator.truth(NOW - timedelta(hours=1), NOW)))


def test_the_bytes_on_the_wire_are_those_of_the_truth(console: Client) -> None:
    truth = console.simulator.truth(NOW - timedelta(hours=1), NOW)
    body = console.get(limit=1000, **ASCENDING, **HOUR).body
    assert body.startswith(b'{"data":[' + b",".join(truth) + b'],"pagination":')


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [("gte", True, None), ("gt", False, None), ("lte", None, True), ("lt", None, False)],
)
def test_each_operator_includes_its_own_bound_or_not(
    console: Client, operator: str, left: bool | None, right: bool | None
) -> None:
    rows = [json.loads(row) for row in console.simulator.truth(NOW - timedelta(hours=1), NOW)]
    pivot = rows[len(rows) // 2]["createdAt"]
    found = set(ids(console.all(**ASCENDING, **(HOUR | {f"createdAt__{operator}": pivot}))))
    if left is not None:
        wanted = {int(r["id"]) for r in rows if r["createdAt"] > pivot or (left and r["createdAt"] == pivot)}
    else:
        wanted = {int(r["id"]) for r in rows if r["createdAt"] < pivot or (right and r["createdAt"] == pivot)}
    assert found == wanted


def test_between_includes_both_ends(console: Client) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    edge = console.simulator.truth(midnight, midnight + timedelta(microseconds=1))
    assert edge, "midnight always has a record exactly on it"
    start, end = midnight - timedelta(minutes=30), midnight
    span = f"{int(start.timestamp() * 1000)}-{int(end.timestamp() * 1000)}"
    found = ids(console.all(**ASCENDING, createdAt__between=span))
    assert found == ids(console.simulator.truth(start, end)) + ids(edge)


def test_windows_that_meet_share_no_record_and_lose_none(console: Client) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    edges = [midnight + timedelta(minutes=10 * number) for number in range(-6, 7)]
    parts = [
        found
        for start, end in pairwise(edges)
        for found in ids(console.all(**ASCENDING, createdAt__gte=iso(start), createdAt__lt=iso(end)))
    ]
    assert parts == ids(console.simulator.truth(edges[0], edges[-1]))


@pytest.mark.parametrize(
    "text",
    [
        "2026-09-15T13:30:00.000000Z",
        "2026-09-15T13:30:00.000Z",
        "2026-09-15T13:30:00Z",
        "2026-09-15T13:30:00",
        "2026-09-15 13:30:00.0",
        "2026-09-15T13:30:00+00:00",
        "2026-09-15T15:30:00+02:00",
        "1789479000000",
    ],
)
def test_a_time_may_be_written_in_each_accepted_form(console: Client, text: str) -> None:
    start = NOW.replace(hour=13, minute=30, second=0, microsecond=0)
    found = ids(console.all(**ASCENDING, createdAt__gte=text, createdAt__lt=iso(NOW)))
    assert found == ids(console.simulator.truth(start, NOW))
    assert found


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-09-15", "2026-13-01T00:00:00Z", "178951140000", "2026-09-15T13:30:00.1234567Z"]
)
def test_other_times_are_refused(console: Client, text: str) -> None:
    refused(console, "createdAt__gte: Not a valid datetime.", createdAt__gte=text)


def test_a_plus_sign_that_was_not_escaped_is_refused_as_on_the_console(console: Client) -> None:
    answer = console.call("GET", f"{ACTIVITIES}?createdAt__gte=2026-09-15T13:30:00+00:00")
    assert answer.status == 400


def test_unknown_and_wrong_parameters_are_refused(console: Client) -> None:
    refused(console, "isLegacy: Unknown field", isLegacy="true")
    refused(console, "updatedAt__gte: Unknown field", updatedAt__gte=iso(NOW))
    refused(console, "limit: Must be between 1 and 1000.", limit=1001)
    refused(console, "limit: Must be between 1 and 1000.", limit=0)
    refused(console, "limit: Not a valid integer.", limit="ten")
    refused(console, "skip: Must be between 0 and 1000.", skip=1001)
    refused(console, 'sortBy: "updatedAt" is not a valid choice.', sortBy="updatedAt")
    refused(console, 'sortOrder: "up" is not a valid choice.', sortOrder="up")
    refused(console, "countOnly: Not a valid boolean.", countOnly="yes please")
    refused(console, "siteIds: 0: Not a valid Identifier.", siteIds="17")
    refused(console, 'activityTypes: 0: "999999" is not a valid choice.', activityTypes="999999")
    refused(console, "createdAt__between: Not a valid timestamp range.", createdAt__between="1-2")


def test_the_count_is_on_the_first_page_only(console: Client) -> None:
    pages = list(console.walk(50, **ASCENDING, **HOUR))
    assert len(pages) > 2
    assert [page.total for page in pages] == [sum(len(page.rows) for page in pages)] + [0] * (len(pages) - 1)


def test_count_only_and_skip_count(console: Client) -> None:
    answer = console.get(countOnly="true", **HOUR)
    assert (answer.rows, answer.cursor) == ([], None)
    assert answer.total == len(console.simulator.truth(NOW - timedelta(hours=1), NOW))
    skipped = console.get(skipCount="true", limit=3, **HOUR)
    assert (len(skipped.rows), skipped.total) == (3, 0)


def test_counts_stop_at_fifty_thousand(start: Start) -> None:
    console = start(records_per_day=50_000)
    assert console.get(countOnly="true").total == 50_000
    assert console.get(countOnly="true", includeHidden="true").total == 50_000
    day = {"createdAt__gte": "2026-09-13T00:00:00Z", "createdAt__lt": "2026-09-13T23:00:00Z"}
    assert 45_000 < console.get(countOnly="true", **day).total < 50_000


def test_skip_moves_the_first_page(console: Client) -> None:
    rows = ids(console.get(limit=20, **ASCENDING, **HOUR).rows)
    assert ids(console.get(limit=5, skip=15, **ASCENDING, **HOUR).rows) == rows[15:]


def test_a_full_last_page_leads_to_an_empty_one_and_a_partial_one_to_none(console: Client) -> None:
    total = console.get(countOnly="true", **HOUR).total
    divisor = next(n for n in range(1, total) if total % n == 0 and total // n <= 1000)
    pages = list(console.walk(total // divisor, **ASCENDING, **HOUR))
    assert pages[-1].rows == []
    assert pages[-1].cursor is None
    partial = list(console.walk(min(1000, total + 1), **ASCENDING, **HOUR))
    assert len(partial) == 1


def test_the_cursor_is_the_console_s_and_holds_no_filters(console: Client) -> None:
    answer = console.get(limit=5, **ASCENDING, **HOUR)
    assert answer.cursor is not None
    assert "=" not in answer.cursor
    text = base64.b64decode(unquote(answer.cursor)).decode()
    last = answer.rows[-1]
    assert text == (
        f'{{"id_column": "Activity.id", "id_value": {last["id"]}, "sort_by_column": "Activity.createdAt", '
        f'"sort_by_value": "{last["createdAt"]}", "sort_order": "asc"}}'
    )


@pytest.mark.parametrize(
    "spell", [lambda c: c, unquote, lambda c: c.replace("%", "%25")], ids=["once", "plain", "twice"]
)
def test_a_cursor_is_read_however_its_padding_is_escaped(console: Client, spell: object) -> None:
    pages = [console.get(limit=limit, **ASCENDING, **HOUR) for limit in range(1, 9)]
    page = next(page for page in pages if page.cursor and "%3D" in page.cursor)
    following = ids(console.get(limit=20, **ASCENDING, **HOUR).rows)[len(page.rows) :]
    cursor = spell(page.cursor)  # type: ignore[operator]
    assert ids(console.get(limit=len(following), cursor=cursor, **ASCENDING, **HOUR).rows) == following


def test_a_cursor_needs_its_filters_again(console: Client) -> None:
    page = console.get(limit=5, **ASCENDING, **HOUR)
    start = NOW - timedelta(minutes=5)
    rest = console.get(limit=1000, cursor=page.cursor, **ASCENDING, createdAt__gte=iso(start))
    assert ids(rest.rows) == ids(console.simulator.truth(start, NOW + timedelta(seconds=1)))


def test_an_empty_cursor_is_the_first_page(console: Client) -> None:
    answer = console.call("GET", f"{ACTIVITIES}?limit=3&cursor=")
    assert ids(answer.rows) == ids(console.get(limit=3).rows)
    assert answer.total > 0


@pytest.mark.parametrize("cursor", ["nonsense", "e30%3D", "bnVsbA%3D%3D", "eyJpZF9jb2x1bW4iOiAxfQ%3D%3D"])
def test_a_cursor_that_can_t_be_read_is_refused(console: Client, cursor: str) -> None:
    refused(console, "Invalid cursor value received", cursor=cursor)


def test_a_cursor_of_another_order_is_refused(console: Client) -> None:
    page = console.get(limit=5, **ASCENDING)
    refused(console, "Invalid cursor value received", cursor=page.cursor)
    refused(console, "Invalid cursor value received", cursor=page.cursor, sortBy="createdAt", sortOrder="desc")


def test_filters_select_by_the_fields_they_name(console: Client) -> None:
    rows = console.all(**ASCENDING, createdAt__gte=iso(NOW - timedelta(hours=30)))
    wanted: dict[str, tuple[str, str]] = {
        "activityTypes": ("activityType", "5232"),
        "agentIds": ("agentId", next(r["agentId"] for r in rows if r["agentId"])),
        "userIds": ("userId", next(r["userId"] for r in rows if r["userId"])),
        "siteIds": ("siteId", next(r["siteId"] for r in rows if r["siteId"])),
        "accountIds": ("accountId", next(r["accountId"] for r in rows if r["accountId"])),
        "groupIds": ("groupId", next(r["groupId"] for r in rows if r["groupId"])),
        "threatIds": ("threatId", next(r["threatId"] for r in rows if r["threatId"])),
        "ids": ("id", rows[len(rows) // 3]["id"]),
        "activityUuids": ("activityUuid", next(r["activityUuid"] for r in rows if r.get("activityUuid"))),
    }
    for parameter, (key, value) in wanted.items():
        found = console.all(**ASCENDING, createdAt__gte=iso(NOW - timedelta(hours=30)), **{parameter: value})
        assert ids(found) == [int(r["id"]) for r in rows if str(r.get(key)) == value], parameter
        counted = console.get(countOnly="true", createdAt__gte=iso(NOW - timedelta(hours=30)), **{parameter: value})
        assert counted.total == len(found) > 0


def test_lists_of_values_are_joined_by_commas(console: Client) -> None:
    rows = console.all(**ASCENDING, **HOUR)
    some = [row["id"] for row in rows[3:40:9]]
    assert ids(console.all(**ASCENDING, ids=",".join(some))) == [int(item) for item in some]


def test_e_mail_rule_and_alert_filters(start: Start) -> None:
    console = start(users=8, days=6)
    since = {"createdAt__gte": iso(NOW - timedelta(days=6))}
    user = console.simulator.organisation.users[0]
    by_mail = console.all(userEmails=user.email, **since)
    assert ids(by_mail) == ids(console.all(userIds=user.id, **since))
    alert = next(iter(console.all(activityTypes="3608", **since)))
    assert ids(console.all(activityTypes="3608", alertIds=str(alert["data"]["alertid"]), **since)) == ids([alert])
    assert ids(console.all(activityTypes="3608", ruleIds=str(alert["data"]["ruleid"]), **since)) == ids([alert])


def test_internal_records_are_shown_on_request_only(console: Client) -> None:
    start = NOW - timedelta(hours=6)
    query = {"createdAt__gte": iso(start), "createdAt__lt": iso(NOW), **ASCENDING}
    shown, everything = console.all(**query), console.all(includeHidden="true", **query)
    extra = [row for row in everything if row["id"] not in {r["id"] for r in shown}]
    assert extra
    assert {row["activityType"] for row in extra} == {703}
    assert ids(everything) == ids(console.simulator.truth(start, NOW, include_hidden=True))
    assert console.get(countOnly="true", includeHidden="true", **query).total == len(everything)


def test_the_catalogue_lists_types_with_and_without_names(console: Client) -> None:
    rows = console.get(f"{ACTIVITIES}/types").rows
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == len(rows) > 700
    assert by_id[27]["action"] == "User Logged In"
    assert "{{ ip_address }}" in by_id[27]["descriptionTemplate"]
    assert by_id[16000] == {"action": "", "descriptionTemplate": None, "id": 16000}
