"""Reading a customer: ``/customers/{id}`` and what belongs to it, and ``/search``.

Belongs here: paths and the form of answers. Does not belong here: reading as a role (console.reads).
"""

import datetime as dt
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from cdm_pipelines.console import finding, reads
from cdm_pipelines.console.answers import CURSOR, MOST_A_PAGE, answer, page, page_from, window
from cdm_pipelines.console.api import models
from cdm_pipelines.console.api.asking import REFUSALS, Told, house_of
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.errors import RefusedError
from cdm_pipelines.console.reads import name_of
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.privacy.roles import MASKED
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.steps.search.find import MOST_SIGNS

router = APIRouter(tags=["customers"], responses=REFUSALS, route_class=Told)
Cursor = Annotated[str, Query(pattern=CURSOR, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MOST_A_PAGE)]
_AS_OF = "A day, which counts to its end, or a moment: what was known then."


@router.get("/customers/{golden_id}", response_model=models.Customer)
def customer(
    request: Request,
    golden_id: UUID,
    as_of: Annotated[
        str, Query(max_length=40, description=_AS_OF, json_schema_extra={"format": "date-time"})
    ] = "",
) -> Response:
    """A customer by an id of any age."""
    house = house_of(request)
    with house.eyes(request, Scope.READ, "GET /v1/customers") as eyes:
        at = _moment(as_of, house.settings.timezone) if as_of else None
        row = reads.customer(eyes, golden_id) if at is None else reads.as_of(eyes, golden_id, at).values
        masked = _masked(eyes, CUSTOMER)
    row = house.in_clear(row)
    content = {
        "golden_id": row["golden_id"],
        "asked_as": golden_id,
        "as_of": at,
        "name": name_of(row),
        "values": row,
        "masked": [name for name in masked if name in row],
    }
    return answer(request, content)


def _masked(eyes: Eyes, table: str) -> list[str]:
    seen = eyes.sight.tables.get(table)
    return [] if seen is None else [one.column.name for one in seen.columns if one.shown.how == MASKED]


def _moment(text: str, timezone: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(
            "as_of is no day such as 2026-03-01, and no moment such as 2026-03-01T12:00."
        ) from None
    if len(text) == len("2026-03-01"):
        moment = dt.datetime.combine(moment, dt.time.max)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).astimezone(dt.UTC)
    except OverflowError:  # on the first or the last day that there is
        return moment.replace(tzinfo=dt.UTC)


def _rows(request: Request, golden_id: UUID, table: str, paging: tuple[str, int], *order: str) -> Response:
    """A page of rows of a customer in one table."""
    house = house_of(request)
    name = table.partition(".")[2]
    with house.eyes(request, Scope.READ, f"GET /v1/customers {name}") as eyes:
        now, rows = reads.of_customer(eyes, table, golden_id, order=order, **window(*paging))
    clear = [house.in_clear(row) for row in rows]
    return answer(request, {"golden_id": now, **page_from(clear, *paging)})


@router.get("/customers/{golden_id}/records", response_model=models.Rows)
def records(request: Request, golden_id: UUID, cursor: Cursor = "", limit: Limit = 100) -> Response:
    """The source records that a customer is made of."""
    return _rows(request, golden_id, reads.RECORDS, (cursor, limit), "source", "entity", "record_id")


@router.get("/customers/{golden_id}/provenance", response_model=models.Rows)
def provenance(request: Request, golden_id: UUID, cursor: Cursor = "", limit: Limit = 100) -> Response:
    """Where each golden value comes from, by which rule, and what lost."""
    return _rows(request, golden_id, reads.PROVENANCE, (cursor, limit), "attribute")


@router.get("/customers/{golden_id}/links", response_model=models.Rows)
def links(request: Request, golden_id: UUID, cursor: Cursor = "", limit: Limit = 100) -> Response:
    """Scored pairs of a customer's records with each other, and with records of others."""
    return _rows(
        request, golden_id, reads.LINKS, (cursor, limit), "inside DESC", "weight DESC", "source", "record_id"
    )


@router.get("/customers/{golden_id}/history", response_model=models.Rows)
def history(request: Request, golden_id: UUID, cursor: Cursor = "", limit: Limit = 100) -> Response:
    """What changed when, and which source said so; of what the role sees in clear."""
    house = house_of(request)
    with house.eyes(request, Scope.READ, "GET /v1/customers history") as eyes:
        now, rows = reads.timeline(eyes, golden_id)
    clear = [house.in_clear(row) for row in rows]
    return answer(request, {"golden_id": now, **page(clear, cursor, limit)})


@router.get("/customers/{golden_id}/orders", response_model=models.Rows)
def orders(request: Request, golden_id: UUID, cursor: Cursor = "", limit: Limit = 100) -> Response:
    """Orders, the newest first, with lines, payments, refunds and invoices as far as the role sees them."""
    house = house_of(request)
    with house.eyes(request, Scope.READ, "GET /v1/customers orders") as eyes:
        now, rows = reads.orders(eyes, golden_id, **window(cursor, limit))
    return answer(request, {"golden_id": now, **page_from(rows, cursor, limit)})


@router.get("/customers/{golden_id}/profile", response_model=models.Rows)
def profile(request: Request, golden_id: UUID) -> Response:
    """What is worked out of a customer; one row."""
    return _rows(request, golden_id, reads.WIDE, ("", 1))


@router.get("/customers/{golden_id}/consent", response_model=models.Consent)
def consent(request: Request, golden_id: UUID) -> Response:
    """What a customer allows, by purpose and channel, and why; where nothing was said, as the policy has it."""
    house = house_of(request)
    with house.eyes(request, Scope.READ, "GET /v1/customers consent") as eyes:
        now, rows = reads.consent(eyes, golden_id, house.settings)
    return answer(request, {"golden_id": now, "items": rows})


@router.get("/customers/{golden_id}/journey", response_model=models.Rows)
def journey(request: Request, golden_id: UUID, cursor: Cursor = "", limit: Limit = 100) -> Response:
    """Every touch of a customer in order, the newest first."""
    house = house_of(request)
    with house.eyes(request, Scope.READ, "GET /v1/customers journey") as eyes:
        now, rows = reads.journey(eyes, golden_id, house.settings)
    return answer(request, {"golden_id": now, **page(rows, cursor, limit)})


@router.get("/search", response_model=models.Hits)
def search(
    request: Request,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=MOST_SIGNS,
            description="Name, e-mail, phone, postcode with house number, order number or any id; typing errors "
            "allowed where the role reads the value in clear.",
        ),
    ],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Response:
    """Customers who may be meant, the best first."""
    house = house_of(request)
    with house.eyes(request, Scope.READ, "GET /v1/search") as eyes:
        hits = finding.search(eyes, q, house.models(), limit=limit, country=house.settings.default_country)
    items = [
        {
            "golden_id": hit.golden_id,
            "score": None if hit.score is None else round(hit.score, 3),
            "why": hit.why,
            "missed": hit.missed,
            "suggestion": bool(hit.missed) or not hit.tells,
            "name": name_of(hit.values),
            "values": house.in_clear(hit.values),
        }
        for hit in hits
    ]
    return answer(request, {"items": items})
