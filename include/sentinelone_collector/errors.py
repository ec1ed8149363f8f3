"""Errors of the collector, sorted by what the operator should do.

CollectorError
  ConfigurationError      correct the inventory file, connection or setting that is named
  UsageError              call the command differently
  AccessError             renew the token or grant the permission that is named; a retry does not help
    TokenError            401: the token is wrong, revoked or expired
    PermissionDenied      403: the token is good, the right is missing
    NotLicensed           403: the console lacks the feature that the stream comes from
  RetryableError          wait; the next attempt may succeed (429, 5xx, timeouts, broken bodies)
  CursorRejected          restart the slice from its first page (handled inside fetch)
  ProtocolError           the console answered what the API does not allow; report it with the request id
  IncompleteWindow        what was read is not what the console counts; run the window again
  WindowOpen              the window has not ended or settled yet; wait until the time that is named
  RecordError             one record can't be an event: it goes to quarantine, the rest goes on
  RuleError               correct the rule file at the line that is named; events still flow
  DeliveryError           a destination refused; retryable says whether a later attempt may succeed
  LakeError               the lake could not be read or written
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "AccessError",
    "CollectorError",
    "ConfigurationError",
    "CursorRejected",
    "DeliveryError",
    "IncompleteWindow",
    "LakeError",
    "NotLicensed",
    "PermissionDenied",
    "ProtocolError",
    "RecordError",
    "RetryableError",
    "RuleError",
    "TokenError",
    "UsageError",
    "WindowOpen",
]


class CollectorError(Exception):
    """Base of all errors that the collector raises on purpose."""


class _Located(CollectorError):
    """Say where in a file the mistake stands: `path:line:column: text`."""

    def __init__(
        self, text: str, *, path: Path | str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.text, self.path, self.line, self.column = text, path, line, column
        where = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(f"{where}: {text}" if where else text)


class ConfigurationError(_Located):
    """An inventory file, connection or setting is wrong; names file, line and cure."""


class UsageError(CollectorError):
    """A command was called with arguments that do not fit together."""


class AccessError(CollectorError):
    """The console refuses this token; never retried."""


class TokenError(AccessError):
    """HTTP 401: the token is wrong, revoked or expired."""


class PermissionDenied(AccessError):
    """HTTP 403: the token's role or scope lacks the permission that the stream needs."""


class NotLicensed(AccessError):
    """HTTP 403: the console, or the token's scope, does not have the feature that the stream comes from."""


class RetryableError(CollectorError):
    """A passing fault; `retry_after` is what the console asked for, in seconds."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(text)


class CursorRejected(CollectorError):
    """The console no longer takes a cursor it gave, or its cursors run in a circle."""


class ProtocolError(CollectorError):
    """The console's answer breaks the API's contract and a retry did not mend it."""


class IncompleteWindow(CollectorError):
    """The distinct records read differ from the console's own count, also after reading again."""


class WindowOpen(CollectorError):
    """The window has not ended, or its settle time has not passed; `ready_in` is the rest in seconds."""

    def __init__(self, text: str, *, ready_in: float) -> None:
        self.ready_in = ready_in
        super().__init__(text)


class RecordError(CollectorError):
    """One record can't be an event; its bytes go to quarantine with this reason."""


class RuleError(_Located):
    """A rule file is wrong; names file, line and column."""


class DeliveryError(CollectorError):
    """A destination did not take the data; `retryable` says whether trying again may help."""

    def __init__(self, text: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(text)


class LakeError(CollectorError):
    """An object of the lake could not be read or written; names the key."""
