"""Instances over JSON: list, add, edit, check, pause, rotate the token, remove."""

from __future__ import annotations

from typing import Any

from sentinelone_collector.console.checking import connection_of_form, plain, remember, try_console
from sentinelone_collector.console.context import Context, Ctx
from sentinelone_collector.console.forms import AddForm, CheckForm, EditForm, TokenForm
from sentinelone_collector.console.health import Health, healths
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.registering import add, edit, remove, rotate
from sentinelone_collector.console.routing import new_router
from sentinelone_collector.instances.model import duration_text
from sentinelone_collector.windows import iso

router = new_router(prefix="/api/instances", tags=["instances"])


def _row(health: Health) -> dict[str, Any]:
    instance, facts = health.instance, health.facts
    last = facts.last_complete
    return {
        "slug": instance.slug,
        "name": instance.name,
        "dag_id": instance.dag_id,
        "state": health.state.word,
        "why": health.state.why,
        "tone": health.state.tone,
        "streams": list(instance.streams),
        "every": duration_text(instance.every),
        "last_complete_window": None if last is None else {"start": iso(last.start), "end": iso(last.end)},
        "lag_seconds": None if health.lag is None else int(health.lag.total_seconds()),
        "windows_due": facts.due,
        "windows_missing": len(facts.behind),
        "records_today": health.records_today,
        "open_incidents": health.open_incidents,
        "token_expires_at": None if facts.expires_at is None else iso(facts.expires_at),
        "notes": list(health.notes),
    }


@router.get("")
def list_instances(ctx: Ctx) -> list[dict[str, Any]]:
    """List the instances with their states."""
    return [_row(health) for health in healths(ctx, ctx.instances())]


@router.get("/{slug}")
def show_instance(slug: str, ctx: Ctx) -> dict[str, Any]:
    """Show one instance with its state."""
    return _row(healths(ctx, [ctx.instance(slug)])[0])


@router.post("", status_code=201)
def add_instance(form: AddForm, ctx: Ctx) -> dict[str, Any]:
    """Register an instance: its console is asked first, then connection and inventory file are made."""
    return add(ctx, form)


@router.post("/check")
def check_console_of_form(form: CheckForm, ctx: Ctx) -> dict[str, Any]:
    """Ask a console whether a token will do, and change nothing."""
    ctx.require(Right.CONNECT)
    connection = connection_of_form(ctx, form.domain, form.token.get_secret_value())
    tried = try_console(ctx, connection, form.streams)
    tried.refuse()
    return plain(tried.check) | {"message": "The console accepts the token for every chosen stream."}


@router.put("/{slug}")
def edit_instance(slug: str, form: EditForm, ctx: Ctx) -> dict[str, Any]:
    """Change an instance's inventory file."""
    return edit(ctx, slug, form)


@router.delete("/{slug}")
def remove_instance(slug: str, ctx: Ctx) -> dict[str, Any]:
    """Remove an instance; its data is kept."""
    return remove(ctx, slug)


@router.post("/{slug}/token")
def rotate_token(slug: str, form: TokenForm, ctx: Ctx) -> dict[str, Any]:
    """Replace the token, once the console has accepted the new one."""
    return rotate(ctx, slug, form.token.get_secret_value())


@router.post("/{slug}/check")
def check_instance(slug: str, ctx: Ctx) -> dict[str, Any]:
    """Ask the instance's console now whether its token will do, and note when it expires."""
    ctx.require(Right.RUN, slug)
    instance = ctx.instance(slug)
    tried = try_console(ctx, ctx.site.connection_for(instance.connection_id), instance.streams, instance.scope)
    remember(ctx, instance, tried.check)
    return plain(tried.check) | {"message": " ".join(tried.check.sentences)}


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
