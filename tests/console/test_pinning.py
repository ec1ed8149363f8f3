"""A check connects to the address that was checked, whatever the name leads to a moment later."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.console.conftest import Console

from sentinelone_collector.console.hosts import address_of, allowed_url
from sentinelone_collector.console.pinning import PinnedAdapter
from sentinelone_collector.errors import ConfigurationError, RetryableError
from sentinelone_collector.instances import Connection
from sentinelone_collector.source import Transport

NAME = "usea1-example.sentinelone.net"
TOKEN = "eyJ" + "a" * 60
PUBLIC, INNER = "192.0.43.8", "169.254.169.254"


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@dataclass
class Server:
    """A TLS server on this machine and the names by which it was asked."""

    port: int
    authority: Path
    indicated: set[str | None] = field(default_factory=set)
    hosts: set[str | None] = field(default_factory=set)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    certificate, key = _certificate(tmp_path, NAME)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the server's own name
            found.hosts.add(self.headers["Host"])
            content = json.dumps({"data": {}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: found.indicated.add(name)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        found = Server(served.server_address[1], certificate)
        served.socket = context.wrap_socket(served.socket, server_side=True)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        monkeypatch.setattr(socket, "getaddrinfo", _addresses_only(socket.getaddrinfo))
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        served.shutdown()
        thread.join()


def _addresses_only(real: Any) -> Any:
    def ask(host: str, *rest: Any, **more: Any) -> Any:
        assert host == "127.0.0.1", f"{host} was looked up behind the check's back"
        return real(host, *rest, **more)

    return ask


def _get(url: str, address: str) -> int:
    transport = Transport(Connection(url, TOKEN), adapter=PinnedAdapter(lambda _name, _port: address))
    try:
        return transport.send("GET", f"{url}/web/api/v2.1/system/info", {}).status
    finally:
        transport.close()


def test_the_checked_address_is_asked_in_the_name_of_the_console(server: Server) -> None:
    assert _get(f"https://{NAME}:{server.port}", "127.0.0.1") == 200
    assert server.hosts == {f"{NAME}:{server.port}"}
    assert server.indicated == {NAME}


def test_a_certificate_for_another_name_is_refused(server: Server) -> None:
    with pytest.raises(RetryableError, match="TLS handshake failed"):
        _get(f"https://other.sentinelone.net:{server.port}", "127.0.0.1")
    assert server.hosts == set()


def test_a_name_that_changes_its_address_after_the_check_is_refused() -> None:
    answers = iter([[PUBLIC], [INNER]])

    def lookup(_: str) -> list[str]:
        return next(answers)

    url = allowed_url(NAME, demo=False, hosts=(), lookup=lookup)
    adapter = PinnedAdapter(lambda name, port: address_of(name, port, demo=False, hosts=(), lookup=lookup))
    transport = Transport(Connection(url, TOKEN), adapter=adapter)
    with pytest.raises(ConfigurationError, match=r"169\.254\.169\.254, which is no public address"):
        transport.send("GET", f"{url}/web/api/v2.1/system/info", {})
    transport.close()


def test_one_inner_address_among_others_is_enough_to_refuse() -> None:
    for hosts, found in (((), ["10.0.0.1"]), ((NAME,), ["127.0.0.1"]), ((), [PUBLIC, "::1"])):
        with pytest.raises(ConfigurationError, match="which is no public address"):
            address_of(NAME, None, demo=False, hosts=hosts, lookup=lambda _, found=found: found)  # type: ignore[misc]
    assert address_of(NAME, None, demo=False, hosts=(NAME,), lookup=lambda _: ["10.0.0.1", "10.0.0.2"]) == "10.0.0.1"
    assert address_of("localhost", 8080, demo=True, hosts=()) == "127.0.0.1"
    with pytest.raises(ConfigurationError, match="demonstrations"):
        address_of("localhost", 8080, demo=False, hosts=())


def test_every_check_of_the_console_asks_the_checked_address(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[PUBLIC], [INNER]])
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (each, 0)) for each in next(answers)])
    answer = console.as_("op").post("/api/instances/check", json={"domain": NAME, "token": TOKEN})
    assert answer.status_code == 422, answer.text
    assert INNER in answer.json()["error"]["fields"]["domain"]
