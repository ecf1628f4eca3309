"""Coming in and going out: sign-in, one-time links, role and language.

Belongs here: their routes. Does not belong here: the protocol (console.signin).
"""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdm_pipelines.console import signin
from cdm_pipelines.console.errors import SignInError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.refusing import sign_in_page
from cdm_pipelines.console.pages.render import LANGUAGE_COOKIE
from cdm_pipelines.privacy.words import Language

_YEAR_SECONDS = 365 * 24 * 3600


def doors(house: House) -> Sequence[Route]:
    """The routes."""
    client = signin.provider(house)

    async def start(request: Request) -> Response:
        return RedirectResponse("/", 303) if client is None else await signin.leave(house, client, request)

    async def done(request: Request) -> Response:
        if client is None:
            raise SignInError("No provider is set up here: sign in with a link.")
        return await signin.come_back(house, client, request)

    def link(request: Request) -> Response:
        if request.method == "POST":
            return signin.by_link(house, request, request.path_params["secret"])
        return sign_in_page(request, link=True)

    def leave(request: Request) -> Response:
        return signin.sign_out(house, request)

    return (
        Route("/sign-in/start", start),
        Route(signin.CALLBACK, done),
        Route("/sign-in/link/{secret}", link, methods=["GET", "POST"]),
        Route("/sign-out", leave, methods=["POST"]),
        Route("/language", language, methods=["POST"]),
        Route("/role", role, methods=["POST"]),
    )


async def language(request: Request) -> Response:
    """Read pages in another language from now on."""
    form = await request.form()
    back = RedirectResponse(signin.own_path(str(form.get("next", "/"))), 303)
    chosen, house = str(form.get("language", "")), request.app.state.house
    if chosen in set(Language):
        back.set_cookie(
            LANGUAGE_COOKIE, chosen, _YEAR_SECONDS, secure=house.secure, httponly=True, samesite="lax"
        )
    return back


async def role(request: Request) -> Response:
    """Act in another of one's roles from now on."""
    form = await request.form()
    await run_in_threadpool(signin.act_in, request.app.state.house, request, str(form.get("role", "")))
    return RedirectResponse("/", 303)
