"""The run after an erasure works through whom it concerns alone, to what a rebuild of what is left comes to."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from cdm_pipelines.components.session import open_session

from .conftest import DAYS, Deployment

READ = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname IN ('golden', 'profile', 'identity')"""
BESIDE = ("privacy.consent", "privacy.consent_statement", "ops.review_item")
SHARED = """
    SELECT c.golden_id::text, d.golden_id::text FROM golden.customer c JOIN golden.customer d ON c.email = d.email
    WHERE c.party_kind = 'person' AND d.party_kind = 'person' AND c.golden_id < d.golden_id ORDER BY 1, 2 LIMIT 1"""
EMPLOYER = """
    SELECT employer_id::text, min(golden_id::text) FROM golden.customer WHERE employer_id IS NOT NULL
    GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"""

ACTIVE = """
    SELECT golden_id::text FROM profile.engagement WHERE golden_id NOT IN ('{}', '{}') ORDER BY 1 LIMIT 1"""
"""Somebody who has left traces, and is none of two others."""


@pytest.fixture(scope="module")
def home(lived: Callable[..., Deployment]) -> Deployment:
    home = lived(*DAYS)
    return Deployment(home.settings.model_copy(update={"threads": 2}))  # source entities side by side
    return home


def everything(home: Deployment) -> dict[str, list[str]]:
    """All rows that are published or that people read, by table."""
    tables = [*(name for (name,) in home.query(READ)), *BESIDE]
    return {table: sorted(map(repr, home.query(f"SELECT * FROM {table}"))) for table in tables}


def shown(home: Deployment, asset: str) -> dict[str, Any]:
    """What Dagster shows of the last run of an asset."""
    with open_session(home.settings) as session:
        event = session.instance.get_latest_materialization_event(dg.AssetKey(asset.split("/")))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_the_next_run_works_through_few_and_comes_to_what_a_rebuild_does(home: Deployment) -> None:
    [(erased, housemate)] = home.query(SHARED)
    [(organisation, employee)] = home.query(EMPLOYER)
    [(active,)] = home.query(ACTIVE.format(erased, housemate))
    gone = sorted(map(str, (erased, organisation, active)))
    everybody = home.query("SELECT count(*) FROM golden.customer")[0][0]
    told = "SELECT golden_id::text FROM ops.outbox WHERE type = 'customer.retired' ORDER BY 1"

    home.ask("privacy", "erase", *gone, "--by", "Petra", "--yes")
    assert [id_ for (id_,) in home.query(told)] == gone
    assert home.query("SELECT DISTINCT reason FROM identity.event WHERE event = 'retired'") == [
        ("record_gone",)
    ]
    assert "in order" in home.ask("verify")

    assert home.run(DAYS[2]) == 0
    staged = shown(home, "golden/staged")
    assert 2 <= staged["customers worked through"] < everybody / 6
    assert staged["golden ids"].count("retired") == 0
    assert staged["dagster/row_count"] == everybody - len(gone)
    assert 2 <= shown(home, "privacy/consent")["customers worked on"] < everybody / 6
    assert shown(home, "link/clusters")["everything was linked"] == "no"
    assert home.query(f"SELECT employer_id FROM golden.customer WHERE golden_id = '{employee}'") == [(None,)]
    assert [id_ for (id_,) in home.query(told)] == gone

    left = everything(home)
    assert home.run(DAYS[2], rebuild=True) == 0
    assert everything(home) == left
