"""Inventory files: `<slug>.yaml`, one per instance, reviewed and deployed like code; none holds a secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances.editing import edit_yaml
from sentinelone_collector.instances.model import SLUG, Instance, duration_text
from sentinelone_collector.windows import iso

__all__ = [
    "DEFAULT_HISTORY_LIMIT",
    "Inventory",
    "check_times",
    "dump_instance",
    "edited_text",
    "line_of",
    "load_instance",
    "load_inventory",
    "rewrite_instance",
    "write_instance",
]

DEFAULT_HISTORY_LIMIT = timedelta(days=30)
_HISTORY_VARIABLE = "S1C_HISTORY_LIMIT_DAYS"
_SECRET_WORDS = ("token", "api_key", "apikey", "password", "secret")
_SUFFIX = ".yaml"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Inventory:
    """All instances that could be read, sorted by slug, and what was wrong with the other files."""

    instances: tuple[Instance, ...]
    errors: tuple[ConfigurationError, ...]

    def get(self, slug: str) -> Instance:
        """Return one instance; raise its file's error, or `ConfigurationError` where there is no such file."""
        for instance in self.instances:
            if instance.slug == slug:
                return instance
        for error in self.errors:
            if error.path is not None and Path(error.path).stem == slug:
                raise error
        known = ", ".join(instance.slug for instance in self.instances) or "none"
        raise ConfigurationError(f"no instance {slug!r} in the inventory; known are: {known}")


def load_inventory(folder: Path, *, now: datetime) -> Inventory:
    """Read every `*.yaml` of the folder in order of name; one bad file never hides the others.

    A missing folder is an empty inventory.
    """
    instances, errors = [], []
    for path in sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else ():
        try:
            instances.append(load_instance(path, now=now))
        except ConfigurationError as error:
            errors.append(error)
    errors.extend(
        ConfigurationError(f"inventory files end in .yaml; rename it to {path.stem}.yaml", path=path)
        for path in sorted(folder.glob("*.yml"))
    )
    return Inventory(tuple(instances), tuple(errors))


def load_instance(path: Path, *, now: datetime) -> Instance:
    """Read one inventory file; raise `ConfigurationError` that names file, line and cure."""
    if not SLUG.fullmatch(path.stem):
        raise ConfigurationError(
            f"the file's name {path.stem!r} is no slug; use 2 to 40 of a-z, 0-9 and _, beginning with a letter",
            path=path,
        )
    return _instance_of(_read(path), path, now=now)


def _instance_of(text: str, path: Path, *, now: datetime) -> Instance:
    content, lines = _parse(text, path)
    content = {key: value for key, value in content.items() if value is not None}
    content.setdefault("connection_id", f"sentinelone_{path.stem}")
    if "slug" in content:
        raise ConfigurationError(
            "the slug is the file's name and is not repeated inside; remove this key", path=path, line=lines["slug"]
        )
    try:
        instance = Instance.model_validate(content | {"slug": path.stem})
    except ValidationError as error:
        text, key = _explain(error)
        raise ConfigurationError(text, path=path, line=lines.get(key, 1)) from None
    _check_times(instance, now, path, lines)
    return instance


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(error, path) from None


def _unreadable(error: Exception, path: Path) -> ConfigurationError:
    return ConfigurationError(f"can't be read: {error}; check rights and encoding (UTF-8)", path=path)


def _parse(text: str, path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        node = yaml.compose(text, Loader=_Loader)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  # the loader is a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ConfigurationError(
            f"no valid YAML: {error.problem}; correct the syntax",
            path=path,
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from None
    except yaml.YAMLError as error:
        raise _unreadable(error, path) from None
    if not isinstance(content, dict) or node is None:
        raise ConfigurationError("holds no keys; write `name:` and `live_since:` at least", path=path, line=1)
    lines: dict[str, int] = {}
    for key_node, _ in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in lines:
            raise ConfigurationError(f"{key} stands here and in line {lines[key]}; keep one", path=path, line=line)
        lines[key] = line
        if any(word in key.lower() for word in _SECRET_WORDS):
            raise ConfigurationError(
                f"{key}: inventory files hold no secret; put it into the Airflow connection and remove it here",
                path=path,
                line=line,
            )
    return {str(key): value for key, value in content.items()}, lines


def line_of(path: Path, key: str) -> int | None:
    """Return the line of a top-level key of an inventory file, None where it does not stand there."""
    try:
        return _parse(_read(path), path)[1].get(key)
    except ConfigurationError:
        return None


def _explain(error: ValidationError) -> tuple[str, str]:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    key = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        known = ", ".join(name for name in Instance.model_fields if name != "slug")
        return f"{place}: no such key; known are {known}", key
    if problem["type"] == "missing":
        return f"{place} is missing; add it", key
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}", key


