"""The first page: one box that finds a customer, with results as somebody types.

Belongs here: the page and its part. Does not belong here: searching (console.reads).
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdm_pipelines.console import finding
from cdm_pipelines.console.errors import ForbiddenError, RefusedError
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.menu import menu
from cdm_pipelines.console.pages.render import rendered
from cdm_pipelines.console.reads import address_of, name_of
from cdm_pipelines.console.sight import Eyes

_MORE = ("birth_date", "email", "mobile", "phone")
_MOST = 10


def find(request: Request) -> Response:
    """The page."""
    return _answered(request, "find.html")


def hits(request: Request) -> Response:
    """Its results alone, as somebody types."""
    return _answered(request, "hits.html")


def _answered(request: Request, template: str) -> Response:
    with eyes(request, "console find") as one:
        if "/" not in [place for place, _ in menu(one.sight)]:
            places = menu(one.sight)
            if not places:
                raise ForbiddenError(
                    f"The console has no page for the role {one.sight.name}; the API may have."
                )
            return RedirectResponse(places[0][0], 303)
        content = _found(request, one)
        caller, sight = one.caller, one.sight
    return rendered(request, template, caller, sight=sight, **content)


def _found(request: Request, one: Eyes) -> dict[str, Any]:
    typed = " ".join(request.query_params.get("q", "").split())
    if not typed:
        return {"q": "", "hits": [], "problem": ""}
    house = house_of(request)
    try:
        found = finding.search(
            one, typed, house.models(), limit=_MOST, country=house.settings.default_country
        )
    except RefusedError as error:
        return {"q": typed[:300], "hits": [], "problem": str(error)}
    return {
        "q": typed,
        "problem": "",
        "in_part": bool(found) and all(hit.missed for hit in found),
        "of_many": len(found) == 1 and not found[0].missed and not found[0].tells,
        "hits": [
            {
                "golden_id": hit.golden_id,
                "score": hit.score,
                "why": hit.why,
                "missed": hit.missed,
                "name": name_of(hit.values),
                "address": address_of(hit.values),
                "more": next((hit.values[name] for name in _MORE if hit.values.get(name)), ""),
            }
            for hit in found
        ],
    }


ROUTES = (Route("/", find), Route("/hits", hits))
