"""Who owns the token, and how long it lives: /user, /users/…/api-token-details, /users/viewer-auth-check."""

from __future__ import annotations

import json
from datetime import datetime

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import snowflake
from sentinelone_collector.simulator.messages import Response, json_response, not_found, validation
from sentinelone_collector.simulator.query import boolean, parse_query, scope_ids
from sentinelone_collector.simulator.routes import Call, Endpoint
from sentinelone_collector.simulator.tokens import Token
from sentinelone_collector.simulator.world import World

__all__ = ["ENDPOINTS"]

_OWNER = 71
_SCOPE_PARAMETERS = {"siteIds": scope_ids, "accountIds": scope_ids, "groupIds": scope_ids, "tenant": boolean}


def _time(moment: datetime) -> str:
    """Write a time of a token: without fraction."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _life(token: Token) -> dict[str, str]:
    return {"createdAt": _time(token.created), "expiresAt": _time(token.expires)}


def _owner_id(world: World, token: Token) -> str:
    """Give the id of the service user that owns a token; one for each scope."""
    dice = Dice(world.options.seed, _OWNER, *"/".join((*token.scope.account_ids, *token.scope.site_ids)).encode())
    return str(snowflake(1_704_067_200_000 + dice.below(1 << 30), dice.below(1 << 23)))


def _scope_roles(call: Call, token: Token) -> list[dict[str, object]]:
    role_id = str(snowflake(1_546_300_800_000, 77))
    return [
        {
            "accountName": place.account_name,
            "id": place.scope_id,
            "name": place.block["scopeName"],
            "roleId": role_id,
            "roleName": token.role,
            "roles": [token.role],
        }
        for place in call.world.org.places
        if place.level == call.scope.level and call.scope.covers(place)
    ]


def _user(call: Call) -> Response:
    parse_query(call.request.query, _SCOPE_PARAMETERS)
    token = call.token
    if token is None:
        return not_found()
    roles = _scope_roles(call, token)
    document = {
        "agreedEula": True,
        "allowRemoteShell": False,
        "apiToken": _life(token),
        "canGenerateApiToken": False,
        "dateJoined": _time(token.created),
        "email": "svc-log-reader@aldermoor.example.com",
        "emailReadOnly": True,
        "emailVerified": True,
        "firstLogin": None,
        "fullName": "svc-log-reader",
        "fullNameReadOnly": True,
        "groupsReadOnly": True,
        "id": _owner_id(call.world, token),
        "isSystem": False,
        "lastLogin": None,
        "lowestRole": token.role,
        "primaryTwoFaMethod": "application",
        "scope": token.scope.level,
        "scopeRoles": [] if token.scope.level == "tenant" else roles,
        "siteRoles": roles if token.scope.level == "site" else [],
        "source": "mgmt",
        "tenantRoles": [token.role] if token.scope.level == "tenant" else [],
        "twoFaConfigured": False,
        "twoFaEnabled": False,
        "twoFaStatus": "not_configured",
    }
    return json_response({"data": document})


def _details_of_text(call: Call) -> Response:
    parse_query(call.request.query, {})
    try:
        body = json.loads(call.request.body)
        text = body["data"]["apiToken"]
    except (ValueError, TypeError, KeyError):
        raise validation("apiToken: Missing data for required field.") from None
    found = call.world.find_token(text) if isinstance(text, str) else None
    if found is None:
        raise validation("apiToken: Invalid API token")
    return json_response({"data": _life(found)})


def _details_of_user(call: Call) -> Response:
    parse_query(call.request.query, {})
    if call.token is None or call.path_ids != (_owner_id(call.world, call.token),):
        return not_found()
    return json_response({"data": _life(call.token)})


def _check(call: Call) -> Response:
    parse_query(call.request.query, {})
    return json_response({"data": {"success": True}})


ENDPOINTS = (
    Endpoint("GET", "/user", _user, (2, 5)),
    Endpoint("POST", "/users/api-token-details", _details_of_text, (40, 80)),
    Endpoint("GET", "/users/{}/api-token-details", _details_of_user, (40, 80)),
    Endpoint("GET", "/users/viewer-auth-check", _check, (40, 80)),
)
