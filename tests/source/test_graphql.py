"""A GraphQL list is read like any other: bytes, counts, cursors, retries, and errors that come inside an HTTP 200."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinelone_collector.errors import (
    CursorRejected,
    NotLicensed,
    PermissionDenied,
    ProtocolError,
    RetryableError,
    TokenError,
)
from sentinelone_collector.instances import Scope
from sentinelone_collector.source.endpoint import Endpoint, Pass
from sentinelone_collector.source.graphql import GraphQL, paths_of, variables_of, without_fields
from sentinelone_collector.source.rates import known_rate
from sentinelone_collector.source.scope import scope_filters

FIELDS = "id createdAt updatedAt name dataSources assets { id name cloud { image } } analytics { name }"
ENDPOINT = Endpoint(
    "/unifiedalerts/graphql",
    "createdAt",
    ("createdAt",),
    "createdAt",
    "the alerts' view right",
    passes=(Pass("updatedAt", ("updatedAt",), "updatedAt"),),
    record_version=("updatedAt",),
    page_size=40,
    graphql=GraphQL(FIELDS),
)
FILTERS = {"createdAt__gte": "2026-11-22T10:00:00.000000Z", "createdAt__lt": "2026-11-22T11:00:00.000000Z"}
START = 1_795_341_600_000


def page(bench: Any, nodes: bytes, after: str | None = None, total: int = 1) -> Any:
    info = json.dumps({"hasNextPage": after is not None, "endCursor": after or "last"}).encode()
    body = b'{"data":{"alerts":{"totalCount":%d,"pageInfo":%s,"edges":[%s]}}}' % (total, info, nodes)
    return bench.Reply(body=body)


def edge(node: bytes) -> bytes:
    return b'{"cursor":"c", "node" : %s}' % node


def refused(bench: Any, message: str, *, data: Any = None, status: int = 200, **extensions: Any) -> Any:
    error = {"message": message, "extensions": extensions, "path": ["alerts"]}
    return bench.Reply(status, json.dumps({"data": data, "errors": [error]}).encode())


def pages(bench: Any, **options: Any) -> list[bytes]:
    console = bench.make(**options)
    return [record for found in console.iter_pages(ENDPOINT, FILTERS, "updatedAt") for record in found.records]


def sent(bench: Any) -> list[Any]:
    return [json.loads(request.body) for request in bench.network.sent]


def test_records_keep_their_bytes_over_all_pages(bench: Any) -> None:
    odd = [
        b'{ "id":"1",\t"n":1.0,"e":1E+2,"big":12345678901234567890,"u":"\\u00e4\xc3\xa4" }',
        b'{"id":"2","x":NaN,"s":"\\ud800","edges":[{"node":1}]}',
        b'{"id":"3","deep":' + b"[" * 1500 + b"]" * 1500 + b"}",
    ]
    bench.answers(page(bench, b",\n".join(map(edge, odd[:2])), "a=="), page(bench, edge(odd[2])))
    assert pages(bench) == odd
    first, second = sent(bench)
    assert "after" not in first["variables"]
    assert second["variables"].pop("after") == "a=="
    assert second["variables"] == first["variables"]
    assert first["variables"] == {
        "filters": [{"fieldId": "createdAt", "dateTimeRange": {"start": START - 1, "end": START + 3_600_000}}],
        "sort": {"by": "updatedAt", "order": "ASC"},
        "first": 40,
        "viewType": "ALL",
    }
    assert FIELDS in first["query"]
    assert {request.headers["Authorization"] for request in bench.network.sent} == {f"ApiToken {bench.token}"}
    assert {request.method for request in bench.network.sent} == {"POST"}


def test_more_alerts_than_one_page_may_hold_all_come(bench: Any) -> None:
    nodes = [b'{"id":"%d"}' % number for number in range(1001)]
    bench.answers(page(bench, b",".join(map(edge, nodes[:1000])), "next"), page(bench, edge(nodes[1000])))
    assert pages(bench) == nodes


def test_the_count_is_the_connections_own(bench: Any) -> None:
    bench.answers(bench.Reply(body=b'{"data":{"alerts":{"totalCount":1234}}}'))
    assert bench.make().count(ENDPOINT, FILTERS) == 1234
    (asked,) = sent(bench)
    assert "edges" not in asked["query"]


@given(micros=st.integers(0, 10**7))
def test_the_range_holds_the_span_whether_its_ends_belong_to_it_or_not(micros: int) -> None:
    text = f"2026-11-22T10:00:{micros // 10**6:02d}.{micros % 10**6:06d}Z"
    (found,) = variables_of(GraphQL("id"), {"t__gte": text, "t__lt": text})["filters"]
    moment = START * 1000 + micros
    span = found["dateTimeRange"]
    assert span["start"] * 1000 < moment
    assert moment <= span["end"] * 1000 < moment + 1000


def test_the_scope_is_asked_for(bench: Any) -> None:
    bench.answers(page(bench, b"", total=0))
    accounts = ("100000000000000001", "100000000000000002")
    console = bench.make()
    console.first_page(ENDPOINT, scope_filters(Scope(account_ids=accounts)))
    console.first_page(ENDPOINT, scope_filters(Scope(account_ids=accounts, site_ids=("200000000000000001",))))
    found = [asked["variables"]["scope"] for asked in sent(bench)]
    assert found == [
        {"scopeType": "ACCOUNT", "scopeIds": list(accounts)},
        {"scopeType": "SITE", "scopeIds": ["200000000000000001"]},
    ]
    assert all("$scope: ScopeSelectorInput" in asked["query"] for asked in sent(bench))


@pytest.mark.parametrize(
    ("message", "extensions", "kind"),
    [
        ("Unauthenticated", {}, TokenError),
        ("No.", {"code": "UNAUTHENTICATED"}, TokenError),
        ("No.", {"classification": "FORBIDDEN"}, PermissionDenied),
        ("Access Denied", {"classification": "FORBIDDEN"}, PermissionDenied),
        ("User does not have required permissions.", {}, PermissionDenied),
        ("This scope does not have Unified Alerts enabled.", {"code": "FORBIDDEN"}, NotLicensed),
        ("Unknown argument 'x' on field 'alerts'", {"code": "GRAPHQL_VALIDATION_FAILED"}, ProtocolError),
        ("Invalid cursor value", {}, CursorRejected),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_errors_inside_an_answer_are_told_apart_and_not_repeated(
    bench: Any, *, message: str, extensions: Any, kind: Any, status: int
) -> None:
    bench.answers(refused(bench, message, status=status, **extensions))
    with pytest.raises(kind) as caught:
        pages(bench)
    assert type(caught.value) is kind
    assert message.split("'", maxsplit=1)[0] in str(caught.value)
    assert "/unifiedalerts/graphql" in str(caught.value)
    assert len(bench.network.sent) == 1


@pytest.mark.parametrize("data", [None, {"alerts": {"totalCount": 1, "edges": [], "pageInfo": {"hasNextPage": False}}}])
def test_a_part_of_the_data_beside_an_error_is_no_answer(bench: Any, data: Any) -> None:
    bench.answers(
        refused(bench, "Exception while fetching data (/alerts) : timeout", data=data), page(bench, edge(b"{}"))
    )
    assert pages(bench) == [b"{}"]
    assert len(bench.network.sent) == 2
    bench.answers(refused(bench, "internal", data=data))
    with pytest.raises(ProtocolError, match="given up after"):
        pages(bench, patience=3.0)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":null}',
        b'{"data":{"alerts":null}}',
        b'{"data":{"alerts":{"totalCount":1,"pageInfo":{"hasNextPage":false},"edges":[{"node":null}]}}}',
        b'{"data":{"alerts":{"totalCount":1,"pageInfo":{"hasNextPage":true},"edges":[]}}}',
        b'{"data":{"alerts":{"totalCount":1,"edges":[]}}}',
        b'{"data":{"alerts":{"totalCount":1,"pageInfo":{"hasNextPage":false}}}}',
        b"<html><title>Sign in</title></html>",
        b"",
    ],
)
def test_what_is_no_page_is_never_taken_for_the_end(bench: Any, body: bytes) -> None:
    bench.answers(bench.Reply(body=body))
    with pytest.raises(ProtocolError, match="given up after"):
        pages(bench, patience=2.0)


def test_throttling_and_outages_are_waited_for(bench: Any) -> None:
    bench.answers(
        refused(bench, "Too many requests", code="TOO_MANY_REQUESTS"),
        bench.Reply(429, b"<html>", {"Retry-After": "30"}),
        bench.Reply(503),
        page(bench, edge(b'{"id":"1"}')),
    )
    assert pages(bench) == [b'{"id":"1"}']
    assert sum(bench.clock.slept) >= 35.0
    bench.answers(bench.Reply(503))
    with pytest.raises(RetryableError):
        pages(bench, patience=1.0)


@pytest.mark.parametrize(
    "message",
    ["'first' must not exceed 20", "Query complexity 5000 exceeds the maximum of 2000", "page size too large"],
)
def test_a_page_that_is_too_large_or_costly_is_halved(bench: Any, message: str) -> None:
    bench.answers(refused(bench, message), page(bench, edge(b"{}"), "b"), page(bench, edge(b"{}")))
    assert len(pages(bench)) == 2
    assert [asked["variables"]["first"] for asked in sent(bench)] == [40, 20, 20]


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ("Cannot query field 'dataSources' on type 'Alert'.", "dataSources"),
        ('Cannot query field "image" on type "CloudInfo". Did you mean "images"?', "assets/cloud"),
        (
            "Validation error (FieldUndefined@[alerts/edges/node/assets/name]) : Field 'name' is undefined",
            "assets/name",
        ),
        ("Field 'name' in type 'Alert' is undefined", "name"),
    ],
)
def test_a_field_that_an_older_console_lacks_is_left_out_and_told(bench: Any, message: str, gone: str) -> None:
    bench.answers(refused(bench, message), page(bench, edge(b"{}")))
    console = bench.make()
    assert [found.records for found in console.iter_pages(ENDPOINT, FILTERS)] == [[b"{}"]]
    before, after = (
        set(paths_of(asked["query"].split("node { ", 1)[1].removesuffix(" } } } }"))) for asked in sent(bench)
    )
    assert gone in before
    assert before - after == {path for path in before if path == gone or path.startswith(f"{gone}/")}
    assert console.begin().lacking(ENDPOINT)


@pytest.mark.parametrize("name", ["id", "createdAt", "updatedAt"])
def test_what_records_are_known_by_is_never_left_out(bench: Any, name: str) -> None:
    bench.answers(refused(bench, f"Cannot query field '{name}' on type 'Alert'."))
    with pytest.raises(ProtocolError, match="does not know these fields"):
        pages(bench)
    assert len(bench.network.sent) == 1


def test_a_field_that_can_not_be_told_from_others_of_its_name_is_an_error(bench: Any) -> None:
    bench.answers(refused(bench, "Cannot query field 'name' on type 'Something'."))
    with pytest.raises(ProtocolError, match="'name' on type 'Something'"):
        pages(bench)


def test_an_object_without_its_last_field_goes_too() -> None:
    assert without_fields("a b { c d { e } } f", ["b/c", "b/d/e"]) == "a f"
    assert without_fields("a b { c d { e } } f", ["b/d"]) == "a b { c } f"


def test_the_vendors_rates_are_known_by_path() -> None:
    paths = ("/threats", "/agents", "/user", "/users/api-token-details", "/activities")
    assert [known_rate(path) for path in paths] == [(10.0, 50), (25.0, 1), (2.0, 5), (40.0, 80), (10.0, 30)]
    assert known_rate("/cloud-detection/alerts") == known_rate("/unifiedalerts/graphql") == (2.0, 5)
    assert (Endpoint("/threats", "x", ("x",), "x", "x").rate, ENDPOINT.burst) == (10.0, 5)
    assert Endpoint("/threats", "x", ("x",), "x", "x", rate=1.5, burst=2).rate == 1.5
