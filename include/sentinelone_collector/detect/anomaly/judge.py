"""What an anomaly detector is, and the day that it judges.

A detector is a model of the parameters in a rule's `detector:` block with a method `judge`. It stands in a module of
its own below `detectors/`, is called by the module's name, and sees counters only: events are joined to what it says
later. What it says of a window follows from the window's own day and the days before alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from copy import copy
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.detect.anomaly.analysis import Analysis
from sentinelone_collector.detect.anomaly.counters import Counters

if TYPE_CHECKING:
    from pandas import DataFrame  # for the type checker

__all__ = ["Day", "Days", "Finding", "Judge", "Watched", "detector_names", "read_detector", "records"]

Days = Annotated[int, Field(ge=1, le=366)]
_Kept = TypeVar("_Kept")
_PACKAGE = "sentinelone_collector.detect.anomaly.detectors"


class Finding(NamedTuple):
    """What a detector says about one window: see `Verdict`, which is this with the rule's name."""

    window: str
    feature: str
    entity: str | None
    value: str | None
    analysis: Analysis
    at: int = 1
    level: str | None = None


class Watched(NamedTuple):
    """The event codes that a rule can match, in small letters: `only` these (None: any), and `never` these."""

    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()

    def of(self, frame: DataFrame) -> DataFrame:
        """Return the rows with such codes; all of them where codes are no fact of the feature."""
        if "code" not in frame or self == Watched():
            return frame
        codes = frame["code"].str.lower()
        kept = ~codes.isin(self.never)
        return frame[kept if self.only is None else kept & codes.isin(self.only)]


class Day:
    """One UTC day to be judged: its counters, and those of the days before it; frames are shared, never change them.

    `windows` are the names of those that are judged, None for all of the day; of these, events with codes that are not
    `watched` can be no hits.
    """

    watched = Watched()

    def __init__(self, number: int, counters: Counters, windows: Collection[str] | None = None) -> None:
        self.number = number
        self.counters = counters
        self.windows = windows
        self._kept: dict[Hashable, Any] = {}
        self._rows_of: dict[Hashable, Mapping[Any, Any]] = {}

    def watching(self, watched: Watched) -> Day:
        """Return the same day, with the same frames, for a rule that can match these codes alone."""
        day = copy(self)
        day.watched = watched
        return day

    def all_rows(self, feature: str) -> DataFrame:
        """Return the counters of all windows of the day, in order of windows, entities and values."""
        return self.keep(("day", feature), lambda: self.counters.of_windows(feature, self.number))

    def rows(self, feature: str) -> DataFrame:
        """Return the counters of the windows that are judged, of the codes that are watched."""
        frame = self.watched.of(self.all_rows(feature))
        return frame if self.windows is None else frame[frame["window"].isin(list(self.windows))]

    def before(self, feature: str, days: int) -> DataFrame:
        """Return the merged counters of so many days before this one, of everybody."""
        return self.keep(
            ("before", feature, days),
            lambda: self.counters.merged(feature, self.number - days, self.number - 1),
        )

    def older(self, feature: str, days: int, recent: int) -> DataFrame:
        """Return `before` without the last `recent` days, as `entity`, `n`, `value` and facts.

        What remains when the younger counters are taken off is cheaper than to read and merge the others, too.
        """
        from pandas import MultiIndex

        keys, before = ["entity", "value"], self.before(feature, days)
        taken = self.before(feature, recent).set_index(keys)["n"]
        each = taken.reindex(MultiIndex.from_frame(before[keys]), fill_value=0).to_numpy()
        left = before[[name for name in before if name not in {"first", "last", "days"}]].assign(n=before["n"] - each)
        return left[left["n"] > 0]

    def before_of(self, feature: str, days: int, entities: Sequence[str]) -> DataFrame:
        """Return the merged counters of so many days before this one, of some entities."""
        wanted = tuple(sorted(set(entities)))
        return self.keep(
            ("before", feature, days, wanted),
            lambda: self.counters.merged(feature, self.number - days, self.number - 1, wanted),
        )

    def series(self, feature: str, days: int, entities: Sequence[str] | None = None) -> DataFrame:
        """Return the counters of each of so many days before this one."""
        return self.counters.by_day(feature, self.number - days, self.number - 1, entities)

    def began(self, days: int) -> int:
        """Return how many days ago counting began, at most `days`; 0 where nothing was counted before."""
        first = self.counters.began(self.number - days, self.number - 1)
        return 0 if first is None else self.number - first

    def shares(self, feature: str, days: int, fact: str) -> DataFrame:
        """Return the counters before the day by `entity`, `role` and one fact: a small frame for many questions."""
        return self.keep(
            ("shares", feature, days, fact),
            lambda: _grouped(self.before(feature, days), list(dict.fromkeys(["entity", "role", fact]))),
        )

    def shares_of(self, feature: str, days: int, fact: str, entity: str) -> DataFrame:
        """Return the rows of one entity among those of `shares`."""
        key, frame = (feature, days, fact), self.shares(feature, days, fact)
        if key not in self._rows_of:
            self._rows_of[key] = frame.groupby("entity", sort=False).indices
        return frame.take(self._rows_of[key].get(entity, []))

    def keep(self, key: Hashable, read: Callable[[], _Kept]) -> _Kept:
        """Return what has that key, made by `read` where this is the first question for it."""
        if key not in self._kept:
            self._kept[key] = read()
        kept: _Kept = self._kept[key]
        return kept


def _grouped(frame: DataFrame, keys: list[str]) -> DataFrame:
    present = [key for key in keys if key in frame]
    grouped = frame.groupby(present, dropna=False, sort=False, as_index=False)
    found: DataFrame = grouped.agg(n=("n", "sum"), first=("first", "min"), last=("last", "max"))
    # Missing texts come back from grouping as nan
    return (
        found.astype(dict.fromkeys(present, object))
        .where(found.notna(), None)
        .assign(n=found["n"], first=found["first"], last=found["last"], **({} if "role" in present else {"role": None}))
    )


def records(frame: DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame by the names of its columns."""
    names = [str(name) for name in frame.columns]
    columns = [frame[name].tolist() for name in frame.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


class Judge(BaseModel):
    """A detector with its parameters; `days` is how far its baseline reaches back."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: ClassVar[str]
    days: Days = 90

    @property
    def features(self) -> tuple[str, ...]:
        """The features whose counters it judges; windows without any of them are not looked at."""
        raise NotImplementedError

    def judge(self, day: Day) -> Iterator[Finding]:
        """Yield what is unusual about the day's windows; called for windows that hold one of the features."""
        raise NotImplementedError


def detector_names() -> tuple[str, ...]:
    """Return the names of all detectors, in order."""
    import pkgutil

    return tuple(sorted(module.name for module in pkgutil.iter_modules(import_module(_PACKAGE).__path__)))


@cache
def _detector(name: str) -> type[Judge]:
    found: type[Judge] = import_module(f"{_PACKAGE}.{name}").DETECTOR
    return found


def read_detector(block: Any) -> Judge:
    """Return the detector of a rule's block; raise `ValueError` (also pydantic's) where it is not one."""
    if not isinstance(block, Mapping) or block.get("type") not in detector_names():
        raise ValueError(f"a detector has a type, one of {', '.join(detector_names())}")
    parameters = {key: value for key, value in block.items() if key != "type"}
    return _detector(str(block["type"])).model_validate(parameters)
