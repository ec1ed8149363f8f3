"""What the console keeps in the store: who changed what, and what the last check of a connection found."""

from __future__ import annotations

import msgspec

__all__ = ["Change", "InstanceCheck"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change that somebody made in the console; `at` is ISO 8601 in UTC."""

    at: str
    user: str
    action: str
    target: str
    detail: str


class InstanceCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The last check of an instance's connection; times are ISO 8601 in UTC, `expires_at` is the token's."""

    instance: str
    checked_at: str
    ok: bool
    expires_at: str | None
    sentences: tuple[str, ...]
