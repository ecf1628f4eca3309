"""R3, R4 and R5 over whole runs: repeated days, days in any order, backfills."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from cdm_demo import generate
from cdm_pipelines.components.session import open_session
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named
from cdm_pipelines.hub import audit
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.operate.summary import source_counts
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment


@pytest.fixture(scope="module")
def daily(lived: Callable[..., Deployment]) -> Deployment:
    """Every day run on its day."""
    return lived(*DAYS)


def with_model_of(daily: Deployment, other: Deployment) -> Deployment:
    """Order plays no part under one fitted model."""
    shutil.copytree(
        Path(daily.settings.lake_url) / "link" / "model", Path(other.settings.lake_url) / "link" / "model"
    )
    return other


def values(deployment: Deployment) -> tuple[Any, ...]:
    """Clusters and golden values without golden ids, which follow the order of publication."""
    clusters: dict[str, set[tuple[str, ...]]] = {}
    for *record, golden_id in deployment.query(
        "SELECT source, entity, record_id, golden_id::text FROM golden.crosswalk"
    ):
        clusters.setdefault(golden_id, set()).add(tuple(record))
    golden = deployment.query(
        "SELECT to_jsonb(c) - 'golden_id' - 'employer_id' FROM golden.customer c ORDER BY 1"
    )
    return {frozenset(members) for members in clusters.values()}, golden


def test_every_record_is_in_exactly_one_customer(daily: Deployment) -> None:
    for row in source_counts(Lake(daily.settings.lake_url), all_contracts()):
        assert row["read"] == row["accepted"] + row["quarantined"], row["source"]  # type: ignore[operator]
    ((customers, members, largest),) = daily.query(
        "SELECT (SELECT count(*) FROM golden.customer), count(DISTINCT golden_id), count(*) FROM golden.crosswalk"
    )
    assert customers == members
    assert largest > customers


def test_the_checks_of_what_is_in_service_are_shown_on_the_published_table(daily: Deployment) -> None:
    with open_session(daily.settings) as session:
        records = {
            name: session.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
            for name in ("reconciliation", "newest_day")
            if (key := dg.AssetCheckKey(dg.AssetKey(["golden", "customer"]), name))
        }
    told = {name: record.event.dagster_event.asset_check_evaluation_data for name, record in records.items()}  # type: ignore[union-attr]
    assert told["reconciliation"].passed
    assert str(told["reconciliation"].description).endswith("source records")
    assert not told["newest_day"].passed
    assert told["newest_day"].severity == dg.AssetCheckSeverity.WARN
    assert str(told["newest_day"].description).startswith(f"the newest day in service is {DAYS[-1]}")
    members = "SELECT count(*) FROM golden.crosswalk"
    with open_hub(daily.settings) as engine, engine.connect() as connection:
        assert audit.in_service(connection).crossed == daily.query(members)[0][0]
        connection.execute(text("DELETE FROM golden.crosswalk WHERE record_id LIKE '%1'"))
        lost = audit.in_service(connection)
        connection.rollback()
    assert lost.crossed < lost.records


def test_a_repeated_day_changes_nothing_at_all(daily: Deployment) -> None:
    rows, files = daily.published(versions=True), daily.lake()
    publications = daily.query("SELECT count(*) FROM ops.publication")
    assert daily.run(DAYS[-1]) == 0
    assert daily.run(DAYS[0]) == 0
    assert daily.published(versions=True) == rows
    assert daily.lake() == files
    assert daily.query("SELECT count(*) FROM ops.publication") == publications


def test_a_rebuild_works_through_everything_and_changes_nothing(daily: Deployment) -> None:
    def shown(asset: str) -> dict[str, Any]:
        with open_session(daily.settings) as session:
            event = session.instance.get_latest_materialization_event(dg.AssetKey(asset.split("/")))
        assert event is not None
        assert event.asset_materialization is not None
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}

    def kept() -> dict[str, str]:
        for_the_next_run = ("link/state/", "profile/neighbours/")
        return {
            path: digest for path, digest in daily.lake().items() if not path.startswith(for_the_next_run)
        }

    assert daily.run(DAYS[-1]) == 0
    assert shown("golden/staged")["customers worked through"] == 0
    assert shown("link/clusters")["everything was linked"] == "no"
    assert shown("link/clusters")["records changed"] == shown("link/clusters")["pairs compared"] == 0

    rows, files = daily.published(versions=True), kept()
    publications = daily.query("SELECT count(*) FROM ops.publication")
    assert daily.run(DAYS[-1], rebuild=True) == 0
    assert daily.published(versions=True) == rows
    assert kept() == files
    assert daily.query("SELECT count(*) FROM ops.publication") == publications
    staged, linked = shown("golden/staged"), shown("link/clusters")
    assert staged["customers worked through"] == staged["dagster/row_count"] > 0
    assert linked["everything was linked"] == "person: it was asked for; organisation: it was asked for"
    assert linked["records changed"] == linked["dagster/row_count"]
    assert linked["pairs compared"] > 0


@pytest.mark.parametrize("order", [(2, 0, 1)], ids=str)
def test_days_in_any_order_end_with_the_same_customers(
    daily: Deployment, deploy: Callable[..., Deployment], order: tuple[int, ...]
) -> None:
    shuffled = with_model_of(daily, deploy())
    for position in order:
        assert shuffled.run(DAYS[position]) == 0
    assert values(shuffled) == values(daily)


def test_a_backfill_is_one_run_per_source_and_equals_the_days(
    daily: Deployment, deploy: Callable[..., Deployment]
) -> None:
    backfilled = with_model_of(daily, deploy())
    assert backfilled.run(DAYS[0], DAYS[-1]) == 0
    assert values(backfilled) == values(daily)
    with open_session(backfilled.settings) as session:
        jobs = [run.job_name for run in session.instance.get_runs()]
        days = session.instance.get_materialized_partitions(dg.AssetKey(["standard", "crm", "contact"]))
    sources = {contract.source for contract in all_contracts()}
    assert sorted(jobs) == ["customers", *sorted(f"ingest_{source}" for source in sources)]
    assert set(DAYS) == days


def test_the_same_runs_from_an_empty_hub_give_the_same_ids(
    daily: Deployment, deploy: Callable[..., Deployment]
) -> None:
    again = deploy()
    for day in DAYS:
        assert again.run(day) == 0
    assert again.published() == daily.published()


def test_a_refused_and_an_absent_day_do_not_stop_the_other_days_of_a_backfill(
    deploy: Callable[..., Deployment], capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = deploy()
    (deployment.landing / "shop" / "customer" / f"{DAYS[0]}.csv").write_bytes(b"")
    (deployment.landing / "shop" / "order" / f"{DAYS[1]}.csv").unlink()
    assert deployment.run(DAYS[0], DAYS[2], ["shop"]) == 1
    said = capsys.readouterr().out
    assert f"shop/customer/{DAYS[0]}.csv" in said
    assert f"shop/order/{DAYS[1]}" not in said
    with open_session(deployment.settings) as session:
        customers, orders = (
            session.instance.get_materialized_partitions(dg.AssetKey(["standard", "shop", entity]))
            for entity in ("customer", "order")
        )
    assert customers == {DAYS[1], DAYS[2]}
    assert orders == {DAYS[0], DAYS[2]}


def test_a_run_without_a_day_takes_what_is_new_and_says_what_waits(
    deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    generate(customers=40, days=2, seed=3, out=tmp_path)
    company = deploy(tmp_path / "landing")
    (late,) = (company.landing / "shop" / "order").glob(f"{DAYS[1]}*")
    late.rename(tmp_path / late.name)
    told = company.ask("run")
    assert f"shop {DAYS[1]} waits: no file yet for order" in told
    done = [line.split()[1:3] for line in told.splitlines() if "✓" in line]
    sources = ("crm", "desk", "erp", "mail", "shop", "web")
    assert done == [
        *([DAYS[0], one] for one in sources),
        *([DAYS[1], one] for one in sources if one != "shop"),
        done[-1],
    ]
    assert done[-1][0] == "customers"
    publications = "SELECT count(*) FROM ops.publication"
    assert company.query(publications) == [(1,)]
    (tmp_path / late.name).rename(late)
    told = company.ask("run", "--source", "crm")
    assert "Nothing in landing is new" in told
    told = company.ask("run")
    assert [line.split()[1:-1] for line in told.splitlines() if "✓" in line] == [
        [DAYS[1], "shop"],
        ["customers"],
    ]
    assert "Nothing in landing is new" in company.ask("run")
    # Delivered anew and ingested, and then the run was killed, or its publication failed.
    file = company.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    file.write_bytes(file.read_bytes() + b"\n")
    lake = Lake(company.settings.lake_url)
    process_day(company.settings, lake, contract_named("crm/contact"), DAYS[1])
    told = company.ask("run")
    assert "What was ingested is not published yet: it is now." in told
    assert [line.split()[1:-1] for line in told.splitlines() if "✓" in line] == [["customers"]]
    assert "`cdm run --customers` publishes the customers anew" in company.ask("run")


def test_customers_are_published_anew_after_a_decision(daily: Deployment) -> None:
    [(customer,)] = daily.query(
        "SELECT min(golden_id::text) FROM golden.customer WHERE party_kind = 'person'"
    )
    daily.ask("steward", "set", customer, "city=Appelscha", "--because", "told so")
    told = daily.ask("run", "--customers")
    assert [line.split()[1] for line in told.splitlines() if "✓" in line] == ["customers"]
    assert daily.query(f"SELECT city FROM golden.customer WHERE golden_id = '{customer}'") == [("Appelscha",)]
    daily.ask("steward", "undo", "1")
    daily.ask("run", "--customers")
