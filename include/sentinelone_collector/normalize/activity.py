"""One activity on its way into a row, and what more than one kind of object says about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentinelone_collector.normalize.findings import Finding, put
from sentinelone_collector.normalize.table import Route
from sentinelone_collector.normalize.values import text

__all__ = ["SCOPE_READS", "Activity", "first", "organisation", "transition"]

# `.x` is a field of the record itself, the others stand in `data`.
SCOPE_READS: Final = (
    *(".accountId", ".accountName", ".siteId", ".siteName", ".groupId", ".groupName"),
    *("accountname", "sitename", "groupname"),
)


@dataclass(slots=True)
class Activity(Finding):
    """One activity; `data` has folded keys, `by_user` says that a console user acted."""

    route: Route
    by_user: bool = False


def first(activity: Activity, names: tuple[str, ...]) -> str | None:
    """Return the first text among fields; `.x` is a field of the record itself."""
    for name in names:
        value = activity.record.get(name[1:]) if name.startswith(".") else activity.data.get(name)
        found = text(value)
        if found is not None:
            return found
    return None


def organisation(activity: Activity, path: str) -> None:
    """Write the account, and the site as its unit, in which it happened."""
    row = activity.row
    account, name = first(activity, (".accountId",)), first(activity, (".accountName", "accountname"))
    if account is None and name is None:
        return
    put(row, path + ".uid", account)
    put(row, path + ".name", name)
    put(row, path + ".ou_uid", first(activity, (".siteId",)))
    put(row, path + ".ou_name", first(activity, (".siteName", "sitename")))


def transition(activity: Activity) -> None:
    """Write from what to what a type with a `change` in the routing table changed its object."""
    if not activity.route.change:
        return
    before, *after = activity.route.change
    old, new = first(activity, (before,)), first(activity, tuple(after))
    if new is not None and new != old:
        activity.row["status_detail"] = f"{'unknown' if old is None else old} -> {new}"
