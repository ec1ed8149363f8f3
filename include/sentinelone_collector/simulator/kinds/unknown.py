"""Types that no catalogue explains: some are listed without a name, some are not listed at all."""

from __future__ import annotations

from sentinelone_collector.simulator.kinds.agents import agent_block
from sentinelone_collector.simulator.records import Kind, Scene

__all__ = ["HIDDEN", "KINDS", "LISTED", "UNLISTED"]


def _opaque(scene: Scene, data: dict[str, object]) -> None:
    agent_block(scene, data)
    data |= {"eventId": scene.dice.big_id(), "payload": {"κλειδί": [1, 2.5, None], "n": 2**60 + scene.dice.below(999)}}


LISTED = tuple(Kind(number, "", "", _opaque) for number in (7853, 9207, 13045, 20007))
"""In the catalogue of the console, with an empty name."""

UNLISTED = tuple(Kind(number, "", "", _opaque) for number in (9871, 14777, 23310))
"""Newer than the catalogue."""

HIDDEN = Kind(703, "", "", _opaque, hidden=True)
"""Internal: only shown with includeHidden."""

KINDS = (*LISTED, *UNLISTED, HIDDEN)
