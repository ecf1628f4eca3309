"""The console as one application: guard, sign-in, API and pages.

Belongs here: putting it together, and health. Does not belong here: any of the parts.
"""

from typing import Any

from sqlalchemy import text
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Scope

from cdm_pipelines.console.answers import as_json
from cdm_pipelines.console.api.app import PATH, api
from cdm_pipelines.console.crowd import Crowd
from cdm_pipelines.console.errors import ConsoleError
from cdm_pipelines.console.guard import Guard
from cdm_pipelines.console.house import House
from cdm_pipelines.console.metrics import Measured, Metrics
from cdm_pipelines.console.pages.app import pages
from cdm_pipelines.console.pages.refusing import refused_page
from cdm_pipelines.console.problems import problem, told


def console(house: House, metrics: Metrics | None = None) -> Starlette:
    """The whole console of a deployment; what is counted is told by ``metrics`` where several processes count."""
    counted = metrics or Metrics()

    def refuse(scope: Scope, error: ConsoleError) -> ASGIApp:
        return problem(error) if scope["path"].startswith(f"{PATH}/") else refused_page(house, scope, error)

    async def ready(_: Request) -> Response:
        found = await run_in_threadpool(_ready, house)
        return Response(as_json(found), 200 if found["ready"] else 503, media_type="application/json")

    made = Starlette(
        routes=[
            Route("/health", lambda _: PlainTextResponse("alive\n")),
            Route("/ready", ready),
            Route("/metrics", counted.answer),
            Mount(PATH, api(house)),
            *pages(house),
        ],
        middleware=[
            Middleware(Measured, metrics=counted),
            Middleware(Guard, origin=house.settings.console_url, refuse=refuse),
            Middleware(Crowd, refuse=refuse),
        ],
    )
    made.state.house = house
    return made


def _ready(house: House) -> dict[str, Any]:
    """Whether the hub answers, and what was published last."""
    try:
        with house.engine.connect() as connection:
            row = connection.execute(
                text("SELECT publication_id, published_at FROM ops.publication ORDER BY 1 DESC LIMIT 1")
            ).first()
        return {"ready": True, "publication": None if row is None else int(row[0])}
    except Exception as error:
        known = told(error)
        return {"ready": False, "why": str(known) if known else type(error).__name__}
