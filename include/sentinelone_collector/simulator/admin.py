"""The simulator's own paths under `/__sim__/`, for loopback clients: truth, state, faults, outages, tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from sentinelone_collector.simulator._time import from_us, to_us
from sentinelone_collector.simulator.console import Console
from sentinelone_collector.simulator.messages import Refusal, Request, Response, json_response, not_found
from sentinelone_collector.simulator.query import timestamp
from sentinelone_collector.simulator.tables import STREAMS
from sentinelone_collector.simulator.tokens import Scope, Token

__all__ = ["PREFIX", "Admin"]

PREFIX = "/__sim__/"


class Admin:
    """Answers the simulator's own paths; `down` and `up` switch the console off and on."""

    def __init__(self, console: Console, *, down: Callable[[str, float | None], None], up: Callable[[], None]) -> None:
        self._console, self._world = console, console.world
        self._down, self._up = down, up
        self._routes: Mapping[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "truth"): self._truth,
            ("GET", "state"): self._state,
            ("POST", "faults"): self._faults,
            ("POST", "down"): self._go_down,
            ("POST", "up"): self._come_up,
            ("POST", "token"): self._token,
        }

    def respond(self, request: Request) -> Response:
        """Answer one request; 404 for anybody who is not on this machine."""
        handle = self._routes.get((request.method, request.path.removeprefix(PREFIX)))
        if handle is None or not ip_address(request.client).is_loopback:
            return not_found()
        try:
            return handle(request)
        except Refusal as refusal:
            return refusal.response
        except (ValueError, KeyError) as failure:
            return json_response({"error": str(failure)}, 400)

    def _truth(self, request: Request) -> Response:
        values = dict(request.query)
        now = self._world.now_us()
        low = timestamp("from", values["from"]) if "from" in values else self._world.history.origin
        high = timestamp("to", values["to"]) if "to" in values else now + 1
        visible = timestamp("visible_at", values["visible_at"]) if "visible_at" in values else now
        stream = values.get("stream", "activities")
        if stream not in {"activities", *STREAMS}:
            raise ValueError(f"unknown stream {stream!r}; there are: activities, {', '.join(STREAMS)}")
        if stream != "activities":
            rows = self._world.table_truth(stream, low if "from" in values else 0, high, visible)
        else:
            hidden = values.get("include_hidden") == "true"
            rows = self._world.truth(low, high, visible, include_hidden=hidden)
        return Response(200, b"", "application/x-ndjson", pieces=(row + b"\n" for row in rows))

    def _state(self, _request: Request) -> Response:
        world, history = self._world, self._world.history
        options = world.options
        return json_response(
            {
                "now": from_us(world.now_us()).isoformat(),
                "data_from": from_us(history.origin).isoformat(),
                "seed": options.seed,
                "users": options.users,
                "records_per_day": options.records_per_day,
                "scenarios": [
                    {"name": p.name, "start": from_us(p.start).isoformat(), "records": len(p.drafts)}
                    for p in world.placed
                ],
                "down": self._console.down,
                "faults": self._console.faults.state(),
                "requests": dict(self._console.statuses),
                "buckets_generated": history.generated,
            }
        )

    def _faults(self, request: Request) -> Response:
        """Set the faults to a list of specs: `{"faults": ["429:0.1"]}`; an empty list clears them."""
        self._console.faults.set(*_body(request).get("faults", []))
        return json_response({"faults": self._console.faults.state()})

    def _go_down(self, request: Request) -> Response:
        """Go down: `{"mode": "502"|"refuse", "seconds": 30}`, both optional."""
        body = _body(request)
        self._down(str(body.get("mode", "502")), body.get("seconds"))
        return json_response({"down": self._console.down})

    def _come_up(self, _request: Request) -> Response:
        self._up()
        return json_response({"down": None})

    def _token(self, request: Request) -> Response:
        """Change tokens: `{"action": "rotate"|"expire"|"issue", "account_ids": […], "site_ids": […], "role": …}`."""
        body, world = _body(request), self._world
        action = body.get("action", "rotate")
        if action == "rotate":
            made = world.rotate()
        elif action == "issue":
            scope = Scope(tuple(body.get("account_ids", ())), tuple(body.get("site_ids", ())))
            made = world.issue(scope, role=str(body.get("role", "Log reader")))
        elif action == "expire":
            at = from_us(world.now_us()) + timedelta(seconds=float(body.get("seconds", 0)))
            made = world.expire(str(body.get("token", world.token)), at)
        else:
            raise ValueError(f"action must be rotate, issue or expire, not {action!r}")
        return json_response(_token_document(made))


def _token_document(token: Token) -> dict[str, object]:
    return {"token": token.text, "scope": token.scope.level, "expires_us": to_us(token.expires)}


def _body(request: Request) -> dict[str, Any]:
    document = json.loads(request.body or b"{}")
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004  # of a client, not of a caller
    return document
