"""What a steward is shown first."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from cdm_pipelines.hub.schema import customer
from cdm_pipelines.linkage.cluster.health import HEALTH_SCHEMA, Reason
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.stewardship import review
from cdm_pipelines.steps.stewardship.review import Doubt
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

RECORDS = {"a": 1, "b": 1, "c": 3, "d": 1}


def golden(name: str) -> str:
    return f"00000000-0000-5000-8000-00000000000{name}"


@pytest.fixture
def lake(hub_engine: Engine, settings: Settings) -> Lake:
    """Customers a to d of 1, 1, 3 and 1 records, and orders of two of them, of today and of a year ago."""
    with hub_engine.begin() as connection:
        for name, count in RECORDS.items():
            row: dict[str, Any] = {"golden_id": golden(name), "party_kind": "person", "status": "active"}
            row |= {
                "record_count": count,
                "source_count": 1,
                "first_seen": "2026-06-01",
                "last_seen": "2026-06-01",
            }
            connection.execute(customer.insert().values(**row, surname=f"Naam{name}"))
            for number in range(count):
                record = {"record": f"{name}{number}", "golden": golden(name)}
                connection.execute(
                    text("INSERT INTO golden.crosswalk VALUES ('crm', 'contact', :record, :golden, true)"),
                    record,
                )
        for name, number, day in (("b", 1, "2026-06-01"), ("b", 2, "2025-01-01"), ("d", 3, "2025-06-01")):
            order = """INSERT INTO golden.customer_order (source, entity, record_id, golden_id, active, ordered_at)
                       VALUES ('shop', 'order', :number, :golden, true, :day)"""
            connection.execute(
                text(order), {"number": str(number), "golden": golden(name), "day": f"{day}T00:00Z"}
            )
    return Lake(settings.lake_url)


def matches(lake: Lake, *pairs: tuple[str, str, float]) -> None:
    columns = {
        **{f"{side}_source": ["crm/contact"] * len(pairs) for side in ("left", "right")},
        "left_id": [left for left, _, _ in pairs],
        "right_id": [right for _, right, _ in pairs],
        "probability": [probability for _, _, probability in pairs],
    }
    made = pa.table(columns)
    tables.matches(lake).write(made, made.schema, "made")


def test_the_order_is_uncertainty_times_value(hub_engine: Engine, lake: Lake) -> None:
    matches(
        lake, ("a0", "c0", 0.5), ("c1", "a0", 0.75), ("a0", "b0", 0.5), ("a0", "d0", 0.5), ("c0", "c2", 0.5)
    )
    items, total = review.queue(hub_engine, lake)
    assert [(item.left, item.right) for item in items] == [
        (golden("a"), golden("b")),
        (golden("a"), golden("d")),
        (golden("a"), golden("c")),
    ]
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert [item.priority for item in items] == pytest.approx(
        [1 + 1 + math.log2(3), 1 + 1 + 0.5 * math.log2(2), entropy * (1 + 2)]
    )
    assert items[2].probability == 0.75
    assert total == 3
    assert review.queue(hub_engine, lake, limit=1) == (items[:1], 3)


def unhealthy(lake: Lake, *rows: tuple[str, Reason, int, float, int]) -> None:
    """Clusters by a record: why, how many records, log2 odds of the bridge, contradicting pairs."""
    names = ("record_id", "reason", "records", "bridge", "against")
    other = {"other_source": "shop/customer", "other_id": "9"}
    given = [dict(zip(names, row, strict=True), source="crm/contact", **other) for row in rows]
    lake.write(layout.HEALTH, pa.Table.from_pylist(given, HEALTH_SCHEMA))


def test_doubtful_customers_are_queued_with_their_reasons(hub_engine: Engine, lake: Lake) -> None:
    unhealthy(
        lake,
        ("a0", Reason.BRIDGE, 2, 0.0, 0),
        ("c0", Reason.BRIDGE, 3, 3.0, 1),
        ("c0", Reason.AGAINST, 3, 3.0, 1),
        ("d0", Reason.LARGE, 26, 99.0, 0),
        ("b0", Reason.SPLIT, 2, np.inf, 0),
        ("b0", Reason.MERGE, 2, np.inf, 0),
        ("nobody", Reason.LARGE, 99, 99.0, 0),
    )
    items, total = review.queue(hub_engine, lake)
    third = -(math.log2(1 / 3) / 3 + math.log2(2 / 3) * 2 / 3)
    assert [(item.doubt, item.left, item.probability, item.text) for item in items] == [
        (Doubt.SPLIT, golden("b"), None, "only the confirmation holds shop/customer/9"),
        (Doubt.CLUSTER, golden("c"), None, "near-contradiction: 1 of 3 pairs; weak bridge: +3.0 bits"),
        (Doubt.CLUSTER, golden("d"), None, "over-large: 26 records"),
        (Doubt.CLUSTER, golden("a"), 0.5, "weak bridge: +0.0 bits"),
    ]
    assert [item.priority for item in items] == pytest.approx([1 + math.log2(3), third * 2, 1.5, 1])
    assert total == 4
    assert review.queue(hub_engine, lake, limit=2) == (items[:2], 4)


def test_names_are_masked_unless_asked_for(hub_engine: Engine, lake: Lake) -> None:
    ids = [golden("a"), golden("b")]
    assert review.names(hub_engine, ids) == dict.fromkeys(ids, "Aaaaa")
    assert review.names(hub_engine, ids, values=True)[ids[0]] == "Naama"


def test_an_empty_hub_has_an_empty_queue(hub_engine: Engine, settings: Settings) -> None:
    lake = Lake(settings.lake_url)
    assert review.queue(hub_engine, lake) == ([], 0)
    matches(lake, ("a0", "c0", 0.5))
    assert review.queue(hub_engine, lake) == ([], 0)
