"""The attributes of the event schema, each with what Arrow needs to build it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate, chain
from typing import Any

from sentinelone_collector.normalize.schema import encoded_schema, event_schema

__all__ = ["Node", "array_of", "encoded", "encoded_nodes", "node_at", "nodes", "struct_of"]


class Node:
    """One attribute of the schema, with what Arrow needs to build it."""

    def __init__(self, path: str, field: Any) -> None:
        import pyarrow as pa

        self.path = path
        self.name = field.name
        self.type = field.type
        self.fields: list[Any] = []
        self.item: Node | None = None
        if pa.types.is_struct(field.type):
            self.fields = list(field.type)
        elif pa.types.is_list(field.type):
            self.item = Node(f"{path}[]", field.type.value_field)
        self.children = [Node(f"{path}.{child.name}", child) for child in self.fields]
        self.encoded = _has_dictionaries(self.type)
        self._nulls: dict[int, Any] = {}

    def nulls(self, count: int) -> Any:
        """Return an array of nulls; most attributes are absent from most tables, which share these."""
        import pyarrow as pa

        found = self._nulls.get(count)
        if found is None:
            self._nulls = {count: pa.nulls(count, self.type)}  # tables are mostly of one size
            found = self._nulls[count]
        return found

    def walk(self) -> Iterable[Node]:
        """Yield this attribute and those inside of it, without those of lists."""
        yield self
        for child in self.children:
            yield from child.walk()


def _has_dictionaries(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_nested(kind):
        return any(_has_dictionaries(kind.field(number).type) for number in range(kind.num_fields))
    return bool(pa.types.is_dictionary(kind))


@cache
def nodes() -> tuple[Node, ...]:
    """Return the attributes of the schema, in its order."""
    return tuple(Node(field.name, field) for field in event_schema())


@cache
def encoded_nodes() -> tuple[Node, ...]:
    """Return the attributes with texts that repeat as dictionaries."""
    return tuple(Node(field.name, field) for field in encoded_schema())


def encoded(array: Any, kind: Any) -> Any:
    """Return an array with its texts as dictionaries wherever the type, otherwise the same, has them."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return array.dictionary_encode()
    if pa.types.is_list(kind):
        items = encoded(array.values, kind.value_type)
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(array.offsets, items, type=kind, mask=mask)
    if pa.types.is_struct(kind):
        children = [encoded(array.field(number), field.type) for number, field in enumerate(kind)]
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    return array


@cache
def _by_path() -> dict[str, Node]:
    return {node.path: node for top in nodes() for node in top.walk()}


def node_at(path: str) -> Node:
    """Return the attribute at a dotted path; raise `ValueError` where the schema has none."""
    found = _by_path().get(path)
    if found is None:
        raise ValueError(f"attribute missing from event_schema.json: {path}")
    return found


def array_of(node: Node, values: Sequence[Any]) -> Any:
    """Return the values of an attribute as an Arrow array."""
    import pyarrow as pa

    if node.item is not None:
        filled = values if all(values) else [value or () for value in values]
        offsets: list[int | None] = list(accumulate(map(len, filled), initial=0))
        items = list(chain.from_iterable(filled))
        if filled is not values:
            for index, value in enumerate(values):
                if value is None:
                    offsets[index] = None
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), array_of(node.item, items), type=node.type)
    if node.fields:
        if values and type(values[0]) is tuple:
            parts: Iterable[Sequence[Any]] = zip(*values, strict=True)
        else:
            parts = ([None if value is None else value.get(child.name) for value in values] for child in node.children)
        children = [array_of(child, part) for child, part in zip(node.children, parts, strict=True)]
        return struct_of(node, children, len(values))
    return pa.array(values, node.type)


def struct_of(node: Node, children: list[Any], count: int) -> Any:
    """Return the objects, null where one holds nothing, so that readers see no empty objects."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = None
    for child in children:
        if child.null_count == 0:
            return pa.StructArray.from_arrays(children, fields=node.fields)
        if child.null_count < count:
            absent = child.is_null()
            mask = absent if mask is None else pc.and_(mask, absent)
    if mask is None:
        return node.nulls(count)
    return pa.StructArray.from_arrays(children, fields=node.fields, mask=mask)
