"""Templates: everything that comes from outside is escaped, times are UTC with the local time on hover."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sentinelone_collector import __version__
from sentinelone_collector.console.listing import navigation
from sentinelone_collector.windows import as_utc, iso, parse_time

__all__ = ["ago", "render"]

_STEPS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def _moment(value: datetime | str | int | None) -> Markup:
    """Return a `<time>` element for a moment: a datetime, an ISO text, or milliseconds since 1970."""
    if value is None or value == "":
        return Markup('<span class="muted">–</span>')
    moment = _as_datetime(value)
    shown = moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
    text = iso(moment)
    return Markup('<time datetime="{}" title="{}">{} UTC</time>').format(text, text, shown)


def _as_datetime(value: datetime | str | int) -> datetime:
    if isinstance(value, int):
        from datetime import UTC

        return datetime.fromtimestamp(value / 1000, UTC)
    return as_utc(value) if isinstance(value, datetime) else parse_time(value)


def ago(span: timedelta) -> str:
    """Return a duration as people say it, `3 hours`."""
    seconds = max(int(span.total_seconds()), 0)
    for size, word in _STEPS:
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "0 seconds"


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _query(**values: Any) -> str:
    """Return a query string with its question mark, without the values that are None or empty."""
    given = {name: value for name, value in values.items() if value not in {None, ""}}
    return f"?{urlencode(given, doseq=True)}" if given else ""


def _attributes(**values: Any) -> Markup:
    pairs = (Markup(' {}="{}"').format(name.replace("_", "-"), value) for name, value in values.items() if value)
    return Markup("").join(pairs)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sentinelone_collector.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": _moment, "number": _number, "ago": ago, "e": escape}
    environment.globals |= {"query": _query, "attributes": _attributes, "version": __version__}
    return environment


def render(template: str, **values: Any) -> str:
    """Return a template's text; raise `jinja2.UndefinedError` for a value that is missing."""
    return _environment().get_template(template).render(navigation=navigation(), **values)
