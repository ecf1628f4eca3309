"""Tables of the profile in PostgreSQL: the first version becomes the table itself, later ones change what differs."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import hub_examples as examples
import pyarrow as pa
import pytest
from sqlalchemy import Connection, Engine, inspect, text

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.contracts.profile import ProfileColumn, ProfileTable
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.policy import EnrichmentPolicy, EnrichmentPolicyError, load_policy
from cdm_pipelines.hub import profile, profile_catalogue
from cdm_pipelines.hub.differences import Change
from cdm_pipelines.hub.errors import HubError

TOTALS = ProfileTable(
    "totals",
    "What a customer spent.",
    (
        ProfileColumn("net", ValueType.DECIMAL, "Spent.", "user.behavior"),
        ProfileColumn("home_id", ValueType.TEXT, "Home.", "user.unique_id"),
    ),
)
DAY = dt.date(2026, 6, 1)


def stage(connection: Connection, values: dict[str, str], worked: pa.Array | None = None) -> None:
    rows = pa.table(
        {
            "golden_id": list(values),
            "net": list(values.values()),
            "home_id": ["home"] * len(values),
            "as_of": [DAY] * len(values),
            "model": pa.nulls(len(values), pa.string()),
        }
    )
    profile.stage(connection, TOTALS, rows, {"customers": "1"}, worked)


def read(connection: Connection) -> dict[str, int]:
    rows = connection.execute(text("SELECT golden_id::text, net::int AS net FROM profile.totals"))
    return {row.golden_id: row.net for row in rows}


@pytest.fixture
def ids(hub_engine: Engine) -> list[str]:
    examples.published(hub_engine)
    return sorted(str(row["golden_id"]) for row in examples.everything(hub_engine)["golden.customer"])


def test_the_first_version_becomes_the_table_with_key_index_and_comments(
    hub_engine: Engine, ids: list[str]
) -> None:
    with hub_engine.begin() as connection:
        stage(connection, dict.fromkeys(ids, "1"))
        staged = connection.scalar(text("SELECT pg_relation_filenode('staging.profile_totals')"))
        assert profile.publish(connection, [TOTALS]) == {"totals": Change(3, 0, 0, 0)}
    with hub_engine.connect() as connection:
        assert read(connection) == dict.fromkeys(ids, 1)
        assert connection.scalar(text("SELECT pg_relation_filenode('profile.totals')")) == staged
        kept = "SELECT relpersistence FROM pg_class WHERE oid = 'profile.totals'::regclass"
        assert connection.scalar(text(kept)) == "p"
        found = inspect(connection)
        assert not found.has_table("profile_totals", schema="staging")
        key = found.get_pk_constraint("totals", schema="profile")
        assert (key["name"], key["constrained_columns"]) == ("totals_pkey", ["golden_id"])
        assert [one["name"] for one in found.get_indexes("totals", schema="profile")] == [
            "totals_home_id_idx"
        ]
        comments = {one["name"]: one["comment"] for one in found.get_columns("totals", schema="profile")}
        assert "Spent." in (comments["net"] or "")
        assert found.get_table_comment("totals", schema="profile")["text"] == TOTALS.description
        assert connection.scalar(text("SELECT count(totals_net) FROM profile.customer")) == 3


def test_later_versions_change_what_differs(hub_engine: Engine, ids: list[str]) -> None:
    for values, worked, change in (
        (dict.fromkeys(ids, "1"), None, Change(3, 0, 0, 0)),
        ({ids[0]: "1", ids[1]: "2"}, None, Change(0, 1, 1, 1)),
        ({ids[2]: "7"}, pa.array([ids[1], ids[2]]), Change(1, 0, 1, 1)),
    ):
        with hub_engine.begin() as connection:
            stage(connection, values, worked)
            assert profile.publish(connection, [TOTALS]) == {"totals": change}
    with hub_engine.connect() as connection:
        assert read(connection) == {ids[0]: 1, ids[2]: 7}


def test_how_many_rows_there_are_is_noted_and_right_whoever_takes_rows(
    hub_engine: Engine, ids: list[str]
) -> None:
    def published(values: dict[str, str], worked: list[str] | None) -> Change:
        with hub_engine.begin() as connection:
            stage(connection, values, None if worked is None else pa.array(worked))
            return profile.publish(connection, [TOTALS])["totals"]

    def noted_and_there() -> tuple[int, int]:
        with hub_engine.connect() as connection:
            noted = connection.scalar(text("SELECT rows FROM ops.profile_state WHERE enricher = 'totals'"))
            return int(noted or 0), len(read(connection))

    published(dict.fromkeys(ids, "1"), None)
    assert published({ids[0]: "2"}, ids[:2]) == Change(0, 1, 1, 1)
    assert noted_and_there() == (2, 2)
    gone = "DELETE FROM golden.customer WHERE golden_id = :id"
    with hub_engine.begin() as connection:
        connection.execute(text(gone), {"id": ids[0]})
        profile.publish(connection, [TOTALS])  # of which nothing is staged
    assert noted_and_there() == (1, 1)
    with hub_engine.begin() as connection:
        connection.execute(text("DELETE FROM profile.totals"))  # as an erasure does
        profile_catalogue.forget_rows(connection)
    with hub_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO profile.totals (golden_id, as_of) VALUES (:id, now())"), {"id": ids[2]}
        )
    assert published({ids[1]: "5"}, [ids[1]]) == Change(1, 0, 0, 1)
    assert noted_and_there() == (2, 2)


def test_a_publication_waits_for_nobody_who_tidies_up(hub_engine: Engine, ids: list[str]) -> None:
    options = text("SELECT reloptions FROM pg_class WHERE oid = to_regclass(:name)")
    with hub_engine.begin() as connection:
        stage(connection, dict.fromkeys(ids, "1"))
        staged = connection.scalar(options, {"name": "staging.profile_totals"})
        profile.publish(connection, [TOTALS])
    assert staged == ["autovacuum_enabled=off"]
    with hub_engine.begin() as connection:
        assert connection.scalar(options, {"name": "profile.totals"}) is None
        stage(connection, {ids[0]: "2"}, pa.array(ids[:1]))
        for name in ("profile_totals", "profile_totals_worked"):
            assert connection.scalar(options, {"name": f"staging.{name}"}) == ["autovacuum_enabled=off"]
    with hub_engine.connect() as other, hub_engine.begin() as connection:
        other.execute(text("LOCK TABLE profile.totals IN SHARE UPDATE EXCLUSIVE MODE"))  # as ANALYZE does
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        assert profile.publish(connection, [TOTALS]) == {"totals": Change(0, 1, 0, 2)}


def test_two_rows_of_one_customer_are_refused_without_a_value(hub_engine: Engine, ids: list[str]) -> None:
    rows = pa.table(
        {
            "golden_id": [ids[0], ids[0]],
            "net": ["1", "2"],
            "home_id": ["secret", "secret"],
            "as_of": [DAY, DAY],
            "model": pa.nulls(2, pa.string()),
        }
    )
    failed = r"staging\.profile_totals failed: UniqueViolation"
    with pytest.raises(HubError, match=failed) as refused, hub_engine.begin() as connection:
        profile.stage(connection, TOTALS, rows, {}, None)
    assert ids[0] not in str(refused.value)


SPENT = Enricher(
    "spent",
    "What a customer spent.",
    ("purchases",),
    (
        Output("net", ValueType.DECIMAL, "Spent.", tells_from=0.5),
        Output("segment", ValueType.TEXT, "Kind of customer."),
    ),
    "A test.",
    "Never.",
    lambda work: work.sql("SELECT 1"),
)


@pytest.mark.parametrize(
    ("said", "told"), [("", ["11"]), ("tells_from: {net: 0.1}", ["10.2", "11"]), ("tells_from: {net: 5}", [])]
)
def test_a_hair_is_told_to_nobody_and_how_thick_it_is_the_policy_says(
    hub_engine: Engine, ids: list[str], tmp_path: Path, said: str, told: list[str]
) -> None:
    chosen = policy(tmp_path, said).chosen["spent"].enricher

    def staged(connection: Connection, *net: str) -> None:
        rows = {"golden_id": ids, "net": list(net), "segment": ["loyal"] * 3, "as_of": [DAY] * 3}
        table = pa.table({**rows, "model": pa.nulls(3, pa.string())})
        profile.stage(connection, profile_table(chosen), table, {}, None)
        profile.publish(connection, [profile_table(chosen)])

    with hub_engine.begin() as connection:
        staged(connection, "10", "10", "10")
    with hub_engine.begin() as connection:
        staged(connection, "10", "10.2", "11")
        rows = connection.execute(
            text("SELECT s.net::text, told FROM noted_profile JOIN profile.spent AS s USING (golden_id)")
        ).all()
        assert sorted(net for net, _ in rows) == told
        assert all(names == ["spent_net"] for _, names in rows)


def test_hairs_that_add_up_are_told(hub_engine: Engine, ids: list[str]) -> None:
    """A value that creeps is told when it has moved by the threshold since it was told, and counts from there on."""
    told: list[list[str]] = []
    for week in range(11):
        values = [
            f"{1 + week * 0.2:.1f}",
            "7",
            f"{3 + week % 2 * 0.4:.1f}",
        ]  # creeps, stands, goes to and fro
        with hub_engine.begin() as connection:
            rows = {"golden_id": ids, "net": values, "segment": ["loyal"] * 3, "as_of": [DAY] * 3}
            table = pa.table({**rows, "model": [f"of week {week}"] * 3})
            profile.stage(connection, profile_table(SPENT), table, {}, None)
            profile.publish(connection, [profile_table(SPENT)])
            assert connection.scalar(
                text("SELECT net FROM profile.spent WHERE golden_id = :id"), {"id": ids[0]}
            ) == (Decimal(values[0]))
            there = connection.scalar(text("SELECT to_regclass('noted_profile')"))
            found = connection.scalars(text("SELECT golden_id::text FROM noted_profile")) if there else ()
            told.append(sorted(found))
    assert told == [[ids[0]] if week in (3, 6, 9) else [] for week in range(11)], "0.6 since it was told"
    with hub_engine.begin() as connection:
        kept = "SELECT golden_id::text, told FROM ops.profile_told"
        assert [tuple(row) for row in connection.execute(text(kept))] == [(ids[0], {"net": 2.8})]
        profile.stage(connection, profile_table(SPENT), table.slice(1), {}, None)
        profile.publish(connection, [profile_table(SPENT)])
        assert connection.execute(text(kept)).all() == [], "nothing is kept of who is no more"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("tells_from: {nett: 5}", r"spent\.tells_from\.nett: .*Did you mean 'net'\?"),
        ("tells_from: {segment: 5}", r"spent\.tells_from\.segment: .*Use one of: net\."),
        ("tells_from: {net: much}", r"spent\.tells_from: net: .*valid number"),
        ("tells_from: {net: -1}", r"spent\.tells_from: net: .*greater than or equal to 0"),
        ("tells_from: 3", r"spent\.tells_from: .*dictionary"),
    ],
)
def test_a_policy_that_tells_from_what_cannot_be_is_refused(tmp_path: Path, said: str, problem: str) -> None:
    with pytest.raises(EnrichmentPolicyError, match=problem):
        policy(tmp_path, said)


def test_two_rates_of_a_currency_from_one_day_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "enrichment.yaml"
    rate = "  - {currency: %s, from: 2026-01-0%d, rate: 0.%d}\n"
    rates = [("USD", 1, 9), ("GBP", 1, 8), ("USD", 2, 7), ("USD", 1, 8)]
    path.write_text("version: 1\ncurrency: EUR\nrates:\n" + "".join(rate % one for one in rates[:3]))
    assert load_policy(path, {"spent": SPENT}).rates.num_rows == 4
    path.write_text("version: 1\ncurrency: EUR\nrates:\n" + "".join(rate % one for one in rates))
    with pytest.raises(EnrichmentPolicyError) as refused:
        load_policy(path, {"spent": SPENT})
    assert str(refused.value) == f"{path}: rates: there are two of USD from 2026-01-01. Keep one of them."


def policy(folder: Path, said: str) -> EnrichmentPolicy:
    path = folder / "enrichment.yaml"
    path.write_text(f"version: 1\ncurrency: EUR\nenrichers:\n  spent: {{{said}}}\n")
    return load_policy(path, {"spent": SPENT})
