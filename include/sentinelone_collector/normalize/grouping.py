"""Values of many rows by path: rows with the same paths one after the other, which is quicker than row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat, takewhile
from operator import itemgetter
from typing import Any

__all__ = ["by_path", "gathered", "members", "places"]


def by_path(rows: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> dict[str, Sequence[Any]]:
    """Return the values of rows, each given as paths and the values there, by path; None where a row lacks a path.

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
