"""Samples of rules: short ways of writing events, turned into full rows of the events' schema.

Keys may be dotted (`actor.user.name: ann`). Beside OCSF names an event of a sample may have `x-at` (how long after the
sample's begin, like 5m) or `x-ago` (how long before it), `x-repeat` (how many such events), `x-every` (their distance);
`{n}` in a text is the number of the repetition, from 1 on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sentinelone_collector.detect.spec import Sample
from sentinelone_collector.instances.model import Duration

__all__ = ["BEGIN", "checked_events"]

BEGIN = datetime(2026, 1, 14, 12, tzinfo=UTC)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
_MOST = 10_000


def checked_events(sample: Sample, base: dict[str, Any], schema: Any, *, repeated: bool = True) -> list[dict[str, Any]]:
    """Return the sample's events as rows of the schema, in order; raise `ValueError` where one does not fit.

    Without `repeated` only the first of those that differ by number and time: enough to see whether they fit.
    """
    shapes = [sample] if isinstance(sample, dict) else sample
    if not shapes:
        raise ValueError("it holds no event")
    rows: list[dict[str, Any]] = []
    for shape in shapes:
        first = len(rows)
        for row in _repeated(_merge(_nest(base), _nest(shape)), repeated=repeated):
            row.setdefault("metadata", {}).setdefault("uid", f"sample-{len(rows)}")
            if isinstance(row.get("unmapped"), dict):
                row["unmapped"] = json.dumps(row["unmapped"], sort_keys=True)
            rows.append(row)
        _check(rows[first], schema, "")  # its repetitions hold values of the same types
    return rows


def _nest(shape: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in shape.items():
        content: Any = _nest(value) if isinstance(value, dict) else value
        for part in reversed(str(key).split(".")):
            content = {part: content}
        nested = _merge(nested, content)
    return nested


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _repeated(shape: dict[str, Any], *, repeated: bool) -> list[dict[str, Any]]:
    body = {key: value for key, value in shape.items() if not key.startswith("x-")}
    extra = {key: value for key, value in shape.items() if key.startswith("x-")}
    unknown = extra.keys() - {"x-at", "x-ago", "x-repeat", "x-every"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is unknown; there are x-at, x-ago, x-repeat and x-every")
    times = extra.get("x-repeat", 1)
    if not isinstance(times, int) or not 1 <= times <= _MOST:
        raise ValueError(f"x-repeat is a number from 1 to {_MOST}")
    first = BEGIN + _span(extra.get("x-at", "0s")) - _span(extra.get("x-ago", "0s"))
    every = _span(extra.get("x-every", "0s"))
    rows = []
    for n in range(times if repeated else 1):
        row = _numbered(body, n + 1)
        row.setdefault("time", int((first + n * every).timestamp() * 1000))
        rows.append(row)
    return rows


def _span(text: Any) -> timedelta:
    try:
        return _DURATION.validate_python(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from error


def _numbered(value: Any, n: int) -> Any:
    if isinstance(value, dict):
        return {key: _numbered(inner, n) for key, inner in value.items()}
    return value.replace("{n}", str(n)) if isinstance(value, str) else value


def _check(value: dict[str, Any], schema: Any, above: str) -> None:
    for key, inner in value.items():
        index = schema.get_field_index(key)
        if index < 0:
            raise ValueError(f"events have no field {above}{key!s}")
        _check_value(inner, schema.field(index).type, f"{above}{key}")


def _check_value(value: Any, kind: Any, name: str) -> None:
    import pyarrow as pa

    if value is None:
        return
    if pa.types.is_struct(kind) and isinstance(value, dict):
        _check(value, kind, f"{name}.")
    elif pa.types.is_list(kind) and isinstance(value, list):
        for item in value:
            _check_value(item, kind.value_type, name)
    elif not isinstance(value, _python_type(kind)) or (isinstance(value, bool) and not pa.types.is_boolean(kind)):
        raise ValueError(f"{name} holds {kind}, not {value!r}")


def _python_type(kind: Any) -> tuple[type, ...]:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return (bool,)
    if pa.types.is_integer(kind):
        return (int,)
    if pa.types.is_floating(kind):
        return (int, float)
    return (str,) if pa.types.is_string(kind) else ()
