"""What an endpoint is. A new stream is one new module in `endpoints/` with an `ENDPOINTS` tuple."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from sentinelone_collector.simulator.listing import Page
from sentinelone_collector.simulator.messages import Request, Response
from sentinelone_collector.simulator.tokens import Scope, Token
from sentinelone_collector.simulator.world import World

__all__ = ["BASE", "Call", "Endpoint", "has_cursor"]

BASE = "/web/api/v2.1"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an endpoint: everything an answer may depend on; `now` in µs since 1970."""

    world: World
    request: Request
    token: Token | None
    now: int
    path_ids: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope:
        """Give what the caller may see."""
        return self.token.scope if self.token else Scope()


def has_cursor(request: Request) -> bool:
    """Say whether a request continues a walk through a list."""
    return any(name == "cursor" and value for name, value in request.query)


@dataclass(frozen=True)
class Endpoint:
    """One path of the API; `{}` in it stands for an id.

    `rate` is calls per second and burst. `stream` names a list of records, which the faults of lists act
    on; what `handle` returns as a page is written by the console. `permission` is the right a role needs;
    `walks` says whether a request asks for a later page.
    """

    method: str
    path: str
    handle: Callable[[Call], Response | Page]
    rate: tuple[float, int]
    stream: str | None = None
    auth: bool = True
    permission: str | None = None
    walks: Callable[[Request], bool] = has_cursor

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Give the expression that matches the whole path."""
        return re.compile(re.escape(BASE + self.path).replace(r"\{\}", r"(\d+)") + "/?")
