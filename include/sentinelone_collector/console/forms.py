"""The registry's form: what people type becomes an instance, or sentences at the fields."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from sentinelone_collector.console.errors import Refused
from sentinelone_collector.deliver import check_destinations
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Destination, Instance
from sentinelone_collector.instances.inventory import check_times
from sentinelone_collector.instances.model import SLUG
from sentinelone_collector.normalize.streams import get_stream

__all__ = ["AddForm", "CheckForm", "EditForm", "TokenForm", "deliver_lines", "instance_of", "slug_of"]

_FIELDS = {"destinations": "deliver_to"}
_S3 = re.compile(r"s3://(?:(?P<connection>[^@/]+)@)?(?P<bucket>[^/@]+)(?:/(?P<prefix>.*))?")


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class CheckForm(_Form):
    """A console and a token to try; `streams` are those that should be readable."""

    domain: Annotated[str, Field(max_length=300)]
    token: Annotated[SecretStr, Field(max_length=4000)]
    streams: Annotated[list[str], Field(max_length=20)] = []


class AddForm(CheckForm):
    """A new instance; `key` makes a second click find what the first one did, `slug` comes from the name if empty."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    slug: Annotated[str, Field(max_length=40)] = ""
    collection_start: Annotated[str, Field(max_length=40)] = ""
    every: Annotated[str, Field(max_length=10)] = "10m"
    deliver_to: Annotated[list[str], Field(max_length=20)] = []
    key: Annotated[str, Field(max_length=64)] = ""


class EditForm(_Form):
    """What may change later; `version` is that of the file when the form was shown, None leaves a field as it is."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    streams: Annotated[list[str], Field(max_length=20)]
    collection_start: Annotated[str, Field(max_length=40)] = ""
    deliver_to: Annotated[list[str], Field(max_length=20)] | None = None
    version: Annotated[str, Field(max_length=64)] = ""


class TokenForm(_Form):
    """A new token of the same console."""

    token: Annotated[SecretStr, Field(max_length=4000)]


def slug_of(name: str) -> str:
    """Return a slug made from an application's name, empty where nothing of it can be one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_").lstrip("0123456789_")[:40].rstrip("_")
    return slug if SLUG.fullmatch(slug) else ""


def instance_of(fields: dict[str, Any], *, now: datetime) -> Instance:
    """Return an instance that the DAG file will take; raise `Refused` (422) with a sentence at each wrong field."""
    try:
        instance = Instance.model_validate(fields)
    except ValidationError as error:
        raise Refused(422, "Some fields are not right.", fields=_sentences(error)) from None
    for field, check in (
        ("streams", lambda: [get_stream(stream) for stream in instance.streams]),
        ("deliver_to", lambda: check_destinations(instance)),
        ("collection_start", lambda: check_times(instance, now=now)),
    ):
        try:
            check()
        except ConfigurationError as error:
            raise Refused(422, "Some fields are not right.", fields={field: error.text}) from None
    return instance


def _sentences(error: ValidationError) -> dict[str, str]:
    found: dict[str, str] = {}
    for problem in error.errors(include_url=False, include_input=False):
        field = str(problem["loc"][0])
        if field == "connection_id":  # it follows from the slug
            continue
        text = problem["msg"].removeprefix("Value error, ")
        if field == "slug":
            text = "Use 2 to 40 of a-z, 0-9 and _, beginning with a letter."
        found.setdefault(_FIELDS.get(field, field), text)
    return found


def destinations_of(lines: Sequence[str]) -> tuple[Destination, ...]:
    """Return the destinations that lines name: a folder below the delivery folder, or `s3://[connection@]bucket/prefix`.

    Raise `Refused` (422) for an absolute path or one that leads out of that folder: the form must not be a way to write
    anywhere on the server.
    """
    return tuple(_destination(line) for line in lines if line)


def _destination(line: str) -> Destination:
    match = _S3.fullmatch(line)
    if match is not None:
        options = {"bucket": match["bucket"], "prefix": (match["prefix"] or "").strip("/")}
        if match["connection"]:
            options["connection_id"] = match["connection"]
        return Destination.model_validate({"type": "s3", **options})
    parts = re.split(r"[/\\]", line)
    if "://" in line or ".." in parts or not parts[0] or ":" in parts[0] or line.startswith("~"):
        text = f"{line}: write a folder below the delivery folder, like delivered, or s3://bucket/prefix"
        raise Refused(422, "Some fields are not right.", fields={"deliver_to": text})
    return Destination.model_validate({"type": "file", "path": line})


def deliver_lines(instance: Instance) -> list[str] | None:
    """Return the instance's destinations as the form's lines, None where one of them says more than a line can."""
    lines = []
    for target in instance.destinations:
        options = dict(target.options)
        if target.type == "file" and set(options) == {"path"}:
            line = str(options["path"])
        elif target.type == "s3" and set(options) <= {"bucket", "prefix", "connection_id"}:
            owner = f"{options['connection_id']}@" if options.get("connection_id") else ""
            line = f"s3://{owner}{options.get('bucket', '')}/{options.get('prefix', '')}".rstrip("/")
        else:
            return None
        lines.append(line)
    try:
        same = [(each.type, {**each.options}) for each in destinations_of(lines)]
    except Refused:
        return None
    wanted = [(each.type, {**each.options}) for each in instance.destinations]
    return lines if [kind for kind, _ in same] == [kind for kind, _ in wanted] else None
