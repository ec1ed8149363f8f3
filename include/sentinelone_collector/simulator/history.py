"""All records of the console for all times, made bucket by bucket when somebody looks.

A bucket is one minute. How many records it holds is known from the day's shape alone, so counts
are cheap; entries are made when a page reaches them, bytes when a record is sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from random import Random
from threading import RLock
from typing import NamedTuple

from sentinelone_collector.simulator._dice import mix
from sentinelone_collector.simulator._time import DAY, MINUTE, SECOND, snowflake
from sentinelone_collector.simulator.kinds import BY_TYPE
from sentinelone_collector.simulator.kinds.unknown import HIDDEN
from sentinelone_collector.simulator.org import Organisation, Place
from sentinelone_collector.simulator.plan import planned_day
from sentinelone_collector.simulator.records import Draft, Entry, Kind, place_of, record, render

__all__ = ["LATE_MAX", "Bucket", "History", "Predicate", "has_hidden", "midnight"]

Predicate = Callable[[Entry], bool]

LATE_MAX = 6 * 60 * MINUTE
"""The longest time (µs) after which a record of the configured late share appears."""

_TAIL_MAX = 240 * SECOND
_TAIL_SHARE = 0.003
_BUCKET, _NOISE_DAY = 31, 32
_MINUTES = 1440
_PLANNED_PER_USER = 14
_CACHED_RECORDS = 60_000
_SCENARIO_NODE = 1  # bit of an id's node number: ids of scenarios never meet those of the rest
_HOURS = (6, 5, 5, 5, 5, 6, 9, 12, 14, 15, 15, 15, 14, 14, 15, 15, 14, 13, 11, 9, 8, 8, 7, 6)
_MIX = (
    (5232, 3000), (5126, 2000), (5125, 400), (90, 850), (92, 800), (91, 40), (71, 800), (43, 500), (16, 250),
    (5009, 400), (3630, 300), (3631, 290), (5004, 60), (5005, 60), (3614, 60), (3617, 58), (66, 30), (80, 20),
    (120, 40), (17, 12), (47, 6), (48, 3), (7853, 3), (9207, 3), (13045, 2), (20007, 2), (9871, 2), (14777, 2),
    (23310, 1),
)  # fmt: skip
_NOISE: tuple[Kind, ...] = tuple(BY_TYPE[number] for number, _ in _MIX)
_NOISE_EDGES: list[int] = list(accumulate(weight for _, weight in _MIX))


class Day(NamedTuple):
    """How a day is filled: noise records of each minute, planned records by minute, running totals."""

    noise: Sequence[int]
    planned: dict[int, list[Draft]]
    before: Sequence[int]  # 1441 values: records before that minute


class Bucket:
    """The records of one minute, ordered by (createdAt, id); bytes are made at first use."""

    __slots__ = ("_bytes", "_org", "by_id", "entries")

    def __init__(self, org: Organisation, entries: list[Entry]) -> None:
        self._org = org
        self.entries = entries
        self.by_id = sorted(entries, key=lambda entry: entry.id)
        self._bytes: dict[int, bytes] = {}

    def render(self, entry: Entry) -> bytes:
        """Give the exact bytes of one of the bucket's records."""
        found = self._bytes.get(entry.id)
        if found is None:
            found = self._bytes[entry.id] = render(self._org.seed, entry.id, record(self._org, entry))
        return found


