"""``POST /match``: does this person exist, before somebody makes a duplicate of them.

Belongs here: the path, and what of the answer a role is told. Does not belong here: matching (steps.linking.match).

A comparison of values that the role does not read in clear is told by what all such comparisons weigh together:
whoever could see that a value is nearly right would come to know it by asking.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from cdm_pipelines.console import reads
from cdm_pipelines.console.answers import answer
from cdm_pipelines.console.api import models
from cdm_pipelines.console.api.asking import REFUSALS, Told, house_of
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.errors import ForbiddenError, RefusedError
from cdm_pipelines.console.reads import RECORDS
from cdm_pipelines.console.sight import Sight
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.steps.linking.match import MatchRefusedError
from cdm_pipelines.steps.linking.match_answer import Candidate, Verdict, Weighed

router = APIRouter(tags=["match"], responses=REFUSALS, route_class=Told)
OTHERS = "values that the role does not see"


@router.post("/match", response_model=models.Match)
def match(request: Request, body: models.ToMatch) -> Response:
    """The customers that a record would be linked with, by the model and guards of the next run; nothing is kept."""
    house = house_of(request)
    kind = PartyKind(body.kind) if body.kind else None
    with house.eyes(request, Scope.MATCH, "POST /v1/match") as eyes:
        eyes.sight.see_that_recognises()
        if not eyes.sight.role.search:
            raise ForbiddenError(
                f"The role {eyes.sight.name} may not look customers up (policies/roles.yaml)."
            )
        matcher = house.matching.current()
        try:
            found = matcher.match(eyes.connection, body.record, kind=kind, country=body.country)
        except MatchRefusedError as error:
            raise RefusedError(str(error)) from None
        seen = reads.seen(eyes, [one.golden_id for one in found.candidates])
        candidates = [one for one in found.candidates if one.golden_id in seen]
        eyes.note([CUSTOMER], [one.golden_id for one in candidates])
        policy = matcher.kinds[found.kind].policy
    joins = found.golden_id if found.golden_id in seen else None
    verdict = found.verdict if joins or found.verdict is not Verdict.JOINS else Verdict.NEW
    content = {
        "verdict": str(verdict if candidates else Verdict.NEW),
        "golden_id": joins,
        "kind": str(found.kind),
        "candidates": [_told(one, eyes.sight, policy) for one in candidates],
        "faults": [{"field": one.field, "rule": one.meaning, "fix": one.fix} for one in found.faults],
    }
    return answer(request, content)


def _told(one: Candidate, sight: Sight, policy: LinkagePolicy) -> dict[str, Any]:
    return {
        "golden_id": one.golden_id,
        "verdict": str(one.verdict),
        "weight": round(one.weight, 3),
        "probability": round(one.probability, 6),
        "records": [str(record) for record in one.records] if RECORDS in sight.tables else [],
        "waterfall": _steps(one.waterfall, sight, policy),
    }


def _steps(waterfall: tuple[Weighed, ...], sight: Sight, policy: LinkagePolicy) -> list[dict[str, Any]]:
    clear, steps, others = sight.clear(CUSTOMER), [], 0.0
    for step in waterfall:
        compared = policy.comparisons.get(step.comparison)
        reads = (*compared.reads, *compared.reads_optionally) if compared is not None else ()
        if {name for column in reads for name in policy.columns[column].names} <= clear:
            steps.append(
                {"comparison": step.comparison, "level": step.level, "weight": round(step.weight, 3)}
            )
        else:
            others += step.weight
    return [*steps, {"comparison": OTHERS, "level": "", "weight": round(others, 3)}] if others else steps
