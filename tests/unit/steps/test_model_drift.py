"""Customers who are no longer like those that a model was fitted to are told of in every run, and others are not."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Connection, Engine

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.enrichment import churn, lifetime_value
from cdm_pipelines.enrichment.churn_figures import reference
from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.value_drift import ahead
from cdm_pipelines.enrichment.value_models import PurchaseModel
from cdm_pipelines.figures import Check
from cdm_pipelines.hub import profile, profile_models
from cdm_pipelines.hub.profile import table_of
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.drift import drifts
from cdm_pipelines.steps.profile.enrich import company_of
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

FITTED = dt.date(2026, 6, 1)
RANDOM = np.random.default_rng(5)
TRAINED = RANDOM.beta(2, 4, 4_000)
CHURN = {"method": "model", "reference": reference(TRAINED, {}, {"terms": []})}
BG_NBD = PurchaseModel(r=0.25, alpha=4.4, a=0.8, b=2.4, log_likelihood=0.0)


def gid(number: int) -> str:
    return f"00000000-0000-8000-8000-{number:012d}"


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """A lake whose newest day is 45 days after the fit."""
    made = Lake(settings.lake_url)
    schema = pa.schema([("record_id", pa.string())])
    path = layout.standard_path(
        contract_named("crm/contact"), str(FITTED + dt.timedelta(days=45)), Entity.PARTY
    )
    with made.writer(path, schema) as to:
        to.write_table(schema.empty_table())
    return made


def stage(connection: Connection, enricher: Enricher, given: Mapping[str, Any], first: int = 1) -> pa.Array:
    """Stage rows of customers from a number on: everybody where it is 1."""
    table = table_of(profile_table(enricher))
    size = len(next(iter(given.values())))
    ids = pa.array([gid(first + at) for at in range(size)])
    rows = {
        one.name: given.get(one.name, pa.nulls(size, pa.string()))
        for one in table.columns
        if one.name not in ("golden_id", "as_of")
    }
    made = pa.table({"golden_id": ids, **rows, "as_of": pa.repeat(pa.scalar(FITTED), size)})
    profile.stage(
        connection,
        profile_table(enricher),
        made.select(table.columns.keys()),
        {},
        None if first == 1 else ids,
    )
    return ids


def found(connection: Connection, settings: Settings) -> Mapping[str, Check]:
    return drifts(connection, company_of(Lake(settings.lake_url), settings))


def test_before_there_is_a_model_nothing_is_held_against_it(hub_engine: Engine, settings: Settings) -> None:
    with hub_engine.connect() as connection:
        told = found(connection, settings)
    assert set(told) == {"churn", "lifetime_value"}
    assert all(one.passed and one.severity == "WARN" for one in told.values())


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(("alpha", "moved"), [(2, False), (6, True)])
def test_scores_that_have_moved_warn(hub_engine: Engine, settings: Settings, alpha: int, moved: bool) -> None:
    """Published are the scores of then; a night works on some customers, and what it stages counts already."""
    now = RANDOM.beta(alpha, 4, 3_000).round(6)
    with hub_engine.begin() as connection:
        profile_models.keep(connection, "churn", FITTED, "", json.loads(json.dumps(CHURN)))
        stage(connection, churn.ENRICHER, {"probability": TRAINED.round(6)})
        table = profile_table(churn.ENRICHER)
        profile.table_of(table).create(connection)
        rows = "INSERT INTO profile.churn SELECT * FROM staging.profile_churn"
        connection.exec_driver_sql(rows)
        profile.clear(connection)
        assert found(connection, settings)["churn"].passed
        stage(connection, churn.ENRICHER, {"probability": now}, first=2)
        told = found(connection, settings)["churn"]
    assert told.passed is not moved
    assert "the scores of 4,000 customers" in told.text
    assert ("fit anew" in told.text) is moved


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("share", "kept_back", "moved"), [(1.0, 0, False), (1.0, 400, False), (0.4, 0, True), (1.7, 0, True)]
)
def test_other_buyers_than_a_model_expected_warn_once_it_is_thirty_days_old(
    hub_engine: Engine, settings: Settings, share: float, kept_back: int, moved: bool
) -> None:
    """Whoever is withheld since does not count on either side, nor whoever is new."""
    x = np.arange(1_000) % 4.0
    history = {"x": x, "recency": x * 60, "age": np.full(1_000, 300.0), "n": np.ones(1_000)}
    kept = ahead(BG_NBD, history)
    size = 1_000 - kept_back
    expected = np.interp(45, [0, 30, 60], [0, kept["buy"]["30"], kept["buy"]["60"]]) * size / 1_000
    bought = round(share * expected)
    before, after = FITTED - dt.timedelta(days=60), FITTED + dt.timedelta(days=9)
    given = {
        "first_purchase_on": [FITTED - dt.timedelta(days=300)] * size + [after] * 500,
        "last_purchase_on": [after] * bought + [before] * (size - bought) + [after] * 500,
    }
    model = {"ahead": kept}
    with hub_engine.begin() as connection:
        stage(connection, lifetime_value.ENRICHER, given)
        profile_models.keep(connection, "lifetime_value", FITTED + dt.timedelta(days=30), "", model)
        assert "no model" in found(connection, settings)["lifetime_value"].text
        profile_models.keep(connection, "lifetime_value", FITTED, "", model)
        profile_models.keep(connection, "lifetime_value", FITTED + dt.timedelta(days=40), "", {})
        told = found(connection, settings)["lifetime_value"]
    assert told.passed is not moved
    assert f"{bought} of {size:,} customers bought again within 45 days" in told.text
    assert f"{expected:.0f} expected" in told.text
