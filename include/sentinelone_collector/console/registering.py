"""What the registry changes: connection and inventory file of an instance, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sentinelone_collector.console.checking import connection_of_form, remember, try_console
from sentinelone_collector.console.context import Context
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.forms import AddForm, EditForm, destinations_of, instance_of, slug_of
from sentinelone_collector.console.hosts import port_of
from sentinelone_collector.console.ports import Right
from sentinelone_collector.errors import CollectorError, ConfigurationError
from sentinelone_collector.instances import Connection, Instance, dump_instance, write_instance
from sentinelone_collector.instances.inventory import edited_text, rewrite_instance
from sentinelone_collector.source import ConsoleCheck
from sentinelone_collector.store import Change

__all__ = ["add", "change", "edit", "file_version", "remove", "rotate"]

_LOCK = "console-instances"
_WRONG = "Some fields are not right."
_UNWRITABLE = "can't be written"


def add(ctx: Context, form: AddForm) -> dict[str, Any]:
    """Check the console, then make connection and inventory file; a `key` that was used before changes nothing."""
    ctx.require(Right.CONNECT)
    before = _sent_before(ctx, form)
    if before is not None:
        return _known(ctx, before)
    instance = _new_instance(ctx, form)
    if (ctx.site.settings.instances / f"{instance.slug}.yaml").exists():
        return _taken(ctx, form, instance.slug)
    connection = connection_of_form(ctx, form.domain, form.token.get_secret_value())
    tried = try_console(ctx, connection, instance.streams)
    tried.refuse()
    with ctx.site.store.lock(_LOCK):
        before = _sent_before(ctx, form)
        if before is not None:
            return _known(ctx, before)
        return _register(ctx, instance, connection, tried.check, form.key or None)


def _new_instance(ctx: Context, form: AddForm) -> Instance:
    slug = form.slug or slug_of(form.name)
    if not slug:
        raise Refused(422, _WRONG, fields={"slug": "Nothing of the name will do; write one."})
    now = ctx.now().replace(microsecond=0)
    fields = {
        "slug": slug,
        "name": form.name,
        "connection_id": f"sentinelone_{slug}",
        "live_since": now,
        "collection_start": form.collection_start or None,
        "every": form.every,
        "streams": form.streams or ["activities"],
        "destinations": destinations_of(form.deliver_to),
    }
    return instance_of(fields, now=now)


def _sent_before(ctx: Context, form: AddForm) -> Change | None:
    return ctx.site.store.change_of(form.key) if form.key else None


def _taken(ctx: Context, form: AddForm, slug: str) -> dict[str, Any]:
    with ctx.site.store.lock(_LOCK):  # another click on this form may have made the file, and not noted its key yet
        before = _sent_before(ctx, form)
    if before is None:
        raise Refused(409, _WRONG, fields={"slug": f"{slug} is taken; choose another short name."})
    return _known(ctx, before)


def _register(
    ctx: Context, instance: Instance, connection: Connection, check: ConsoleCheck, key: str | None
) -> dict[str, Any]:
    scheme, _, host = connection.url.partition("://")
    name = host.rsplit(":", 1)[0] if port_of(connection.url) != 443 and ":" in host else host  # noqa: PLR2004  # https
    try:
        ctx.airflow.create_connection(
            instance.connection_id,
            host=f"{scheme}://{name}",
            port=port_of(connection.url),
            password=connection.token,
        )
    except Refused as error:
        if error.status != 409:  # noqa: PLR2004  # conflict
            raise
        text = f"Airflow has a connection {instance.connection_id} already: choose another short name, or delete it."
        raise Refused(409, _WRONG, fields={"slug": text}) from None
    written = False
    try:
        written = _written(lambda: write_instance(ctx.site.settings.instances, instance, now=ctx.now()))
        remember(ctx, instance, check)
        ctx.audit("add", instance.slug, dump_instance(instance), key=key)
    except Exception:
        # half an instance would neither collect nor let itself be added again
        ctx.airflow.delete_connection(instance.connection_id)
        if written:
            (ctx.site.settings.instances / f"{instance.slug}.yaml").unlink(missing_ok=True)
        raise
    return _answer(ctx, instance, written=written, done="is configured; collection begins within a minute")


def _written(write: Any) -> bool:
    """Run the write and say whether the folder let it; raise any other error."""
    try:
        write()
    except ConfigurationError as error:
        if not error.text.startswith(_UNWRITABLE):
            raise
        return False
    return True


def _answer(ctx: Context, instance: Instance, *, written: bool, done: str, text: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = {"slug": instance.slug, "name": instance.name, "dag_id": instance.dag_id}
    if written:
        return answer | {
            "state": "Configured",
            "message": f"{instance.name} {done}.",
            "location": f"/?done={instance.slug}",
        }
    path = ctx.site.settings.instances / f"{instance.slug}.yaml"
    return answer | {
        "state": "File to commit",
        "message": f"The folder of the inventory can't be written from here: commit this file as {path.name}.",
        "commit": {"path": str(path), "text": text or dump_instance(instance)},
    }


def _known(ctx: Context, before: Change) -> dict[str, Any]:
    try:
        instance = ctx.site.inventory.get(before.target)
    except CollectorError:
        raise Refused(
            409, f"This form was sent before and made {before.target}; open it anew to add another."
        ) from None
    return _answer(ctx, instance, written=True, done="is configured already; nothing was done twice")


def file_version(path: Path) -> str:
    """Return the digest of an inventory file, empty where it can't be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def edit(ctx: Context, slug: str, form: EditForm) -> dict[str, Any]:
    """Change name, streams, begin of the collection or destinations; the calendar stays as it is."""
    ctx.require(Right.RECONNECT, slug)
    old = ctx.instance(slug)
    fields: dict[str, Any] = {name: getattr(old, name) for name in Instance.model_fields}
    fields |= {"name": form.name, "collection_start": form.collection_start or None, "streams": form.streams}
    if form.deliver_to is not None:
        fields["destinations"] = destinations_of(form.deliver_to)
    new = instance_of(fields, now=ctx.now())
    added = [stream for stream in new.streams if stream not in old.streams]
    if added:
        tried = try_console(ctx, ctx.site.connection_for(new.connection_id), new.streams, new.scope)
        tried.refuse()
        remember(ctx, new, tried.check)
    return change(ctx, slug, lambda _: new, action="edit", done="is changed", version=form.version)


