"""Rules of one instance turned off and on, and who is allowed what: changes of its inventory file."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sentinelone_collector.console.catalogue import off_by
from sentinelone_collector.console.context import Context
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.ports import Right
from sentinelone_collector.console.registering import change
from sentinelone_collector.detect import Rule
from sentinelone_collector.instances import Instance, RuleSettings
from sentinelone_collector.instances.model import AllowEntry

__all__ = ["AllowForm", "DisallowForm", "SwitchForm", "allow", "disallow", "switch"]

_FROM_NOW = "it counts from the next window on; tag earlier ones again by collecting them"
_Version = Annotated[str, Field(max_length=64)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class SwitchForm(_Form):
    """Whether a rule is on; `version` is that of the file when the page was shown."""

    enabled: bool
    version: _Version = ""


class AllowForm(_Form):
    """Who (a name, an address, a network or a pattern with `*`) may do what the rule watches, why, and until when."""

    who: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    expires: Annotated[str, Field(max_length=10)] = ""
    version: _Version = ""


class DisallowForm(_Form):
    """The allow entry that is to go, as it stands in the file."""

    rule: Annotated[str, Field(max_length=200)]
    who: Annotated[str, Field(max_length=1000)]
    version: _Version = ""


def switch(ctx: Context, rule: Rule, slug: str, form: SwitchForm) -> dict[str, Any]:
    """Turn a rule on or off for an instance; raise `Refused` (409) where a pattern of the file turns off more."""
    ctx.require(Right.RECONNECT, slug)

    def make(instance: Instance) -> Instance:
        kept = tuple(entry for entry in instance.rules.disable if entry.lower() != rule.name)
        if not form.enabled:
            return _with(instance, disable=(*kept, rule.name))
        left = off_by(rule, _with(instance, disable=kept))
        if left:
            raise Refused(
                409, f"{', '.join(left)} in the file of {slug} turns off more than {rule.name}; edit it there."
            )
        return _with(instance, disable=kept)

    word = "on" if form.enabled else "off"
    action, done = f"rule {rule.name} {word}", f"has {rule.name} {word}; {_FROM_NOW}"
    return _changed(change(ctx, slug, make, action=action[:40], done=done, version=form.version))


def allow(ctx: Context, rule: Rule, slug: str, form: AllowForm) -> dict[str, Any]:
    """Add an allow entry for a rule; one with the same `who` is replaced."""
    ctx.require(Right.RECONNECT, slug)
    entry = AllowEntry(rule=rule.name, who=form.who, reason=form.reason, expires=_expires(ctx, form.expires))

    def make(instance: Instance) -> Instance:
        kept = tuple(each for each in instance.rules.allow if (each.rule, each.who) != (entry.rule, entry.who))
        return _with(instance, allow=(*kept, entry))

    action, done = f"allow {rule.name}", f"allows {form.who} what {rule.name} watches; {_FROM_NOW}"
    return _changed(change(ctx, slug, make, action=action[:40], done=done, version=form.version))


def disallow(ctx: Context, rule: Rule, slug: str, form: DisallowForm) -> dict[str, Any]:
    """Take an allow entry away; raise `Refused` (404) where there is none like it."""
    ctx.require(Right.RECONNECT, slug)

    def make(instance: Instance) -> Instance:
        kept = tuple(each for each in instance.rules.allow if (each.rule, each.who) != (form.rule, form.who))
        if len(kept) == len(instance.rules.allow):
            raise Refused(404, f"{slug} has no such entry any more; load the page again.")
        return _with(instance, allow=kept)

    action, done = f"disallow {rule.name}", f"no longer allows {form.who} what {form.rule} watches; {_FROM_NOW}"
    return _changed(change(ctx, slug, make, action=action[:40], done=done, version=form.version))


def _with(instance: Instance, **changes: Any) -> Instance:
    settings = RuleSettings(**(dict(instance.rules) | changes))
    return instance.model_copy(update={"rules": settings})


def _expires(ctx: Context, text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        sentence = "Write a day like 2026-12-31, or leave it empty."
        raise Refused(422, "Some fields are not right.", fields={"expires": sentence}) from None
    if day < ctx.now().date():
        raise Refused(422, "Some fields are not right.", fields={"expires": "This day is past."})
    return day


def _changed(answer: dict[str, Any]) -> dict[str, Any]:
    # the registry's answer leads to its own page
    return {name: value for name, value in answer.items() if name not in {"location", "state"}}
