"""The console as one application: guard, sign-in, API and pages.

Belongs here: putting it together, health and metrics. Does not belong here: any of the parts.
"""

import time
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdm_pipelines.console.answers import as_json
from cdm_pipelines.console.api.app import PATH, api
from cdm_pipelines.console.errors import ConsoleError
from cdm_pipelines.console.guard import Guard
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages.app import pages
from cdm_pipelines.console.pages.refusing import refused_page
from cdm_pipelines.console.problems import problem, told


def console(house: House) -> Starlette:
    """The whole console of a deployment."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)

    def refuse(scope: Scope, error: ConsoleError) -> ASGIApp:
        return problem(error) if scope["path"].startswith(f"{PATH}/") else refused_page(house, scope, error)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def ready(_: Request) -> Response:
        found = await run_in_threadpool(_ready, house)
        return Response(as_json(found), 200 if found["ready"] else 503, media_type="application/json")

    made = Starlette(
        routes=[
            Route("/health", lambda _: PlainTextResponse("alive\n")),
            Route("/ready", ready),
            Route("/metrics", metrics),
            Mount(PATH, api(house)),
            *pages(house),
        ],
        middleware=[
            Middleware(Measured, registry=registry),
            Middleware(Guard, origin=house.settings.console_url, refuse=refuse),
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


class Measured:
    """Middleware that counts requests and their seconds, by path as it is declared: no id is in a metric."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        labels = ("method", "path", "status")
        self._requests = Counter("cdm_requests", "Requests.", labels, registry=registry)
        self._seconds = Histogram(
            "cdm_request_seconds",
            "Seconds of a request.",
            ("path",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            path = _declared(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(method, path, str(status)).inc()
            self._seconds.labels(path).observe(time.perf_counter() - began)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _declared(scope: Scope) -> str:
    """The path as it is declared, such as ``/customers/{golden_id}``; ``other`` for one that there is not."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return f"{scope.get('root_path', '')}{path}" if path else "other"
