"""One HTTP request and its answer: the token stays on its host and out of every error, bodies are bounded."""

from __future__ import annotations

import http.client
import http.cookiejar
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import requests
import requests.adapters
import requests.auth
import urllib3.exceptions

from sentinelone_collector.errors import ProtocolError, RetryableError
from sentinelone_collector.instances import Connection
from sentinelone_collector.source.answers import Answer

__all__ = ["BODY_LIMIT", "Timeouts", "Transport"]

BODY_LIMIT = 256 << 20
_CHUNK = 1 << 16
_POOL = 16
_MASK = "***"
# requests lets a few of urllib3's and of the standard library's errors through
_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)
_KINDS = (
    (requests.exceptions.ConnectTimeout, "no connection in time"),
    (requests.exceptions.ReadTimeout, "no answer in time"),
    (requests.exceptions.SSLError, "the TLS handshake failed; check the host's certificate"),
    (requests.exceptions.ProxyError, "the proxy does not let the request through"),
    (requests.exceptions.ChunkedEncodingError, "the body broke off"),
    (requests.exceptions.ContentDecodingError, "the body can't be unpacked"),
)


class Timeouts(NamedTuple):
    """Seconds until a connection stands, between two pieces of an answer, and for a whole answer."""

    connect: float = 10.0
    read: float = 60.0
    whole: float = 300.0


DEFAULT_TIMEOUTS = Timeouts()


class _Masked(str):
    """A text that a printed header table does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_MASK)


class _ApiToken(requests.auth.AuthBase):
    """Sets the token itself; a session's own authentication would prefer a .netrc entry."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = _Masked(f"ApiToken {self._connection.token}")
        return request


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Name no target, so that no redirect is ever followed or even read ahead."""


class Transport:
    """A connection pool to one console; may be used by several threads.

    `adapter` stands in for the network in tests, `clock` is monotonic, in seconds. An answer of more than `body_limit`
    bytes, unpacked, is refused. Certificates are verified unless the connection says otherwise.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        adapter: requests.adapters.BaseAdapter | None = None,
        clock: Callable[[], float] = time.monotonic,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._timeouts = timeouts
        self._body_limit = body_limit
        self._sent = 0
        self._lock = threading.Lock()
        self._session = _Session()
        self._session.auth = _ApiToken(connection)
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        # plain http is for loopback hosts, where the token must not make a detour over a proxy
        self._session.trust_env = connection.url.startswith("https://")
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        self._session.headers["User-Agent"] = "sentinelone-collector"
        self._session.mount(
            connection.url, adapter or requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=_POOL)
        )

    def __repr__(self) -> str:
        return f"Transport({self._connection.console})"

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def scrub(self, text: str) -> str:
        """Return the text without the token, which a faulty console may echo."""
        return text.replace(self._connection.token, _MASK)

    def send(
        self, method: str, url: str, params: Mapping[str, str], body: Callable[[Connection], Any] | None = None
    ) -> Answer:
        """Send one request and read the answer to its end.

        `body` makes the JSON body from the connection, so that a token in it is in no caller's frame. Raise
        `RetryableError` where no whole answer comes, and `ProtocolError` for one that is too large.
        """
        fault = None
        try:
            return self._exchange(method, url, params, body)
        except _FAULTS as error:
            fault = self._told(error)
        # raised outside of the handler: the frames of the caught error hold the token
        raise RetryableError(f"{self._connection.console}: {fault}")

    def _exchange(
        self, method: str, url: str, params: Mapping[str, str], body: Callable[[Connection], Any] | None
    ) -> Answer:
        response = self._session.request(
            method,
            url,
            params=params,
            json=body(self._connection) if body else None,
            verify=self._connection.verify_tls,
            timeout=(self._timeouts.connect, self._timeouts.read),
            allow_redirects=False,
            stream=True,
        )
        with response:
            headers = {name.lower(): self.scrub(value) for name, value in response.headers.items()}
            return Answer(response.status_code, headers, self._read(response))

    def _read(self, response: requests.Response) -> bytes:
        started = self._clock()
        pieces, size = [], 0
        for piece in response.iter_content(_CHUNK):
            size += len(piece)
            if size > self._body_limit:
                raise ProtocolError(
                    f"{self._connection.console}: an answer is larger than {self._body_limit} bytes; it was not read on"
                )
            if self._clock() - started > self._timeouts.whole:
                raise requests.exceptions.ReadTimeout
            pieces.append(piece)
        return b"".join(pieces)

    def _told(self, error: Exception) -> str:
        for kind, text in _KINDS:
            if isinstance(error, kind):
                return text
        innermost: BaseException = error
        while isinstance(following := innermost.__cause__ or innermost.__context__, BaseException):
            innermost = following
        return self.scrub(f"no connection ({type(innermost).__name__}: {innermost})"[:300])
