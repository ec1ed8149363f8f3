"""Rules over JSON: list, show, test, hits over time, backtest, and what an instance makes of them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request
from fastapi.responses import StreamingResponse

from sentinelone_collector.console.backtesting import BacktestForm, Step, lines, plan, run_step
from sentinelone_collector.console.catalogue import find_rule, rule_row, ruleset_of
from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.incidents import overview
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.routing import in_thread, new_router
from sentinelone_collector.console.tuning import (
    AllowForm,
    DisallowForm,
    SwitchForm,
    allow,
    disallow,
    switch,
)
from sentinelone_collector.detect import test_rules

__all__ = ["hits_of_days", "router"]

router = new_router(prefix="/api/rules", tags=["rules"])
_Word = Annotated[str, Query(max_length=200)]


@router.get("")
def listed(ctx: Ctx, family: _Word = "", level: _Word = "", technique: _Word = "") -> dict[str, Any]:
    """Return the rules that give hits, and what is wrong with rule files that can't be used."""
    ruleset = ruleset_of(ctx.site)
    rows = [rule_row(rule) for rule in ruleset.incident_rules]
    wanted = {"family": family, "level": level}
    return {
        "rules": [
            row
            for row in rows
            if all(row[name] == value for name, value in wanted.items() if value)
            and (not technique or technique in row["attacks"])
        ],
        "problems": [str(problem) for problem in ruleset.problems],
    }


@router.get("/{rule_id}")
def show(rule_id: str, ctx: Ctx) -> dict[str, Any]:
    """Return one rule with its document, as it stands in its file."""
    rule = find_rule(ctx, rule_id)
    document: dict[str, Any] = msgspec.to_builtins(rule.document)
    return rule_row(rule) | {"document": document}


@router.get("/{rule_id}/hits")
def hits(rule_id: str, ctx: Ctx, days: Annotated[int, Query(ge=1, le=366)] = 30) -> dict[str, Any]:
    """Return how many hits of a rule stand in incidents, by UTC day; observations are in no incident."""
    rule = find_rule(ctx, rule_id)
    counts, first, last = hits_of_days(ctx, rule.name, days)
    return {"rule": rule.name, "first": first.isoformat(), "last": last.isoformat(), "days": counts}


def hits_of_days(ctx: Context, rule: str, days: int) -> tuple[dict[str, int], date, date]:
    """Return hits by day of the latest days, today among them, and the first and last of these days."""
    midnight = ctx.now().replace(hour=0, minute=0, second=0, microsecond=0)
    since, until = midnight - timedelta(days - 1), midnight + timedelta(1)
    return overview(ctx).hits_by_day(rule, since, until), since.date(), midnight.date()


@router.post("/{rule_id}/test")
def test(rule_id: str, ctx: Ctx) -> dict[str, Any]:
    """Run the samples inside a rule through the engine that tags windows."""
    ctx.require(Right.RUN)
    rule = find_rule(ctx, rule_id)
    [result] = test_rules(ruleset_of(ctx.site), rule.name)
    plain: dict[str, Any] = msgspec.to_builtins(result)
    failed = sum(not sample.passed for sample in result.samples)
    count = len(result.samples)
    words = f"All {count} samples pass." if result.passed else f"{failed} of {count} samples fail."
    for sample, told in zip(result.samples, plain["samples"], strict=True):
        told["passed"] = sample.passed
    return plain | {"passed": result.passed, "message": words}


_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Lines of JSON: `done` of `total` while it works, at the end `result`, or `error`.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}


@router.post("/{rule_id}/backtest", response_class=StreamingResponse, responses=_LINES)
async def run_backtest(rule_id: str, form: BacktestForm, ctx: Ctx, request: Request) -> StreamingResponse:
    """Say what a rule would have raised in a range of time, over the lake; nothing is written.

    It ends when the reader closes the connection.
    """
    await in_thread(ctx.require, Right.RUN)
    rule = await in_thread(find_rule, ctx, rule_id)
    steps = await in_thread(plan, ctx, form)
    run: partial[Any] = partial(_run, ctx, rule.name)
    headers = {
        # Airflow compresses answers, and proxies collect them: each would hold the progress back
        "Content-Encoding": "identity",
        "X-Accel-Buffering": "no",
    }
    body = lines(rule.name, steps, run, request.is_disconnected)
    return StreamingResponse(body, media_type="application/x-ndjson", headers=headers)


def _run(ctx: Context, rule: str, step: Step) -> Any:
    return run_step(ctx, rule, step, ruleset_of(ctx.site))


@router.put("/{rule_id}/instances/{slug}")
def turn(rule_id: str, slug: str, form: SwitchForm, ctx: Ctx) -> dict[str, Any]:
    """Turn a rule on or off for an instance, by its inventory file."""
    return switch(ctx, find_rule(ctx, rule_id), slug, form)


@router.post("/{rule_id}/instances/{slug}/allow")
def add_entry(rule_id: str, slug: str, form: AllowForm, ctx: Ctx) -> dict[str, Any]:
    """Allow somebody what the rule watches, for an instance, by its inventory file."""
    return allow(ctx, find_rule(ctx, rule_id), slug, form)


@router.post("/{rule_id}/instances/{slug}/disallow")
def remove_entry(rule_id: str, slug: str, form: DisallowForm, ctx: Ctx) -> dict[str, Any]:
    """Take an allow entry of the inventory file away."""
    return disallow(ctx, find_rule(ctx, rule_id), slug, form)
