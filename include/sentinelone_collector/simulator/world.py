"""The simulated console's state: organisation, history, clock, tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

from sentinelone_collector.simulator._time import DAY, HOUR, MINUTE, to_us
from sentinelone_collector.simulator.history import History, midnight
from sentinelone_collector.simulator.org import build_organisation
from sentinelone_collector.simulator.records import render
from sentinelone_collector.simulator.scenarios import Placed, place_scenarios
from sentinelone_collector.simulator.tables import Tables, Version
from sentinelone_collector.simulator.tokens import ROLES, Scope, Token, token_text

__all__ = ["Options", "World"]

_LIFE = timedelta(days=730)
_MOST_PER_DAY = 20_000_000  # the sequence part of an id has room for 65,536 records a minute


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the data; together with the time of the start it decides every byte."""

    seed: int = 1
    users: int = 40
    records_per_day: int = 50_000
    days: int = 30
    scenarios: tuple[str, ...] = ()
    late_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that no data can be made of."""
        for name, value, most in (
            ("users", self.users, 10_000),
            ("records_per_day", self.records_per_day, _MOST_PER_DAY),
            ("days", self.days, 3_650),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{name} must be between 1 and {most}, not {value}")
        if not 0 <= self.late_share <= 1:
            raise ValueError(f"late_share must be between 0 and 1, not {self.late_share}")


class World:
    """Everything the endpoints answer from; `now` gives aware UTC datetimes."""

    def __init__(
        self,
        options: Options,
        *,
        now: Callable[[], datetime],
        token: str | None,
        token_expires: datetime | None,
        scope: Scope,
        role: str = "Log reader",
    ) -> None:
        self.options = options
        self._now = now
        started = to_us(now())
        self.started = now()
        self.org = build_organisation(options.seed, options.users)
        default = (started - HOUR) // (10 * MINUTE) * 10 * MINUTE
        self.placed: tuple[Placed, ...] = place_scenarios(self.org, options.scenarios, default)
        self.history = History(
            self.org,
            records_per_day=options.records_per_day,
            origin=midnight(started) - options.days * DAY,
            late_share=options.late_share,
            drafts=[draft for placed in self.placed for draft in placed.drafts],
        )
        self.tables = Tables(self.history, self.placed)
        self._lock = Lock()
        self._issued = 0
        self._tokens: dict[str, Token] = {}
        self.token = self.issue(scope, text=token, expires=token_expires, role=role).text

    def now_us(self) -> int:
        """Give the console's time in µs since 1970."""
        return to_us(self._now())

    def issue(
        self, scope: Scope, *, text: str | None = None, expires: datetime | None = None, role: str = "Log reader"
    ) -> Token:
        """Make another token, of a scope and a role; it lives two years (one second short) unless told otherwise.

        ValueError: no such role.
        """
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}; there are: {', '.join(ROLES)}")
        with self._lock:
            created = self._now().replace(microsecond=0)
            made = Token(
                text or token_text(self.options.seed, self._issued),
                scope,
                created,
                expires or created + _LIFE - timedelta(seconds=1),
                role,
            )
            self._issued += 1
            self._tokens[made.text] = made
            return made

    def rotate(self) -> Token:
        """Replace the main token; the old one is refused from now on."""
        old = self._tokens.pop(self.token, None)
        made = self.issue(old.scope, role=old.role) if old else self.issue(Scope())
        self.token = made.text
        return made

    def expire(self, text: str, at: datetime) -> Token:
        """Let a token end at a time; KeyError where there is no such token."""
        with self._lock:
            self._tokens[text] = token = replace(self._tokens[text], expires=at)
            return token

    def find_token(self, text: str) -> Token | None:
        """Give a token that was issued and not revoked, alive or not."""
        return self._tokens.get(text)

    def accepted(self, text: str) -> Token | None:
        """Give a token that may be used now."""
        token = self.find_token(text)
        return token if token and token.alive(self._now()) else None

    def truth(
        self, low: int, high: int, visible_at: int, *, include_hidden: bool = False, scope: Scope | None = None
    ) -> Iterator[bytes]:
        """Yield the exact bytes of all records created in [low, high), as visible at a moment (µs)."""
        seen = scope or Scope()
        for bucket, entry in self.history.walk(low, high, visible_at):
            if entry.kind.hidden and not include_hidden:
                continue
            if seen.level != "tenant" and not seen.covers(self.history.place(entry)):
                continue
            yield bucket.render(entry)

    def table_truth(
        self, stream: str, low: int, high: int, visible_at: int, *, scope: Scope | None = None
    ) -> Iterator[bytes]:
        """Yield the exact bytes of a stream's records as shown at a moment, by (time, id); times in µs.

        The time is that by which the stream is windowed: of the last change, the report or the event.
        KeyError: no such stream.
        """
        seen = scope or Scope()
        shown = self.tables.by_stream[stream].current(visible_at, low, high)
        for version in sorted(shown, key=lambda version: (version.at, version.id)):
            if seen.level == "tenant" or seen.covers(version.place):
                yield self.write(version)

    def write(self, version: Version) -> bytes:
        """Give the exact bytes of a state."""
        return render(self.options.seed, version.id, version.make())
