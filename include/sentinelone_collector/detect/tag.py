"""Tag a window: write its hits and raise their incidents, and re-evaluate later windows that look back at it.

The hits of a window are a pure function of the events in the lake and of the rules. Whatever order windows are tagged
in, also several at a time, the last of them to be tagged leaves every window as if all had been tagged in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from sentinelone_collector.detect.allow import is_allowed, is_disabled
from sentinelone_collector.detect.anomaly.analysis import Verdict
from sentinelone_collector.detect.anomaly.past import Past
from sentinelone_collector.detect.changes import as_announced
from sentinelone_collector.detect.correlate import detectors_of
from sentinelone_collector.detect.engine import ParquetEvents, Source, find_hits
from sentinelone_collector.detect.hits import Hit, write_hits
from sentinelone_collector.detect.ports import HitStore
from sentinelone_collector.detect.rating import Rating
from sentinelone_collector.detect.ruleset import Ruleset
from sentinelone_collector.detect.storm import calm
from sentinelone_collector.errors import LakeError
from sentinelone_collector.instances import Instance, RuleSettings
from sentinelone_collector.lake import Storage, day_prefix, object_key, parse_key, read_receipt
from sentinelone_collector.results import Tagged
from sentinelone_collector.windows import DAY, Window

__all__ = ["events_between", "find_window_hits", "local_sources", "tag"]

_DOWNLOADS = 8


def tag(
    instance: Instance,
    stream: str,
    window: Window,
    *,
    console: str,
    lake: Storage,
    store: HitStore,
    ruleset: Ruleset,
    now: Callable[[], datetime],
) -> Tagged:
    """Find the hits of a normalized window, write them and bring their incidents up to date.

    `retagged` of the result names the later windows whose hits changed by it, or whose receipt does not show their
    present number of hits: their receipts are to be written again. Raise `LakeError` where the window has no events
    object.
    """
    with store.lock(instance.slug):
        job = _Job(instance, stream, console, lake, store, ruleset, now)
        if lake.digest(object_key("events", instance.slug, stream, window)) is None:
            raise LakeError(f"{instance.slug}/{stream} {window} has no events in the lake; run normalize for it first")
        unusual = job.past.take(window)
        hits, influence = job.evaluate([window])
        # Later windows may still hold what an earlier content of this window gave them
        before = store.tagged_influence(instance.slug, stream, window)
        later = job.tagged_after(window, max(influence, ruleset.reach if before is None else before))
        found = {**job.evaluate_again(later, unusual, window), window: _Evaluated(hits[window], influence)}
        every = job.keep_all(found, window)
        job.past.keep(window)
        return Tagged(
            instance=instance.slug,
            stream=stream,
            start=window.start.isoformat(),
            end=window.end.isoformat(),
            hits=len(every.hits),
            ruleset=ruleset.digest,
            incidents=len({hit.incident_id for hit in every.hits} - {None}),
            retagged=tuple(other.name for other in every.retagged),
        )


class _Evaluated(NamedTuple):
    """The hits of a window, and how far its events influence later ones, None where that is as it was."""

    hits: Sequence[Hit]
    influence: timedelta | None


class _Kept(NamedTuple):
    """The hits of the window itself, with those of rules over hits, and other windows whose hits changed, in order."""

    hits: Sequence[Hit]
    retagged: Sequence[Window]


@dataclass(frozen=True)
class _Job:
    """One tagging, under the instance's lock."""

    instance: Instance
    stream: str
    console: str
    lake: Storage
    store: HitStore
    ruleset: Ruleset
    now: Callable[[], datetime]

    @cached_property
    def past(self) -> Past:
        """The past that anomaly rules compare with."""
        return Past(self.instance.slug, self.stream, lake=self.lake, store=self.store, rules=self.ruleset.judgings)

    def evaluate_again(
        self, later: Sequence[Window], unusual: Sequence[Window], window: Window
    ) -> dict[Window, _Evaluated]:
        """Evaluate windows after `window`, and those judged otherwise now.

        `later` are those that look back at it with correlations. Correlations of windows behind an `unusual` one may
        read what is said of that.
        """
        reach = self.ruleset.reach_of_anomalies
        judged = [other for other in unusual if self.lake.digest(self._hits_key(other)) is not None]
        behind = [after for other in judged for after in self.tagged_after(other, reach)]
        rest = sorted({*judged, *behind} - {window, *later})
        # Far apart as they may be, what lies between days is not to be read
        groups = [list(later), *(list(of_day) for _, of_day in groupby(rest, key=lambda other: other.day))]
        found: dict[Window, _Evaluated] = {}
        for chosen in filter(None, groups):
            hits, influence = self.evaluate(chosen)
            for other in chosen:
                known = self.store.tagged_influence(self.instance.slug, self.stream, other) if other in judged else None
                found[other] = _Evaluated(hits[other], None if known is None else max(known, influence))
        return found

    def keep_all(self, found: Mapping[Window, _Evaluated], window: Window) -> _Kept:
        """Add the hits of rules over hits, and keep every window concerned; `window` itself comes last.

        Before it the latest comes first: as long as a window is not written, neither is what its hits change later on,
        and a retry finds that there is something to change.
        """
        place = (self.instance.slug, self.stream)
        rating = Rating(place, self.console, self.lake, self.store, self.ruleset, self.instance.rules)
        rated = rating.rate({other: one.hits for other, one in found.items()})
        retagged = [
            other
            for other in sorted(rated.keys() - {window}, reverse=True)
            if self.keep(other, rated[other], found[other].influence if other in found else None)
        ]
        self.keep(window, rated[window], found[window].influence)
        return _Kept(rated[window], sorted(retagged))

    def _hits_key(self, window: Window) -> str:
        return object_key("hits", self.instance.slug, self.stream, window)

    def tagged_after(self, window: Window, reach: timedelta) -> list[Window]:
        """Return the windows whose hits may depend on the window's events that reach so far, in order."""
        if not reach:
            return []
        slug, until = self.instance.slug, window.end + reach
        have_events = set(events_between(self.lake, slug, self.stream, window.start, until))
        tagged = _windows(self.lake, "hits", (slug, self.stream), window.start, until)
        return [other for other in tagged if other in have_events and other != window]

    def evaluate(self, windows: Sequence[Window]) -> tuple[dict[Window, list[Hit]], timedelta]:
        """Return the hits of each window, and how far their events can influence later ones."""
        return find_window_hits(
            windows,
            instance=self.instance.slug,
            stream=self.stream,
            console=self.console,
            lake=self.lake,
            ruleset=self.ruleset,
            settings=self.instance.rules,
            verdicts=self.past.verdicts,
        )

    def keep(self, window: Window, hits: Sequence[Hit], influence: timedelta | None) -> bool:
        """Write the window's hits where they changed; say whether its receipt has to be written again.

        `influence` is None where it is as it was.
        """
        key = self._hits_key(window)
        with self.lake.scratch() as folder:
            path = folder / "hits.parquet"
            write_hits(path, hits)
            content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        changed = self.lake.digest(key) != digest
        if changed:
            self.lake.put(key, content)
        slug = self.instance.slug
        # The store may lag behind the lake where a process died between the two
        if self.store.tagged_digest(slug, self.stream, window) != digest:
            self.store.replace_hits(
                slug, self.stream, window, console=self.console, digest=digest, hits=hits, now=self.now()
            )
        # Written last: as long as it is missing, a retry looks at every window that can be concerned
        if influence is not None and self.store.tagged_influence(slug, self.stream, window) != influence:
            self.store.set_influence(slug, self.stream, window, influence)
        receipt = read_receipt(self.lake, slug, self.stream, window)
        return changed or (receipt is not None and (receipt.hits, receipt.hits_sha256) != (len(hits), digest))