def _check_times(instance: Instance, now: datetime, path: Path, lines: Mapping[str, int]) -> None:
    start = instance.collection_start
    if start is None:
        return
    line = lines.get("collection_start")
    if start > now:
        raise ConfigurationError(
            f"collection_start {start.isoformat()} lies in the future; choose a time before now", path=path, line=line
        )
    limit = _history_limit()
    if start < instance.live_since - limit:
        raise ConfigurationError(
            f"collection_start {start.isoformat()} is more than {limit.days} days before live_since "
            f"{instance.live_since.isoformat()}; choose a later time, or raise {_HISTORY_VARIABLE} "
            "if the console keeps that much",
            path=path,
            line=line,
        )


def check_times(instance: Instance, *, now: datetime) -> None:
    """Raise `ConfigurationError` where the begin of the collection lies in the future or too far back."""
    _check_times(instance, now, Path(f"{instance.slug}{_SUFFIX}"), {})


def _history_limit() -> timedelta:
    text = os.environ.get(_HISTORY_VARIABLE)
    if text is None:
        return DEFAULT_HISTORY_LIMIT
    if not text.isdigit() or not 0 < int(text) <= 3660:  # noqa: PLR2004  # ten years
        raise ConfigurationError(f"{_HISTORY_VARIABLE}={text!r}: write a number of days, like 90")
    return timedelta(days=int(text))


def dump_instance(instance: Instance) -> str:
    """Return the inventory file's text for an instance; keys stand in the order of the design."""
    return yaml.safe_dump(_content(instance), sort_keys=False, allow_unicode=True)


def _content(instance: Instance) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": instance.name,
        "connection_id": instance.connection_id,
        "live_since": iso(instance.live_since),
    }
    if instance.collection_start is not None:
        content["collection_start"] = iso(instance.collection_start)
    return content | {
        "every": duration_text(instance.every),
        "settle": duration_text(instance.settle),
        "streams": list(instance.streams),
        "scope": {"account_ids": list(instance.scope.account_ids), "site_ids": list(instance.scope.site_ids)},
        "destinations": [{"type": target.type, **target.options} for target in instance.destinations],
        "rules": instance.rules.model_dump(mode="json", exclude_none=True),
    }


def write_instance(folder: Path, instance: Instance, *, now: datetime) -> Path:
    """Write a new inventory file whole or not at all and return its path.

    Raise `ConfigurationError` where one of that name exists, or where the content would be refused on reading.
    """
    path = folder / f"{instance.slug}{_SUFFIX}"
    if path.exists():
        raise ConfigurationError("exists already; choose another slug, or edit this file", path=path)
    _check_times(instance, now, path, {})
    staged = folder / f".{instance.slug}{_SUFFIX}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staged.write_text(dump_instance(instance), encoding="utf-8")
        os.link(staged, path)  # fails where the file has appeared meanwhile
    except FileExistsError:
        raise ConfigurationError("exists already; choose another slug, or edit this file", path=path) from None
    except OSError as error:
        raise ConfigurationError(
            f"can't be written: {error.strerror}; check rights, or name another folder in S1C_INSTANCES", path=path
        ) from None
    finally:
        if folder.is_dir():
            staged.unlink(missing_ok=True)
    return path


def edited_text(folder: Path, instance: Instance, *, now: datetime) -> str:
    """Return an inventory file's text changed so that it says this instance; comments, order and spelling stay.

    Where the file can't be read, or changed piece by piece, the text is that of `dump_instance`.
    """
    path = folder / f"{instance.slug}{_SUFFIX}"
    try:
        before = _content(load_instance(path, now=now))
        text = edit_yaml(_read(path), before, _content(instance))
    except (ConfigurationError, ValueError):
        return dump_instance(instance)
    return text if _says(text, instance, path, now) else dump_instance(instance)


def _says(text: str, instance: Instance, path: Path, now: datetime) -> bool:
    try:
        return _instance_of(text, path, now=now) == instance
    except ConfigurationError:
        return False


def rewrite_instance(folder: Path, instance: Instance, *, now: datetime) -> Path:
    """Replace an existing inventory file by its `edited_text`, whole or not at all, and return its path.

    Raise `ConfigurationError` where there is none, or where the content would be refused on reading.
    """
    path = folder / f"{instance.slug}{_SUFFIX}"
    if not path.is_file():
        raise ConfigurationError("there is no such file; add the instance first", path=path)
    _check_times(instance, now, path, {})
    staged = folder / f".{instance.slug}{_SUFFIX}.new"
    try:
        staged.write_text(edited_text(folder, instance, now=now), encoding="utf-8")
        staged.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"can't be written: {error.strerror}; check rights, or change it where it is deployed from", path=path
        ) from None
    finally:
        staged.unlink(missing_ok=True)
    return path
