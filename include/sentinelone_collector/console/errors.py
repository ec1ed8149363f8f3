"""What the console answers when it does not do what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sentinelone_collector.errors import CollectorError

__all__ = ["Refused"]

_NONE: Mapping[str, str] = MappingProxyType({})


class Refused(CollectorError):
    """A request that is not carried out: an HTTP status, a sentence for people, and sentences at the form's fields."""

    def __init__(self, status: int, text: str, *, fields: Mapping[str, str] = _NONE) -> None:
        self.status, self.text, self.fields = status, text, fields
        super().__init__(text)
