"""What each fault of a console becomes, and that the token shows in none of them."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from typing import Any

import pytest
import requests
import urllib3

from sentinelone_collector.errors import (
    CollectorError,
    ConfigurationError,
    CursorRejected,
    PermissionDenied,
    ProtocolError,
    RetryableError,
    TokenError,
)
from sentinelone_collector.instances import Connection
from sentinelone_collector.source.answers import CountRejected
from sentinelone_collector.source.console import Console
from sentinelone_collector.source.transport import Timeouts, Transport

HTML_429 = (
    b"<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n<body>\r\n<center><h1>429 Too Many Requests</h1>"
    b"</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


def error_body(code: int, detail: str | None, title: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "detail": detail, "title": title}]}).encode() + b"\n"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            401,
            error_body(4010010, None, "Authentication Failed"),
            TokenError,
            ["401", "Authentication Failed", "token"],
        ),
        (403, error_body(4030010, None, "Insufficient permissions"), PermissionDenied, ["403", "Activity Page.view"]),
        (404, b"404 page not found\n", ProtocolError, ["404", "page not found", "address"]),
        (400, error_body(4000010, "Invalid cursor value received", "Validation Error"), CursorRejected, ["cursor"]),
        (400, error_body(4000010, "countOnly: Unknown field", "Validation Error"), CountRejected, ["Unknown field"]),
        (400, error_body(4000010, "isLegacy: Unknown field", "Validation Error"), ProtocolError, ["Unknown field"]),
        (400, b'{"error":"missing scope"}', ProtocolError, ["400"]),
        (409, b"", ProtocolError, ["409"]),
        (501, error_body(5010010, None, "Not supported"), ProtocolError, ["501", "Not supported"]),
        (407, b"<html><title>Proxy</title></html>", ConfigurationError, ["407", "HTTPS_PROXY"]),
    ],
)
def test_a_permanent_refusal_is_raised_at_once_with_its_words(
    bench: Any, status: Any, body: Any, kind: Any, words: Any
) -> None:
    bench.answers(bench.Reply(status, body, {"x-rqid": "rq-77"}))
    with pytest.raises(CollectorError) as caught:
        bench.count()
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in [*words, "rq-77", "usea1-acme.example.net/activities"])
    assert len(bench.network.sent) == 1
    assert bench.clock.slept == []


@pytest.mark.parametrize(
    "fault",
    [
        (429, HTML_429),
        (408, b""),
        (500, error_body(5000010, "Server could not process the request.", "Internal server error")),
        (502, b"Bad Gateway"),
        (503, b""),
        (504, b"<html>gateway</html>"),
        (200, b"<!DOCTYPE html><title>Sign in</title>"),
        (200, b""),
        (204, b""),
        (200, b'{"data":[{"id":"1"'),
        (200, b'{"data":[{"id":"1"}],"pagination":{"nextCursor":null,"totalItems":1}'),
        (200, b'{"message":"ok"}'),
        (200, b"[]"),
        (200, b'{"data":{},"pagination":{"totalItems":0}}'),
        (200, b'{"data":[]}'),
        (200, b'{"data":[],"pagination":{"nextCursor":null,"totalItems":"7"}}'),
        (200, b'{"data":null,"errors":[{"code":5000010,"title":"x"}],"pagination":{"totalItems":0}}'),
    ],
)
def test_a_passing_fault_is_retried_and_then_forgotten(bench: Any, fault: Any) -> None:
    bench.answers(bench.Reply(*fault), bench.Reply(*fault), bench.page([], total=42))
    if fault[0] == 204:
        with pytest.raises(ProtocolError):
            bench.count()
        return
    assert bench.count() == 42
    assert len(bench.network.sent) == 3


@pytest.mark.parametrize(
    "fault",
    [
        requests.exceptions.ConnectTimeout("slow"),
        requests.exceptions.ReadTimeout("slow"),
        requests.exceptions.SSLError(ssl.SSLCertVerificationError("certificate verify failed")),
        requests.exceptions.ProxyError("no"),
        requests.exceptions.ConnectionError("refused"),
        urllib3.exceptions.ProtocolError("broken", ConnectionResetError(104, "reset")),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_connection_is_retried(bench: Any, fault: Any) -> None:
    bench.answers(fault, bench.page([], total=5))
    assert bench.count() == 5


def test_a_body_that_breaks_off_is_never_taken_for_the_answer(bench: Any) -> None:
    whole = bench.page([{"id": "1"}], total=1)
    short = bench.Reply(200, whole.body, cut=20)
    bench.answers(short, bench.Reply(200, whole.body, packed=True, cut=12), whole)
    assert bench.pages() == [b'{"id": "1"}']
    assert len(bench.network.sent) == 3


def test_packed_bodies_are_unpacked_byte_for_byte(bench: Any) -> None:
    bench.answers(bench.Reply(200, b'{"data":[{"a":  1.0}],"pagination":{"nextCursor":null}}', packed=True))
    assert bench.pages() == [b'{"a":  1.0}']


def test_a_body_beyond_the_limit_is_refused_without_reading_on(bench: Any) -> None:
    bomb = bench.Reply(200, b" " * 50_000_000, packed=True)
    bench.answers(bomb)
    console = bench.make(transport=Transport(bench.connection, adapter=bench.network, body_limit=1 << 20))
    with pytest.raises(ProtocolError, match="larger than 1048576 bytes"):
        console.count(bench.endpoint, {})


def test_a_body_that_trickles_forever_is_given_up(bench: Any) -> None:
    class Slow(type(bench.clock)):
        def __call__(self) -> float:
            self.now += 200.0
            return self.now

    bench.answers(bench.Reply(200, b" " * 1_000_000))
    transport = Transport(bench.connection, adapter=bench.network, clock=Slow(), timeouts=Timeouts(whole=300.0))
    with pytest.raises(RetryableError, match="no answer in time"):
        bench.make(transport=transport, patience=0.0).count(bench.endpoint, {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://elsewhere.invalid/x?y=1", "elsewhere.invalid"),
        ("https://user:pw@elsewhere.invalid/", "elsewhere.invalid"),
        ("/login", "usea1-acme.example.net"),
        ("http://[broken", "unnamed"),
    ],
)
def test_no_redirect_is_followed(bench: Any, status: Any, target: Any, shown: Any) -> None:
    bench.answers(bench.Reply(status, b"", {"Location": target}))
    with pytest.raises(ConfigurationError, match=shown) as caught:
        bench.count()
    assert len(bench.network.sent) == 1
    assert "pw" not in str(caught.value)


def test_errors_without_content_are_no_failure(bench: Any) -> None:
    for errors in ([{}], [], None, {}):
        bench.answers(bench.page([{"id": "1"}], errors=errors))
        assert bench.pages() == [b'{"id": "1"}']


def test_null_data_is_an_empty_page(bench: Any) -> None:
    bench.answers(bench.Reply(200, b'{"data":null,"pagination":{"nextCursor":null,"totalItems":0},"errors":null}'))
    assert bench.pages() == []


@pytest.mark.parametrize(
    ("last", "kind"),
    [((503, b"maintenance"), RetryableError), ((200, b"<html><title>Sign in</title>"), ProtocolError)],
)
def test_when_patience_ends_the_error_says_how_often_and_what_came_last(bench: Any, last: Any, kind: Any) -> None:
    bench.answers(bench.Reply(500, b""), bench.Reply(*last))
    with pytest.raises(CollectorError) as caught:
        bench.make(patience=100.0).count(bench.endpoint, {})
    assert type(caught.value) is kind
    attempts = len(bench.network.sent)
    assert attempts > 3
    assert f"{attempts} attempts" in str(caught.value)
    assert ("maintenance" if kind is RetryableError else "Sign in") in str(caught.value)
    assert sum(bench.clock.slept) <= 100.0


FAULTS = [
    (401, b"echo: canary-Tok3n-that-must-never-show"),
    (403, b'{"errors":[{"code":1,"title":"canary-Tok3n-that-must-never-show"}]}'),
    (404, b"<title>canary-Tok3n-that-must-never-show</title>"),
    (400, b"canary-Tok3n-that-must-never-show"),
    (500, b"canary-Tok3n-that-must-never-show"),
    (200, b'{"errors":[{"title":"canary-Tok3n-that-must-never-show"}]}'),
    (200, b"<title>canary-Tok3n-that-must-never-show</title>"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault[0]))
def test_a_token_that_the_console_echoes_shows_nowhere(bench: Any, told: Any, caplog: Any, fault: Any) -> None:
    caplog.set_level(logging.DEBUG)
    reply = bench.Reply(*fault, {"x-rqid": bench.token, "content-type": bench.token, "location": bench.token})
    bench.answers(reply)
    with pytest.raises(CollectorError) as caught:
        bench.make(patience=3.0).count(bench.endpoint, {})
    assert bench.token in bench.network.sent[0].headers["Authorization"]
    assert bench.token not in str(caught.value) + caplog.text


def test_the_token_is_in_no_frame_of_a_connection_error(bench: Any, told: Any, caplog: Any) -> None:
    """The real adapter fails here, in frames of http.client and urllib3 that hold the request with its header."""
    caplog.set_level(logging.DEBUG)
    with socket.socket() as held:  # nobody listens, and nobody else can
        held.bind(("127.0.0.1", 0))
        console = Console(Connection(f"http://127.0.0.1:{held.getsockname()[1]}", bench.token), patience=0.0)
        for call in (console.token_details, lambda: console.count(bench.endpoint, {})):
            with pytest.raises(RetryableError) as caught:
                call()
            assert bench.token not in told(caught.value)
    assert bench.token not in caplog.text + repr(console) + repr(vars(console))


@pytest.mark.parametrize("status", [200, 401, 403, 500])
def test_the_token_is_in_no_frame_of_a_refusal(bench: Any, told: Any, status: Any) -> None:
    bench.answers(bench.Reply(status, b"?"))
    with pytest.raises(CollectorError) as caught:
        bench.make(patience=3.0).token_details()
    assert bench.token not in told(caught.value)
    assert bench.token in str(bench.network.sent[0].body)


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", b"rubbish\r\n\r\n"])
def test_the_transport_itself_drops_the_frames_that_hold_the_token(bench: Any, told: Any, answer: bytes | None) -> None:
    """Nobody listens; or somebody does, and hangs up before, in the middle of, or instead of an answer."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer or b"")

        if answer is not None:
            server.listen()
            thread = threading.Thread(target=serve)
            thread.start()
        with pytest.raises(RetryableError) as caught:
            Transport(Connection(url, bench.token)).send("GET", f"{url}/web/api/v2.1/activities", {})
        if answer is not None:
            thread.join()
    assert bench.token not in told(caught.value)
