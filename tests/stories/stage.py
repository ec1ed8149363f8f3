"""A stage: raw records as consoles send them go through normalize and tag, and what is left are incidents."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from sentinelone_collector.detect import Ruleset, tag
from sentinelone_collector.instances import Instance
from sentinelone_collector.lake import FolderStorage, object_key
from sentinelone_collector.normalize import normalize
from sentinelone_collector.simulator._time import MINUTE as SIM_MINUTE
from sentinelone_collector.simulator._time import to_us
from sentinelone_collector.simulator.history import History, midnight
from sentinelone_collector.simulator.org import build_organisation
from sentinelone_collector.simulator.scenarios import place_scenarios
from sentinelone_collector.store import Store, open_store
from sentinelone_collector.windows import Window, parse_time

LATER = datetime(2027, 6, 1, tzinfo=UTC)
STREAM = "activities"
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))

# What the simulator's computers do all day
MACHINES = frozenset({5232, 5126, 5125, 90, 92, 91, 71, 43, 16, 5009, 3630, 3631, 5004, 5005, 3614, 3617, 66})
# What people do by the hundred each day
DAILY = frozenset({27, 33, 3624, 3627, 3653, 3654, 2028, 2030, 4020, 65, 85})

Record = dict[str, Any]
Raised = set[tuple[str, str]]
"""Incidents as rule and entity."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Console:
    """Writes the activities of one tenant in the shape of the API, with ids in order of making."""

    account: str = "1480000000000000001"
    first_id: int = 2_619_000_000_000_000_000
    made: int = field(default=0)

    def record(self, kind: int, moment: datetime, **told: Any) -> Record:
        """Make one record; words that name a field of the record itself go there, all others into `data`."""
        top = {name: told.pop(name) for name in list(told) if name in _TOP}
        self.made += 1
        created = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "accountId": self.account,
            "accountName": "Northwind",
            "activityType": kind,
            "activityUuid": f"{self.made:08x}-7c1d-4a7e-9d36-0b7f6f9f1c11",
            "agentId": None,
            "agentUpdatedVersion": None,
            "comments": None,
            "createdAt": created,
            "data": {"accountName": "Northwind", "scopeLevel": "Site", "siteName": "Berlin"} | told,
            "description": None,
            "groupId": None,
            "groupName": None,
            "hash": None,
            "id": str(self.first_id + self.made),
            "osFamily": None,
            "primaryDescription": "What happened, as the console words it.",
            "secondaryDescription": None,
            "siteId": "1480000000000000021",
            "siteName": "Berlin",
            "threatId": None,
            "updatedAt": created,
            "userId": None,
        } | top

    def login(self, moment: datetime, who: str, ip: str = "192.0.2.10", **told: Any) -> Record:
        return self.record(27, moment, username=who, ipAddress=ip, source="sso", userId=f"id-{who}", **told)

    def failure(self, moment: datetime, who: str, ip: str = "192.0.2.66") -> Record:
        told = {"username": who, "ipAddress": ip, "comments": "invalid password", "userId": f"id-{who}"}
        return self.record(133, moment, **told)


_TOP = frozenset({"agentId", "comments", "hash", "osFamily", "siteId", "siteName", "threatId", "userId", "description"})


