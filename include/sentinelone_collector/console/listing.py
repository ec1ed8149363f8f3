"""Pages and parts of the API, found by listing their packages: adding one is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

__all__ = ["Nav", "api_modules", "navigation", "page_modules"]


@dataclass(frozen=True, slots=True, order=True)
class Nav:
    """A page's place in the navigation: order, title, and its path below the console's prefix."""

    order: int
    title: str
    path: str


def page_modules() -> list[ModuleType]:
    """Return the pages' modules; each has a `router`, and a `NAV` where it stands in the navigation."""
    from sentinelone_collector.console import pages

    return list(_modules(pages))


def api_modules() -> list[ModuleType]:
    """Return the modules of the JSON API; each has a `router` whose paths begin with `/api/`."""
    from sentinelone_collector.console import api

    return list(_modules(api))


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        if hasattr(module, "router"):
            yield module


@cache
def navigation() -> tuple[Nav, ...]:
    """Return the navigation, in its order."""
    return tuple(sorted(module.NAV for module in page_modules() if hasattr(module, "NAV")))
