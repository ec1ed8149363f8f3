"""A GraphQL list: what is asked for, as the body of one request.

The console's service for unified alerts takes a query with variables; names of its input types as in public clients of
the same service. A field that a console of another release does not know can be left out of the selection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["GraphQL", "count_body", "page_body", "paths_of", "variables_of", "without_fields"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_WORD = re.compile(r"[{}]|[^\s{}]+")
_TYPES = {
    "filters": "[FilterInput!]",
    "sort": "SortInput",
    "first": "Int",
    "after": "String",
    "viewType": "ViewType",
    "scope": "ScopeSelectorInput",
}


@dataclass(frozen=True, slots=True)
class GraphQL:
    """One connection of a GraphQL schema.

    `selection` lists the fields of a record as GraphQL writes them (`id name assets { id name }`), `root` is the
    connection's field, `type_name` the type of its records, `view` the `viewType` that is asked for.
    """

    selection: str
    root: str = "alerts"
    type_name: str = "Alert"
    view: str = "ALL"


def variables_of(graphql: GraphQL, filters: Mapping[str, str]) -> dict[str, Any]:
    """Return the variables for filters in the spelling of the REST services.

    `<field>__gte` and `<field>__lt` (ISO 8601) become one range in milliseconds, a millisecond wider at its start and
    rounded up at its end: whether either end belongs to a range is not documented, so that a span is asked for with
    both its neighbours, and what lies outside is left out afterwards. `siteIds`, or else `accountIds`, are the scope.
    """
    ranges: dict[str, dict[str, int]] = {}
    for name, value in filters.items():
        field, _, bound = name.partition("__")
        if bound == "gte":
            ranges.setdefault(field, {})["start"] = (_moment(value) - _EPOCH) // _MILLISECOND - 1
        elif bound == "lt":
            ranges.setdefault(field, {})["end"] = -((_EPOCH - _moment(value)) // _MILLISECOND)
    variables: dict[str, Any] = {
        "filters": [{"fieldId": field, "dateTimeRange": span} for field, span in ranges.items()],
        "viewType": graphql.view,
    }
    for level, name in (("SITE", "siteIds"), ("ACCOUNT", "accountIds")):
        if name in filters:
            variables["scope"] = {"scopeType": level, "scopeIds": filters[name].split(",")}
            break
    return variables


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def count_body(graphql: GraphQL, filters: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of a request for the number of records."""
    return _body(graphql, variables_of(graphql, filters) | {"first": 1}, "totalCount")


def page_body(
    graphql: GraphQL, filters: Mapping[str, str], *, selection: str, sort_by: str, first: int, after: str | None
) -> dict[str, Any]:
    """Return the body of a request for one page of `first` records behind the cursor `after`, ascending."""
    variables = variables_of(graphql, filters) | {"sort": {"by": sort_by, "order": "ASC"}, "first": first}
    if after is not None:
        variables["after"] = after
    wanted = f"totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {selection} }} }}"
    return _body(graphql, variables, wanted)


def _body(graphql: GraphQL, variables: dict[str, Any], wanted: str) -> dict[str, Any]:
    declared = ", ".join(f"${name}: {_TYPES[name]}" for name in variables)
    passed = ", ".join(f"{name}: ${name}" for name in variables)
    query = f"query({declared}) {{ {graphql.root}({passed}) {{ {wanted} }} }}"
    return {"query": query, "variables": variables}


def without_fields(selection: str, lacking: Iterable[str]) -> str:
    """Return the selection without fields, given as paths like `assets/id`; an emptied object goes with its fields."""
    gone = set(lacking)
    kept = [path for path, leaf in _paths(selection) if leaf and not _covered(path, gone)]
    return _written(kept)


def paths_of(selection: str) -> list[str]:
    """Return the paths of all fields of a selection, objects included."""
    return [path for path, _ in _paths(selection)]


def _covered(path: str, gone: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:length]) in gone for length in range(1, len(parts) + 1))


def _paths(selection: str) -> Iterator[tuple[str, bool]]:
    """Yield each field's path and whether it has no fields of its own."""
    stack: list[str] = []
    words = _WORD.findall(selection)
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "}":
            stack.pop()
        elif word != "{":
            path = "/".join([*stack, word])
            yield path, following != "{"
            if following == "{":
                stack.append(word)


def _written(paths: Iterable[str]) -> str:
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for part in path.split("/"):
            node = node.setdefault(part, {})
    return _fields(tree)


def _fields(tree: dict[str, Any]) -> str:
    return " ".join(f"{name} {{ {_fields(inner)} }}" if inner else name for name, inner in tree.items())