def change(
    ctx: Context, slug: str, make: Callable[[Instance], Instance], *, action: str, done: str, version: str = ""
) -> dict[str, Any]:
    """Replace an inventory file by what `make` gives for the instance as it is on disk now.

    Raise `Refused` (409) where the file is no longer that `version`. Where the folder can't be written, the answer
    holds the file to commit.
    """
    folder = ctx.site.settings.instances
    with ctx.site.store.lock(_LOCK):
        if version and version != file_version(folder / f"{slug}.yaml"):
            raise Refused(409, "The file was changed by somebody else meanwhile; load the page again.")
        new = make(ctx.instance(slug))
        text = edited_text(folder, new, now=ctx.now())
        written = _written(lambda: rewrite_instance(folder, new, now=ctx.now()))
        ctx.audit(action if written else f"{action} (to commit)", slug, text)
    return _answer(ctx, new, written=written, done=done, text=text)


def rotate(ctx: Context, slug: str, token: str) -> dict[str, Any]:
    """Put a new token in place of the old one, once the console has accepted it for every stream."""
    ctx.require(Right.RECONNECT, slug)
    instance = ctx.instance(slug)
    old = ctx.site.connection_for(instance.connection_id)
    try:
        new = Connection(old.url, token, old.verify_tls)
    except ConfigurationError as error:
        raise Refused(422, "The old token stays.", fields={"token": error.text}) from None
    tried = try_console(ctx, new, instance.streams, instance.scope)
    # a stream that the old token could not read either must not keep an expiring one in place
    known = {name for name in instance.streams if ctx.site.unavailable(instance, name) is not None}
    lost = [name for name in instance.streams if tried.check.streams.get(name) != "ok" and name not in known]
    if tried.fields and (lost or "streams" not in tried.fields):
        sentences = {"token": " ".join(tried.fields.values())}
        raise Refused(422, "The old token stays: the new one was tried and will not do.", fields=sentences)
    ctx.airflow.set_token(instance.connection_id, token)
    remember(ctx, instance, tried.check)
    ctx.audit("rotate token", slug)
    return _answer(ctx, instance, written=True, done="uses the new token; revoke the old one in the console")


def remove(ctx: Context, slug: str) -> dict[str, Any]:
    """Remove inventory file and connection; what was collected stays in lake and store."""
    ctx.require(Right.DISCONNECT, slug)
    instance = ctx.instance(slug)
    path = ctx.site.settings.instances / f"{slug}.yaml"
    with ctx.site.store.lock(_LOCK):
        others = [one for one in ctx.site.inventory.instances if one.slug != slug]
        try:
            path.unlink()
        except OSError as error:
            raise Refused(
                409, f"{path} can't be removed from here ({error.strerror}): remove it where it is kept."
            ) from None
        if all(one.connection_id != instance.connection_id for one in others):
            _delete_connection(ctx, instance.connection_id)
        ctx.audit("remove", slug, dump_instance(instance))
    return {
        "slug": slug,
        "message": f"{instance.name} is removed. What was collected stays in lake and store.",
        "location": "/",
    }


def _delete_connection(ctx: Context, connection_id: str) -> None:
    try:
        ctx.airflow.delete_connection(connection_id)
    except Refused as error:
        if error.status != 404:  # noqa: PLR2004  # it may come from a secrets backend: then there is none to delete
            raise
