"""``/consent``: what customers say at a touch point.

Belongs here: from a request to a statement. Does not belong here: what is in force (privacy.consent, steps.consent).
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from cdm_pipelines.console import writes
from cdm_pipelines.console.api import models
from cdm_pipelines.console.api.asking import REFUSALS, IdempotencyKey, Told, house_of, written
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.steps.consent.said import Statement

router = APIRouter(tags=["consent"], responses=REFUSALS, route_class=Told)


@router.post("/consent", response_model=models.TakenDown, status_code=201)
def say(request: Request, body: models.Said, idempotency_key: IdempotencyKey = None) -> Response:
    """Take down that a customer gives, refuses or withdraws consent, or objects; it is in force at once."""
    settings = house_of(request).settings

    def work(eyes: Eyes) -> tuple[int, dict[str, Any]]:
        done = writes.take_down(eyes, settings, Statement(**body.model_dump()))
        return 201, {
            "statement": done.number,
            "purpose": body.purpose,
            "channel": body.channel,
            "allowed": done.allowed,
            "state": done.state,
            "why": done.why,
            "changed": list(done.changed),
        }

    return written(request, "POST /v1/consent", body.model_dump(mode="json"), idempotency_key, work)
