"""The JSON API against its own description: no request makes it fail, and every answer is what it says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from tests.console.conftest import NOW, SAME_ORIGIN, Console, write_receipt_of

_HEADERS = {**SAME_ORIGIN, "X-Role": "op"}
_CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]


@pytest.fixture
def described(console: Console) -> Any:
    instance = console.register("emea", every="1h")
    write_receipt_of(console.site, instance, instance.calendar.last_ended(NOW))
    return schemathesis.openapi.from_asgi("/api/openapi.json", console.client.app, headers=_HEADERS)


def test_no_request_makes_the_api_fail(described: Any) -> None:
    operations = [result.ok() for result in described.get_all_operations()]
    assert {operation.method.upper() for operation in operations} == {"GET", "POST", "PUT", "DELETE"}
    for operation in operations:

        @settings(max_examples=5, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            case.call_and_validate(headers=_HEADERS, checks=_CHECKS)

        check()
