"""The collection calendar: a pure function of time that cuts it into windows.

Up to the UTC midnight before `live_since` windows are whole UTC days (history); from that midnight on they are
`every` wide. Windows are half-open `[start, end)`, tile time without gap or overlap and never cross a midnight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sentinelone_collector.errors import UsageError

__all__ = ["DAY", "Calendar", "Window", "as_utc", "compact", "iso", "parse_compact", "parse_time"]

DAY = timedelta(days=1)
_COMPACT = "%Y%m%dT%H%M%SZ"


def as_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; a moment without a zone is refused with `UsageError`."""
    if moment.tzinfo is None:
        raise UsageError(f"{moment.isoformat()} has no time zone; write UTC times like 2026-11-22T10:00:00Z")
    moment = moment.astimezone(UTC)
    if type(moment) is datetime:
        return moment
    # Airflow hands in pendulum's subclass, whose differences do not mix with plain ones
    return datetime.combine(moment.date(), moment.time(), UTC)


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time or date as UTC; a text without a zone is taken as UTC.

    Raise `UsageError` where the text is no time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no time; write it like 2026-11-22T10:00:00Z or 2026-11-22") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def compact(moment: datetime) -> str:
    """Return the moment as lake keys write it, `20261122T100000Z`."""
    return as_utc(moment).strftime(_COMPACT)


def parse_compact(text: str) -> datetime:
    """Read a moment as lake keys write it; raise `ValueError` for any other text."""
    return datetime.strptime(text, _COMPACT).replace(tzinfo=UTC)


def _midnight(moment: datetime) -> datetime:
    return as_utc(moment).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open span `[start, end)` of UTC within one UTC day."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        start, end = as_utc(self.start), as_utc(self.end)
        if start >= end:
            raise UsageError(f"[{start.isoformat()}, {end.isoformat()}) is no window: it holds no time")
        if end > _midnight(start) + DAY:
            raise UsageError(f"[{start.isoformat()}, {end.isoformat()}) crosses midnight UTC; windows never do")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", end)

    def __str__(self) -> str:
        return f"[{iso(self.start)}, {iso(self.end)})"

    @property
    def name(self) -> str:
        """The window as lake keys write it: `<start>--<end>`."""
        return f"{compact(self.start)}--{compact(self.end)}"

    @property
    def day(self) -> str:
        """The UTC day that holds the window, `YYYY-MM-DD`."""
        return self.start.strftime("%Y-%m-%d")

    @classmethod
    def from_name(cls, name: str) -> Window:
        """Read a window from its lake name; raise `ValueError` for any other text."""
        start, _, end = name.partition("--")
        return cls(parse_compact(start), parse_compact(end))

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def overlaps(self, other: Window) -> bool:
        """Say whether the two windows share a moment."""
        return self.start < other.end and other.start < self.end


def iso(moment: datetime) -> str:
    """Return a moment in UTC as ISO 8601 text that ends in Z."""
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The windows of one instance; `every` divides a day, `settle` is how long after its end a window waits."""

    live_since: datetime
    every: timedelta = timedelta(minutes=10)
    settle: timedelta = timedelta(minutes=5)
    collection_start: datetime | None = None

    def __post_init__(self) -> None:
        if self.every <= timedelta(0) or DAY % self.every:
            raise UsageError(f"every={self.every} does not divide a day; choose e.g. 5m, 10m, 15m, 1h or 1d")
        if self.settle < timedelta(0):
            raise UsageError(f"settle={self.settle} is negative")
        object.__setattr__(self, "live_since", as_utc(self.live_since))
        if self.collection_start is not None:
            object.__setattr__(self, "collection_start", as_utc(self.collection_start))

    @property
    def begin(self) -> datetime:
        """The moment from which on records are collected."""
        return self.live_since if self.collection_start is None else self.collection_start

    @property
    def first(self) -> Window:
        """The window that holds the begin of the collection."""
        return self.window_at(self.begin)

    def window_at(self, moment: datetime) -> Window:
        """Return the window that holds the moment."""
        moment = as_utc(moment)
        day = _midnight(moment)
        width = DAY if moment < _midnight(self.live_since) else self.every
        start = day + (moment - day) // width * width
        return Window(start, start + width)

    def is_window(self, window: Window) -> bool:
        """Say whether the span is one of this calendar's windows."""
        return self.window_at(window.start) == window

    def after(self, window: Window) -> Window:
        """Return the window that follows."""
        return self.window_at(window.end)

    def last_ended(self, now: datetime) -> Window:
        """Return the latest window whose end is not after now."""
        return self.window_at(self.window_at(now).start - timedelta(microseconds=1))

    def for_manual_run(self, moment: datetime, now: datetime) -> Window:
        """Return the window that holds the moment if it has ended by now, else the last one that has."""
        window = self.window_at(moment)
        return window if window.end <= as_utc(now) else self.last_ended(now)

    def touching(self, start: datetime, end: datetime) -> Iterator[Window]:
        """Yield, in order, every window that shares a moment with `[start, end)`."""
        start, end = as_utc(start), as_utc(end)
        if start >= end:
            raise UsageError(f"the range from {iso(start)} to {iso(end)} is empty; --from must be before --to")
        window = self.window_at(start)
        while window.start < end:
            yield window
            window = self.after(window)

    def due(self, now: datetime) -> Iterator[Window]:
        """Yield, in order, every window since the begin of the collection that has ended and settled by now."""
        window = self.first
        while self.ready_at(window) <= as_utc(now):
            yield window
            window = self.after(window)

    def ready_at(self, window: Window) -> datetime:
        """Return when the window may be fetched: its end plus the settle time."""
        return window.end + self.settle

    def collected_from(self, window: Window) -> datetime:
        """Return from when on the window is fetched: its start, or the begin of the collection inside it."""
        return self.begin if self.begin in window else window.start
