"""A whole console in this process: server on a thread, and what a test needs to steer it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from sentinelone_collector.simulator._time import from_us, to_us
from sentinelone_collector.simulator.admin import PREFIX, Admin
from sentinelone_collector.simulator.console import Console, Seen
from sentinelone_collector.simulator.faults import FaultBoard
from sentinelone_collector.simulator.messages import Request, Response
from sentinelone_collector.simulator.org import Organisation
from sentinelone_collector.simulator.server import HttpServer
from sentinelone_collector.simulator.tokens import Scope
from sentinelone_collector.simulator.world import Options, World

__all__ = ["Kept", "Simulator", "utcnow"]


def utcnow() -> datetime:
    """Give the time of this machine."""
    return datetime.now(UTC)


class Kept(NamedTuple):
    """One state of a record: its id, when it began, from when on it was shown, and its exact bytes."""

    id: str
    at: datetime
    visible: datetime
    raw: bytes


class Simulator:
    """A simulated SentinelOne console; a context manager that serves while it is open.

    The data is a function of `seed`, `users`, `records_per_day`, `scenarios`, `late_share` and of time;
    it begins at the midnight (UTC) `days` before the start, and new records appear as `now` advances.
    `scenarios` are `NAME[@TIME]`, `faults` are `NAME[:OPTION]…`; `late_share` of the records appear
    10 minutes to 6 hours after their own time. `rate_limits=False` lifts the calls per second; `role` limits
    what the token may read. ValueError: an unknown scenario, fault or role, or a number out of range.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        port: int = 0,
        host: str = "127.0.0.1",
        users: int = 40,
        records_per_day: int = 50_000,
        days: int = 30,
        scenarios: Sequence[str] = (),
        faults: Sequence[str] = (),
        token: str | None = None,
        token_expires: datetime | None = None,
        late_share: float = 0.0,
        now: Callable[[], datetime] = utcnow,
        account_ids: Sequence[str] = (),
        site_ids: Sequence[str] = (),
        rate_limits: bool = True,
        role: str = "Log reader",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        options = Options(seed, users, records_per_day, days, tuple(scenarios), late_share)
        scope = Scope(tuple(account_ids), tuple(site_ids))
        self._world = World(options, now=now, token=token, token_expires=token_expires, scope=scope, role=role)
        board = FaultBoard(seed, faults)
        self._console = Console(self._world, board, rate_limits=rate_limits, monotonic=monotonic)
        self._monotonic = monotonic
        self._admin = Admin(self._console, down=self._go_down, up=self.come_up)
        self._address = (host, port)
        self._server: HttpServer | None = None

    def start(self) -> Self:
        """Bind the port and serve; OSError where the port is taken."""
        if self._server is None:
            self._server = HttpServer(*self._address, self._respond)
            self._server.start()
        return self

    def stop(self) -> None:
        """Close all connections and the port."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _respond(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            return self._admin.respond(request)
        return self._console.respond(request)

    @property
    def url(self) -> str:
        """Give the console's address; RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the simulator is not started")
        return self._server.url

    @property
    def token(self) -> str:
        """Give the API token that is accepted now."""
        return self._world.token

    @property
    def organisation(self) -> Organisation:
        """Give the people, computers and places that the records speak of."""
        return self._world.org

    @property
    def requests(self) -> list[Seen]:
        """List the requests that were answered (the last 10,000), without tokens."""
        return list(self._console.requests)

    @property
    def buckets_generated(self) -> int:
        """Count the minutes whose records were made so far: the cost of what was asked."""
        return self._world.history.generated

    def scenario_times(self) -> dict[str, datetime]:
        """Say when each story begins."""
        return {placed.name: datetime.fromtimestamp(placed.start / 1e6, UTC) for placed in self._world.placed}

    def truth(
        self,
        start: datetime,
        end: datetime,
        visible_at: datetime | None = None,
        *,
        stream: str = "activities",
        include_hidden: bool = False,
        account_ids: Sequence[str] = (),
        site_ids: Sequence[str] = (),
    ) -> list[bytes]:
        """List the exact bytes of all records of a stream in [start, end), by (time, id).

        Only those that the console shows at `visible_at` (default: now), within the scope if one is given.
        The time is `createdAt` of activities, `reportedAt` of alerts, `eventTime` of device events, and
        `updatedAt` of all others, which are listed in the state that is shown: one that has changed since
        the window is no more in it. KeyError: no such stream.
        """
        shown = to_us(visible_at) if visible_at else self._world.now_us()
        scope = Scope(tuple(account_ids), tuple(site_ids))
        low, high = to_us(start), to_us(end)
        if stream != "activities":
            return list(self._world.table_truth(stream, low, high, shown, scope=scope))
        return list(self._world.truth(low, high, shown, include_hidden=include_hidden, scope=scope))

    def versions(self, stream: str, start: datetime, end: datetime, visible_at: datetime | None = None) -> list[Kept]:
        """List all states of a stream's records that began in [start, end), by (time, id).

        Those which the console had shown by `visible_at` (default: now), also where a newer one has replaced
        them since. KeyError: no such stream, and the activities, which never change.
        """
        shown = to_us(visible_at) if visible_at else self._world.now_us()
        found = self._world.tables.by_stream[stream].versions(to_us(start), to_us(end), shown)
        return [
            Kept(version.key, from_us(version.at), from_us(version.visible), self._world.write(version))
            for version in sorted(found, key=lambda version: (version.at, version.id))
        ]

    def write_truth(
        self, path: Path, start: datetime | None = None, end: datetime | None = None, *, stream: str = "activities"
    ) -> int:
        """Write a stream's records of [start, end) (default: all until now), one a line; returns how many."""
        now = self._world.now_us()
        # What was last changed before the data begins belongs to all of it, too.
        low = to_us(start) if start else self._world.history.origin if stream == "activities" else 0
        high = to_us(end) if end else now + 1
        count = 0
        with path.open("wb") as file:
            rows = self._world.truth(low, high, now)
            for row in rows if stream == "activities" else self._world.table_truth(stream, low, high, now):
                file.write(row + b"\n")
                count += 1
        return count

    def set_faults(self, *names: str) -> None:
        """Replace all faults by these; ValueError leaves the old ones."""
        self._console.faults.set(*names)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._console.faults.set()

    def go_down(self, mode: str = "502", seconds: float | None = None) -> None:
        """Answer nothing but 502 (`502`), or reset every connection (`refuse`), for a time or until `come_up`."""
        self._go_down(mode, seconds)

    def _go_down(self, mode: str, seconds: float | None) -> None:
        if mode not in {"502", "refuse"}:
            raise ValueError(f"mode must be 502 or refuse, not {mode!r}")
        self._console.down_until = None if seconds is None else self._monotonic() + seconds
        self._console.down = mode

    def come_up(self) -> None:
        """Answer again."""
        self._console.down = self._console.down_until = None

    def issue_token(
        self,
        *,
        account_ids: Sequence[str] = (),
        site_ids: Sequence[str] = (),
        expires: datetime | None = None,
        role: str = "Log reader",
    ) -> str:
        """Make another token of a scope and a role; ValueError: no such role."""
        return self._world.issue(Scope(tuple(account_ids), tuple(site_ids)), expires=expires, role=role).text

    def rotate_token(self) -> str:
        """Replace the main token; the old one is refused from now on."""
        return self._world.rotate().text

    def expire_token(self, token: str | None = None, *, after: timedelta = timedelta(0)) -> None:
        """Let a token (default: the main one) end after a time."""
        at = datetime.fromtimestamp(self._world.now_us() / 1e6, UTC) + after
        self._world.expire(token or self._world.token, at)
