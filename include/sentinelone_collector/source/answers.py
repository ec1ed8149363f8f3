"""What a console's answer means: the status code decides first, since some errors are HTML pages.

Sources: /docs of the management API 2.1 for the error bodies; RFC 9110 section 10.2.3 for Retry-After.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from sentinelone_collector.errors import (
    CollectorError,
    ConfigurationError,
    CursorRejected,
    NotLicensed,
    PermissionDenied,
    ProtocolError,
    RetryableError,
    TokenError,
)
from sentinelone_collector.source.spans import children, members, one_line

__all__ = [
    "Answer",
    "BrokenBody",
    "CountRejected",
    "Page",
    "PageSizeRejected",
    "Throttled",
    "failure_of",
    "is_licence",
    "plain",
    "read_count",
    "read_items",
    "read_object",
    "read_page",
    "retry_after_seconds",
]

LONGEST_RETRY_AFTER = 300.0
_SHOWN = 200
_CURSOR = "invalid cursor value"
_PAGE_SIZE = re.compile(r"(\S+: )?limit\b")
_COUNT = re.compile(r"\bcountOnly\b")
# seen: "This scope does not have Custom Rules enabled.", "This feature was deliberately disabled. Please contact …"
_LICENCE = re.compile(r"does not have .{1,80} enabled|feature .{0,40}disabled|licen[cs]e|not licensed", re.IGNORECASE)
_REFUSALS: dict[int, tuple[type[CollectorError], str]] = {
    HTTPStatus.UNAUTHORIZED: (
        TokenError,
        "the token is wrong, revoked or expired, or may not use this service: store one with the right {permission}",
    ),
    HTTPStatus.FORBIDDEN: (
        PermissionDenied,
        "give the token's role the permission {permission}, or narrow the scope to what the token may see",
    ),
    HTTPStatus.NOT_FOUND: (ProtocolError, "there is no such service: check the console's address and its release"),
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: (ConfigurationError, "the proxy wants credentials: correct HTTPS_PROXY"),
}
_BOM = b"\xef\xbb\xbf"


class Answer(NamedTuple):
    """One HTTP answer, read to its end; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Page(NamedTuple):
    """One page: each record's exact bytes on one line, and the cursor of the next page, None at the end.

    `total` is how many records the same answer counts for the filters, None where it does not say; later pages of a
    REST list say 0.
    """

    records: list[bytes]
    cursor: str | None
    total: int | None = None


class Throttled(RetryableError):
    """HTTP 429: the token's share of requests is used up."""


class BrokenBody(RetryableError):
    """A body that is no answer of this API: HTML, cut off, or with errors inside a 200."""


class PageSizeRejected(ProtocolError):
    """The console does not take this `limit`; a smaller page may pass."""


class CountRejected(ProtocolError):
    """The console does not take `countOnly` here: it can't count these records."""


class _Pagination(msgspec.Struct, rename="camel"):
    next_cursor: Any = None
    total_items: Any = None


class _Envelope(msgspec.Struct):
    data: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    pagination: _Pagination | None = None
    errors: Any = None


class _Errors(msgspec.Struct):
    errors: Any = None


_envelope = msgspec.json.Decoder(_Envelope)


def failure_of(answer: Answer, *, where: str, permission: str, sent_to: str, wall: float) -> CollectorError | None:
    """Return the error that the status code stands for, None for a 200.

    `where` names host and path, `sent_to` is the URL that was asked, `wall` the time in seconds since 1970 for a
    Retry-After that is a date.
    """
    status = answer.status
    if status == HTTPStatus.OK:
        return None
    detail = _detail(answer.body)
    said = f"{where}: HTTP {status}{_request_id(answer)}{f', {detail}' if detail else ''}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _redirect(answer, said, sent_to)
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
    if passing or status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT):
        kind = Throttled if status == HTTPStatus.TOO_MANY_REQUESTS else RetryableError
        return kind(said, retry_after=retry_after_seconds(answer.headers, wall))
    return _refusal(status, detail, said, permission)


def _redirect(answer: Answer, said: str, sent_to: str) -> CollectorError:
    try:
        target = urlsplit(urljoin(sent_to, answer.headers.get("location", ""))).netloc.rsplit("@", 1)[-1]
    except ValueError:
        target = ""
    own = urlsplit(sent_to).netloc
    return ConfigurationError(
        f"{said}: redirected to {target or 'an unnamed host'}; the token is sent to {own} alone. Put the console's own "
        "address into the connection, or let the proxy pass the API through"
    )


def _refusal(status: int, detail: str, said: str, permission: str) -> CollectorError:
    if status == HTTPStatus.BAD_REQUEST and _CURSOR in detail.lower():
        return CursorRejected(said)
    if status == HTTPStatus.BAD_REQUEST and _PAGE_SIZE.match(detail):
        return PageSizeRejected(said)
    if status == HTTPStatus.BAD_REQUEST and _COUNT.search(detail):
        return CountRejected(said)
    if status == HTTPStatus.FORBIDDEN and is_licence(detail):
        return NotLicensed(f"{said}; ask SentinelOne to enable the feature, or leave the stream out")
    kind, advice = _REFUSALS.get(status, (ProtocolError, "the console does not take this request: report it"))
    return kind(f"{said}; {advice.format(permission=permission)}")


def is_licence(text: str) -> bool:
    """Say whether the words of a refusal are about a feature that the console does not have."""
    return _LICENCE.search(text) is not None


