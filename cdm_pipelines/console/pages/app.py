"""All pages together.

Belongs here: the routes of all pages, those that are there and the one that is not. Does not belong here: single pages.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages import (
    corrections,
    customer,
    figures,
    find,
    plan,
    privacy,
    quality,
    review,
    scorecards,
    sources,
)
from cdm_pipelines.console.pages.doors import doors
from cdm_pipelines.console.pages.refusing import refusing
from cdm_pipelines.console.pages.render import STATIC

PAGES = (find, customer, review, corrections, quality, scorecards, figures, sources, privacy, plan)
"""Modules of pages: each has ``ROUTES``."""


def pages(house: House) -> Sequence[BaseRoute]:
    """The routes of all pages."""
    routes = [*doors(house), *(route for module in PAGES for route in module.ROUTES)]
    routes.append(Route("/{rest:path}", _nothing))
    made = [Route(one.path, refusing(one.endpoint), methods=list(one.methods or {"GET"})) for one in routes]
    return [Mount("/static", StaticFiles(directory=STATIC)), *made]


def _nothing(_: Request) -> Response:
    raise UnknownError("There is no such page.")
