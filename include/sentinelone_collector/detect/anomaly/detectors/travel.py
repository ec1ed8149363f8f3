"""Two logins of one user, farther apart than anybody travels in the time between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field

from sentinelone_collector.detect.anomaly.analysis import Analysis, Expected
from sentinelone_collector.detect.anomaly.detectors.hour import people
from sentinelone_collector.detect.anomaly.judge import Day, Days, Finding, Judge, records

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DETECTOR"]

_FEATURE: Final = "login"
_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


class Travel(Judge):
    """A login at least `distance` km from the one before, at a speed above `speed` km/h.

    Both addresses are those of people: no VPN, relay, proxy, Tor, hosting, and none of the operator's own networks. An
    address without a place, as without a database that knows coordinates, says nothing. Half the earth at 900 km/h
    takes 22 hours, so that the day before is as far back as it matters.
    """

    name: ClassVar[str] = "travel"
    days: Days = 1
    speed: Annotated[float, Field(gt=0)]
    distance: Annotated[float, Field(gt=0)]

    @property
    def features(self) -> tuple[str, ...]:
        """Logins."""
        return (_FEATURE,)

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield the day's logins that nobody can have travelled to."""
        wanted = set(day.rows(_FEATURE)["window"])
        rows = _placed(day.all_rows(_FEATURE))
        if rows.empty or not wanted:
            return
        before = _placed(day.series(_FEATURE, self.days, sorted(set(rows["entity"]))))
        earlier: dict[str, list[dict[str, Any]]] = {}
        for row in (*records(before), *records(rows)):
            earlier.setdefault(str(row["entity"]), []).append(row)
        for row in records(rows[rows["window"].isin(list(wanted))].sort_values(["entity", "first", "value"])):
            found = self._found(row, earlier[row["entity"]])
            if found is not None:
                yield Finding(row["window"], _FEATURE, row["entity"], row["value"], found)

    def _found(self, row: dict[str, Any], earlier: list[dict[str, Any]]) -> Analysis | None:
        from sentinelone_collector.detect.anomaly.statistics import haversine_km, speed_kmh

        # Counters know the first and the last login in a quarter of an hour
        ends = [(one[end], one["value"], one) for one in earlier for end in ("first", "last")]
        ends = [end for end in ends if (end[0], end[1]) < (row["first"], row["value"]) and end[1] != row["value"]]
        if not ends:
            return None
        moment, _, last = max(ends, key=lambda end: (end[0], end[1]))
        distance = float(haversine_km(last["lat"], last["long"], row["lat"], row["long"]))
        # Two logins of one moment are told apart by at least a minute
        took = max(row["first"] - moment, _MINUTE_MS)
        speed = float(speed_kmh(distance, took / 1000))
        if distance < self.distance or speed <= self.speed:
            return None
        places = [str(one.get("country") or one["ip"]) for one in (last, row)]
        return Analysis(
            detector=self.name,
            parameter="speed",
            pattern="impossible_travel",
            observed=f"{speed:.0f} km/h",
            basis="user",
            days=self.days,
            events=1,
            score=round(speed, 3),
            measure="km/h",
            words=(
                f"{{who}} logged in from {places[1]} ({row['ip']}) {_time(took)} after a login from {places[0]} "
                f"({last['ip']}), {distance:.0f} km away: {speed:.0f} km/h"
            ),
            baseline=(Expected(places[0], 0.0), Expected(places[1], round(distance, 3))),
        )


def _placed(frame: DataFrame) -> DataFrame:
    kept = people(frame)
    return kept[kept["lat"].notna() & kept["long"].notna() & (kept["kind"].fillna("") == "") & kept["own"].isna()]


def _time(milliseconds: int) -> str:
    hours, minutes = milliseconds // _HOUR_MS, milliseconds % _HOUR_MS // _MINUTE_MS
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


DETECTOR = Travel
