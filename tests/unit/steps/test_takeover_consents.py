"""What the customers of another company allow: by channel, for as long as they said, and by whatever names them."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.insight.takeover_report import ConsentFigures, PurposeFigures
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.takeover.consents import consent_figures
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

NAME, DAY = "companyb", dt.date(2026, 6, 1)
CUSTOMERS = 4
"""Persons of the other company, each with a record and a mailbox: R0, c0@example.nl, and so on."""


def said(number: int | None, channel: str, state: str, day: str, **more: Any) -> dict[str, Any]:
    """A statement about a record, or about nobody by a record."""
    named = {} if number is None else {"party_entity": "klanten", "party_record_id": f"R{number}"}
    return {
        "purpose": "marketing",
        "channel": channel,
        "state": state,
        "stated_at": f"{day}T10:00:00Z",
        **named,
    } | more


def put(lake: Lake, entity: Entity, rows: list[dict[str, Any]]) -> None:
    schema = records_schema(entity)
    if entity is Entity.CONSENT:
        schema = schema.append(pa.field("party_entity", pa.string())).append(
            pa.field("party_record_id", pa.string())
        )
    whole = [{name: one.get(name) for name in schema.names} for one in rows]
    tables.records(lake, entity).put([pa.Table.from_pylist(whole, schema)], schema, repr(whole))


def figures(settings: Settings, *statements: dict[str, Any]) -> ConsentFigures:
    lake = Lake(settings.lake_url)
    own = {"active": True, "first_seen": "2026-06-01", "last_seen": "2026-06-01"}
    parties = [
        {"source": NAME, "entity": "klanten", "record_id": f"R{at}", "email": f"c{at}@example.nl", **own}
        for at in range(CUSTOMERS)
    ]
    put(lake, Entity.PARTY, parties)
    told = [
        {"source": NAME, "entity": "toestemmingen", "record_id": f"T{at}", **own, **one}
        for at, one in enumerate(statements)
    ]
    ours = {"source": "mail", "entity": "consent", "record_id": "T0", **own}
    put(lake, Entity.CONSENT, [*told, {**ours, **said(0, "", "objected", "2026-05-01")}])
    return consent_figures(settings, lake, NAME, {f"klanten/R{at}": at for at in range(CUSTOMERS)}, DAY)


def marketing(found: ConsentFigures) -> PurposeFigures:
    return next(one for one in found.purposes if one.purpose == "marketing")


def allowed(yes: int, refused: int, nothing: int, **channels: int) -> PurposeFigures:
    by_channel = {one: channels.get(one, 0) for one in ("email", "phone", "post", "web")}
    return PurposeFigures("marketing", yes, refused, nothing, by_channel)


EMAIL, PHONE = "email", "phone"
CASES = {
    "a no to one channel leaves the yes to another": (
        [said(0, EMAIL, "given", "2026-01-01"), said(0, PHONE, "refused", "2026-01-02")],
        allowed(1, 0, 3, email=1),
    ),
    "what has ended allows nothing, and is to be asked again": (
        [said(0, EMAIL, "given", "2023-01-01", expires_at="2024-01-01T00:00:00Z")],
        allowed(0, 0, 4),
    ),
    "what ends later holds until then": (
        [said(0, EMAIL, "given", "2026-01-01", expires_at="2026-07-01T00:00:00Z")],
        allowed(1, 0, 3, email=1),
    ),
    "a statement may name somebody by their mailbox alone": (
        [
            said(None, EMAIL, "given", "2026-01-01", party_email="c1@example.nl"),
            said(None, EMAIL, "refused", "2026-01-01", party_email="c2@example.nl"),
            said(None, EMAIL, "given", "2026-01-01", party_email="nobody@example.nl"),
        ],
        allowed(1, 1, 2, email=1),
    ),
    "of one channel the latest counts": (
        [said(0, EMAIL, "given", "2026-01-01"), said(0, EMAIL, "withdrawn", "2026-02-01")],
        allowed(0, 1, 3),
    ),
    "a yes to every channel is one to each": (
        [said(0, "", "given", "2026-01-01")],
        allowed(1, 0, 3, email=1, phone=1, post=1, web=1),
    ),
    "a yes that was never confirmed is none": (
        [said(0, EMAIL, "given", "2026-01-01", double_opt_in="false")],
        allowed(0, 0, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_they_allow_is_counted_as_ours_is(settings: Settings, case: str) -> None:
    statements, expected = CASES[case]
    found = figures(settings, *statements)
    assert marketing(found) == expected
    assert found.statements == len(statements), "theirs, and none of ours"


def test_what_nobody_can_use_is_told(settings: Settings) -> None:
    strange = [said(at % CUSTOMERS, EMAIL, "given", "2026-01-01", purpose="loterij") for at in range(5)]
    found = figures(
        settings,
        *strange,
        said(0, EMAIL, "maybe", "2026-01-01"),
        said(1, EMAIL, "given", "2026-01-01", stated_at=None),
    )
    assert (found.strange, found.unknown, found.undated) == ({"loterij": 5}, 1, 1)
    assert marketing(found).given == 1
