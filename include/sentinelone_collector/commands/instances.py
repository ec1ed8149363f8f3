"""`s1c instances`: who is collected."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from sentinelone_collector.commands.output import AsJson, Moment, emit, say, table
from sentinelone_collector.deliver import check_destinations
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Instance, load_instance, write_instance
from sentinelone_collector.instances.connection import variable_name
from sentinelone_collector.instances.model import SLUG, duration_text
from sentinelone_collector.normalize.streams import get_stream
from sentinelone_collector.pipeline import Installation, utc_now

__all__ = ["app"]

_CHECKED = ("ok", "sentences", "release", "expires_at", "days_left", "scope")

app = typer.Typer(no_args_is_help=True, help="Register, list, check and remove instances.")


def _row(instance: Instance) -> dict[str, Any]:
    return {
        "slug": instance.slug,
        "name": instance.name,
        "connection_id": instance.connection_id,
        "live_since": instance.live_since,
        "collection_start": instance.collection_start,
        "every": duration_text(instance.every),
        "settle": duration_text(instance.settle),
        "streams": list(instance.streams),
        "dag_id": instance.dag_id,
    }


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the registered instances; name every inventory file that can't be used."""
    inventory = Installation.from_environment().inventory
    rows = [_row(instance) for instance in inventory.instances]
    if as_json:
        emit(rows)
    else:
        table(rows, ["slug", "name", "live_since", "every", "streams"])
    for error in inventory.errors:
        say(str(error), style="red")
    if inventory.errors:
        raise typer.Exit(1)


@app.command()
def add(
    slug: Annotated[str, typer.Argument(help="Short name: a-z, 0-9 and _, beginning with a letter.")],
    name: Annotated[str | None, typer.Option(help="Application name, shown to people.")] = None,
    live_since: Annotated[Any, Moment] = None,
    collection_start: Annotated[Any, Moment] = None,
    every: Annotated[str, typer.Option(help="Width of a window; divides a day.")] = "10m",
    settle: Annotated[str, typer.Option(help="How long after its end a window waits.")] = "5m",
    stream: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    account_id: Annotated[list[str] | None, typer.Option(help="Collect this account only; repeatable.")] = None,
    site_id: Annotated[list[str] | None, typer.Option(help="Collect this site only; repeatable.")] = None,
    connection_id: Annotated[str | None, typer.Option(help="Default: sentinelone_<slug>.")] = None,
    deliver_to: Annotated[str | None, typer.Option(help="Folder that events are delivered to as NDJSON files.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the inventory file of a new instance."""
    now = utc_now().replace(microsecond=0)
    fields: dict[str, Any] = {
        "slug": slug,
        "name": name or slug,
        "connection_id": connection_id or f"sentinelone_{slug}",
        "live_since": live_since or now,
        "collection_start": collection_start,
        "every": every,
        "settle": settle,
        "streams": stream or ["activities"],
        "scope": {"account_ids": account_id or [], "site_ids": site_id or []},
        "destinations": [{"type": "file", "path": deliver_to}] if deliver_to else [],
    }
    instance = _validated(fields)
    if instance.live_since > now + timedelta(minutes=5):
        raise ConfigurationError(f"live_since {instance.live_since.isoformat()} lies in the future")
    _check_names(instance)
    folder = Installation.from_environment().settings.instances
    path = write_instance(folder, instance, now=now)
    _emit_one(instance, path, as_json=as_json)
    say(f"Now set the connection {instance.connection_id!r} in Airflow, or {variable_name(instance.connection_id)}.")


def _check_names(instance: Instance) -> None:
    """Refuse what the DAG file would leave out: a stream that is not collected yet, a destination that is none."""
    for stream in instance.streams:
        get_stream(stream)
    check_destinations(instance)


def _validated(fields: dict[str, Any]) -> Instance:
    try:
        return Instance.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        if place == "slug":
            text = _no_slug(fields["slug"])
        raise ConfigurationError(f"{place}: {text}") from None


def _no_slug(slug: str) -> str:
    return f"{slug!r} is no slug; use 2 to 40 of a-z, 0-9 and _, beginning with a letter"


def _emit_one(instance: Instance, path: Path, *, as_json: bool) -> None:
    row = _row(instance) | {"file": str(path)}
    if as_json:
        emit(row)
    else:
        say(f"Registered {instance.slug}: {path}")


@app.command()
def check(slug: str, as_json: AsJson = False) -> None:
    """Ask the console whether token, scope, expiry and permissions will do."""
    from sentinelone_collector.source import check_console

    site = Installation.from_environment()
    instance = site.inventory.get(slug)
    site.retry_seconds = 10.0
    with site.console(instance) as console:
        result = check_console(
            console, [get_stream(stream) for stream in instance.streams], scope=instance.scope, now=utc_now
        )
    if as_json:
        emit(
            {"instance": slug} | {name: getattr(result, name) for name in _CHECKED} | {"streams": dict(result.streams)}
        )
    for sentence in result.sentences:
        say(sentence, style=None if result.ok else "red")
    if not result.ok:
        raise typer.Exit(1)


@app.command()
def remove(
    slug: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove an instance's inventory file; its data in lake and store is kept."""
    if not SLUG.fullmatch(slug):  # it becomes a file's name
        raise ConfigurationError(_no_slug(slug))
    folder = Installation.from_environment().settings.instances
    path = folder / f"{slug}.yaml"
    if not path.is_file():
        raise ConfigurationError(f"no instance {slug!r}: there is no {path}")
    if not yes:
        typer.confirm(f"Remove {path}? The data collected so far is kept.", abort=True, err=True)
    try:
        connection_id = load_instance(path, now=utc_now()).connection_id
    except ConfigurationError:
        connection_id = f"sentinelone_{slug}"
    path.unlink()
    if as_json:
        emit({"slug": slug, "file": str(path), "removed": True})
    say(f"Removed {path}. Lake and store keep what was collected; the connection {connection_id!r} is still there.")
