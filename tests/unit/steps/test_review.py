"""What a steward is shown first."""

import math
from typing import Any
from uuid import UUID

import committed
import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub import bulk
from cdm_pipelines.hub import review_queue as hub
from cdm_pipelines.hub.schema import customer, golden_id
from cdm_pipelines.hub.staging import Staging
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.linkage.cluster.health import HEALTH_SCHEMA, Reason
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.read_models import ReadModels
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.steps.stewardship.kinds import Doubt
from cdm_pipelines.steps.stewardship.queue import rewrite
from cdm_pipelines.steps.stewardship.review import Item
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.keys import RECORD_KEY
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
            founder = {
                "golden_id": golden(name),
                "source": "crm",
                "entity": "contact",
                "record_id": f"{name}0",
            }
            known = {"generation": 0, "sequence": ord(name), "status": "current"}
            connection.execute(golden_id.insert().values(**founder, **known))
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


def refresh(engine: Engine, lake: Lake) -> None:
    """Write what stewards read, as a publication does."""
    with engine.begin() as connection:
        crosswalk = bulk.read_crosswalk(connection, CROSSWALK_SCHEMA)
        kinds = crosswalk.select(RECORD_KEY).append_column(
            "party_kind", pa.repeat("person", crosswalk.num_rows)
        )
        staging = Staging(connection)
        ReadModels(connection, lake, {}, {}, kinds).everything(staging, crosswalk)
        staging.finish()
        rewrite(connection, constraints(connection))


def queue(engine: Engine, limit: int = 20) -> tuple[list[Item], int]:
    return committed.queue(engine, limit)


def left(items: list[Item]) -> list[tuple[str, str, str]]:
    """Which customers, by their letters."""
    return [(str(item.doubt), item.left[-1:], item.right[-1:]) for item in items]


def matches(lake: Lake, *pairs: tuple[str, str, float]) -> None:
    columns = {
        **{f"{side}_source": ["crm/contact"] * len(pairs) for side in ("left", "right")},
        "left_id": [left for left, _, _ in pairs],
        "right_id": [right for _, right, _ in pairs],
        "weight": [0.0 for _ in pairs],
        "probability": [probability for _, _, probability in pairs],
    }
    made = pa.table(columns)
    tables.matches(lake).write(made, made.schema, "made")


def test_the_order_is_uncertainty_times_value(hub_engine: Engine, lake: Lake) -> None:
    matches(
        lake, ("a0", "c0", 0.5), ("c1", "a0", 0.75), ("a0", "b0", 0.5), ("a0", "d0", 0.5), ("c0", "c2", 0.5)
    )
    refresh(hub_engine, lake)
    items, total = queue(hub_engine)
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
    assert queue(hub_engine, limit=1) == (items[:1], 3)


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
    refresh(hub_engine, lake)
    items, total = queue(hub_engine)
    third = -(math.log2(1 / 3) / 3 + math.log2(2 / 3) * 2 / 3)
    assert [(item.doubt, item.left, item.probability, item.text) for item in items] == [
        (Doubt.SPLIT, golden("b"), None, "only the confirmation holds shop/customer/9"),
        (Doubt.CLUSTER, golden("c"), None, "near-contradiction: 1 of 3 pairs; weak bridge: +3.0 bits"),
        (Doubt.CLUSTER, golden("d"), None, "over-large: 26 records"),
        (Doubt.CLUSTER, golden("a"), 0.5, "weak bridge: +0.0 bits"),
    ]
    assert [item.priority for item in items] == pytest.approx([1 + math.log2(3), third * 2, 1.5, 1])
    assert total == 4
    assert queue(hub_engine, limit=2) == (items[:2], 4)


STIEN = Actor("Stien", Role.STEWARD)


