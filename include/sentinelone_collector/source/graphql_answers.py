"""What a GraphQL answer means: its errors come inside an HTTP 200, also beside a part of the data.

Sources: GraphQL specification, October 2021, section 7.1 (response format); error codes and texts as graphql-java,
graphql-js and Apollo write them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from sentinelone_collector.errors import (
    CollectorError,
    CursorRejected,
    NotLicensed,
    PermissionDenied,
    ProtocolError,
    TokenError,
)
from sentinelone_collector.source.answers import (
    Answer,
    BrokenBody,
    Page,
    PageSizeRejected,
    Throttled,
    is_licence,
    plain,
)
from sentinelone_collector.source.spans import children, members, one_line

__all__ = ["FieldsRejected", "graphql_failure", "read_connection_count", "read_connection_page"]

_SHOWN = 300
_BOM = b"\xef\xbb\xbf"
_UNKNOWN_FIELD = (
    re.compile(r"FieldUndefined@\[(?P<path>[\w/]+)\]"),
    re.compile(r"Cannot query field [\"'](?P<field>\w+)[\"'] on type [\"'](?P<type>\w+)[\"']"),
    re.compile(r"Field [\"'](?P<field>\w+)[\"'] in type [\"'](?P<type>\w+)[\"'] is undefined"),
)
_KINDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"unauthenticated|\b401\b|authentication (failed|required)|invalid token|token expired"), "token"),
    (re.compile(r"forbidden|\b403\b|access.?denied|permission|not authorized|unauthorized"), "permission"),
    (re.compile(r"too.?many.?requests|rate.?limit|throttl|\b429\b"), "throttled"),
    (re.compile(r"invalid (after )?cursor|cursor.{0,40}(invalid|expired|unknown|malformed)"), "cursor"),
    (
        re.compile(r"complexity|too complex|query.?depth|page.?size|\bfirst\b.{0,60}(exceed|greater|less|max|limit)"),
        "page",
    ),
    (re.compile(r"validation|bad_user_input|parse_failed|invalidsyntax|bad_request|unknown (type|argument)"), "query"),
)


class FieldsRejected(ProtocolError):
    """The console's release does not know fields that were asked for.

    `fields` has a path like `assets/id` where the console names it, else the pair of field and type.
    """

    def __init__(self, text: str, fields: tuple[str | tuple[str, str], ...] = ()) -> None:
        self.fields = fields
        super().__init__(text)


class _PageInfo(msgspec.Struct, rename="camel"):
    has_next_page: Any = None
    end_cursor: Any = None


class _Head(msgspec.Struct, rename="camel"):
    total_count: Any = None
    page_info: _PageInfo | None = None


class _Edge(msgspec.Struct):
    node: msgspec.Raw | None = None


class _Connection(_Head):
    edges: list[_Edge] | None = None


class _Errors(msgspec.Struct):
    errors: Any = None


class _Envelope(msgspec.Struct):
    data: dict[str, msgspec.Raw] | None = None


class _Error(NamedTuple):
    message: str
    about: str  # everything it says about its kind, lower case

    @property
    def unknown_field(self) -> str | tuple[str, str] | None:
        for pattern in _UNKNOWN_FIELD:
            match = pattern.search(self.message)
            if match is not None and "path" in match.groupdict():
                # below root, edges and node
                return "/".join(match["path"].split("/")[3:]) or None
            if match is not None:
                return match["field"], match["type"]
        return None


def graphql_failure(answer: Answer, *, where: str, permission: str) -> CollectorError | None:
    """Return the error that a GraphQL answer stands for, None where it has none; a part of the data never counts."""
    errors = list(_errors(answer.body))
    if not errors or answer.status not in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST):
        return None
    said = f"{where}: HTTP {answer.status} with a GraphQL error: {plain('; '.join(e.message for e in errors), _SHOWN)}"
    unknown = [error.unknown_field for error in errors]
    fields = tuple(field for field in unknown if field)
    if len(fields) == len(errors):
        return FieldsRejected(f"{said}; this console's release does not know these fields", fields)
    if any(is_licence(error.message) for error in errors):
        return NotLicensed(f"{said}; ask SentinelOne to enable the feature, or leave the stream out")
    for pattern, kind in _KINDS:
        if any(pattern.search(error.about) for error in errors):
            return _MAKERS[kind](said, permission)
    return BrokenBody(said)


_MAKERS: dict[str, Callable[[str, str], CollectorError]] = {
    "token": lambda said, _: TokenError(f"{said}; the token is wrong, revoked or expired: store a new one"),
    "permission": lambda said, permission: PermissionDenied(
        f"{said}; give the token's role the permission {permission}, or narrow the scope to what the token may see"
    ),
    "throttled": lambda said, _: Throttled(said),
    "cursor": lambda said, _: CursorRejected(said),
    "page": lambda said, _: PageSizeRejected(said),
    "query": lambda said, _: ProtocolError(f"{said}; the console does not take this query: report it"),
}


def _errors(body: bytes) -> Iterator[_Error]:
    body = body.removeprefix(_BOM)
    try:
        found = msgspec.json.decode(body, type=_Errors).errors
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, too
        found = _errors_by_hand(body)
    for error in found if isinstance(found, list) else [found]:
        if isinstance(error, dict) and error:
            extensions = error.get("extensions")
            kinds = extensions if isinstance(extensions, dict) else {}
            message = str(error.get("message") or error.get("title") or error.get("detail") or "no message")
            listed = [kinds.get(key) for key in ("code", "classification", "errorType")]
            about = " ".join(
                str(part) for part in (message, error.get("errorType"), error.get("code"), *listed) if part
            )
            yield _Error(message, about.lower())


def _errors_by_hand(body: bytes) -> Any:
    try:
        return msgspec.json.decode(members(body).get("errors", b"null"))
    except (ValueError, RecursionError):
        return None


def read_connection_page(answer: Answer, where: str, *, root: str) -> Page:
    """Read one page of a connection, each record's exact bytes; raise `BrokenBody` where it is none."""
    head, nodes = _opened(answer, where, root)
    if nodes is None or head.page_info is None:
        raise _broken(answer, where, "no edges or no pageInfo")
    if any(node == b"null" for node in nodes):
        raise _broken(answer, where, "an edge without its record")
    more, cursor = head.page_info.has_next_page, head.page_info.end_cursor
    if not isinstance(more, bool) or (more and (not isinstance(cursor, str) or not cursor)):
        raise _broken(answer, where, "a next page, but no cursor that leads there")
    total = head.total_count if type(head.total_count) is int else None
    return Page([one_line(node) for node in nodes], cursor if more else None, total)