class History:
    """The activity log as a function of (seed, options, time); times are µs since 1970.

    `origin` is the first moment with data; `drafts` are the records of scenarios.
    """

    def __init__(
        self, org: Organisation, *, records_per_day: int, origin: int, late_share: float, drafts: Sequence[Draft] = ()
    ) -> None:
        self.org = org
        self.origin = origin
        self.generated = 0
        self._per_day = records_per_day
        self._people = min(len(org.users), max(1, records_per_day // (2 * _PLANNED_PER_USER)))
        self.late_share = late_share
        self.max_lag = LATE_MAX if late_share else _TAIL_MAX
        self._drafts: dict[int, list[Draft]] = {}
        for draft in drafts:
            if draft.at >= origin:
                self._drafts.setdefault(draft.at // MINUTE, []).append(draft)
        self._draft_minutes = sorted(self._drafts)
        self._draft_totals = [0, *accumulate(len(self._drafts[minute]) for minute in self._draft_minutes)]
        self._days: OrderedDict[int, Day] = OrderedDict()
        self._buckets: OrderedDict[int, Bucket] = OrderedDict()
        self._cached = 0
        self._lock = RLock()

    # How many

    def day(self, day: int) -> Day:
        """Give the shape of a day (days since 1970)."""
        with self._lock:
            shape = self._days.get(day)
            if shape is None:
                shape = self._days[day] = self._shape(day)
                if len(self._days) > 400:  # noqa: PLR2004  # a year and a bit
                    self._days.popitem(last=False)
            return shape

    def _shape(self, day: int) -> Day:
        planned: dict[int, list[Draft]] = {}
        drafts = planned_day(self.org, day, self._people)
        for draft in drafts:
            planned.setdefault(draft.at // MINUTE % _MINUTES, []).append(draft)
        dice = Random(mix(self.org.seed, _NOISE_DAY, day))  # noqa: S311  # reproducible data, no secret
        weights = list(accumulate(_HOURS[minute // 60] * (50 + int(dice.random() * 101)) for minute in range(_MINUTES)))
        total = max(0, self._per_day - len(drafts))
        edges = [0, *(weight * total // weights[-1] for weight in weights)]
        noise = [high - low for low, high in pairwise(edges)]
        if total and not noise[0]:  # midnight is an edge of every calendar: something always sits on it
            noise[noise.index(max(noise))] -= 1
            noise[0] = 1
        sizes = (count + len(planned.get(minute, ())) for minute, count in enumerate(noise))
        return Day(noise, planned, [0, *accumulate(sizes)])

    def _count_before(self, minute: int) -> int:
        """Count records without scenarios in [midnight, minute)."""
        return self.day(minute // _MINUTES).before[minute % _MINUTES]

    def count_minutes(self, first: int, end: int) -> int:
        """Count the records (hidden ones excluded) of the minutes in [first, end), visible or not."""
        first = max(first, self.origin // MINUTE)
        if first >= end:
            return 0
        days = range(first // _MINUTES, end // _MINUTES)
        total = sum(self.day(day).before[-1] for day in days) - self._count_before(first) + self._count_before(end)
        low, high = bisect_left(self._draft_minutes, first), bisect_left(self._draft_minutes, end)
        return total + self._draft_totals[high] - self._draft_totals[low]

    def count(self, low: int, high: int, now: int, *, stop: int | None = None) -> int:
        """Count what is visible at `now` of the records created in [low, high); may stop at `stop`."""
        low, high = max(low, self.origin), min(high, now + 1)
        if low >= high:
            return 0
        whole = -(-low // MINUTE)
        settled = max(whole, min(high // MINUTE, (now - self.max_lag) // MINUTE))
        total = 0
        if settled > whole:
            total = self._whole(whole, settled, stop)
            edges = ((low, whole * MINUTE), (settled * MINUTE, high))
        else:
            edges = ((low, high), (low, low))
        for start, end in edges:
            total += sum(1 for _, entry in self.walk(start, end, now) if not entry.kind.hidden)
        return total

    def _whole(self, first: int, end: int, stop: int | None) -> int:
        total = 0
        while first < end and (stop is None or total < stop):
            step = min(end, (first // _MINUTES + 1) * _MINUTES)
            total += self.count_minutes(first, step)
            first = step
        return total

    # Which

    def drafts(self, day: int) -> Iterator[Draft]:
        """Yield what has a reason on a day (days since 1970): plans and stories, without the background."""
        for minute in sorted(self.day(day).planned):
            yield from self.day(day).planned[minute]
        low = bisect_left(self._draft_minutes, day * _MINUTES)
        for minute in self._draft_minutes[low : bisect_left(self._draft_minutes, (day + 1) * _MINUTES)]:
            yield from self._drafts[minute]

    def bucket(self, minute: int) -> Bucket:
        """Give the records of a minute since 1970."""
        with self._lock:
            bucket = self._buckets.get(minute)
            if bucket is not None:
                self._buckets.move_to_end(minute)
                return bucket
            bucket = self._buckets[minute] = Bucket(self.org, self._entries(minute))
            self.generated += 1
            self._cached += len(bucket.entries)
            while self._cached > _CACHED_RECORDS and len(self._buckets) > 1:
                self._cached -= len(self._buckets.popitem(last=False)[1].entries)
            return bucket

    def _entries(self, minute: int) -> list[Entry]:
        shape, number = self.day(minute // _MINUTES), minute % _MINUTES
        dice = Random(mix(self.org.seed, _BUCKET, minute))  # noqa: S311  # reproducible data, no secret
        drafts = self._noise(minute, shape.noise[number], dice)
        drafts.extend(shape.planned.get(number, ()))
        drafts.sort(key=lambda draft: draft.at)
        if has_hidden(self.org.seed, minute):
            drafts.append(Draft(minute * MINUTE + int(dice.random() * MINUTE), HIDDEN, -1, 0))
        entries = [self._entry(minute, number, draft, 0, dice) for number, draft in enumerate(drafts)]
        story = self._drafts.get(minute, ())
        entries += [self._entry(minute, number, draft, _SCENARIO_NODE, dice) for number, draft in enumerate(story)]
        entries.sort(key=lambda entry: entry[:2])
        return entries

    def _noise(self, minute: int, count: int, dice: Random) -> list[Draft]:
        """Draw the background of a minute; some share a microsecond, some sit on window edges."""
        base, random, agents, top = minute * MINUTE, dice.random, len(self.org.agents), _NOISE_EDGES[-1]
        drafts: list[Draft] = []
        at = base
        for _ in range(count):
            if random() >= 1 / 64 or not drafts:
                at = base + int(random() * MINUTE)
            kind = _NOISE[bisect_left(_NOISE_EDGES, int(random() * top) + 1)]
            drafts.append(Draft(at, kind, -1, int(random() * agents)))
        if drafts and minute % 10 == 0 and (minute % _MINUTES == 0 or random() < 0.5):  # noqa: PLR2004  # half
            drafts[0] = drafts[0]._replace(at=base)
        if drafts and minute % 10 == 9 and random() < 0.25:  # noqa: PLR2004  # the last µs before an edge
            drafts[-1] = drafts[-1]._replace(at=base + MINUTE - 1)
        return drafts

    def _entry(self, minute: int, number: int, draft: Draft, node: int, dice: Random) -> Entry:
        lag_draw, tail_draw, shift = dice.random(), dice.random(), dice.random()
        # An id's time differs from createdAt by a millisecond, but never leaves the minute, so that
        # buckets are in order for both and can't share an id.
        ms = min(max(draft.at // 1000 + int(shift * 3) - 1, minute * 60_000), minute * 60_000 + 59_999)
        low = (node | (int(shift * 1e6) & 63) << 1) << 16 | number
        if tail_draw < self.late_share:
            lag = 600 * SECOND + int(lag_draw * (LATE_MAX - 600 * SECOND))
        elif tail_draw > 1 - _TAIL_SHARE:
            lag = 2 * SECOND + int(lag_draw * (_TAIL_MAX - 2 * SECOND))
        else:
            lag = 20_000 + int(lag_draw * lag_draw * 1_900_000)
        return Entry(draft.at, snowflake(ms, low), draft.at + lag, draft.kind, draft.user, draft.agent, draft.facts)

    def walk(
        self, low: int, high: int, now: int, *, reverse: bool = False, by_id: bool = False
    ) -> Iterator[tuple[Bucket, Entry]]:
        """Yield what is visible at `now` of [low, high), ordered by (createdAt, id) or by id alone."""
        low, high = max(low, self.origin), min(high, now + 1)
        if low >= high:
            return
        for minute in self._filled(low // MINUTE, -(-high // MINUTE), reverse=reverse):
            bucket = self.bucket(minute)
            entries = bucket.by_id if by_id else bucket.entries
            for entry in reversed(entries) if reverse else entries:
                if low <= entry.at < high and entry.visible <= now:
                    yield bucket, entry

    def _filled(self, first: int, end: int, *, reverse: bool) -> Iterator[int]:
        """Yield the minutes in [first, end) that hold anything."""
        minutes = range(end - 1, first - 1, -1) if reverse else range(first, end)
        for minute in minutes:
            shape, number = self.day(minute // _MINUTES), minute % _MINUTES
            if (
                shape.before[number] != shape.before[number + 1]
                or minute in self._drafts
                or has_hidden(self.org.seed, minute)
            ):
                yield minute

    def place(self, entry: Entry) -> Place:
        """Give the node of the scope tree that a record belongs to."""
        return place_of(self.org, entry)


def has_hidden(seed: int, minute: int) -> bool:
    """Say whether a minute holds an internal record, shown with includeHidden only."""
    return mix(seed, HIDDEN.type, minute) % 40 == 0


def midnight(us: int) -> int:
    """Round a time (µs) down to midnight UTC."""
    return us // DAY * DAY
