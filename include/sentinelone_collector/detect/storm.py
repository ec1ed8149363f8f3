"""The storm guard: a rule that opens very many incidents at once opens one that counts the rest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sentinelone_collector.detect.hits import MOST_EVENTS, Hit, digest_id
from sentinelone_collector.windows import DAY, Window

__all__ = ["MOST_INCIDENTS", "STORM", "calm"]

MOST_INCIDENTS = 100
STORM = "rule storm"
_DAY_MS = int(DAY.total_seconds() * 1000)


def calm(hits: Sequence[Hit], window: Window, *, console: str) -> list[Hit]:
    """Return the hits of one window so that no rule has more than `MOST_INCIDENTS` incidents and one storm.

    The hits of the first incidents, in order of time, stay as they are. Those beyond become observations, and one more
    hit stands for all of them: what it says follows from the hits alone, so that no order of windows changes it.
    """
    calmed: list[Hit] = []
    by_rule: dict[str, list[Hit]] = {}
    for hit in sorted(hits, key=lambda hit: hit.order):
        by_rule.setdefault(hit.rule_id, []).append(hit)
    for of_rule in by_rule.values():
        ids = list(dict.fromkeys(hit.incident_id for hit in of_rule if hit.incident_id is not None))
        kept = set(ids[:MOST_INCIDENTS])
        rest = [hit for hit in of_rule if hit.incident_id is not None and hit.incident_id not in kept]
        calmed += [hit for hit in of_rule if hit.incident_id is None or hit.incident_id in kept]
        if rest:
            calmed += [
                msgspec.structs.replace(hit, incident_id=None, visibility="observation", note=STORM) for hit in rest
            ]
            calmed.append(_storm(rest, len(ids) - MOST_INCIDENTS, window, console))
    return sorted(calmed, key=lambda hit: hit.order)


def _storm(rest: Sequence[Hit], incidents: int, window: Window, console: str) -> Hit:
    severest = max(rest, key=lambda hit: (hit.severity_id, hit.order))
    last = rest[-1]
    bucket = last.last_time // _DAY_MS * _DAY_MS
    uids = dict.fromkeys(uid for hit in rest for uid in hit.event_uids)
    return msgspec.structs.replace(
        last,
        hit_id=digest_id("storm", last.rule_id, console, window.name),
        incident_id=digest_id("incident", last.rule_id, console, STORM, str(bucket)),
        rule_title=f"Rule storm: {last.rule_title}",
        level=severest.level,
        severity_id=severest.severity_id,
        kind="correlation",
        event_uids=tuple(uids)[-MOST_EVENTS:],
        event_count=len(rest),
        time=min(hit.time for hit in rest),
        bucket=bucket,
        entity=STORM,
        attacker=None,
        victim=None,
        person=None,
        summary=f"{last.rule_id} would have opened {incidents} more incidents of {len(rest)} hits in {window.name}.",
        note=STORM,
    )
