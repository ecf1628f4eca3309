"""``/decisions``: what stewards decide.

Belongs here: from a request to an entry of the log. Does not belong here: what decisions mean (steps.stewardship).
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from cdm_pipelines.console import writes
from cdm_pipelines.console.api import models
from cdm_pipelines.console.api.asking import REFUSALS, IdempotencyKey, Told, house_of, written
from cdm_pipelines.console.sight import Eyes

router = APIRouter(tags=["decisions"], responses=REFUSALS, route_class=Told)


@router.post("/decisions", response_model=models.Recorded, status_code=201)
def decide(request: Request, body: models.Decision, idempotency_key: IdempotencyKey = None) -> Response:
    """Record a decision; it takes effect with the next run of customers."""
    settings = house_of(request).settings

    def work(eyes: Eyes) -> tuple[int, dict[str, Any]]:
        recorded = writes.decide(eyes, settings, writes.Wanted(**body.model_dump()))
        return 201, {
            "decision": recorded.decision.decision_id,
            "kind": str(recorded.decision.kind),
            "in_force": recorded.conflict is None,
            "conflict": None if recorded.conflict is None else recorded.conflict.text,
        }

    return written(request, "POST /v1/decisions", body.model_dump(mode="json"), idempotency_key, work)
