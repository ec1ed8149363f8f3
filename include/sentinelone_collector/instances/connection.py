"""Connections: console URL and API token of an instance, from Airflow or from an environment variable."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from sentinelone_collector.errors import ConfigurationError

__all__ = ["Connection", "check_console_url", "connection_from_environment", "variable_name"]

_HOSTNAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a console is and the token for it; the token never shows in a text form of this object."""

    url: str
    token: str = field(repr=False)
    verify_tls: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", check_console_url(self.url))
        if not self.token.strip() or any(ord(char) < 33 or ord(char) > 126 for char in self.token):  # noqa: PLR2004
            raise ConfigurationError("the API token is empty or holds characters that no token has; paste it again")

    @classmethod
    def from_parts(cls, host: str, port: object, token: str, *, verify_tls: bool = True) -> Connection:
        """Return a connection from the fields of an Airflow connection; 443 is what its form stores for no port."""
        if port in (None, "", 0, _DEFAULT_PORTS["https"]) or ":" in host.split("://", 1)[-1]:
            return cls(host, token, verify_tls)
        return cls(f"{host.rstrip('/')}:{port}", token, verify_tls)

    @property
    def console(self) -> str:
        """The console's host, with the port where it is not the scheme's own; part of every event id."""
        return urlsplit(self.url).netloc


def check_console_url(text: str) -> str:
    """Return the console's address as `scheme://host[:port]`, lower case, with https where no scheme is given.

    Raise `ConfigurationError` for a user name, path, query or fragment in it, for a host that is none, and for plain
    http to any but a loopback host: the token must reach that console only.
    """
    shown = text.strip()
    candidate = shown if "://" in shown else f"https://{shown}"
    try:
        parts = urlsplit(candidate)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"console URL {_masked(shown)!r}: the port is no number; write https://host") from None
    host = (parts.hostname or "").lower()
    if parts.username is not None or parts.password is not None or "@" in candidate:
        raise ConfigurationError("console URL: a user name or @ stands in it; write https://host alone")
    if parts.scheme not in _DEFAULT_PORTS:
        raise ConfigurationError(f"console URL {shown!r}: the scheme must be https; write https://host")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "\\" in candidate or "%" in candidate:
        raise ConfigurationError(f"console URL {_masked(shown)!r}: write https://host without path, query or escapes")
    if not (_HOSTNAME.fullmatch(host) or _is_address(host)):
        raise ConfigurationError(f"console URL {shown!r}: {host!r} is no host name")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(
            f"console URL {shown!r}: plain http is accepted for loopback hosts only, the token would travel in the "
            "clear; write https://"
        )
    shown_host = f"[{host}]" if ":" in host else host
    explicit = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown_host}{explicit}"


def _masked(text: str) -> str:
    return text.split("?", 1)[0].split("#", 1)[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def variable_name(connection_id: str) -> str:
    """Return the environment variable that Airflow reads for a connection."""
    return f"AIRFLOW_CONN_{connection_id.upper()}"


def connection_from_environment(connection_id: str, environment: Mapping[str, str] = os.environ) -> Connection:
    """Read a connection from `AIRFLOW_CONN_<ID>`, JSON or URI form.

    Raise `ConfigurationError` where it is absent, of another type or lacks host or password.
    """
    name = variable_name(connection_id)
    text = environment.get(name)
    if not text:
        raise ConfigurationError(
            f"{name} is not set; set it to "
            '\'{"conn_type": "sentinelone", "host": "https://…", "password": "<API token>"}\''
        )
    if text.lstrip().startswith("{"):
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            # the text holds the token: only the place of the mistake is shown
            raise ConfigurationError(f"{name} is no valid JSON at character {error.pos}") from None
    else:
        fields = _fields_of_uri(name, text)
    kind = fields.get("conn_type")
    if kind != "sentinelone":
        raise ConfigurationError(f"{name} is of type {kind!r}; conn_type must be sentinelone")
    host, token = fields.get("host"), fields.get("password")
    if not isinstance(host, str) or not host or not isinstance(token, str) or not token:
        raise ConfigurationError(f"{name} lacks host (console URL) or password (API token)")
    extra = fields.get("extra")
    if isinstance(extra, str) and extra.strip().startswith("{"):
        extra = json.loads(extra)
    verify_tls = not (isinstance(extra, dict) and extra.get("verify_tls") is False)
    return Connection.from_parts(host, fields.get("port"), token, verify_tls=verify_tls)


def _fields_of_uri(name: str, text: str) -> dict[str, object]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is neither JSON nor a connection URI") from None
    return {
        "conn_type": parts.scheme,
        "host": unquote(parts.hostname or ""),
        "port": port,
        "password": unquote(parts.password or ""),
    }
