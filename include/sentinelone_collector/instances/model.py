"""One registered instance: who is collected, from when, how often, and where its events go."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sentinelone_collector.instances.changes import ChangeWindow
from sentinelone_collector.instances.moments import Moment
from sentinelone_collector.windows import DAY, Calendar, Window

__all__ = ["SLUG", "STREAMS", "AllowEntry", "Destination", "Instance", "RuleSettings", "Scope", "duration_text"]

SLUG = re.compile(r"[a-z][a-z0-9_]{1,39}")
STREAMS = ("activities", "threats", "alerts", "unified_alerts", "agents", "device_events")
_DURATION = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no duration; write a number and s, m, h or d, like 10m")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def duration_text(span: timedelta) -> str:
    """Return a duration as inventory files write it, `10m`."""
    seconds = int(span.total_seconds())
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


def _divides_a_day(value: timedelta) -> timedelta:
    if value <= timedelta(0) or DAY % value:
        raise ValueError(f"{duration_text(value)} does not divide a day; choose e.g. 5m, 10m, 15m, 1h or 1d")
    if value % timedelta(seconds=1):
        raise ValueError("windows are whole seconds wide")
    return value


def _known_streams(value: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in value if name not in STREAMS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such stream; known are {', '.join(STREAMS)}")
    # activities are always on, and order must not matter for the generated DAG
    return tuple(name for name in STREAMS if name in value or name == "activities")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
ScopeId = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(_Strict):
    """What part of the console is collected; empty lists mean all that the token sees."""

    account_ids: tuple[ScopeId, ...] = ()
    site_ids: tuple[ScopeId, ...] = ()


class Destination(BaseModel):
    """Where deliver sends events; the fields beside `type` are checked by the destination's own module."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str

    @property
    def options(self) -> dict[str, Any]:
        """The fields beside `type`."""
        return dict(self.model_extra or {})


class AllowEntry(_Strict):
    """One exception from a rule: who may do it, why, and until when."""

    rule: str
    who: str
    reason: str
    expires: date | None = None


class RuleSettings(_Strict):
    """Which rules are off for this instance, who is allowed what, and when changes are announced."""

    disable: tuple[str, ...] = ()
    allow: tuple[AllowEntry, ...] = ()
    change_windows: tuple[ChangeWindow, ...] = ()


class Instance(_Strict):
    """One inventory file's content; see DESIGN "Inventory file"."""

    slug: Annotated[str, Field(pattern=f"^{SLUG.pattern}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    connection_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=250)]
    live_since: Moment
    collection_start: Moment | None = None
    every: Annotated[Duration, AfterValidator(_divides_a_day)] = timedelta(minutes=10)
    settle: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=7))] = timedelta(minutes=5)
    streams: Annotated[tuple[str, ...], AfterValidator(_known_streams)] = ("activities",)
    scope: Scope = Scope()
    destinations: tuple[Destination, ...] = ()
    rules: RuleSettings = RuleSettings()

    @property
    def dag_id(self) -> str:
        """The id of the generated DAG."""
        return f"sentinelone__{self.slug}"

    @property
    def calendar(self) -> Calendar:
        """The instance's windows."""
        return Calendar(
            live_since=self.live_since, every=self.every, settle=self.settle, collection_start=self.collection_start
        )

    def collected_from(self, window: Window) -> datetime:
        """Return from when on the window is fetched."""
        return self.calendar.collected_from(window)
