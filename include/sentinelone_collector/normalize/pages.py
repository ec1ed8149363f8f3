"""A page of rows as columns: rows of blocks, and rows that come one by one, in one order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat, takewhile
from operator import itemgetter
from typing import Any, NamedTuple

from sentinelone_collector.normalize.blocks import AnyRow, Block
from sentinelone_collector.normalize.nodes import array_of, node_at

__all__ = ["Page", "gathered", "members", "page_of", "places"]

_Attributes = tuple[Sequence[str], Sequence[Any]]
"""Paths and the values there."""


class Page(NamedTuple):
    """Some rows in their order: an Arrow array for each path that any has for itself, and their parts by layer."""

    columns: Mapping[str, Any]
    parts: Sequence[Sequence[Mapping[str, Any]]]


def page_of(rows: Sequence[AnyRow]) -> Page:
    """Return rows, at least one and each with as many parts, as columns.

    Raise `ValueError` for an attribute unknown to the schema.
    """
    first = rows[0][2]
    if isinstance(first, Block) and len(set(map(id, map(itemgetter(2), rows)))) == 1:
        return _of_block(first, list(map(itemgetter(3), rows)))
    return _Mixture(rows).page()


def _of_block(block: Block, numbers: list[int]) -> Page:
    """Return rows of one block; neighbouring ones without a copy of what they have for themselves."""
    import pyarrow as pa

    begin, count = numbers[0], len(numbers)
    if numbers == list(range(begin, begin + count)):
        columns = {path: column.slice(begin, count) for path, column in block.columns.items()}
        parts = [part[begin : begin + count] for part in block.parts]
    else:
        places = pa.array(numbers, pa.int32())
        columns = {path: column.take(places) for path, column in block.columns.items()}
        parts = [list(map(part.__getitem__, numbers)) for part in block.parts]
    more = [(place, block.more[number]) for place, number in enumerate(numbers) if number in block.more]
    few = _Few([place for place, _ in more], [(tuple(each), tuple(each.values())) for _, each in more])
    return Page(columns | {path: few.among(path, count) for path in few.paths}, parts)


class _Few:
    """The attributes of some of a page's rows, which are given by their places in it."""

    def __init__(self, where: Sequence[int], attributes: Sequence[_Attributes]) -> None:
        self._where = where
        self._values = _columns(attributes)

    @property
    def paths(self) -> Iterable[str]:
        """The paths of all of their attributes."""
        return self._values

    def array(self, path: str) -> Any:
        """Return the values of these rows."""
        values = self._values.get(path)
        return node_at(path).nulls(len(self._where)) if values is None else array_of(node_at(path), values)

    def among(self, path: str, count: int) -> Any:
        """Return the values of all rows of the page, null for those that are not of these."""
        if len(self._where) == count:
            return self.array(path)
        # quicker than to take the values by their places, which Arrow does one list or object after the other
        values: list[Any] = [None] * count
        for place, value in zip(self._where, self._values[path], strict=True):
            values[place] = value
        return array_of(node_at(path), values)


class _Mixture:
    """Rows of any sources, in any order."""

    def __init__(self, rows: Sequence[AnyRow]) -> None:
        self._count = len(rows)
        self._blocks: dict[int, tuple[Block, list[int], list[int]]] = {}  # where its rows are, and which they are
        self._alone: list[int] = []  # where rows of no block are
        self._parts: list[Sequence[Mapping[str, Any]]] = []
        where: list[int] = []
        attributes: list[_Attributes] = []
        self._rank: list[int] = []  # of the rows of no block, among those with attributes of their own
        for place, row in enumerate(rows):
            source = row[2]
            if isinstance(source, Block):
                number: int = row[3]  # type: ignore[assignment]  # the two sorts of rows differ in the third item
                _, theirs, numbers = self._blocks.setdefault(id(source), (source, [], []))
                theirs.append(place)
                numbers.append(number)
                self._parts.append([part[number] for part in source.parts])
                more = source.more.get(number)
                own: _Attributes | None = None if more is None else (tuple(more), tuple(more.values()))
            else:
                _, _, paths, values, parts = row  # type: ignore[misc]  # see above
                self._alone.append(place)
                self._rank.append(len(where))
                self._parts.append(parts)
                own = (paths, values)
            if own is not None:
                where.append(place)
                attributes.append(own)
        self._few = _Few(where, attributes)

    def page(self) -> Page:
        """Return the rows as a page."""
        common = dict.fromkeys(path for block, _, _ in self._blocks.values() for path in block.columns)
        columns = {path: self._of_all(path) for path in common}
        columns |= {path: self._few.among(path, self._count) for path in self._few.paths if path not in common}
        return Page(columns, list(zip(*self._parts, strict=True)))

    def _of_all(self, path: str) -> Any:
        """Return an attribute that the rows of blocks have as a column."""
        import numpy as np
        import pyarrow as pa

        pieces = [
            block.columns[path].take(pa.array(numbers, pa.int32())) for block, _, numbers in self._blocks.values()
        ]
        where = [place for _, theirs, _ in self._blocks.values() for place in theirs]
        if self._alone:
            pieces.append(self._few.array(path).take(self._rank))
            where += self._alone
        order = np.empty(self._count, np.int32)
        order[where] = np.arange(self._count)
        places: Any = pa.array(order)
        return pa.concat_arrays(pieces).take(places)


def _columns(rows: Sequence[_Attributes]) -> dict[str, Sequence[Any]]:
    """Return the rows' values by path, None where one lacks a path.

    All rows begin with the same paths, which is worth a shorter way; many have no others.
    """
    groups = members(map(itemgetter(0), rows))
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, zip(*groups, strict=False))]
    begin = len(common)
    heads = map(itemgetter(1), rows) if len(groups) == 1 else map(itemgetter(slice(begin)), map(itemgetter(1), rows))
    columns: dict[str, Sequence[Any]] = dict(zip(common, zip(*heads, strict=True), strict=True))
    if len(groups) > 1:
        tails = ((paths[begin:], [rows[index][1][begin:] for index in found]) for paths, found in groups.items())
        place = places(groups.values(), len(rows))
        columns |= {path: list(map(values.__getitem__, place)) for path, values in gathered(tails).items()}
    return columns


def members(shapes: Iterable[Sequence[str]]) -> dict[Sequence[str], list[int]]:
    """Return for each sequence of paths the numbers of those that have it."""
    groups: dict[Sequence[str], list[int]] = {}
    for index, paths in enumerate(shapes):
        groups.setdefault(paths, []).append(index)
    return groups


def gathered(groups: Iterable[tuple[Sequence[str], Sequence[Iterable[Any]]]]) -> dict[str, list[Any]]:
    """Return the values by path, group after group; each group are paths and the members' values in their order."""
    columns: dict[str, list[Any]] = {}
    done = 0
    for paths, found in groups:
        for path, values in zip(paths, zip(*found, strict=True), strict=True):
            column = columns.setdefault(path, [])
            column.extend(repeat(None, done - len(column)))
            column.extend(values)
        done += len(found)
    for column in columns.values():
        column.extend(repeat(None, done - len(column)))
    return columns


def places(groups: Iterable[list[int]], count: int) -> list[int]:
    """Return where each of the members stands when they come group after group."""
    found = [0] * count
    for place, index in enumerate(chain.from_iterable(groups)):
        found[index] = place
    return found
