"""Requests, responses and the error bodies of the console."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Refusal",
    "Request",
    "Response",
    "error",
    "forbidden",
    "graphql_error",
    "json_response",
    "not_found",
    "server_error",
    "too_many",
    "unauthorized",
    "validation",
]

TOO_MANY = (
    b"<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n<body>\r\n"
    b"<center><h1>429 Too Many Requests</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it arrived: decoded query pairs, headers in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    client: str


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; `wire` says how it is put on the connection, `pieces` streams a long body."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Literal["whole", "reset", "drop", "slow"] = "whole"
    seconds: float = 0.0
    pieces: Iterable[bytes] | None = None


class Refusal(Exception):
    """An answer other than 200, raised where the reason is found."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def json_response(body: object, status: int = 200) -> Response:
    """Make an answer of a JSON document, in compact form."""
    return Response(status, json.dumps(body, separators=(",", ":")).encode())


def error(status: int, code: int, title: str, detail: str | None) -> Response:
    """Make an error in the console's shape: code, detail, title, and a line end."""
    body = {"errors": [{"code": code, "detail": detail, "title": title}]}
    return Response(status, json.dumps(body, separators=(",", ":")).encode() + b"\n")


def validation(detail: str) -> Refusal:
    """Refuse a request whose parameters are wrong."""
    body = {"errors": [{"code": 4000010, "detail": detail, "title": "Validation Error"}]}
    return Refusal(Response(400, json.dumps(body, separators=(",", ":")).encode()))


def graphql_error(message: str, kind: str, path: tuple[str, ...] = ("alerts",)) -> Response:
    """Report a failure as GraphQL services do: status 200, `errors`, no data."""
    failure = {"extensions": {"classification": kind}, "message": message, "path": list(path)}
    return json_response({"data": None, "errors": [failure]})


def unauthorized() -> Response:
    """Say that the token is not accepted."""
    return error(401, 4010010, "Authentication Failed", None)


def forbidden(detail: str | None = None) -> Response:
    """Say that the token lacks a right."""
    return error(403, 4030010, "Insufficient permissions", detail)


def not_found() -> Response:
    """Say that there is no such resource."""
    return error(404, 4040010, "Requested resource was not found", "")


def too_many(headers: Mapping[str, str] | None = None) -> Response:
    """Answer as the proxy in front of the console does: an HTML page."""
    return Response(429, TOO_MANY, "text/html", headers or {})


def server_error(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Answer 500 (JSON), 502 (text) or 503 (JSON)."""
    if status == 502:  # noqa: PLR2004  # HTTP status
        return Response(502, b"Bad Gateway", "text/plain", headers or {})
    code, title, detail = (
        (5000010, "Internal server error", "Server could not process the request.")
        if status == 500  # noqa: PLR2004  # HTTP status
        else (5030010, "Service Unavailable", "The service is temporarily unavailable.")
    )
    body = {"errors": [{"code": code, "detail": detail, "title": title}]}
    return Response(status, json.dumps(body, separators=(",", ":")).encode() + b"\n", headers=headers or {})
