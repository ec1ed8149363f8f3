"""The console as an ASGI application: pages, API, static files, and the guards that stand before all of them."""

from __future__ import annotations

import logging
import secrets
from functools import cache
from importlib import resources

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from sentinelone_collector import __version__
from sentinelone_collector.console.context import Context
from sentinelone_collector.console.describing import described
from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.listing import api_modules, page_modules
from sentinelone_collector.console.ports import Ports, Right, User
from sentinelone_collector.console.rendering import render
from sentinelone_collector.console.security import SecurityHeaders, refuse_forged
from sentinelone_collector.errors import CollectorError, ConfigurationError, RetryableError, UsageError

__all__ = ["create_app"]

_log = logging.getLogger(__name__)
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_WORDS = {
    401: "You are not logged in to Airflow, or your session has ended.",
    403: "You do not have the right to do this in Airflow; ask an administrator.",
    404: "There is nothing at this address.",
    405: "This address does not take such a request.",
}


def create_app(ports: Ports) -> FastAPI:
    """Return the console; every route of it asks `ports.authenticate` first and the right to read DAGs next."""

    async def guard(request: Request, user: User = Depends(ports.authenticate)) -> None:  # noqa: B008  # FastAPI's form
        refuse_forged(request)
        context = Context(request, user, ports, ports.airflow(request))
        context.require(Right.VIEW)
        request.state.console = context

    # FastAPI's own description and pages of it would answer anybody
    app = FastAPI(
        title="SentinelOne Collector",
        version=__version__,
        dependencies=[Depends(guard)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(SecurityHeaders)
    for module in (*page_modules(), *api_modules()):
        app.include_router(module.router)
    app.add_api_route("/static/{name}", _static, methods=["GET"], include_in_schema=False)
    app.add_api_route("/api/openapi.json", _description, methods=["GET"], include_in_schema=False)
    for kind in (StarletteHTTPException, RequestValidationError, CollectorError, Exception):
        app.add_exception_handler(kind, _failure)
    return app


async def _description(request: Request) -> JSONResponse:
    """Describe the JSON API (OpenAPI)."""
    return JSONResponse(described(request.app.openapi(), str(request.scope.get("root_path", ""))))


@cache
def _static_files() -> dict[str, bytes]:
    folder = resources.files("sentinelone_collector.console").joinpath("static")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


async def _static(name: str) -> Response:
    content = _static_files().get(name)
    kind = next((kind for suffix, kind in _TYPES.items() if name.endswith(suffix)), None)
    if content is None or kind is None:
        raise HTTPException(404)
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=300"})


def _answer_of(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Return status, words and words at fields for an error; an unexpected one says only where to look."""
    if isinstance(error, Refused):
        return error.status, error.text, dict(error.fields)
    if isinstance(error, RequestValidationError):
        # what was sent may be a secret: it is not shown
        fields = {str(problem["loc"][-1]): problem["msg"].removeprefix("Value error, ") for problem in error.errors()}
        return 422, "Some fields are not right.", fields
    if isinstance(error, StarletteHTTPException):
        return error.status_code, _WORDS.get(error.status_code, str(error.detail)), {}
    if isinstance(error, (UsageError, ConfigurationError)):
        return 422, str(error), {}
    if isinstance(error, CollectorError):
        return 503 if isinstance(error, RetryableError) else 502, str(error), {}
    mark = secrets.token_hex(4)
    _log.error("console: error %s", mark, exc_info=error)
    return 500, f"Something went wrong that should not. The log of Airflow's API server tells more: error {mark}.", {}


async def _failure(request: Request, error: Exception) -> Response:
    status, text, fields = _answer_of(error)
    path = request.url.path.removeprefix(str(request.scope.get("root_path", "")))
    if path.startswith("/api/"):
        return JSONResponse({"error": {"message": text, "fields": fields}}, status_code=status)
    base = str(request.scope.get("root_path", "")).rstrip("/")
    return HTMLResponse(render("error.html", base=base, status=status, text=text), status_code=status)
