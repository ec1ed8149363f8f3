"""Times as inventory files write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from sentinelone_collector.errors import UsageError
from sentinelone_collector.windows import parse_time

__all__ = ["Moment"]


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):  # YAML reads an unquoted time itself; a zone is kept, none means UTC
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str):
        try:
            return parse_time(value)
        except UsageError as error:
            raise ValueError(str(error)) from None
    raise ValueError(f"{value!r} is no time; write it like 2026-11-22T00:00:00Z")


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A moment in UTC."""
