"""Who did it: the actor of an activity, by the rule that the routing table names.

rule              actor
user              `byUser`, else `username`, with the record's `userId`; the console where the record names nobody
target            the same; the table uses it where `username` is a user that something is done to
target_or_system  `byUser` only; otherwise the console did it by itself
login             the account that logs in
agent             `byUser` or `username`, else the agent
system            the console by itself
system_or_user    `username` where there is one, else the console
scan              the console where `system` is true, else as user
cloud             SentinelOne's cloud; `username` is a placeholder then
detection         nobody: an engine or a rule found something

`sourceType` API says that a user acted with a token: the actor's application is the API then. `realUser` is the person
behind an account that acts for somebody else, kept as the actor's other id.
"""

from __future__ import annotations

from typing import Final

from sentinelone_collector.normalize.columns import Row
from sentinelone_collector.normalize.ocsf import Observable, observable
from sentinelone_collector.normalize.shapes import Fields
from sentinelone_collector.normalize.values import direction, email, text

__all__ = ["ACTOR_READS", "AGENT", "CONSOLE", "RULES", "actor", "user"]

CONSOLE: Final = "SentinelOne Management Console"
AGENT: Final = "SentinelOne Agent"
_API: Final = "SentinelOne Management API"
_CLOUD: Final = "SentinelOne Cloud"
RULES: Final = frozenset(
    {
        "agent",
        "cloud",
        "detection",
        "login",
        "scan",
        "system",
        "system_or_user",
        "target",
        "target_or_system",
        "user",
    }
)
ACTOR_READS: Final = (
    "byuser",
    "username",
    "realuser",
    "sourcetype",
    "system",
    ".userId",
)  # `.x` is a field of the record itself


def user(row: Row, path: str, name: str | None, uid: str | None, observables: list[Observable]) -> bool:
    """Write a console user at a path (`user`, `actor.user`); return False where neither name nor id is known."""
    if name is not None:
        row[path + ".name"] = name
        observables.append(observable(path + ".name", 4, name))
        address = email(name)
        if address is not None:
            row[path + ".email_addr"] = address
            observables.append(observable(path + ".email_addr", 5, address))
    if uid is not None:
        row[path + ".uid"] = uid
    return name is not None or uid is not None


def actor(rule: str, row: Row, record: Fields, data: Fields, seen: list[Observable]) -> bool:
    """Write the actor; return whether it is a console user. `seen` takes the observables."""
    if rule == "detection":
        return False
    by_itself = (
        rule in {"system", "cloud"}
        or (rule == "scan" and direction(data.get("system")) == "on")
        or (rule == "target_or_system" and text(data.get("byuser")) is None)
    )
    if not by_itself:
        real = text(data.get("realuser"))
        name = text(data.get("byuser")) or text(data.get("username")) or real
        uid = None if rule in {"agent", "system_or_user"} and name is None else text(record.get("userId"))
        if user(row, "actor.user", name, uid, seen):
            _means(row, data, None if real == name else real, seen)
            return True
    if rule == "agent":
        row["actor.app_name"] = AGENT
        uid = text(record.get("agentId"))
        if uid is not None:
            row["actor.app_uid"] = uid
    else:
        row["actor.app_name"] = _CLOUD if rule == "cloud" else CONSOLE
    return False


def _means(row: Row, data: Fields, real: str | None, seen: list[Observable]) -> None:
    if real is not None:
        row["actor.user.uid_alt"] = real
        seen.append(observable("actor.user.uid_alt", 4, real))
    if (text(data.get("sourcetype")) or "").upper() == "API":
        row["actor.app_name"] = _API
