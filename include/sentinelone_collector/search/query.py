"""Queries as trees; `str()` of a node gives text that parses to the same tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["All", "And", "Compare", "Field", "Node", "Not", "Number", "Or", "Words", "both"]

Operator = Literal[">", ">=", "<", "<="]


@dataclass(frozen=True, slots=True)
class All:
    """Every event."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Words:
    """Words that stand one after another in a value; with `prefix` the last one may go on."""

    parts: tuple[str, ...]
    prefix: bool = False

    def __str__(self) -> str:
        text = " ".join(self.parts)
        return (text if len(self.parts) == 1 else f'"{text}"') + ("*" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written, like `4` or `-7.5`."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> float:
        """The number itself; whole numbers stay whole."""
        return float(self.text) if "." in self.text else int(self.text)


@dataclass(frozen=True, slots=True)
class Field:
    """A field holds words or a number; `value` None: it holds anything."""

    name: str
    value: Words | Number | None

    def __str__(self) -> str:
        return f"{self.name}:{'*' if self.value is None else self.value}"


@dataclass(frozen=True, slots=True)
class Compare:
    """A field holds a number on one side of another."""

    name: str
    operator: Operator
    number: Number

    def __str__(self) -> str:
        return f"{self.name}:{self.operator}{self.number}"


@dataclass(frozen=True, slots=True)
class Not:
    """Events that do not match."""

    node: Node

    def __str__(self) -> str:
        return f"NOT {_nested(self.node)}"


@dataclass(frozen=True, slots=True)
class And:
    """Events that match all."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(_nested(node) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Or:
    """Events that match any."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(_nested(node) for node in self.nodes)


Node = All | Words | Field | Compare | Not | And | Or


def _nested(node: Node) -> str:
    return f"({node})" if isinstance(node, And | Or) else str(node)


def both(*nodes: Node) -> Node:
    """Return the query that all the given ones narrow; none gives every event."""
    kept = tuple(node for node in nodes if not isinstance(node, All))
    if not kept:
        return All()
    return kept[0] if len(kept) == 1 else And(kept)
