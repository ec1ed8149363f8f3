"""What is sent: authentication, filters, sort, cursor; how pages follow each other."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from sentinelone_collector.errors import CursorRejected, ProtocolError
from sentinelone_collector.instances import Connection
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.transport import Transport

FILTERS = {"createdAt__gte": "2026-11-22T10:00:00.000000Z", "createdAt__lt": "2026-11-22T10:10:00.000000Z"}


def test_the_token_goes_as_api_token_and_a_netrc_entry_does_not_replace_it(
    bench: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine usea1-acme.example.net login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    bench.answers(bench.page([], total=1))
    bench.count()
    assert bench.network.sent[0].headers["Authorization"] == f"ApiToken {bench.token}"
    assert bench.network.sent[0].headers["Accept-Encoding"] == "gzip"


def test_certificates_are_verified_unless_the_connection_says_otherwise(bench: Any) -> None:
    for verify in (True, False):
        connection = Connection(bench.url, bench.token, verify_tls=verify)
        bench.answers(bench.page([], total=1))
        Console(connection, transport=Transport(connection, adapter=bench.network)).count(bench.endpoint, {})
    assert [bool(sent.verify) for sent in bench.network.sent] == [True, False]


def test_a_loopback_console_is_reached_without_a_proxy(monkeypatch: Any, bench: Any) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    seen = []

    class Adapter(type(bench.network)):
        def send(self, request: Any, **options: Any) -> Any:
            seen.append(options["proxies"])
            return super().send(request, **options)

    network = Adapter(bench.clock)
    network.script = [bench.page([], total=1)]
    connection = Connection("http://127.0.0.1:9", bench.token)
    Console(connection, transport=Transport(connection, adapter=network)).count(bench.endpoint, {})
    assert "proxy.invalid" not in str(seen)


def test_a_cookie_is_never_sent_back(bench: Any) -> None:
    """A load balancer's cookie would bind all requests of a long task to one node."""
    body = b'{"data":{},"errors":null}'
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: node=7; Path=/\r\nContent-Length: %d\r\n\r\n"
    )
    received = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer, peer.makefile("rb") as lines:
                for _ in range(2):
                    received.append(b"".join(iter(lines.readline, b"\r\n")).lower())
                    peer.sendall(head % len(body) + body)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with Console(Connection(f"http://127.0.0.1:{server.getsockname()[1]}", bench.token)) as console:
            for _ in range(2):
                console.get("/system/info")
        thread.join()
    assert [b"authorization: apitoken" in each for each in received] == [True, True]
    assert not any(b"cookie" in each for each in received)


def test_every_page_carries_all_filters_the_sort_and_the_limit(bench: Any) -> None:
    bench.answers(bench.page([{"id": "1"}], "YQ%3D%3D"), bench.page([{"id": "2"}], "b+/c="), bench.page([{"id": "3"}]))
    pages = list(bench.console.iter_pages(bench.endpoint, FILTERS))
    assert [page.records for page in pages] == [[b'{"id": "1"}'], [b'{"id": "2"}'], [b'{"id": "3"}']]
    always = {**FILTERS, "limit": "1000", "sortBy": "createdAt", "sortOrder": "asc"}
    sent = [request.query for request in bench.network.sent]
    assert sent == [always, {**always, "cursor": "YQ=="}, {**always, "cursor": "b+/c="}]
    assert "cursor=YQ%3D%3D" in bench.network.sent[1].raw_query  # encoded once, not %253D
    assert {request.path for request in bench.network.sent} == {"/web/api/v2.1/activities"}


def test_a_count_carries_the_filters_and_asks_for_no_records(bench: Any) -> None:
    bench.answers(bench.page([], total=61))
    assert bench.console.count(bench.endpoint, FILTERS) == 61
    assert bench.network.sent[0].query == {**FILTERS, "countOnly": "true"}


