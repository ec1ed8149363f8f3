"""Rules over hits, for the windows of one tagging: their hits join those of the windows, also of later ones.

What such a rule says of a window follows from the hits of persons in the store and from those found just now; later
windows that are not evaluated again are written again where the hits of somebody they name have changed. They keep
their other hits as the lake has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinelone_collector.detect.allow import is_allowed, is_disabled
from sentinelone_collector.detect.building import who_of
from sentinelone_collector.detect.changes import as_announced
from sentinelone_collector.detect.hits import Hit, read_hits
from sentinelone_collector.detect.people import PersonHit, is_sum, person_hits
from sentinelone_collector.detect.ports import HitStore
from sentinelone_collector.detect.risk import Summed, summed
from sentinelone_collector.detect.ruleset import Ruleset
from sentinelone_collector.detect.storm import calm
from sentinelone_collector.instances import RuleSettings
from sentinelone_collector.lake import Storage, object_key
from sentinelone_collector.windows import Window

__all__ = ["Rating", "sums"]


def sums(
    ruleset: Ruleset, hits: Sequence[PersonHit], *, console: str, settings: RuleSettings, only: str | None = None
) -> Iterator[Summed]:
    """Yield what the rules over hits that are on (or the rule `only`) say, allow entries and change windows applied."""
    for rule in ruleset.risks:
        if rule.risk is None or is_disabled(rule, settings) or only not in {None, rule.name}:
            continue
        for hit, windows in summed(rule, rule.risk, hits, counted=ruleset.counted_by(rule.risk), console=console):
            who = who_of(rule, hit, {})
            if not is_allowed(rule, hit, who, settings):
                yield Summed(as_announced(hit, who, settings), windows)


@dataclass(frozen=True)
class Rating:
    """The rules over hits, for one stream of an instance; `place` names the two."""

    place: tuple[str, str]
    console: str
    lake: Storage
    store: HitStore
    ruleset: Ruleset
    settings: RuleSettings

    def rate(self, found: Mapping[Window, Sequence[Hit]]) -> dict[Window, list[Hit]]:
        """Return all hits of the windows in `found`, and of others that have to be written again for them."""
        plain = {window: list(hits) for window, hits in found.items()}
        reach = max((rule.risk.reach for rule in self.ruleset.risks if rule.risk), default=timedelta(0))
        if not reach or not found:
            return plain
        first, last = _ms(min(window.start for window in found)), _ms(max(window.end for window in found))
        new = {window.name: person_hits(hits, window, console=self.console) for window, hits in found.items()}
        if not any(new.values()) and not self._known(first, last, new):
            return plain
        known = self._between(first - _width(reach), last + _width(reach))
        before: dict[str, list[PersonHit]] = {name: [] for name in new}
        for one in known:
            before.setdefault(one.window, []).append(one)
        plain |= self._others(_concerned(before, new, reach))
        hits = [one for name, held in (before | new).items() for one in held]
        return self._joined(plain, hits)

    def _between(self, first: int, last: int) -> list[PersonHit]:
        return self.store.person_hits_between(*self.place, first, last)

    def _known(self, first: int, last: int, names: Iterable[str]) -> bool:
        wanted = set(names)
        return any(one.window in wanted for one in self._between(first, last))

    def _others(self, windows: Iterable[Window]) -> dict[Window, list[Hit]]:
        """Return the hits of windows as the lake has them, without those of rules over hits."""
        found = {}
        for window in windows:
            with self.lake.local(object_key("hits", *self.place, window)) as path:
                if path is not None:
                    found[window] = [hit for hit in read_hits(path) if not is_sum(hit)]
        return found

    def _joined(self, plain: Mapping[Window, list[Hit]], hits: Sequence[PersonHit]) -> dict[Window, list[Hit]]:
        own: dict[str, list[Hit]] = {}
        for hit, names in sums(self.ruleset, hits, console=self.console, settings=self.settings):
            for name in names:
                own.setdefault(name, []).append(hit)
        return {
            window: [*others, *calm(own.get(window.name, []), window, console=self.console)]
            for window, others in plain.items()
        }


def _concerned(
    before: Mapping[str, Sequence[PersonHit]], new: Mapping[str, Sequence[PersonHit]], reach: timedelta
) -> list[Window]:
    """Return the other windows with hits of somebody whose hits changed within the reach before."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for name, hits in new.items():
        window = Window.from_name(name)
        changed = set(hits).symmetric_difference(before[name])
        for person in {one.person for one in changed}:
            spans.setdefault(person, []).append((_ms(window.start), _ms(window.end + reach)))
    found = {
        name
        for name, hits in before.items()
        if name not in new
        for one in hits
        if any(start <= one.at < end for start, end in spans.get(one.person, ()))
    }
    return [Window.from_name(name) for name in sorted(found)]


def _width(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
