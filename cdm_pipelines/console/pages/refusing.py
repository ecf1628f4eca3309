"""What a page says when it cannot be shown.

Belongs here: from an error to a page in words; somebody who is not signed in is asked to. Does not belong here: kinds
of refusal (console.errors), problems of the API.
"""

import inspect
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from cdm_pipelines.console.caller import Caller
from cdm_pipelines.console.errors import ConsoleError, SignInError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.render import rendered
from cdm_pipelines.console.problems import understood
from cdm_pipelines.console.sight import Sight

Page = Callable[[Request], Any]


def refusing(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page that says in words why it cannot be shown."""

    async def answered(request: Request) -> Response:
        try:
            if inspect.iscoroutinefunction(page):
                found: Response = await page(request)
                return found
            return await run_in_threadpool(page, request)
        except SignInError as error:
            if request.method == "GET" and not request.url.path.startswith("/sign-in"):
                return sign_in_page(request, status=401)
            known: ConsoleError = error
        except Exception as error:
            known = understood(error)
        return await run_in_threadpool(_refused, request, known)

    return answered


def sign_in_page(request: Request, *, link: bool = False, status: int = 200) -> Response:
    """The page that asks somebody to sign in, and leads on to where they wanted to go."""
    provider = request.app.state.house.settings.oidc_issuer is not None
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return rendered(
        request, "sign-in.html", None, status, sight=None, link=link, provider=provider, next=wanted
    )


def _refused(request: Request, error: ConsoleError) -> Response:
    caller, sight = _who(request)
    return rendered(request, "problem.html", caller, error.status, sight=sight, error=error)


def _who(request: Request) -> tuple[Caller | None, Sight | None]:
    """Who asks, for the head of the page; nobody where that is what is wrong."""
    house: House = request.app.state.house
    try:
        with house.engine.begin() as connection:
            caller = house.caller(connection, request)
        return caller, house.sights.of(caller.role)
    except Exception:
        return None, None


def refused_page(house: House, scope: Scope, error: ConsoleError) -> ASGIApp:
    """The page of a request that the guard refused before it reached an application."""
    scope.setdefault("app", SimpleNamespace(state=SimpleNamespace(house=house)))
    return rendered(Request(scope), "problem.html", None, error.status, sight=None, error=error)
