"""Where in a YAML file a value stands, so that a mistake is reported with its line and column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import yaml

__all__ = ["Place", "Places", "documents"]


class Place(NamedTuple):
    """A line and column, counted from 1."""

    line: int
    column: int


class Places:
    """The places of all keys and items of one YAML document."""

    def __init__(self, node: yaml.Node) -> None:
        self._node = node

    def of(self, path: Sequence[str | int]) -> Place:
        """Return the place of the key or item at the path, or of its deepest parent that exists."""
        node, mark = self._node, self._node.start_mark
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            key, node = found
            mark = key.start_mark
        return Place(mark.line + 1, mark.column + 1)


def _step(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def documents(text: str) -> list[Places]:
    """Return the places of each document of a YAML text that holds something; raise `yaml.YAMLError`."""
    return [Places(node) for node in yaml.compose_all(text, Loader=yaml.CSafeLoader) if not _empty(node)]


def _empty(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null")
