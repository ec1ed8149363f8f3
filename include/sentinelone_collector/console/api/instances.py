"""Instances over JSON: add, edit, check, pause, rotate the token, remove."""

from __future__ import annotations

from typing import Any

from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.routing import new_router

router = new_router(prefix="/api/instances", tags=["instances"])


@router.post("/{slug}/pause")
def pause(slug: str, ctx: Ctx) -> dict[str, Any]:
    """Pause the instance's DAG: nothing is collected until it is resumed, and nothing is lost."""
    return _set_paused(ctx, slug, paused=True)


@router.post("/{slug}/resume")
def resume(slug: str, ctx: Ctx) -> dict[str, Any]:
    """Let the instance's DAG run again; it makes up every window that was missed."""
    return _set_paused(ctx, slug, paused=False)


def _set_paused(ctx: Context, slug: str, *, paused: bool) -> dict[str, Any]:
    ctx.require(Right.PAUSE, slug)
    instance = ctx.instance(slug)
    ctx.airflow.set_paused(instance.dag_id, paused)
    ctx.audit("pause" if paused else "resume", slug)
    said = "is paused" if paused else "runs again and makes up what was missed"
    return {"message": f"{instance.name} {said}.", "paused": paused}