def find_window_hits(
    windows: Sequence[Window],
    *,
    instance: str,
    stream: str,
    console: str,
    lake: Storage,
    ruleset: Ruleset,
    settings: RuleSettings,
    only: str | None = None,
    verdicts: Callable[[Iterable[Window]], Mapping[Window, Sequence[Verdict]]] = lambda _: {},
) -> tuple[dict[Window, list[Hit]], timedelta]:
    """Return the hits of each window, of all rules that are on (or of the rule `only`), in order.

    Beside them stands how far the windows' events can influence hits of later windows. `verdicts` gives what anomaly
    detectors say of windows.
    """
    rules = [rule for rule in ruleset.incident_rules if not is_disabled(rule, settings) and only in {None, rule.name}]
    wanted, end = sorted(windows), max(window.end for window in windows)
    found: dict[Window, dict[str, Hit]] = {window: {} for window in wanted}
    with ExitStack() as stack:
        sources = stack.enter_context(local_sources(lake, instance, stream, wanted))
        known = list(sources)

        def earlier(back: timedelta) -> ParquetEvents | None:
            begin = wanted[0].start - back
            more = [other for other in events_between(lake, instance, stream, begin, end) if other not in found]
            opened = stack.enter_context(local_sources(lake, instance, stream, more))
            known.extend(opened)
            return ParquetEvents(opened, first=len(sources)) if opened else None

        def said() -> dict[int, Sequence[Verdict]]:
            of_windows = verdicts([source.window for source in known])
            return {n: of_windows[source.window] for n, source in enumerate(known) if source.window in of_windows}

        looked = find_hits(
            ruleset,
            detectors_of(tuple(rules)),
            ParquetEvents(sources),
            frozenset(range(len(sources))),
            console=console,
            earlier=earlier,
            verdicts=said,
        )
        for hit, numbers, who in looked.found:
            if not is_allowed(ruleset.by_name[hit.rule_id], hit, who, settings):
                told = as_announced(hit, who, settings)
                for number in numbers:
                    if number < len(sources):
                        found[sources[number].window][hit.hit_id] = told
    return {window: calm(list(hits.values()), window, console=console) for window, hits in found.items()}, (
        looked.influence
    )


def events_between(lake: Storage, instance: str, stream: str, start: datetime, end: datetime) -> list[Window]:
    """Return, in order, the windows that touch `[start, end)` and have events in the lake."""
    return _windows(lake, "events", (instance, stream), start, end)


def _windows(lake: Storage, part: str, place: tuple[str, str], start: datetime, end: datetime) -> list[Window]:
    found = []
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        for key in lake.keys(day_prefix(part, *place, day.date())):
            parsed = parse_key(key)
            if parsed is not None and parsed.window.start < end and start < parsed.window.end:
                found.append(parsed.window)
        day += DAY
    return sorted(found)


@contextmanager
def local_sources(lake: Storage, instance: str, stream: str, windows: Sequence[Window]) -> Iterator[list[Source]]:
    """Give the windows' events as local files; those of a remote lake are downloaded side by side."""
    with ExitStack() as stack, ThreadPoolExecutor(_DOWNLOADS) as pool:
        opened = [lake.local(object_key("events", instance, stream, window)) for window in windows]
        paths: list[Path | None] = list(pool.map(stack.enter_context, opened))
        yield [Source(path, window) for path, window in zip(paths, windows, strict=True) if path is not None]