@pytest.mark.parametrize("end", [None, "", "null"])
def test_the_end_has_three_spellings(bench: Any, end: Any) -> None:
    bench.answers(bench.page([{"id": "1"}], end))
    assert len(bench.pages()) == 1


def test_empty_pages_are_passed_while_their_cursor_is_new(bench: Any) -> None:
    bench.answers(bench.page([], "a"), bench.page([{"id": "1"}], "b"), bench.page([], "c"), bench.page([{"id": "2"}]))
    assert bench.pages() == [b'{"id": "1"}', b'{"id": "2"}']


@pytest.mark.parametrize("cursors", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_cursors_that_run_in_a_circle_are_rejected(bench: Any, cursors: Any) -> None:
    bench.answers(*(bench.page([{"id": str(number)}], cursor) for number, cursor in enumerate(cursors)))
    with pytest.raises(CursorRejected, match="twice"):
        bench.pages()
    assert len(bench.network.sent) == len(cursors)


def test_a_hundred_empty_pages_in_a_row_are_borne_and_no_more(bench: Any) -> None:
    empty = [bench.page([], f"c{number}") for number in range(101)]
    others = [bench.page([], f"e{number}") for number in range(100)]
    bench.answers(*empty[:100], bench.page([{"id": "1"}], "d"), *others, bench.page([{"id": "2"}]))
    assert bench.pages() == [b'{"id": "1"}', b'{"id": "2"}']
    bench.answers(*empty, bench.page([{"id": "1"}]))
    with pytest.raises(CursorRejected, match="101 empty pages in a row after 101 pages"):
        bench.pages()


def test_a_refused_page_size_is_halved_until_it_passes(bench: Any) -> None:
    refused = bench.Reply(400, b'{"errors":[{"code":4000010,"detail":"limit: Must be at most 300","title":"x"}]}')
    bench.answers(refused, refused, bench.page([{"id": "1"}], "a"), bench.page([{"id": "2"}]))
    assert len(bench.pages()) == 2
    assert [sent.query["limit"] for sent in bench.network.sent] == ["1000", "500", "250", "250"]
    bench.answers(refused)
    with pytest.raises(ProtocolError, match="limit"):
        bench.pages()


def test_a_503_in_the_middle_is_not_the_end(bench: Any) -> None:
    bench.answers(
        bench.page([{"id": "1"}], "a"), bench.Reply(503), bench.Reply(503), bench.page([{"id": "2"}], "b"),
        bench.Reply(502, b"Bad Gateway"), bench.page([{"id": "3"}]),
    )  # fmt: skip
    assert bench.pages() == [b'{"id": "1"}', b'{"id": "2"}', b'{"id": "3"}']
    assert [sent.query.get("cursor") for sent in bench.network.sent] == [None, "a", "a", "a", "b", "b"]


def test_requests_are_counted_for_each_task_with_their_retries(bench: Any) -> None:
    bench.answers(bench.Reply(503), bench.page([], total=1))
    first, second = bench.console.begin(), bench.console.begin()
    first.count(bench.endpoint, {})
    second.count(bench.endpoint, {})
    assert (first.requests, second.requests, bench.console.requests) == (2, 1, 0)


@pytest.mark.parametrize("data", [{"release": "W"}, ["one"]])
def test_an_error_inside_an_answer_with_data_is_no_answer(bench: Any, data: Any) -> None:
    body = {"data": data, "errors": [{"code": 5000010, "detail": "a shard is missing", "title": "Server error"}]}
    bench.answers(bench.Reply(200, json.dumps(body).encode()), bench.Reply(200, json.dumps({"data": data}).encode()))

    def read(console: Console) -> Any:
        path = "/system/info"
        return console.get(path) if isinstance(data, dict) else console.items(path, permission="Console.view")

    assert read(bench.make()) == data
    assert len(bench.network.sent) == 2
    bench.answers(bench.Reply(200, json.dumps(body).encode()))
    with pytest.raises(ProtocolError, match="a shard is missing"):
        read(bench.make(patience=0.0))
