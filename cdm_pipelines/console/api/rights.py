"""``/privacy/requests``: what persons ask about their data.

Belongs here: listing requests, and those that are answered at once. Does not belong here: what each does
(steps.rights).
"""

import datetime as dt
from typing import Any

from fastapi import APIRouter, Request, Response

from cdm_pipelines.console import writes
from cdm_pipelines.console.answers import answer, page
from cdm_pipelines.console.api import models
from cdm_pipelines.console.api.asking import REFUSALS, IdempotencyKey, Told, house_of, written
from cdm_pipelines.console.api.customers import Cursor, Limit
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.steps.rights.requests import tracked

router = APIRouter(prefix="/privacy", tags=["privacy"], responses=REFUSALS, route_class=Told)


@router.get("/requests", response_model=models.RequestsOfPersons)
def requests(request: Request, cursor: Cursor = "", limit: Limit = 100) -> Response:
    """All requests of persons, the newest first, and which are late."""
    with house_of(request).eyes(request, Scope.READ, "GET /v1/privacy/requests") as eyes:
        eyes.sight.see_that_may("requests")
        found = tracked(eyes.connection, dt.datetime.now(dt.UTC).date())
    rows = [
        {
            "request": one.request.request_id,
            "kind": one.request.kind,
            "state": one.request.state,
            "received_at": one.request.received_at,
            "due_on": one.request.due_on,
            "closed_at": one.request.closed_at,
            "late": one.late,
            "checked_by": one.request.checked_by,
            "reason": one.request.reason,
        }
        for one in reversed(found)
    ]
    return answer(request, page(rows, cursor, limit))


@router.post("/requests", response_model=models.Done, status_code=201)
def ask(request: Request, body: models.Asked, idempotency_key: IdempotencyKey = None) -> Response:
    """Restrict, object, lift or rectify: recorded and done."""
    settings = house_of(request).settings

    def work(eyes: Eyes) -> tuple[int, dict[str, Any]]:
        wanted = writes.Wanted(
            body.kind, customer=body.customer, attribute=body.attribute, value=body.value, reason=body.reason
        )
        done = writes.answer_request(eyes, settings, body.kind, wanted, body.purpose)
        return 201, {"kind": body.kind, **vars(done)}

    return written(request, "POST /v1/privacy/requests", body.model_dump(mode="json"), idempotency_key, work)