def retry_after_seconds(headers: Mapping[str, str], wall: float) -> float | None:
    """Return how long the console asks to wait, in seconds, at most 300; None where it says nothing usable.

    Whole and decimal seconds and HTTP dates are read; a date is measured against the answer's own Date, so that a
    wrong clock on this side does not matter. A time that has passed is 0.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        at = _http_date(text)
        if at is None:
            return None
        seconds = at - (_http_date(headers.get("date", "")) or wall)
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _request_id(answer: Answer) -> str:
    identifier = answer.headers.get("x-rqid", "")
    return f" (request id {identifier[:64]})" if identifier else ""


def _detail(body: bytes) -> str:
    """Return what an error body says, on one short line; an HTML page is told by its title."""
    try:
        found = msgspec.json.decode(body[: 1 << 16], type=_Errors).errors
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _page_title(body)
    return "; ".join(_said(error) for error in _real_errors(found))[:_SHOWN]


def _page_title(body: bytes) -> str:
    start = body[:4096].decode("utf-8", "replace").strip()
    title = re.search(r"<title>(.*?)</title>", start, re.DOTALL | re.IGNORECASE)
    if start.startswith("<"):
        return f"an HTML page {plain(title[1]) if title else ''}".strip()
    return plain(start)


def plain(text: str, length: int = _SHOWN) -> str:
    """Return a text on one line without what can't be printed, cut to a length."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:length]


def _real_errors(errors: Any) -> list[dict[str, Any]]:
    """Return the error objects that say something: good data may come with `errors: [{}]`."""
    listed = errors if isinstance(errors, list) else [errors]
    return [error for error in listed if isinstance(error, dict) and (error.get("code") or error.get("title"))]


def _said(error: dict[str, Any]) -> str:
    return plain(": ".join(str(error[key]) for key in ("detail", "title", "code") if error.get(key)))


def read_page(answer: Answer, where: str) -> Page:
    """Read a list answer; raise `BrokenBody` where it is none or carries errors."""
    envelope = _checked(answer, where)
    records = [one_line(bytes(record)) for record in envelope.data or ()]
    assert envelope.pagination is not None  # noqa: S101  # _checked has seen to it
    total = envelope.pagination.total_items
    return Page(records, _cursor(envelope.pagination.next_cursor, where), total if type(total) is int else None)


def read_count(answer: Answer, where: str) -> int:
    """Read the count of a `countOnly` answer; raise `BrokenBody` where it has none."""
    envelope = _checked(answer, where)
    total = envelope.pagination.total_items if envelope.pagination else None
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise BrokenBody(f"{where}: totalItems is {total!r}, not a count{_request_id(answer)}")
    return total


def read_object(answer: Answer, where: str) -> dict[str, Any]:
    """Read the `data` object of an answer that is no list; raise `BrokenBody` where there is none."""
    data = _data(answer, where)
    if not isinstance(data, dict):
        raise _broken(answer, where)
    return data


def read_items(answer: Answer, where: str) -> list[Any]:
    """Read the `data` list of an answer that comes whole, without pages; raise `BrokenBody` where there is none."""
    data = _data(answer, where)
    if not isinstance(data, list):
        raise _broken(answer, where)
    return data


def _data(answer: Answer, where: str) -> Any:
    try:
        content = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _broken(answer, where) from None
    _raise_errors(content.get("errors"), answer, where)
    return content.get("data")


def _checked(answer: Answer, where: str) -> _Envelope:
    envelope = _opened(answer, where)
    _raise_errors(envelope.errors, answer, where)
    if envelope.data is msgspec.UNSET or envelope.pagination is None:
        raise _broken(answer, where)
    return envelope


def _opened(answer: Answer, where: str) -> _Envelope:
    body = answer.body.removeprefix(_BOM)
    try:
        return _envelope.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _opened_by_hand(body)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, too
        raise _broken(answer, where) from None


def _opened_by_hand(body: bytes) -> _Envelope:
    """Take the records out by their brackets, and parse strictly what is left of the answer."""
    rest = members(body)
    records = children(rest.get("data", b"null"))
    if not rest["data"].startswith(b"["):
        raise ValueError("data is no list")
    rest["data"] = b"[]"
    around = b"{%s}" % b",".join(msgspec.json.encode(key) + b":" + value for key, value in rest.items())
    envelope = _envelope.decode(around)
    envelope.data = [msgspec.Raw(record) for record in records]
    return envelope


def _raise_errors(errors: Any, answer: Answer, where: str) -> None:
    found = _real_errors(errors)
    if found:
        said = "; ".join(_said(error) for error in found)[:_SHOWN]
        raise BrokenBody(f"{where}: HTTP 200 with an error inside{_request_id(answer)}: {said}")


def _broken(answer: Answer, where: str) -> BrokenBody:
    start = answer.body.removeprefix(_BOM).lstrip()[:1]
    what = "an HTML page" if start == b"<" else "a body that is cut off or no answer of this API"
    kind = plain(answer.headers.get("content-type", "no content type"))
    shown = f" ({_page_title(answer.body)})" if start == b"<" else ""
    return BrokenBody(
        f"{where}: HTTP 200 with {what}{shown}, {len(answer.body)} bytes, {kind}{_request_id(answer)}; "
        "a proxy, a login page or maintenance may stand before the console"
    )


def _cursor(value: Any, where: str) -> str | None:
    """Return the cursor, unescaped once since it is escaped again on the way out; None at the end."""
    if value is None or value in ("", "null"):
        return None
    if not isinstance(value, str):
        raise BrokenBody(f"{where}: nextCursor is no text")
    return unquote(value)
