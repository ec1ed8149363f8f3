"""Backtests in the console: a UTC day of an instance at a time, so that progress shows and a reader can go away."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.console.context import Context
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.incidents import moment_of
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.routing import in_thread
from sentinelone_collector.detect import Backtest, Hit, backtest
from sentinelone_collector.detect.backtest import MOST_HITS
from sentinelone_collector.errors import CollectorError
from sentinelone_collector.instances import Instance
from sentinelone_collector.windows import DAY, iso

__all__ = ["BacktestForm", "Step", "Tally", "lines", "plan", "run_step"]

_MOST_STEPS = 400
_MOST_HITS = 200_000
_SHOWN_HITS = 100
_slots = threading.BoundedSemaphore(2)
_Place = tuple[str, str]  # instance, stream


class BacktestForm(BaseModel):
    """A range of time, `[start, end)`, and the instances; none means all that the user may run."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    start: Annotated[str, Field(min_length=1, max_length=40)]
    end: Annotated[str, Field(min_length=1, max_length=40)]
    instances: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=1000)] = []


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the range within one UTC day, of one instance."""

    instance: Instance
    start: datetime
    end: datetime


@dataclass
class Tally:
    """What the steps found so far; equal to one backtest over the whole range."""

    rule: str
    days: Counter[str] = field(default_factory=Counter)
    _windows: Counter[_Place] = field(default_factory=Counter)
    _hits: Counter[_Place] = field(default_factory=Counter)
    _incidents: dict[_Place, set[str]] = field(default_factory=dict)
    _shown: list[dict[str, Any]] = field(default_factory=list)

    def add(self, results: Sequence[Backtest]) -> None:
        """Take in the results of one step; raise `Refused` (422) where they are too many to be of use."""
        for result in results:
            place = (result.instance, result.stream)
            self._windows[place] += result.windows
            self._hits[place] += result.count
            self._incidents.setdefault(place, set()).update(hit.incident_id for hit in result.hits if hit.incident_id)
            self.days.update(_day(hit) for hit in result.hits)
            self._shown += [{"instance": place[0], "stream": place[1], **_hit(hit)} for hit in result.hits]
            # beyond the hits that are listed nobody knows their incidents
            if result.count > len(result.hits) or self._hits.total() > _MOST_HITS:
                count = f"more than {min(_MOST_HITS, MOST_HITS):,} hits"
                raise Refused(422, f"There are {count}: choose a shorter range, or fewer instances.")
        self._shown = sorted(self._shown, key=lambda hit: (-hit["last_time"], hit["hit_id"]))[:_SHOWN_HITS]

    def to_dict(self) -> dict[str, Any]:
        """Return rows as `s1c rules backtest` counts them, hits by day, and the latest hits."""
        rows = [
            {
                "instance": place[0],
                "stream": place[1],
                "windows": self._windows[place],
                "hits": self._hits[place],
                "incidents": len(self._incidents[place]),
            }
            for place in sorted(self._windows)
        ]
        return {"rule": self.rule, "rows": rows, "days": dict(sorted(self.days.items())), "latest": self._shown}


def _day(hit: Hit) -> str:
    return datetime.fromtimestamp(hit.last_time / 1000, UTC).date().isoformat()


def _hit(hit: Hit) -> dict[str, Any]:
    plain = msgspec.to_builtins(hit)
    names = ("hit_id", "incident_id", "level", "summary", "time", "last_time", "attacker", "victim", "event_count")
    return {name: plain[name] for name in names}


def plan(ctx: Context, form: BacktestForm) -> list[Step]:
    """Return the steps of a backtest, the latest day first; raise `Refused` for a range or instances that won't do."""
    start, end = moment_of(form.start, "start"), moment_of(form.end, "end")
    if start is None or end is None or start >= end:
        raise Refused(422, "Some fields are not right.", fields={"end": "The end must be after the start."})
    chosen = [ctx.instance(slug) for slug in dict.fromkeys(form.instances)]
    for instance in chosen:
        ctx.require(Right.RUN, instance.slug)
    chosen = chosen or [one for one in ctx.instances() if ctx.may(Right.RUN, one.slug)]
    if not chosen:
        raise Refused(403, "You may start runs of no instance, and a backtest is work as a run is.")
    if ((end - start) / DAY + 1) * len(chosen) > _MOST_STEPS:
        text = f"More than {_MOST_STEPS} days of instances; choose a shorter range, or fewer instances."
        raise Refused(422, "Some fields are not right.", fields={"start": text})
    return [Step(instance, *span) for span in reversed(_days(start, end)) for instance in chosen]


def _days(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    spans = []
    while start < end:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        spans.append((start, min(midnight, end)))
        start = midnight
    return spans


def run_step(ctx: Context, rule: str, step: Step, ruleset: Any) -> list[Backtest]:
    """Run one step, as `s1c rules backtest` does."""
    site = ctx.site
    return backtest(rule, [step.instance], step.start, step.end, lake=site.lake, store=site.store, ruleset=ruleset)


async def lines(
    rule: str,
    steps: Sequence[Step],
    run: Callable[[Step], list[Backtest]],
    gone: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    """Yield lines of JSON: `done` of `total` after each step, `result` at the end, `error` where it can't go on.

    The steps run in a thread, one after the other; once the reader is `gone` no further one begins.
    """
    if not _slots.acquire(blocking=False):
        yield _line({"error": "Two backtests are running already; wait for them, or use `s1c rules backtest`."})
        return
    try:
        tally = Tally(rule)
        for number, step in enumerate(steps):
            yield _line({"done": number, "total": len(steps), "at": f"{step.instance.slug} {iso(step.start)[:10]}"})
            if await gone():
                return
            tally.add(await in_thread(run, step))
        yield _line({"done": len(steps), "total": len(steps), "result": tally.to_dict()})
    except CollectorError as error:
        yield _line({"error": error.text if isinstance(error, Refused) else str(error)})
    finally:
        _slots.release()


def _line(content: dict[str, Any]) -> bytes:
    return msgspec.json.encode(content) + b"\n"