def read_connection_count(answer: Answer, where: str, *, root: str) -> int:
    """Read the number of records of a connection; raise `BrokenBody` where there is none."""
    head, _ = _opened(answer, where, root)
    if type(head.total_count) is not int or head.total_count < 0:
        raise _broken(answer, where, f"totalCount is {head.total_count!r}, not a count")
    return head.total_count


def _opened(answer: Answer, where: str, root: str) -> tuple[_Head, list[bytes] | None]:
    body = answer.body.removeprefix(_BOM)
    try:
        data = msgspec.json.decode(body, type=_Envelope).data
        if data is not None and root in data:
            connection = msgspec.json.decode(data[root], type=_Connection)
            nodes = None if connection.edges is None else [bytes(edge.node or b"null") for edge in connection.edges]
            return connection, nodes
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _opened_by_hand(body, root)
    except (ValueError, KeyError, RecursionError):
        raise _broken(answer, where, f"no data.{root}") from None


def _opened_by_hand(body: bytes, root: str) -> tuple[_Head, list[bytes] | None]:
    """Take the records out by their brackets, where a parser refuses one of them and with it the whole page."""
    connection = members(members(members(body)["data"])[root])
    rest = b",".join(
        b'"%s":%s' % (name.encode(), connection[name]) for name in ("totalCount", "pageInfo") if name in connection
    )
    head = msgspec.json.decode(b"{%s}" % rest, type=_Head)
    if not connection.get("edges", b"").startswith(b"["):
        return head, None
    return head, [members(edge).get("node", b"null") for edge in children(connection["edges"])]


def _broken(answer: Answer, where: str, what: str) -> BrokenBody:
    return BrokenBody(
        f"{where}: HTTP 200 with {what}, {len(answer.body)} bytes, "
        f"{plain(answer.headers.get('content-type', 'no content type'), _SHOWN)}; a proxy, a login page or maintenance "
        "may stand before the console"
    )
