"""What Airflow mounts: the console, built at the first request, so that no other component pays for its imports."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

__all__ = ["PREFIX", "ConsoleMount", "console_view"]

PREFIX = "/sentinelone"


class ConsoleMount:
    """An ASGI application that becomes the console when the first request comes.

    Airflow loads plugins in its scheduler, its DAG processor and every task, too; they need no web framework.
    """

    def __init__(self) -> None:
        self._app: Any = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self._app is None:
            # its imports take seconds, in which the server must answer others
            await asyncio.to_thread(self._build)
        await self._app(scope, receive, send)

    def _build(self) -> None:
        with self._lock:
            if self._app is None:
                from sentinelone_collector.airflow.console import build

                self._app = build()


def console_view() -> dict[str, str]:
    """Return the entry in Airflow's navigation that shows the console in a frame."""
    icon = f"{PREFIX}/static/icon.svg"
    return {
        "name": "SentinelOne",
        "href": f"{PREFIX}/",
        "destination": "nav",
        "url_route": "sentinelone",
        "icon": icon,
        "icon_dark_mode": f"{PREFIX}/static/icon-dark.svg",
    }
