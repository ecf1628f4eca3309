"""Signing in: with an OpenID Connect provider, or on one's own machine with a one-time link.

Belongs here: the protocol, sessions and their cookie. Does not belong here: who asks on each request after (``house``),
pages (pages).

What is remembered between leaving for the provider and coming back is a row that is taken once: whoever comes back a
second time with the same answer finds nothing. Signing in makes a new session, whatever cookie there was.
"""

import datetime as dt
import logging
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.starlette_client import OAuth, OAuthError
from httpx2 import HTTPError
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cdm_pipelines.console.errors import AwayError, ConsoleError, ForbiddenError, SignInError
from cdm_pipelines.console.house import LASTS, House, address_of
from cdm_pipelines.hub import console as hub

CALLBACK = "/sign-in/done"
_COMING_BACK = dt.timedelta(minutes=10)
LINK_LASTS = dt.timedelta(minutes=30)
_AGAIN = "Sign in again from the first page."
_logger = logging.getLogger(__name__)


def provider(house: House) -> Any:
    """The client of the provider; None where there is none."""
    own = house.settings
    if own.oidc_issuer is None or own.oidc_client_secret is None:
        return None
    oauth = OAuth()
    return oauth.register(
        "provider",
        server_metadata_url=f"{own.oidc_issuer}/.well-known/openid-configuration",
        client_id=own.oidc_client_id,
        client_secret=own.oidc_client_secret.get_secret_value(),
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "timeout": 10},
    )


def own_path(text: str) -> str:
    """A path of the console to go on to; the first page for anything else, other sites above all."""
    parts = urlsplit(text)
    fits = (
        text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    )
    plain = all(character.isprintable() and character != "\\" for character in text)
    return text if fits and plain and len(text) < 2000 else "/"


async def leave(house: House, client: Any, request: Request) -> Response:
    """Send somebody to the provider.

    Raises:
        TooManyError: Too many sign-ins were begun from there.
        AwayError: The provider cannot be reached.
    """
    house.see_not_too_often(address_of(request))
    scope = request.scope
    scope["session"] = {}
    try:
        away: Response = await client.authorize_redirect(request, f"{house.settings.console_url}{CALLBACK}")
    except (HTTPError, OAuthError, ValueError, RuntimeError, KeyError) as error:
        _logger.warning("The provider cannot be reached: %s.", type(error).__name__)
        raise AwayError(
            "The provider that people sign in with cannot be reached. Try again; if it stays so, tell whoever runs "
            "this console to look at CDM_OIDC_ISSUER."
        ) from None
    noted = {"oauth": scope.pop("session"), "next": own_path(request.query_params.get("next", "/"))}

    def begin() -> str:
        with house.engine.begin() as connection:
            return hub.begin_session(connection, hub.SIGNING_IN, _COMING_BACK, noted=noted)

    _set_cookie(house, away, await run_in_threadpool(begin), _COMING_BACK)
    return away


async def come_back(house: House, client: Any, request: Request) -> Response:
    """Sign somebody in whom the provider sent back.

    Raises:
        SignInError: What came back cannot be believed; the text says why and what to do.
        ForbiddenError: The provider names no role.
    """
    secret = request.cookies.get(house.cookie, "")

    def take() -> hub.Session | None:
        with house.engine.begin() as connection:
            return hub.take_session(connection, secret, hub.SIGNING_IN)

    begun = await run_in_threadpool(take) if secret else None
    if begun is None:
        raise SignInError(
            "This sign-in was not begun here, took longer than ten minutes, or was used already. " + _AGAIN
        )
    request.scope["session"] = begun.noted["oauth"]
    claims = await _claims(house, client, request)
    roles = await run_in_threadpool(house.roles_named, claims.get(house.settings.oidc_role_claim))
    who = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])[:200]
    return await run_in_threadpool(signed_in, house, who, roles, str(begun.noted["next"]))


async def _claims(house: House, client: Any, request: Request) -> dict[str, Any]:
    options = {
        "iss": {"essential": True, "value": house.settings.oidc_issuer},
        "aud": {"essential": True, "value": house.settings.oidc_client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
    }
    try:
        token = await client.authorize_access_token(request, claims_options=options, leeway=30)
    except OAuthError as error:
        refused = f"The provider refused the sign-in ({_code(error)})."
        raise SignInError(f"{refused} {_AGAIN}") from None
    except HTTPError:
        raise AwayError("The provider cannot be reached. " + _AGAIN) from None
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise SignInError(
            f"What the provider says cannot be believed ({_code(error)}): it is meant for another program, has "
            f"expired, or is signed by somebody else. {_AGAIN} If it stays so, tell whoever runs this console."
        ) from None
    claims = token.get("userinfo")
    if not claims:
        raise SignInError("The provider does not say who you are: it sent no ID token. " + _AGAIN)
    return dict(claims)


def _code(error: Exception) -> str:
    return str(getattr(error, "error", "") or type(error).__name__)[:60]


def signed_in(house: House, who: str, roles: tuple[str, ...], next_path: str) -> Response:
    """Begin the session of somebody who proved who they are."""
    with house.engine.begin() as connection:
        secret = hub.begin_session(connection, hub.SIGNED_IN, LASTS, who=who, role=roles[0], roles=roles)
    on = RedirectResponse(own_path(next_path), 303)
    _set_cookie(house, on, secret, LASTS)
    return on


def by_link(house: House, request: Request, secret: str) -> Response:
    """Sign somebody in by a one-time link of this machine.

    Raises:
        ForbiddenError: Links do not sign in here.
        SignInError: The link is none, was used, or is too old.
    """
    if not house.local:
        raise ForbiddenError("Links sign in where `cdm serve --local` runs, and nowhere else.")
    house.see_not_locked(address_of(request))
    with house.engine.begin() as connection:
        link = hub.take_session(connection, secret, hub.LINK)
    if link is None:
        house.was_wrong(address_of(request))
        raise SignInError(
            "This link was used, or is older than half an hour: start `cdm serve --local` again."
        )
    return signed_in(house, link.who, link.roles, "/")


def sign_out(house: House, request: Request) -> Response:
    """End a session."""
    secret = request.cookies.get(house.cookie, "")
    if secret:
        with house.engine.begin() as connection:
            hub.end_session(connection, secret)
    on = RedirectResponse("/", 303)
    on.delete_cookie(house.cookie, path="/", secure=house.secure, httponly=True, samesite="lax")
    return on


def act_in(house: House, request: Request, role: str) -> None:
    """Have somebody act in another of their roles.

    Raises:
        ConsoleError: It is none of theirs.
    """
    with house.engine.begin() as connection:
        if not hub.act_in(connection, request.cookies.get(house.cookie, ""), role):
            raise ConsoleError("That is none of your roles.")


def _set_cookie(house: House, response: Response, secret: str, lasts: dt.timedelta) -> None:
    """Lax, since a provider sends people back by a link of its own site; writes are checked by their origin."""
    response.set_cookie(
        house.cookie,
        secret,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=house.secure,
        httponly=True,
        samesite="lax",
    )
