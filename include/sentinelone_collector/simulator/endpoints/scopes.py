"""GET /sites and GET /accounts: what the caller's scope holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import SECOND, iso
from sentinelone_collector.simulator.listing import Page, table_page
from sentinelone_collector.simulator.org import Place
from sentinelone_collector.simulator.query import (
    PAGING,
    Parser,
    boolean,
    choice,
    csv,
    ids,
    integer,
    paging,
    parse_query,
    scope_ids,
    text,
)
from sentinelone_collector.simulator.records import render
from sentinelone_collector.simulator.routes import Call, Endpoint

__all__ = ["ENDPOINTS"]

Row = dict[str, Any]
Test = Callable[[Row, Any], bool]

_SCOPES = 81
_MOST_LICENSES = 10**9


def _same(field: str) -> Test:
    return lambda row, value: row[field] == value


def _among(field: str) -> Test:
    return lambda row, value: row[field] in value


def _not_among(field: str) -> Test:
    return lambda row, value: row[field] not in value


def _contains(field: str) -> Test:
    return lambda row, value: any(part.lower() in str(row[field] or "").lower() for part in value)


def _query(row: Row, value: str) -> bool:
    return value.lower() in row["name"].lower()


def _never(_row: Row, value: Any) -> bool:
    """Rights that the log reader lacks: asking for them gives nothing."""
    return not value


_STATES = ("active", "expired", "deleted")
_SHARED: Final[dict[str, tuple[Parser, Test]]] = {
    "query": (text, _query),
    "name": (text, _same("name")),
    "expiration": (text, _same("expiration")),
    "createdAt": (text, _same("createdAt")),
    "updatedAt": (text, _same("updatedAt")),
    "sku": (text, lambda row, value: value in row["_skus"]),
    "module": (text, lambda row, value: value in row["_modules"]),
    "isDefault": (boolean, _same("isDefault")),
    "totalLicenses": (integer(-1, _MOST_LICENSES), _same("totalLicenses")),
    "activeLicenses": (integer(0, _MOST_LICENSES), _same("_active")),
    "states": (csv, _among("state")),
    "statesNin": (csv, _not_among("state")),
    "state": (choice(*_STATES), _same("state")),
    "name__contains": (csv, _contains("name")),
    "features": (csv, lambda row, value: bool(value & row["_features"])),
}
_SITE_FILTERS: Final[dict[str, tuple[Parser, Test]]] = {
    **_SHARED,
    "externalId": (text, _same("externalId")),
    "description": (text, _same("description")),
    "registrationToken": (text, _same("registrationToken")),
    "healthStatus": (boolean, _same("healthStatus")),
    "adminOnly": (boolean, _never),
    "availableMoveSites": (boolean, _never),
    "accountId": (ids(1), _among("accountId")),
    "accountIds": (scope_ids, _among("accountId")),
    "siteIds": (scope_ids, _among("id")),
    "accountName__contains": (csv, _contains("accountName")),
    "description__contains": (csv, _contains("description")),
    "siteType": (choice("Trial", "Paid"), _same("siteType")),
    "suite": (choice("Core", "Control", "Complete"), _same("suite")),
}
_ACCOUNT_FILTERS: Final[dict[str, tuple[Parser, Test]]] = {
    **_SHARED,
    "ids": (ids(), _among("id")),
    "accountIds": (ids(), _among("id")),
    "accountType": (choice("Trial", "Paid"), _same("accountType")),
    "usageType": (choice("customer", "mssp", "ir"), _same("usageType")),
    "billingMode": (choice("subscription", "consumption"), _same("billingMode")),
}
_SITE_SORTS: Final = (
    "id", "name", "totalLicenses", "expiration", "siteType", "state", "suite", "createdAt", "updatedAt",
    "activeLicenses", "accountName", "sku", "description", "usageType",
)  # fmt: skip
_ACCOUNT_SORTS: Final = (
    "id", "name", "totalLicenses", "expiration", "accountType", "state", "createdAt", "updatedAt", "activeLicenses",
    "activeAgents", "numberOfSites", "usageType", "billingMode",
)  # fmt: skip


def _licenses() -> dict[str, object]:
    surface = {"count": -1, "name": "Total Agents"}
    bundle = {
        "displayName": "Complete",
        "majorVersion": 1,
        "minorVersion": 1,
        "name": "complete",
        "surfaces": [surface],
        "totalSurfaces": -1,
    }
    return {
        "bundles": [bundle],
        "modules": [{"displayName": "STAR", "majorVersion": 1, "name": "star"}],
        "settings": [],
    }


def _common(place: Place, dice: Dice, active: int) -> Row:
    made = 1_560_000_000 + dice.below(100_000_000)
    return {
        "_active": active,
        "_features": {"firewall-control", "device-control"},
        "_modules": {"star"},
        "_skus": {"Complete"},
        "createdAt": iso(made * SECOND + dice.below(SECOND)),
        "creator": "Anneke Abara",
        "creatorId": str(dice.big_id()),
        "expiration": None,
        "externalId": None,
        "id": place.scope_id,
        "isDefault": False,
        "licenses": _licenses(),
        "name": place.block["scopeName"],
        "state": "active",
        "totalLicenses": -1,
        "unlimitedExpiration": True,
        "updatedAt": iso((made + 90_000_000) * SECOND + dice.below(SECOND)),
        "usageType": "customer",
    }


def _site_rows(call: Call) -> list[Row]:
    org = call.world.org
    agents = Counter(org.places[agent.place].site_id for agent in org.agents)
    rows = []
    for number, place in enumerate(org.places):
        if place.level == "site" and call.scope.covers(place):
            dice = Dice(org.seed, _SCOPES, number)
            rows.append(
                _common(place, dice, agents[place.site_id])
                | {
                    "accountId": place.account_id,
                    "accountName": place.account_name,
                    "activeLicenses": agents[place.site_id],
                    "description": f"{place.site_name}, {place.account_name}",
                    "healthStatus": True,
                    "inheritAccountExpiration": True,
                    "irFields": None,
                    "registrationToken": dice.hex(64),
                    "siteType": "Paid",
                    "sku": "Complete",
                    "suite": "Complete",
                    "unlimitedLicenses": True,
                }
            )
    return rows


def _account_rows(call: Call) -> list[Row]:
    org = call.world.org
    agents = Counter(org.places[agent.place].account_id for agent in org.agents)
    sites = Counter(place.account_id for place in org.places if place.level == "site")
    seen = {place.account_id for place in org.places if place.account_id and call.scope.covers(place)}
    counters = ("agentsInCoreSku", "agentsInControlSku", "coreSites", "controlSites", "totalCore", "totalControl")
    rows = []
    for number, place in enumerate(org.places):
        if place.level == "account" and place.account_id in seen:
            count = agents[place.account_id]
            rows.append(
                _common(place, Dice(org.seed, _SCOPES, number), count)
                | dict.fromkeys(counters, 0)
                | {
                    "accountType": "Paid",
                    "activeAgents": count,
                    "agentsInCompleteSku": count,
                    "billingMode": "subscription",
                    "completeSites": sites[place.account_id],
                    "irFields": None,
                    "makeSocDefaultUi": False,
                    "numberOfSites": sites[place.account_id],
                    "salesforceId": None,
                    "skus": [{"agentsInSku": count, "totalLicenses": -1, "type": "Complete", "unlimited": True}],
                    "totalComplete": -1,
                    "unlimitedComplete": True,
                    "unlimitedControl": False,
                    "unlimitedCore": False,
                }
            )
    return rows


def _table(
    call: Call, view: str, rows: list[Row], filters: Mapping[str, tuple[Parser, Test]], sorts: tuple[str, ...]
) -> Page:
    parsers = {**PAGING, "sortBy": choice(*sorts), **{name: parser for name, (parser, _) in filters.items()}}
    values = parse_query(call.request.query, parsers)
    wanted = [(filters[name][1], value) for name, value in values.items() if name in filters]
    chosen = [row for row in rows if all(test(row, value) for test, value in wanted)]
    return table_page(view, paging(values, view, ("id", False)), chosen, _write)


def _write(row: Row) -> bytes:
    return render(0, int(row["id"]), {name: value for name, value in row.items() if not name.startswith("_")})


def _sites(call: Call) -> Page:
    rows = _site_rows(call)
    totals = b'{"activeLicenses":%d,"totalLicenses":-1}' % sum(row["_active"] for row in rows)
    page = _table(call, "SiteView", rows, _SITE_FILTERS, _SITE_SORTS)
    # Here, and only here, `data` is an object: the rows stand beside the totals.
    return replace(page, wrap=lambda data: b'{"allSites":' + totals + b',"sites":' + data + b"}")


def _accounts(call: Call) -> Page:
    return _table(call, "AccountView", _account_rows(call), _ACCOUNT_FILTERS, _ACCOUNT_SORTS)


ENDPOINTS = (
    Endpoint("GET", "/sites", _sites, (100, 10), permission="Sites.view"),
    Endpoint("GET", "/accounts", _accounts, (100, 10), permission="Accounts.view"),
)
