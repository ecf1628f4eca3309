"""The views of the profile: a row per customer and per group of customers, whichever tables there are."""

import json
from collections.abc import Mapping, Sequence

import hub_examples as examples
import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.contracts.profile import GroupColumn, GroupView, ProfileAge, ProfileColumn, ProfileTable
from cdm_pipelines.enrichment.catalogue import built_in
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.groups import GROUPS, group_views
from cdm_pipelines.hub import profile

BEHAVIOUR = "user.behavior"
HOME = ProfileTable(
    "household",
    "Who lives together.",
    (ProfileColumn("household_id", ValueType.TEXT, "It's 100 % :sure of it.", BEHAVIOUR),),
    stored="household_member",
)
SPENT = ProfileTable(
    "rfm",
    "What was bought.",
    (
        ProfileColumn("net", ValueType.DECIMAL, "Net.", BEHAVIOUR),
        ProfileColumn("last_on", ValueType.DATE, "Last.", BEHAVIOUR),
    ),
    ages=(ProfileAge("days_since", "last_on", "Days since."),),
)
GROUP = GroupView(
    "household",
    "A row per household.",
    "household",
    (
        GroupColumn("id", "text", "It.", BEHAVIOUR, "household.household_id", ("household.household_id",)),
        GroupColumn(
            "size", "bigint", "How many, 100 % :sure.", BEHAVIOUR, "count(*)", ("household.household_id",)
        ),
        GroupColumn("net", "numeric", "Spent.", BEHAVIOUR, "sum(rfm.net)", ("rfm.net",)),
    ),
)


def published(
    engine: Engine, rows: Mapping[str, Sequence[Mapping[str, object]]], *tables: ProfileTable
) -> None:
    """Stage rows of some tables for the customers that are there, in the order of their ids, and publish them."""
    with engine.begin() as connection:
        ids = [
            str(one) for one in connection.scalars(text("SELECT golden_id FROM golden.customer ORDER BY 1"))
        ]
        for one in tables:
            if one.name in rows:
                given = [
                    {"golden_id": ids[at], **row, "as_of": "2026-06-03", "model": None}
                    for at, row in enumerate(rows[one.name])
                ]
                profile.stage(connection, one, pa.Table.from_pylist(given), {"made": json.dumps(given)}, None)
        profile.publish(connection, tables, (GROUP,))


def ask(engine: Engine, sql: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


HOMES = [{"household_id": "a"}, {"household_id": "a"}, {"household_id": "b"}]
AMOUNTS = [{"net": "10.00", "last_on": "2026-06-01"}, {"net": "5.00", "last_on": "2026-06-02"}]


@pytest.fixture
def hub(hub_engine: Engine) -> Engine:
    examples.published(hub_engine)
    published(hub_engine, {"household": HOMES, "rfm": AMOUNTS}, HOME, SPENT)
    return hub_engine


def test_a_row_per_customer_and_a_row_per_group_with_a_comment_per_column(hub: Engine) -> None:
    assert ask(hub, "SELECT id, size, net::float FROM profile.household ORDER BY 1") == [
        ("a", 2, 15.0),
        ("b", 1, None),
    ]
    assert ask(
        hub,
        "SELECT household_household_id, rfm_net::float, rfm_days_since = CURRENT_DATE - rfm_last_on "
        "FROM profile.customer ORDER BY golden_id",
    ) == [("a", 10.0, True), ("a", 5.0, True), ("b", None, None)]
    comments = """SELECT col_description('profile.household'::regclass, 2),
        (SELECT col_description(attrelid, attnum) FROM pg_attribute
         WHERE attrelid = 'profile.customer'::regclass AND attname = 'household_household_id')"""
    assert ask(hub, comments) == [
        (
            "How many, 100 % :sure. Privacy category: user.behavior.",
            "It's 100 % :sure of it. Privacy category: user.behavior.",
        )
    ]


def test_what_a_table_that_is_gone_would_say_is_left_out(hub: Engine) -> None:
    published(hub, {}, HOME)
    assert ask(hub, "SELECT * FROM profile.household ORDER BY 1") == [("a", 2), ("b", 1)]
    assert ask(hub, "SELECT to_regclass('profile.rfm')") == [(None,)]
    published(hub, {"rfm": AMOUNTS}, SPENT)
    assert ask(hub, "SELECT to_regclass('profile.household')") == [(None,)]
    assert ask(hub, "SELECT count(rfm_net) FROM profile.customer") == [(2,)]


def test_a_view_that_stays_the_same_is_not_made_anew_and_keeps_what_was_granted(hub: Engine) -> None:
    oid = "SELECT 'profile.household'::regclass::oid, 'profile.customer'::regclass::oid"
    before = ask(hub, oid)
    published(hub, {"household": HOMES[::-1]}, HOME, SPENT)
    assert ask(hub, oid) == before
    more = ProfileTable(
        SPENT.name,
        SPENT.description,
        (*SPENT.columns, ProfileColumn("n", ValueType.INTEGER, "N.", BEHAVIOUR)),
    )
    published(hub, {"rfm": [{**AMOUNTS[0], "n": 1}]}, HOME, more)
    assert ask(hub, "SELECT count(rfm_n) FROM profile.customer") == [(1,)]


def test_a_table_that_had_the_name_of_a_view_gives_way(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    former = ProfileTable(HOME.name, HOME.description, HOME.columns)
    with hub_engine.begin() as connection:
        profile.table_of(former).create(connection)
    published(hub_engine, {"household": HOMES}, HOME)
    assert ask(hub_engine, "SELECT id, size FROM profile.household ORDER BY 1") == [("a", 2), ("b", 1)]


def test_the_project_s_own_views_can_be_made_of_the_project_s_own_tables(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    tables = [profile_table(one) for one in built_in().values()]
    with hub_engine.begin() as connection:
        for one in tables:
            profile.table_of(one).create(connection)
        profile.publish(connection, tables, group_views(built_in()))
    for view in GROUPS:
        found = ask(
            hub_engine,
            f"SELECT attname FROM pg_attribute WHERE attrelid = 'profile.{view.name}'::regclass ORDER BY attnum",
        )
        assert [name for (name,) in found] == [one.name for one in view.columns]
