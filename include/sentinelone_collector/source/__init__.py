"""The SentinelOne management API: session, retries, rate, paging, check of a connection.

Importing this room is cheap: what needs an HTTP library is loaded when its name is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sentinelone_collector.source.endpoint import Endpoint, Stream

if TYPE_CHECKING:
    from sentinelone_collector.source.check import ConsoleCheck, check_console
    from sentinelone_collector.source.console import Console
    from sentinelone_collector.source.transport import Transport

__all__ = ["Console", "ConsoleCheck", "Endpoint", "Stream", "Transport", "check_console"]

_LATER = {"Console": "console", "ConsoleCheck": "check", "Transport": "transport", "check_console": "check"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
