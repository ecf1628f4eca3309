"""A customer's journey: touches of every kind in one order, the newest where there are many."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from sqlalchemy import Engine, insert

from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.hub.published import published_table
from cdm_pipelines.steps.profile.journey import Touch, in_order, journey, told

ANN, BEN = UUID("00000000-0000-8000-8000-00000000000a"), UUID("00000000-0000-8000-8000-00000000000b")


def put(engine: Engine, table: str, number: str, **values: Any) -> None:
    row = {"source": "shop", "entity": table, "record_id": number, "active": True} | values
    with engine.begin() as connection:
        connection.execute(insert(published_table(table).table).values(**row))


def utc(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2026, 6, day, hour, tzinfo=dt.UTC)


@pytest.fixture
def hub(hub_engine: Engine) -> Engine:
    money = {"currency": "EUR", "active": True}
    for number, whose, active in (("1", ANN, True), ("2", BEN, True), ("3", ANN, False)):
        put(
            hub_engine,
            "customer_order",
            number,
            order_id=number,
            golden_id=whose,
            ordered_at=utc(1, 22),
            total_amount=Decimal("1250.5"),
            status="paid",
            **(money | {"active": active}),
        )
    put(
        hub_engine,
        "invoice",
        "I1",
        invoice_id="I1",
        golden_id=ANN,
        order_id="1",
        issued_on=dt.date(2026, 6, 2),
        amount=10,
        **money,
    )
    put(
        hub_engine,
        "payment",
        "P1",
        payment_id="P1",
        order_id="1",
        paid_at=utc(3, 8),
        amount=10,
        method="ideal",
        **money,
    )
    put(
        hub_engine,
        "refund",
        "R1",
        refund_id="R1",
        order_id="1",
        refunded_at=None,
        amount=5,
        reason="broken",
        **money,
    )
    return hub_engine


def interaction(whose: UUID, day: int, hour: int, kind: str, **more: Any) -> dict[str, Any]:
    at = dt.datetime(2026, 6, day, hour)  # noqa: DTZ001 - local, as the table has it
    row = {
        "golden_id": str(whose),
        "source": "web",
        "day": at.date(),
        "kind": kind,
        "channel": "web",
        "touches": 1,
    }
    return dict.fromkeys(ATTACHED.names) | row | {"first_at": at, "last_at": at} | more


def test_touches_of_every_kind_in_their_order(hub: Engine) -> None:
    end = dt.datetime(2026, 6, 1, 10, 45)  # noqa: DTZ001
    rows = [
        interaction(ANN, 2, 9, "open", channel="email", campaign="June", subject="Sale"),
        interaction(ANN, 1, 10, "visit", touches=3, last_at=end, product_code="A7"),
        interaction(BEN, 1, 10, "visit"),
        interaction(ANN, 4, 9, "ticket_opened", channel="service desk", thread_id="T9"),
    ]
    stage = Touch(dt.date(2026, 6, 2), None, "stage", "profile", detail="prospect to first-time")
    with hub.connect() as connection:
        attached = pa.Table.from_pylist(rows, schema=ATTACHED)
        found = journey(connection, ANN, attached, timezone="Europe/Amsterdam", limit=50, more=[stage])
    assert list(told(found)) == [
        ("no date", "refund", "shop", "R1 order 1, broken", "5.00 EUR"),
        ("2026-06-01 10:00-10:45", "visit x 3", "web, web", "A7", ""),
        ("2026-06-02", "invoice", "shop", "I1 order 1", "10.00 EUR"),
        ("2026-06-02", "stage", "profile", "prospect to first-time", ""),
        ("2026-06-02 00:00", "order", "shop", "1 paid", "1,250.50 EUR"),
        ("2026-06-02 09:00", "open", "email, web", "Sale, June", ""),
        ("2026-06-03 10:00", "payment", "shop", "P1 order 1, ideal", "10.00 EUR"),
        ("2026-06-04 09:00", "ticket opened", "service desk, web", "T9", ""),
    ]
    assert found.total == 10


def test_of_many_touches_the_newest_are_told_whatever_their_order() -> None:
    touches = [Touch(dt.date(2026, 6, 1 + n % 5), None, "visit", "web", number=str(n)) for n in range(20)]
    found, turned = in_order(touches, 6), in_order(touches[::-1], 6)
    assert found == turned
    assert [touch.day.day for touch in found.touches if touch.day] == [4, 4, 5, 5, 5, 5]
    assert found.total == 20
