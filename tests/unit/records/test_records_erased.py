"""A state of which records were erased, and its days of which they were too, are what a run would make of them."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_records_advance import (
    CRM,
    DATES,
    ERP,
    SHOP,
    Day,
    History,
    contract,
    deliveries,
    files,
    in_any_order,
    lay,
    many,
    state,
)

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.steps.days.records import build_records, is_up_to_date, made_of_what_is_left
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores
from cdm_pipelines.store.removal import by_columns, layered_rows, parquet_rows

KEY = ("source", "entity", "record_id")
SHOPS = (contract(SHOP, "delta"), contract("shop/order", "delta", "order.party_id"))
BOTH = (Entity.PARTY, Entity.ORDER)


def erase(lake: Lake, contracts: Sequence[SourceContract], entity: Entity, persons: Persons) -> None:
    """Take records out of the days and out of the state, as an erasure does."""
    stores = Stores(lake, None)
    for one in contracts:
        if entity in one.entities:
            _, days = parquet_rows(layout.standard_path(one, "{date}", entity), by_columns(KEY))
            days.remove(stores, persons)
    _, kept = layered_rows(
        partial(lambda entity, lake: tables.records(lake, entity), entity), by_columns(KEY)
    )
    kept.remove(stores, persons)


@settings(max_examples=15, deadline=None)
@given(
    delivery=deliveries, coming=in_any_order, gone=st.sets(st.sampled_from("abcdef"), min_size=1, max_size=4)
)
def test_the_next_run_has_nothing_to_do_and_would_come_to_the_same(
    delivery: tuple[str, ...], coming: Mapping[tuple[str, str], Day], gone: set[str]
) -> None:
    with TemporaryDirectory() as folder:
        history = History(folder, delivery)
        history.change(coming)
        history.build()
        lake, contracts = history.lake, history.contracts
        assert is_up_to_date(lake, contracts, Entity.PAYMENT)
        persons = Persons.of([(*name.split("/"), id_) for name in (CRM, ERP, SHOP) for id_ in gone])
        erase(lake, contracts, Entity.PAYMENT, persons)
        for (name, date), day in coming.items():
            left = Day(
                [row for row in day.rows if row["record_id"] not in gone],
                [one for one in day.held_back if one not in gone],
            )
            quarantined = pa.table({"id": pa.array(left.held_back, pa.string())})
            lake.write(layout.quarantine_path(contract(name, "snapshot"), date), quarantined)
            history.days[name, date] = left
        assert made_of_what_is_left(lake, contracts, Entity.PAYMENT, persons.records)
        assert is_up_to_date(lake, contracts, Entity.PAYMENT)
        before = files(lake)
        history.build()
        assert files(lake) == before
        history.end()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    lay(lake, SHOP, DATES[0], Day([*many(20), {"record_id": "x"}]))
    orders = [{"record_id": "1", "party_id": "x"}, {"record_id": "2", "party_id": "1003"}]
    lay(lake, "shop/order", DATES[0], Day(orders), entity=Entity.ORDER)
    build_records(lake, SHOPS, BOTH)
    return lake


def left(lake: Lake, persons: Persons) -> list[bool]:
    """Of each state whether the next run need not make it anew."""
    for entity in BOTH:
        erase(lake, SHOPS, entity, persons)
    return [made_of_what_is_left(lake, SHOPS, entity, persons.records) for entity in BOTH]


def test_an_order_that_names_somebody_who_is_gone_is_placed_anew(lake: Lake) -> None:
    assert left(lake, Persons.of([("shop", "account", "x")])) == [True, False]
    build_records(lake, SHOPS, BOTH)
    assert [row["party_record_id"] for row in state(lake, Entity.ORDER)] == [None, "1003"]


def test_orders_that_go_with_their_party_leave_nothing_to_do(lake: Lake) -> None:
    assert left(lake, Persons.of([("shop", "account", "x"), ("shop", "order", "1")])) == [True, True]
    before = files(lake)
    assert build_records(lake, SHOPS, BOTH).changed == 0
    assert files(lake) == before
    build_records(lake, SHOPS, BOTH, rebuild=True)
    assert [row["party_record_id"] for row in state(lake, Entity.ORDER)] == ["1003"]


def test_a_day_that_has_gone_meanwhile_makes_the_state_anew(lake: Lake) -> None:
    lay(lake, SHOP, DATES[1], Day([{"record_id": "y"}]))
    build_records(lake, SHOPS, BOTH)
    lake.delete(layout.standard_path(SHOPS[0], DATES[1], Entity.PARTY))
    lake.delete(layout.quarantine_path(SHOPS[0], DATES[1]))
    assert left(lake, Persons.of([("shop", "account", "1000")]))[0] is False
    build_records(lake, SHOPS, BOTH)
    assert {"1000", "y"}.isdisjoint(row["record_id"] for row in state(lake))
