"""Which fields of a GraphQL list a console knows: an older release refuses a query for one that it lacks."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from sentinelone_collector.source.endpoint import Endpoint
from sentinelone_collector.source.graphql import GraphQL, paths_of, without_fields

__all__ = ["Selections"]


class Selections:
    """What is asked for at each endpoint of one console; may be used by several threads."""

    def __init__(self) -> None:
        self._lacking: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def of(self, endpoint: Endpoint) -> str:
        """Return the selection without what the console turned out not to know."""
        assert endpoint.graphql is not None  # noqa: S101  # only GraphQL lists have one
        lacking = self._lacking.get(endpoint.path)
        return without_fields(endpoint.graphql.selection, lacking) if lacking else endpoint.graphql.selection

    def lacking(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return the paths that are left out, sorted."""
        return tuple(sorted(self._lacking.get(endpoint.path, ())))

    def drop(self, endpoint: Endpoint, asked: str, fields: Iterable[str | tuple[str, str]]) -> bool:
        """Leave out refused fields, and say whether the query is another one now.

        `asked` is the selection that was refused. It stays as it is where a field can't be told from others of its
        name, or is one that records are known by.
        """
        assert endpoint.graphql is not None  # noqa: S101  # only GraphQL lists have one
        found = [_path_of(endpoint.graphql, asked, field) for field in fields]
        needed = {path[0] for path in _needed(endpoint)}
        with self._lock:
            if any(path is None or path.split("/")[0] in needed for path in found):
                # another thread may have been refused, and have dropped it, meanwhile
                return self.of(endpoint) != asked
            self._lacking[endpoint.path] = self._lacking.get(endpoint.path, set()) | {path for path in found if path}
            return self.of(endpoint) != asked


def _needed(endpoint: Endpoint) -> Iterable[tuple[str, ...]]:
    yield endpoint.record_id
    if endpoint.record_version is not None:
        yield endpoint.record_version
    for reading in endpoint.readings:
        yield reading.record_time


def _path_of(graphql: GraphQL, asked: str, field: str | tuple[str, str]) -> str | None:
    paths = paths_of(asked)
    if isinstance(field, str):
        return field if field in paths else None
    name, owner = field
    if owner == graphql.type_name:
        return name if name in paths else None
    named = [path for path in paths if "/" in path and path.rsplit("/", 1)[1] == name]
    return named[0] if len(named) == 1 else None
