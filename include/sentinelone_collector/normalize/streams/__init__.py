"""The streams, one module each: a new stream is a new module here that sets `STREAM`."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.source.endpoint import Stream

__all__ = ["get_stream", "stream_names"]


@cache
def _streams() -> Mapping[str, Stream]:
    found = [import_module(f"{__name__}.{module.name}").STREAM for module in pkgutil.iter_modules(__path__)]
    return {stream.name: stream for stream in sorted(found, key=lambda stream: stream.name)}


def get_stream(name: str) -> Stream:
    """Return the stream of that name; raise `ConfigurationError` that names the available ones."""
    try:
        return _streams()[name]
    except KeyError:
        available = ", ".join(_streams())
        raise ConfigurationError(f"there is no stream {name!r}; available: {available}") from None


def stream_names() -> tuple[str, ...]:
    """Return the names of all streams, sorted."""
    return tuple(_streams())
