"""The endpoints of the console: each module here that has `ENDPOINTS` is found by itself."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from sentinelone_collector.simulator.routes import Endpoint

__all__ = ["all_endpoints"]


def all_endpoints() -> tuple[Endpoint, ...]:
    """Collect the endpoints of all modules of this folder."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    return tuple(endpoint for module in modules for endpoint in module.ENDPOINTS)
