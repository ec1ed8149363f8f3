"""Routers whose plain functions run in threads of the console's own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from fastapi import APIRouter
from fastapi.routing import APIRoute

__all__ = ["in_thread", "new_router"]

_THREADS = 12
_T = TypeVar("_T")

_limiters: RunVar[anyio.CapacityLimiter] = RunVar("sentinelone_console_threads")


def _limiter() -> anyio.CapacityLimiter:
    # A page may ask Airflow's API inside this very process. With threads from the pool that the API uses too, pages
    # could hold all of them and wait for an answer that no thread is left to give.
    try:
        return _limiters.get()
    except LookupError:
        _limiters.set(anyio.CapacityLimiter(_THREADS))
        return _limiters.get()


async def in_thread(function: Callable[..., _T], *args: Any) -> _T:
    """Run a function that may block in one of the console's threads."""
    return await anyio.to_thread.run_sync(functools.partial(function, *args), limiter=_limiter())


class _Route(APIRoute):
    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _threaded(endpoint), **options)


def _threaded(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(endpoint):
        return endpoint

    @functools.wraps(endpoint)
    async def run(*args: Any, **values: Any) -> Any:
        return await in_thread(functools.partial(endpoint, *args, **values))

    return run


def new_router(*, prefix: str = "", tags: list[str] | None = None) -> APIRouter:
    """Return a router for one page or one part of the API; its plain functions may block."""
    return APIRouter(prefix=prefix, tags=list(tags or []), route_class=_Route)
