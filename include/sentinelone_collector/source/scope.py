"""What part of a console is asked for, as the API's filters."""

from __future__ import annotations

from sentinelone_collector.instances import Scope

__all__ = ["scope_filters"]


def scope_filters(scope: Scope) -> dict[str, str]:
    """Return the filters of a scope; none for an empty one, which means all that the token sees."""
    listed = {"accountIds": scope.account_ids, "siteIds": scope.site_ids}
    return {name: ",".join(ids) for name, ids in listed.items() if ids}
