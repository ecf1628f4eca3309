"""Nothing is worked out of a customer for a purpose that is off for them, and their row says so."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import committed
import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from cdm_demo import generate
from cdm_pipelines.commands.profile import show_profile
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import profile_models
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.privacy.off import NOBODY, OFF_SCHEMA
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.profile.enrich import Enriched, company_of, enrich
from cdm_pipelines.store.lake import Lake

POLICIES = Path(__file__).parents[3] / "cdm_pipelines" / "policies"
OF_ANALYTICS = ("rfm", "lifetime_value", "churn", "engagement", "lifecycle", "lifecycle_step")


def off(*said: tuple[str, str]) -> pa.Table:
    """Purposes that are off, each for a customer."""
    rows = [{"purpose": purpose, "channel": "", "golden_id": golden_id} for purpose, golden_id in said]
    return pa.Table.from_pylist(rows, OFF_SCHEMA)


@dataclass(frozen=True)
class Shop:
    """A small company with a published profile."""

    settings: Settings
    engine: Engine

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_url)

    def ask(self, query: str) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]

    def publish(self, table: pa.Table = NOBODY) -> dict[str, Enriched]:
        """Stage and publish the profile as two steps of a run do."""
        with self.engine.begin() as connection:
            company = company_of(self.lake, self.settings)
            done = enrich(connection, company, profile_models.current(connection), off=table)
        committed.publish_customers(self.engine, self.lake, self.settings, off=table)
        return done

    def tables(self) -> dict[str, list[Any]]:
        names = [row["enricher"] for row in self.ask("SELECT enricher FROM ops.profile_state ORDER BY 1")]
        stored = {"household": "household_member", "organisation": "organisation_member"}
        query = "SELECT to_jsonb(t) AS row FROM profile.{} AS t ORDER BY to_jsonb(t)"
        return {name: self.ask(query.format(stored.get(name, name))) for name in names}

    def buyers(self, number: int) -> list[str]:
        query = "SELECT golden_id::text FROM profile.rfm WHERE net > 0 ORDER BY net DESC, golden_id LIMIT {}"
        return [row["golden_id"] for row in self.ask(query.format(number))]

    def row(self, golden_id: str) -> dict[str, Any]:
        [row] = self.ask(f"SELECT * FROM profile.customer WHERE golden_id = '{golden_id}'")
        return row

    def counted(self, table: str, ids: Sequence[str]) -> int:
        named = ", ".join(f"'{one}'" for one in ids)
        return int(self.ask(f"SELECT count(*) AS n FROM {table} WHERE golden_id IN ({named})")[0]["n"])


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str
) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("shop")
    made = generate(customers=150, days=1, seed=5, out=home)
    shutil.copytree(POLICIES, home / "policies")
    settings = load_settings(
        home=home,
        landing_url=str(made.landing),
        lake_url=str(home / "lake"),
        database_url=new_database(_template),
        policies=home / "policies",
        threads=1,
    )
    lake = Lake(settings.lake_url)
    for contract in all_contracts():
        process_day(settings, lake, contract, made.dates[0])
    build_records(lake, all_contracts(), list(Entity))
    link_parties(lake, settings)
    with open_hub(settings) as engine:
        assert not committed.stage_customers(engine, lake, settings).stopped
        committed.fit_models(engine, company_of(lake, settings))
        committed.publish_customers(engine, lake, settings)
        yield Shop(settings, engine)


@pytest.fixture
def published(shop: Shop) -> Iterator[Shop]:
    yield shop
    shop.publish()


def test_who_objected_has_no_value_of_that_purpose_and_their_row_says_why(
    published: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, bram = published.buyers(2)
    before = published.row(bram)
    done = published.publish(off(("analytics", anna)))
    row = published.row(anna)
    assert row["withheld_purposes"] == "analytics"
    assert sorted(row["withheld_enrichers"].split(", ")) == sorted(OF_ANALYTICS)
    values = {name: value for name, value in row.items() if name.startswith(OF_ANALYTICS)}
    assert values
    assert set(values.values()) == {None}
    assert any(value is not None for name, value in row.items() if name.startswith("quality_"))
    assert published.counted("golden.customer", [anna]) == 1
    assert published.row(bram) == before
    with published.engine.connect() as connection:
        show_profile(published.settings, connection, UUID(anna))
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        f"Not worked out: {row['withheld_enrichers']}, since these purposes are off for the customer: analytics."
        in printed
    )
    assert done["rfm"].withheld == 1
    assert done["rfm"].counts["customers withheld"] == 1
    assert "customers withheld" not in done["payment"].counts


def test_a_purpose_that_is_on_again_brings_the_same_values_back(published: Shop) -> None:
    before = published.tables()
    anna, bram = published.buyers(2)
    published.publish(off(("analytics", anna), ("billing", bram), ("identity", bram)))
    assert published.counted("profile.payment", [bram]) == 0
    assert published.counted("profile.quality", [bram]) == 0
    published.publish()
    assert published.tables() == before


def test_only_those_are_worked_on_of_whom_something_else_is_left_out_and_it_equals_a_rebuild(
    published: Shop,
) -> None:
    anna, bram, cato = published.buyers(3)
    published.publish(off(("analytics", anna), ("analytics", bram)))
    done = published.publish(off(("analytics", bram), ("billing", cato)))
    assert done["rfm"].worked == 2
    now = published.tables()
    with published.engine.begin() as connection:
        company = company_of(published.lake, published.settings)
        table = off(("analytics", bram), ("billing", cato))
        enrich(connection, company, profile_models.current(connection), rebuild=True, off=table)
    committed.publish_customers(published.engine, published.lake, published.settings, off=table)
    assert published.tables() == now
    assert published.publish(table)["rfm"].worked == 0


def test_nothing_is_left_of_somebody_whose_objection_comes_when_an_enricher_fails(published: Shop) -> None:
    own = published.settings.policies / "enrichers"
    own.mkdir()
    (own / "loud.yaml").write_text(
        "description: How loud.\npurpose: Knowing.\ninputs: [purchases]\n"
        "columns: [{name: level, type: integer, description: Loudness., of: [purchases.net]}]\n"
    )
    purposes = published.settings.policies / "purposes.yaml"
    purposes.write_text(purposes.read_text().replace("enrichers: [rfm,", "enrichers: [loud, rfm,"))
    (own / "loud.sql").write_text("SELECT DISTINCT golden_id, 1::BIGINT AS level FROM purchases")
    try:
        assert not published.publish()["loud"].problem
        [anna] = published.buyers(1)
        assert published.counted("profile.loud", [anna]) == 1
        (own / "loud.sql").write_text(
            "SELECT DISTINCT golden_id, error('no')::BIGINT AS level FROM purchases"
        )
        assert published.publish(off(("analytics", anna)))["loud"].problem
        assert published.counted("profile.loud", [anna]) == 0
        (left,) = published.ask("SELECT count(*) AS n FROM profile.loud")
        assert left["n"] > 0
        assert published.ask("SELECT rows AS n FROM ops.profile_state WHERE enricher = 'loud'") == [left]
    finally:
        shutil.rmtree(own)
        shutil.copy(POLICIES / "purposes.yaml", purposes)
