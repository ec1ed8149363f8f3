"""The OpenAPI description of the JSON API: what FastAPI knows, with the refusals as they really are."""

from __future__ import annotations

from typing import Any

__all__ = ["described"]

_REFUSALS = {
    "401": "Nobody is logged in to Airflow.",
    "403": "The user lacks the right in Airflow, or the change does not come from the console's own pages.",
    "404": "There is no such thing that the user may see.",
    "409": "It does not fit the present state.",
    "422": "Some fields are not right; each has a sentence in `fields`.",
    "429": "Too much of this runs already.",
    "502": "Another part answered what it should not, or could not be read.",
    "503": "Another part does not answer now; try again later.",
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "fields"],
            "additionalProperties": False,
            "properties": {
                "message": {"type": "string", "description": "What is wrong and what to do, for people."},
                "fields": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "Sentences by field of what was sent.",
                },
            },
        }
    },
}


def described(openapi: dict[str, Any], base: str) -> dict[str, Any]:
    """Return a description of the paths below `/api/` alone, for a console that is mounted at `base`."""
    whole = dict(openapi)
    paths = {path: verbs for path, verbs in openapi["paths"].items() if path.startswith("/api/")}
    whole["paths"] = {path: {verb: _operation(each) for verb, each in verbs.items()} for path, verbs in paths.items()}
    components = dict(whole.get("components", {}))
    schemas = dict(components.get("schemas", {}))
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)
    whole["components"] = components | {
        "schemas": schemas | {"Refusal": _ERROR},
        "securitySchemes": {"airflow": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
    }
    whole["security"] = [{"airflow": []}]
    whole["servers"] = [{"url": base}]
    return whole


def _operation(operation: Any) -> Any:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    refusals = {status: {"description": text, "content": content} for status, text in _REFUSALS.items()}
    return {**operation, "responses": {**operation["responses"], **refusals}}
