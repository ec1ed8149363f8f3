"""Change windows: announced times in which administrators are expected to do what rules watch."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sentinelone_collector.instances.moments import Moment

__all__ = ["ChangeWindow"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY
_WEEKLY = re.compile(r"([a-z]{3}) (\d\d):(\d\d) ?- ?(?:([a-z]{3}) )?(\d\d):(\d\d)")


def _minutes(day: str, hour: str, minute: str) -> int:
    if day not in _DAYS or int(hour) > 24 or int(minute) > 59 or int(hour) * 60 + int(minute) > _DAY:  # noqa: PLR2004  # of a clock
        raise ValueError(f"{day} {hour}:{minute} is no time of a week; days are {', '.join(_DAYS)}")
    return _DAYS.index(day) * _DAY + int(hour) * 60 + int(minute)


def _span(text: str) -> tuple[int, int]:
    """Return the minutes of the week at which the span begins and how long it is."""
    match = _WEEKLY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no span of a week; write it like `sat 22:00-sun 04:00` or `tue 18:00-20:00`")
    day, hour, minute, last_day, last_hour, last_minute = match.groups()
    begin = _minutes(day, hour, minute)
    length = _minutes(last_day or day, last_hour, last_minute) - begin
    if not length or (length < 0 and last_day is None):
        raise ValueError(f"{text!r} ends before it begins; name the day of its end too, like `sat 22:00-sun 04:00`")
    return begin, length % _WEEK


def _weekly(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no span of a week; write it like `sat 22:00-sun 04:00`")  # noqa: TRY004  # pydantic's
    text = " ".join(value.lower().split())
    _span(text)
    return text


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone; write one like Europe/Berlin") from None
    return value


class ChangeWindow(BaseModel):
    """When changes are announced, why, and at which sites.

    Either `start` and `end` (half-open), or `weekly` by the clock of `timezone`, which `start` and `end` may bound.
    `sites` are names or patterns; without them it holds for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(min_length=1)]
    start: Moment | None = None
    end: Moment | None = None
    weekly: Annotated[str, BeforeValidator(_weekly)] | None = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    sites: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.weekly is None and (self.start is None or self.end is None):
            raise ValueError("a change window needs start and end, or weekly")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("end is not after start; correct one of them")
        return self

    def covers(self, first: datetime, last: datetime) -> bool:
        """Say whether all that happened from `first` to `last`, both aware, lies in one occurrence of the window."""
        if (self.start is not None and first < self.start) or (self.end is not None and last >= self.end):
            return False
        if self.weekly is None:
            return True
        begin, length = _span(self.weekly)
        since = (self._minute_of_week(first) - begin) % _WEEK
        return since < length and self._wall_minutes(first, last) < length - since

    def _minute_of_week(self, moment: datetime) -> float:
        local = moment.astimezone(ZoneInfo(self.timezone))
        seconds = local.second + local.microsecond / 1_000_000
        return local.weekday() * _DAY + local.hour * 60 + local.minute + seconds / 60

    def _wall_minutes(self, first: datetime, last: datetime) -> float:
        """Return how many minutes the clock on the wall moves on between two moments."""
        zone = ZoneInfo(self.timezone)
        before, after = (moment.astimezone(zone).replace(tzinfo=None) for moment in (first, last))
        return (after - before) / timedelta(minutes=1)
