"""Volumes of the business case at their borders, on a real hub."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from audience_hub import golden, hub_of
from sqlalchemy import Engine

from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.insight.business_case import count_volumes

AS_OF = dt.date(2026, 6, 2)
HERE = ZoneInfo("Europe/Amsterdam")
FIRST = AS_OF - dt.timedelta(days=364)
"""The first of 365 days of which this is the last."""


def at(day: dt.date, time: str) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.fromisoformat(time), HERE)


ORDERS = [
    (at(FIRST - dt.timedelta(days=1), "12:00"), 1),
    (at(FIRST - dt.timedelta(days=1), "23:59:59"), 10),
    (at(FIRST, "00:00"), 100),
    (at(AS_OF, "23:59:59"), 1_000),
    (at(AS_OF + dt.timedelta(days=1), "00:00"), 10_000),
]
"""In UTC the first moment of a day here is of the day before."""


@pytest.mark.parametrize("timezone", ["UTC", "America/New_York"])
def test_revenue_is_of_365_days_of_the_deployment_wherever_the_server_is(
    settings: Settings, hub_engine: Engine, timezone: str
) -> None:
    hub = hub_of(settings, hub_engine, 1)
    for ordered_at, amount in ORDERS:
        hub.run(
            """INSERT INTO golden.customer_order
                (source, entity, record_id, golden_id, active, order_id, ordered_at, total_amount, currency)
            VALUES ('erp', 'order', :key, :who, true, :key, :at, :amount, 'EUR')""",
            key=str(amount),
            who=golden(0),
            at=ordered_at,
            amount=amount,
        )
    with hub.engine.connect() as connection:
        connection.exec_driver_sql(f"SET TIME ZONE '{timezone}'")
        volumes = count_volumes(connection, AS_OF, "EUR", str(HERE))
    assert volumes["revenue"] == {"erp": 1_100.0}
