"""The HTTP server: keep-alive connections, the console's headers, and control of the wire for faults."""

from __future__ import annotations

import logging
import socket
import struct
import sys
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from threading import Event, Lock, Thread
from urllib.parse import parse_qsl, urlsplit

from sentinelone_collector.simulator.messages import Request, Response

__all__ = ["HttpServer"]

_log = logging.getLogger(__name__)

_HEADERS = (
    b"Server: nginx\r\nVary: Origin\r\nX-Frame-Options: SAMEORIGIN\r\nX-Content-Type-Options: nosniff\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"Content-Security-Policy: default-src 'self'\r\n"
)
_RESET = struct.pack("ii", 1, 0)  # linger for zero seconds: closing sends a reset
_PIECES = 20
_LARGEST_BODY = 1 << 20
_STREAM_BLOCK = 1 << 16


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after the other from a connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpServer

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY:
            self.close_connection = True
            self._send(Response(413, b"", "text/html"))
            return
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
            client=self.client_address[0],
        )
        try:
            response = self.server.respond(request)
        except Exception:  # noqa: BLE001  # whatever fails, the client gets an answer
            _log.exception("simulator failed on %s %s", request.method, request.path)
            response = Response(500, b"simulator failed; see its log\n", "text/plain")
        self._send(response)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815  # names of the base class

    def _send(self, response: Response) -> None:
        if response.wire == "drop":
            self._reset()
            return
        chunked = response.content_type == "application/json" or response.pieces is not None
        body = response.body
        whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked and body else body
        if chunked and not body:
            whole = b"0\r\n\r\n"
        head = self._head(response, chunked=chunked)
        if response.pieces is not None:
            self._stream(head, response)
        elif response.wire == "reset":
            self.wfile.write(head + whole[: len(whole) // 2])
            self._reset()
        elif response.wire == "slow":
            self.wfile.write(head)
            step = max(1, -(-len(whole) // _PIECES))
            for start in range(0, len(whole), step):
                self.server.stopped.wait(response.seconds / _PIECES)
                self.wfile.write(whole[start : start + step])
        else:
            self.wfile.write(head + whole)

    def _head(self, response: Response, *, chunked: bool) -> bytes:
        reason = HTTPStatus(response.status).phrase
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(response.body)}"
        own = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        closing = "Connection: close\r\n" if self.close_connection else ""
        text = (
            f"HTTP/1.1 {response.status} {reason}\r\nDate: {self.date_time_string()}\r\n"
            f"Content-Type: {response.content_type}\r\n{framing}\r\nX-RqId: {uuid.uuid4()}\r\n{own}{closing}"
        )
        return text.encode("latin-1") + _HEADERS + b"\r\n"

    def _stream(self, head: bytes, response: Response) -> None:
        self.wfile.write(head)
        block = bytearray()
        for piece in response.pieces or ():
            block += piece
            if len(block) >= _STREAM_BLOCK:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), bytes(block)))
                block.clear()
        if block:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), bytes(block)))
        self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """Close so that the peer sees a reset, not an end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # The stream objects hold the socket open; taking the descriptor away closes it at once.
        socket.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # name of the base class
        """Keep quiet: a simulator's access log is its `/__sim__/state`."""


class HttpServer(ThreadingMixIn, TCPServer):
    """Serve one callable, one thread a connection, until closed."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, respond: Callable[[Request], Response]) -> None:
        self.respond = respond
        self.stopped = Event()
        self._open: set[socket.socket] = set()
        self._open_lock = Lock()
        super().__init__((host, port), _Handler)
        self._thread = Thread(target=self.serve_forever, args=(0.05,), name="s1-simulator", daemon=True)

    @property
    def url(self) -> str:
        """Give the address that is served."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to answer, on a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and close all connections."""
        self.stopped.set()
        self.shutdown()
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            # Wakes the thread that waits for the next request of a kept connection.
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.server_close()
        self._thread.join()

    def process_request_thread(
        self,
        request: socket.socket,  # type: ignore[override]  # TCP only
        client_address: tuple[str, int],
    ) -> None:
        """Serve one connection and keep it in the list of open ones meanwhile."""
        with self._open_lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what goes wrong on a connection; a client that leaves is no error."""
        if not isinstance(sys.exception(), OSError):
            _log.exception("connection from %s failed on %s", client_address, request)
