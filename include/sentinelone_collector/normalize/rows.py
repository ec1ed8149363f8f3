"""Rows on their way to a table: where each of them stands, without an object for any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentinelone_collector.normalize.blocks import Block, block_of
from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.uuids import TEXT

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Key", "Rows", "placed"]

Key = tuple[int, bytes]
"""What rows are sorted by: time in epoch milliseconds, and uid."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows in some order: their times and uids, and which row of which block each of them is.

    `addresses` tell the blocks by where they stand in memory; `blocks` has those, and may have more.
    """

    times: np.ndarray
    uids: np.ndarray
    addresses: np.ndarray
    numbers: np.ndarray
    blocks: Mapping[int, Block]

    @classmethod
    def of(cls, block: Block, times: Sequence[int] | np.ndarray, uids: Sequence[str] | np.ndarray) -> Rows:
        """Return the rows of a block, with their times in epoch milliseconds and their uids."""
        import numpy as np

        count = len(times)
        return cls(
            np.asarray(times, np.int64),
            np.asarray(uids, TEXT),
            np.full(count, id(block), np.int64),
            np.arange(count),
            {id(block): block},
        )

    @classmethod
    def joined(cls, several: Sequence[Rows]) -> Rows:
        """Return the rows of several, at least one, one after the other."""
        import numpy as np

        if len(several) == 1:
            return several[0]
        addresses = np.concatenate([rows.addresses for rows in several])
        known = {address: block for rows in several for address, block in rows.blocks.items()}
        return cls(
            np.concatenate([rows.times for rows in several]),
            np.concatenate([rows.uids for rows in several]),
            addresses,
            np.concatenate([rows.numbers for rows in several]),
            {address: known[address] for address in np.unique(addresses).tolist()},
        )

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.times)

    def taken(self, places: np.ndarray | slice) -> Rows:
        """Return the rows at some places, in the order of these."""
        return Rows(self.times[places], self.uids[places], self.addresses[places], self.numbers[places], self.blocks)

    def key(self, place: int) -> Key:
        """Return what the row at a place is sorted by."""
        return int(self.times[place]), bytes(self.uids[place])

    def sort_keys(self) -> Iterable[Key]:
        """Return what each row is sorted by."""
        return zip(self.times.tolist(), self.uids.tolist(), strict=True)

    def sorted(self) -> Rows:
        """Return the rows in order of their keys, those with equal ones in the order in which they are."""
        import numpy as np

        steps = np.diff(self.times)
        if (steps > 0).all():
            return self
        order = np.argsort(self.times, kind="stable")
        tied = np.flatnonzero(np.diff(self.times[order]) == 0)
        if len(tied):
            tied = np.union1d(tied, tied + 1)
            theirs = order[tied]
            order[tied] = theirs[np.lexsort((self.uids[theirs], self.times[theirs]))]
        return self.taken(order)


def placed(rows: Sequence[Row]) -> Rows:
    """Return rows, each with as many parts, as those of one block.

    Raise `ValueError` for an attribute unknown to the schema.
    """
    return Rows.of(block_of(rows), [row["time"] for row in rows], [row["metadata.uid"] for row in rows])
