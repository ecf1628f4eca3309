"""The API as an application: its paths, its description, and what becomes of errors.

Belongs here: that. Does not belong here: single paths.
"""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from cdm_pipelines.console.api import changes, consent, customers, decisions, match, rights
from cdm_pipelines.console.api.models import Problem
from cdm_pipelines.console.errors import ConsoleError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.problems import invalid, problem

PATH = "/v1"


class _MethodError(ConsoleError):
    status, kind, title = 405, "method", "Not this method"


class _NothingError(ConsoleError):
    status, kind, title = 404, "not-found", "Not found"


def api(house: House) -> FastAPI:
    """The API of a deployment."""
    app = FastAPI(
        title="Customers",
        version="1",
        summary="One customer, wherever it was known from.",
        description="Every answer holds what the caller's role may see, and no more.",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
    )
    app.state.house, app.state.streams = house, set()
    for one in (customers, match, decisions, consent, rights, changes):
        app.include_router(one.router)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as it was registered
    return invalid(error.errors())


def _http(_: Request, error: Exception) -> Response:
    if isinstance(error.__cause__, ConsoleError):  # of a body that was read no further
        return problem(error.__cause__)
    status = getattr(error, "status_code", 400)
    if status == 404:
        return problem(_NothingError("There is no such path; /v1/openapi.json has all of them."))
    if status == 405:
        answer = problem(_MethodError("This path does not take that method; see /v1/openapi.json."))
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer
    return problem(ConsoleError("The request cannot be read."))


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version=app.openapi_version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            servers=[{"url": PATH}],
        )
        parts = found.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "Of `cdm token make`."}
        }
        found["security"] = [{"key": []}]
        app.openapi_schema = found
    return app.openapi_schema