@dataclass
class Stage:
    """One instance with a lake and a store; windows may be collected in any order."""

    folder: Path
    ruleset: Ruleset
    slug: str = "emea"
    every: timedelta = DAY
    rules: dict[str, Any] = field(default_factory=dict)
    shared: Store | None = None

    def __post_init__(self) -> None:
        self.lake = FolderStorage(self.folder / "lake")
        self.store = self.shared or open_store(f"sqlite:///{self.folder / 's1c.db'}")
        self.instance = Instance(
            slug=self.slug,
            name=self.slug,
            connection_id="c",
            live_since=at("2026-01-01"),
            every=self.every,
            rules=self.rules,
        )

    def play(
        self, records: Iterable[Record | bytes], order: Callable[[list[Window]], Sequence[Window]] = list
    ) -> Raised:
        """Collect every window that holds a record, in the order asked for, and return the incidents."""
        self.collect(records, order)
        return self.raised()

    def collect(
        self, records: Iterable[Record | bytes], order: Callable[[list[Window]], Sequence[Window]] = list
    ) -> None:
        """Collect every window that holds a record; in a month the same may rightly happen twice."""
        by_window: dict[Window, list[tuple[str, bytes]]] = {}
        for record in records:
            line = record if isinstance(record, bytes) else json.dumps(record).encode()
            created = json.loads(line)["createdAt"]
            window = self.instance.calendar.window_at(parse_time(created))
            by_window.setdefault(window, []).append((created, line))
        for window in order(sorted(by_window)):
            self._collect(window, [line for _, line in sorted(by_window[window])])

    def _collect(self, window: Window, lines: list[bytes]) -> None:
        raw = b"".join(line + b"\n" for line in lines)
        self.lake.put(object_key("raw", self.slug, STREAM, window), zstandard.compress(raw))
        host = f"{self.slug}.example.com"
        done = normalize(self.slug, STREAM, window, console=host, lake=self.lake)
        assert (done.events, done.quarantined) == (len(lines), 0)
        tag(
            *(self.instance, STREAM, window),
            console=host,
            lake=self.lake,
            store=self.store,
            ruleset=self.ruleset,
            now=lambda: LATER,
        )

    def learn(self, records: Iterable[Record | bytes]) -> None:
        """Collect windows of which the past is made: counted like all, and asked of no rule."""
        ruleset, self.ruleset = self.ruleset, replace(self.ruleset, rules=())
        self.collect(records)
        self.ruleset = ruleset

    def incidents(self) -> list[Any]:
        return list(self.store.list_incidents(now=LATER, instance=self.slug, limit=10_000))

    def raised(self) -> Raised:
        found = [(incident.rule_id, incident.entity) for incident in self.incidents()]
        twice = [name for name, count in Counter(found).items() if count > 1]
        assert not twice, twice
        return set(found)

    def levels(self) -> Counter[str]:
        return Counter(incident.level for incident in self.incidents())


def simulated(
    start: datetime,
    days: int,
    *,
    users: int,
    per_day: int,
    seed: int = 7,
    scenarios: Sequence[str] = (),
    without: Collection[int] = (),
) -> Iterator[bytes]:
    """Yield the bytes of all records of a simulated console from a midnight on, as seen long after.

    `without` are activity types to leave out: without `MACHINES` people, threats and alerts remain.
    """
    low, high = to_us(start), to_us(start + days * DAY)
    org = build_organisation(seed, users)
    placed = place_scenarios(org, scenarios, low)
    history = History(
        org,
        records_per_day=per_day,
        origin=midnight(low),
        late_share=0.0,
        drafts=[draft for one in placed for draft in one.drafts],
    )
    for bucket, entry in history.walk(low, high, high + 24 * 60 * SIM_MINUTE):
        if not entry.kind.hidden and entry.kind.type not in without:
            yield bucket.render(entry)


def story(name: str, start: datetime, *, users: int = 40, seed: int = 7) -> tuple[list[bytes], Any]:
    """Return the records of one story of the simulator without its daily business, and the organisation."""
    org = build_organisation(seed, users)
    placed = place_scenarios(org, [f"{name}@{start.isoformat()}"], to_us(start))
    history = History(org, records_per_day=1, origin=midnight(to_us(start)), late_share=0.0, drafts=placed[0].drafts)
    end = to_us(start + 2 * HOUR)
    mine = {(draft.at, draft.kind.type, draft.agent) for draft in placed[0].drafts}
    return [
        bucket.render(entry)
        for bucket, entry in history.walk(to_us(start), end, end + 24 * 60 * SIM_MINUTE)
        if (entry.at, entry.kind.type, entry.agent) in mine
    ], org