def test_what_is_decided_leaves_the_queue_at_once_and_comes_back_when_it_is_undone(
    hub_engine: Engine, lake: Lake
) -> None:
    matches(lake, ("a0", "b0", 0.5), ("a0", "d0", 0.5), ("c0", "d0", 1.0))
    refresh(hub_engine, lake)
    everything = queue(hub_engine)
    assert left(everything[0]) == [("pair", "a", "b"), ("pair", "a", "d")]
    committed.different(hub_engine, golden("a"), golden("b"), STIEN)
    assert left(queue(hub_engine)[0]) == [("pair", "a", "d")]
    refresh(hub_engine, lake)
    assert left(queue(hub_engine)[0]) == [("pair", "a", "d")]
    committed.undo(hub_engine, 1, STIEN)
    assert queue(hub_engine) == everything
    committed.same(hub_engine, golden("a"), golden("d"), STIEN)
    committed.different(hub_engine, golden("d"), golden("a"), STIEN)
    items, total = queue(hub_engine)
    assert left(items) == [("pair", "a", "b"), ("conflict", "d", "a")]
    assert "decision 4 (different) contradicts decision 3" in items[1].text
    assert total == 2
    found = committed.waiting(hub_engine)
    assert found.items == {"pairs": 1, "conflicts": 1, "customers": 0}
    assert found.oldest_conflict is not None
    committed.undo(hub_engine, 3, STIEN)
    assert left(queue(hub_engine)[0]) == [("pair", "a", "b")]


def test_a_match_between_two_confirmed_customers_takes_the_place_of_their_doubtful_pair(
    hub_engine: Engine, lake: Lake
) -> None:
    matches(lake, ("c0", "d0", 1.0), ("c1", "d0", 0.5), ("a0", "b0", 0.25))
    refresh(hub_engine, lake)
    assert left(queue(hub_engine)[0]) == [("pair", "c", "d"), ("pair", "a", "b")]
    for name in "cd":
        committed.confirm(hub_engine, golden(name), STIEN)
    items, _ = queue(hub_engine)
    assert left(items) == [("confirmed apart", "c", "d"), ("pair", "a", "b")]
    assert items[0].probability == 1.0
    committed.undo(hub_engine, 1, STIEN)
    assert left(queue(hub_engine)[0]) == [("pair", "c", "d"), ("pair", "a", "b")]


def test_a_decision_that_is_not_committed_changes_nothing(hub_engine: Engine, lake: Lake) -> None:
    matches(lake, ("a0", "b0", 0.5))
    refresh(hub_engine, lake)
    before = queue(hub_engine)
    with hub_engine.connect() as connection:
        decisions.different(connection, golden("a"), golden("b"), STIEN)
    assert queue(hub_engine) == before
    assert committed.logged(hub_engine) == []


def test_items_whose_figures_are_the_same_are_not_written_again(hub_engine: Engine, lake: Lake) -> None:
    versions = """SELECT item_id, xmin::text FROM ops.review_item
                  UNION ALL SELECT l::text, xmin::text FROM golden.customer_link AS l"""

    def written() -> dict[str, str]:
        with hub_engine.connect() as connection:
            return dict(connection.execute(text(versions)).tuples().all())

    matches(lake, ("a0", "b0", 0.5), ("a0", "d0", 0.5), ("c0", "c1", 0.75))
    unhealthy(lake, ("c0", Reason.BRIDGE, 3, 0.0, 0))
    refresh(hub_engine, lake)
    before = written()
    refresh(hub_engine, lake)
    assert written() == before
    matches(lake, ("a0", "b0", 0.75), ("a0", "d0", 0.5), ("c0", "c1", 0.75))
    refresh(hub_engine, lake)
    now = written()
    assert now.keys() - before.keys() != set()
    assert {name for name in before.keys() & now.keys() if before[name] != now[name]} == {
        f"pair/{golden('a')}/{golden('b')}"
    }


def test_a_customer_shows_its_links_within_and_to_doubtful_neighbours(hub_engine: Engine, lake: Lake) -> None:
    matches(lake, ("c0", "c1", 0.875), ("c1", "c2", 0.75), ("a0", "c2", 0.5), ("a0", "b0", 0.5))
    refresh(hub_engine, lake)
    with hub_engine.connect() as connection:
        found = [
            (row["record_id"], row["other_record_id"], str(row["other_id"])[-1], row["probability"])
            for row in hub.links(connection, UUID(golden("c")))
        ]
    assert found == [("c0", "c1", "c", 0.875), ("c1", "c2", "c", 0.75), ("c2", "a0", "a", 0.5)]


def test_names_of_customers(hub_engine: Engine, lake: Lake) -> None:
    assert committed.names(hub_engine, [golden("a")]) == {golden("a"): "Naama"}


def test_an_empty_hub_has_an_empty_queue(hub_engine: Engine, settings: Settings) -> None:
    lake = Lake(settings.lake_url)
    refresh(hub_engine, lake)
    assert queue(hub_engine) == ([], 0)
    matches(lake, ("a0", "c0", 0.5))
    refresh(hub_engine, lake)
    assert queue(hub_engine) == ([], 0)
