"""Everything that can go wrong on the way, each as one small named entry.

A fault is given as `NAME[:OPTION]…`, e.g. `429:0.1`, `reset:every=5`, `slow:at=3:seconds=0.5`.
When it strikes is decided by the number of the matching request and the seed, never by chance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import format_datetime
from threading import Lock
from typing import Final

from sentinelone_collector.simulator._dice import Dice, fraction
from sentinelone_collector.simulator._time import SECOND, from_us
from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.messages import (
    Response,
    forbidden,
    graphql_error,
    server_error,
    too_many,
    unauthorized,
    validation,
)
from sentinelone_collector.simulator.query import Seek, cursor_text

__all__ = ["FAULTS", "Armed", "Fault", "FaultBoard", "Strike", "parse_fault"]

_FAULT = 61


@dataclass(frozen=True, slots=True)
class Strike:
    """One occasion on which a fault acts: its options, its count so far, the console's time (µs), the stream."""

    options: Mapping[str, str]
    number: int
    seed: int
    now: int
    stream: str | None = None

    @property
    def graphql(self) -> bool:
        """Say whether the answer has the form of GraphQL."""
        return self.stream == "unified_alerts"


Before = Callable[[Strike], Response]
Alter = Callable[[Strike, Page], Page]
After = Callable[[Strike, Response], Response]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    `before` answers in place of the endpoint, `alter` changes a list's page, `after` changes the finished
    answer. `needs` limits it: `any` request, a `list`, the `first` page, or a later page of a `walk`; `stream` is
    the stream it is limited to unless the options name another.
    """

    text: str
    before: Before | None = None
    alter: Alter | None = None
    after: After | None = None
    needs: str = "any"
    when: str = "0.1"
    stream: str = ""


def _retry_seconds(strike: Strike) -> Response:
    return too_many({"Retry-After": strike.options.get("seconds", "1")})


def _retry_date(strike: Strike) -> Response:
    moment = from_us(strike.now + int(float(strike.options.get("seconds", "1")) * SECOND))
    return too_many({"Retry-After": format_datetime(moment, usegmt=True)})


def _html(_strike: Strike) -> Response:
    return Response(200, b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n", "text/html")


def _errors_200(strike: Strike) -> Response:
    if strike.graphql:
        return graphql_error("Internal server error", "INTERNAL_ERROR")
    body = b'{"data":null,"errors":[{"code":5000010,"detail":"Query failed","title":"Internal server error"}],'
    return Response(200, body + b'"pagination":{"nextCursor":null,"totalItems":0}}')


def _redirect(strike: Strike) -> Response:
    target = strike.options.get("to", "http://elsewhere.invalid/web/api/v2.1/activities")
    return Response(302, b"", "text/html", {"Location": target})


def _rejected(strike: Strike) -> Response:
    if strike.graphql:
        return graphql_error("Invalid cursor value received", "BAD_REQUEST")
    return validation("Invalid cursor value received").response


def _reset(_strike: Strike, answer: Response) -> Response:
    return replace(answer, wire="reset")


def _cut(_strike: Strike, answer: Response) -> Response:
    return replace(answer, body=answer.body[: len(answer.body) * 2 // 3])


def _slow(strike: Strike, answer: Response) -> Response:
    return replace(answer, wire="slow", seconds=float(strike.options.get("seconds", "1")))


def _same_cursor(_strike: Strike, page: Page) -> Page:
    """Point back to where this page began: a client without a check walks forever."""
    if page.cursor is None or page.paging.seek is None:
        return page
    here = page.paging.seek
    return page.with_cursor(cursor_text(page.view, page.paging.sort_by, reverse=page.paging.reverse, seek=here))


def _emptied(_strike: Strike, page: Page) -> Page:
    """Send no rows but a cursor that continues where the rows would have begun."""
    if not page.rows:
        return page
    first, step = page.seek_at(0), 1 if page.paging.reverse else -1
    value = (
        first.sort_value + step if page.paging.sort_by == "id" and type(first.sort_value) is int else first.sort_value
    )
    seek = page.paging.seek or Seek(value, first.id + step)
    cursor = cursor_text(page.view, page.paging.sort_by, reverse=page.paging.reverse, seek=seek)
    return replace(page, rows=(), cursor=cursor)


def _overlapping(_strike: Strike, page: Page) -> Page:
    """Let the next page begin with the last row of this one."""
    if page.cursor is None or len(page.rows) < 2:  # noqa: PLR2004  # nothing to step back to
        return page
    return page.with_cursor(page.cursor_after(-2))


def _fewer(_strike: Strike, page: Page) -> Page:
    return replace(page, total=max(0, page.total - max(1, page.total // 20)))


def _more(_strike: Strike, page: Page) -> Page:
    return replace(page, total=page.total + max(1, page.total // 20))


def _moving(strike: Strike, page: Page) -> Page:
    return replace(page, total=max(0, page.total + (-3, 5, 0, 2, -1)[strike.number % 5]))


def _shuffled(strike: Strike, page: Page) -> Page:
    """Mix the rows of a page; the cursor still points behind the true last one."""
    dice, rows = Dice(strike.seed, _FAULT, strike.number), list(page.rows)
    for index in range(len(rows) - 1, 0, -1):
        other = dice.below(index + 1)
        rows[index], rows[other] = rows[other], rows[index]
    return replace(page, rows=tuple(rows))


FAULTS: Final[dict[str, Fault]] = {
    "401-mid-walk": Fault("the token is refused on a later page", lambda _: unauthorized(), needs="walk"),
    "403-stream": Fault(
        "one stream is forbidden (stream=NAME)", lambda _: forbidden(), needs="list", when="1", stream="activities"
    ),
    "429": Fault("rate limit without a header", lambda _: too_many()),
    "429-date": Fault("rate limit, Retry-After as a date (seconds=N ahead)", _retry_date),
    "429-seconds": Fault("rate limit, Retry-After in seconds (seconds=N)", _retry_seconds),
    "500": Fault("internal error", lambda _: server_error(500)),
    "502": Fault("bad gateway, as text", lambda _: server_error(502)),
    "503": Fault("unavailable", lambda _: server_error(503)),
    "count-larger": Fault("the count is too high", alter=_more, needs="first", when="1"),
    "count-moving": Fault("the count changes from call to call", alter=_moving, needs="first", when="1"),
    "count-smaller": Fault("the count is too low", alter=_fewer, needs="first", when="1"),
    "cursor-cycle": Fault("the next cursor is the one just used", alter=_same_cursor, needs="walk"),
    "cursor-rejected": Fault("a good cursor is refused", _rejected, needs="walk"),
    "duplicates": Fault("the next page repeats the last row", alter=_overlapping, needs="list"),
    "empty-page": Fault("no rows, but a cursor", alter=_emptied, needs="list"),
    "errors-200": Fault("200 with errors and without data", _errors_200, needs="list"),
    "feature-off": Fault(
        "the console has no custom rules: 403 on alerts",
        lambda _: forbidden("This scope does not have Custom Rules enabled."),
        needs="list",
        when="1",
        stream="alerts",
    ),
    "html-200": Fault("200 with a web page", _html),
    "redirect": Fault("to another host (to=URL)", _redirect),
    "reset": Fault("the connection is reset in the middle of the body", after=_reset),
    "shuffled": Fault("the rows of a page are out of order", alter=_shuffled, needs="list"),
    "slow": Fault("the body trickles for seconds=N", after=_slow),
    "truncated": Fault("the JSON ends too early, the transfer is complete", after=_cut),
}

_SEPARATOR = re.compile(r":(?=[a-z]+=)")
_WHEN = ("rate", "every", "at", "first")


@dataclass(slots=True)
class Armed:
    """A fault that is switched on, with the condition and the count of matching requests."""

    name: str
    fault: Fault
    condition: tuple[str, float]
    options: Mapping[str, str]
    seen: int = 0
    struck: int = 0

    def strikes(self, seed: int) -> bool:
        """Count one matching request and say whether the fault acts on it."""
        self.seen += 1
        word, value = self.condition
        if word == "rate":
            hit = fraction(seed, _FAULT, self.seen, *self.name.encode()) < value
        elif word == "every":
            hit = self.seen % int(value) == 0
        else:
            hit = self.seen == value if word == "at" else self.seen <= value
        self.struck += hit
        return hit


def parse_fault(spec: str) -> Armed:
    """Read `NAME[:RATE][:every=N|at=N|first=N][:seconds=S][:stream=NAME][:to=URL]`; ValueError says what is wrong."""
    head, *parts = _SEPARATOR.split(spec)
    name, _, rate = head.partition(":")
    if name not in FAULTS:
        raise ValueError(f"unknown fault {name!r}; there are: {', '.join(FAULTS)}")
    options = dict(part.split("=", 1) for part in ([f"rate={rate}"] if rate else []) + parts)
    if unknown := options.keys() - {*_WHEN, "seconds", "stream", "to"}:
        raise ValueError(f"fault {name}: unknown option {', '.join(sorted(unknown))}")
    given = [(word, float(options.pop(word))) for word in _WHEN if word in options]
    if len(given) > 1 or any(value <= 0 for _, value in given):
        raise ValueError(f"fault {name}: give one of {', '.join(_WHEN)}, above zero")
    if FAULTS[name].stream:
        options.setdefault("stream", FAULTS[name].stream)
    condition = given[0] if given else ("rate", float(FAULTS[name].when))
    return Armed(name, FAULTS[name], condition, options)


class FaultBoard:
    """The faults that are on; may be changed while requests run."""

    def __init__(self, seed: int, specs: Sequence[str] = ()) -> None:
        self._seed = seed
        self._lock = Lock()
        self._armed: tuple[Armed, ...] = ()
        self.set(*specs)

    def set(self, *specs: str) -> None:
        """Replace all faults by these; the counts begin anew."""
        armed = tuple(parse_fault(spec) for spec in specs)
        with self._lock:
            self._armed = armed

    def struck(self, *, stream: str | None, is_list: bool, walking: bool, now: int) -> list[tuple[Fault, Strike]]:
        """Give the faults that act on one request, in the order in which they were set."""
        fits = {"any": True, "list": is_list, "walk": is_list and walking, "first": is_list and not walking}
        with self._lock:
            return [
                (armed.fault, Strike(armed.options, armed.struck, self._seed, now, stream))
                for armed in self._armed
                if fits[armed.fault.needs]
                and armed.options.get("stream", stream) == stream
                and armed.strikes(self._seed)
            ]

    def state(self) -> list[dict[str, object]]:
        """Say which faults are on, how many requests matched and how often each acted."""
        return [{"fault": a.name, "matched": a.seen, "struck": a.struck} for a in self._armed]
