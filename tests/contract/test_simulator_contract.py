"""The simulated console's answers have the shapes of the vendor's API document."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sentinelone_collector.simulator import Simulator

CONTRACT = Path(__file__).resolve().parents[2].parent / "shared" / "contract" / "sentinelone-mgmt-2.1.json"
BASE = "/web/api/v2.1"
NOW = datetime(2026, 9, 15, 14, 7, 31, 500_000, tzinfo=UTC)
LISTS = ["/threats", "/cloud-detection/alerts", "/agents", "/groups", "/device-control/events"]
PATHS = [
    *("/activities", "/activities/types", "/sites", "/accounts", "/user", "/system/status", "/system/info"),
    *LISTS,
]
# Consoles send them, the document doesn't name them: an always-null key of 2021, a section of alerts.
UNDOCUMENTED = {"applications", "agentRealtimeInfo"}

pytestmark = pytest.mark.skipif(not CONTRACT.exists(), reason="the vendor's document is not part of the repository")


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(CONTRACT.read_bytes())
    return document


@pytest.fixture(scope="module")
def console() -> Iterator[Simulator]:
    options: dict[str, Any] = {"users": 40, "records_per_day": 1_300, "days": 3, "now": lambda: NOW}
    with Simulator(rate_limits=False, scenarios=["takeover", "insider", "mass-uninstall"], **options) as simulator:
        yield simulator


def call(console: Simulator, path: str, body: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(console.url + BASE + path, body, {"Authorization": f"ApiToken {console.token}"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as failure:
        with failure:
            return failure.code, json.load(failure)


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "number": (int, float),
}


def problems(value: object, schema: dict[str, Any], contract: dict[str, Any], where: str) -> Iterator[str]:
    """Yield where a value differs from a schema; null is allowed everywhere, keys may be missing."""
    schema = resolved(schema, contract)
    expected = schema.get("type")
    if value is None:
        return
    if expected and not (isinstance(value, TYPES[expected]) and isinstance(value, bool) == (expected == "boolean")):
        yield f"{where}: {value!r} is no {expected}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not one of {schema['enum'][:8]}"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from problems(item, schema.get("items", {}), contract, f"{where}[{number}]")
    elif isinstance(value, dict) and "properties" in schema:
        yield from (f"{where}.{key}: not known" for key in value.keys() - schema["properties"].keys() - UNDOCUMENTED)
        for key in value.keys() & schema["properties"].keys():
            yield from problems(value[key], schema["properties"][key], contract, f"{where}.{key}")


def resolved(schema: dict[str, Any], contract: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = contract["definitions"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    return found


def schema_of(contract: dict[str, Any], path: str, method: str = "get", status: str = "200") -> dict[str, Any]:
    found: dict[str, Any] = contract["paths"][BASE + path][method]["responses"][status]["schema"]
    return found


@pytest.mark.parametrize("path", PATHS)
def test_answers_have_the_shape_of_the_document(console: Simulator, contract: dict[str, Any], path: str) -> None:
    status, body = call(console, path)
    assert status == 200
    assert body["data"]
    assert list(problems(body, schema_of(contract, path), contract, path)) == []


def test_a_thousand_activities_of_all_kinds_have_it_too(console: Simulator, contract: dict[str, Any]) -> None:
    for order in ("asc", "desc"):
        _, body = call(console, f"/activities?limit=1000&sortBy=activityType&sortOrder={order}")
        assert list(problems(body, schema_of(contract, "/activities"), contract, "activities")) == []
    _, body = call(console, "/activities?limit=1000&sortBy=createdAt&sortOrder=desc")
    assert list(problems(body, schema_of(contract, "/activities"), contract, "activities")) == []


@pytest.mark.parametrize("path", LISTS)
def test_all_records_of_a_list_have_the_documented_shape(
    console: Simulator, contract: dict[str, Any], path: str
) -> None:
    _, body = call(console, f"{path}?limit=1000")
    assert body["pagination"]["totalItems"] <= 1000, "all of it was seen"
    assert list(problems(body, schema_of(contract, path), contract, path)) == []
    documented = resolved(resolved(schema_of(contract, path), contract)["properties"]["data"]["items"], contract)
    sent = {key for row in body["data"] for key in row}
    assert documented["properties"].keys() <= sent, "no documented key is missing everywhere"


@pytest.mark.parametrize("path", LISTS)
def test_each_documented_sort_key_is_known_and_no_other(
    console: Simulator, contract: dict[str, Any], path: str
) -> None:
    parameters = contract["paths"][BASE + path]["get"]["parameters"]
    keys = next(p for p in parameters if p["name"] == "sortBy")["enum"]
    for key in keys:
        status, body = call(console, f"{path}?limit=2&sortBy={key}")
        assert status == 200, (key, body)
    status, body = call(console, f"{path}?sortBy=noSuchKey")
    assert (status, body["errors"][0]["code"]) == (400, 4000010)


@pytest.mark.parametrize("part", ["timeline", "notes"])
def test_parts_of_a_threat_have_the_documented_shape(console: Simulator, contract: dict[str, Any], part: str) -> None:
    path, seen = f"/threats/{{threat_id}}/{part}", 0
    _, threats = call(console, "/threats?limit=1000")
    for threat in threats["data"]:
        status, body = call(console, f"/threats/{threat['id']}/{part}?limit=100")
        assert status == 200
        assert list(problems(body, schema_of(contract, path), contract, path)) == []
        seen += len(body["data"])
    assert seen
    for parameter in contract["paths"][BASE + path]["get"]["parameters"]:
        if parameter["in"] == "query":
            status, body = call(
                console, f"/threats/{threat['id']}/{part}?{parameter['name']}={quote(sample(parameter))}"
            )
            assert status == 200, (parameter["name"], body)
    assert call(console, f"/threats/{threat['id']}/{part}?noSuchParameter=1")[0] == 400


def test_token_details(console: Simulator, contract: dict[str, Any]) -> None:
    status, body = call(console, "/users/api-token-details", json.dumps({"data": {"apiToken": console.token}}).encode())
    assert status == 200
    assert set(body["data"]) == {"createdAt", "expiresAt"}
    assert list(problems(body, schema_of(contract, "/users/api-token-details", "post"), contract, "details")) == []


def sample(parameter: dict[str, Any]) -> str:
    """Make an acceptable value for a parameter."""
    words = parameter.get("enum") or parameter.get("items", {}).get("enum")
    if words:
        return str(words[0])
    name, kind = parameter["name"], parameter.get("items", parameter)["type"]
    of_time = re.fullmatch(r"(\w+(At|Time|Date))__(\w+)", name)
    if of_time:
        return "1789000000000-1789000001000" if of_time[3] == "between" else "2026-09-15T00:00:00Z"
    if name.endswith("__between"):
        return "2-8"
    by_type = {"boolean": "true", "integer": "5"}
    return {"cursor": ""}.get(name, by_type.get(kind, "225494730938493804"))


@pytest.mark.parametrize("path", PATHS)
def test_each_documented_parameter_is_known(console: Simulator, contract: dict[str, Any], path: str) -> None:
    for parameter in contract["paths"][BASE + path]["get"].get("parameters", []):
        if parameter["in"] == "query":
            status, body = call(console, f"{path}?{parameter['name']}={quote(sample(parameter))}")
            assert status == 200, (parameter["name"], body)
    status, _ = call(console, f"{path}?noSuchParameter=1")
    assert status == 400


def test_every_documented_activity_type_may_be_asked_for(console: Simulator, contract: dict[str, Any]) -> None:
    parameters = contract["paths"][BASE + "/activities"]["get"]["parameters"]
    types = next(p for p in parameters if p["name"] == "activityTypes")["items"]["enum"]
    for start in range(0, len(types), 100):
        status, body = call(console, "/activities?limit=1&activityTypes=" + ",".join(types[start : start + 100]))
        assert status == 200, body
    _, catalogue = call(console, "/activities/types")
    assert {int(number) for number in types} <= {row["id"] for row in catalogue["data"]}
