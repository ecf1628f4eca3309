"""Landing, lake and hub elsewhere than in folders of this machine: the same customers come out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import fsspec
import psycopg
import pytest
from sqlalchemy import make_url, text

from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.components.session import open_session
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment, outside

ORDERS = (Entity.ORDER, Entity.ORDER_LINE, Entity.PAYMENT)
PASSWORD = "p@ss/word"


@pytest.fixture(scope="module")
def at_home(lived: Callable[..., Deployment]) -> Deployment:
    """A day with everything in folders."""
    return lived(DAYS[0])


def moved(deployment: Deployment, **places: str) -> Deployment:
    """The same installation with some of its places elsewhere."""
    own = deployment.settings
    given = {
        "home": own.home,
        "landing_url": own.landing_url,
        "lake_url": own.lake_url,
        "database_url": own.database_url,
        "threads": own.threads,
    }
    return Deployment(load_settings(**{**given, **places}))


def test_a_day_on_object_storage_gives_the_customers_of_a_day_in_folders(
    at_home: Deployment, deploy: Callable[..., Deployment], bucket: str
) -> None:
    local = deploy()
    for file in local.landing.rglob(f"{DAYS[0]}*"):
        outside().put_file(str(file), f"{bucket}/landing/{file.relative_to(local.landing)}")
    away = moved(local, landing_url=f"s3://{bucket}/landing", lake_url=f"s3://{bucket}/lake")
    assert away.run(DAYS[0]) == 0
    published = away.published(versions=True)
    assert away.published() == at_home.published()
    assert not (local.settings.home / "lake").exists()
    held = {path.removeprefix(f"{bucket}/lake/") for path in outside().find(f"{bucket}/lake")}
    assert held == set(at_home.lake())
    assert away.run(DAYS[0], sources=["shop"]) == 0
    assert away.published(versions=True) == published


def test_the_sensor_sees_what_appears_and_changes_on_object_storage(
    deploy: Callable[..., Deployment], bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = deploy()
    monkeypatch.setenv("CDM_LANDING_URL", f"s3://{bucket}/landing")
    monkeypatch.setenv("CDM_LAKE_URL", f"s3://{bucket}/lake")
    sensor = load_definitions().get_repository_def().get_sensor_def("landing_shop")
    cursor: str | None = None

    def tick() -> list[str]:
        nonlocal cursor
        with dg.DagsterInstance.ephemeral() as instance:
            result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        return [str(request.partition_key) for request in result.run_requests or []]

    def deliver(entity: str, day: str, name: str) -> None:
        file = local.landing / "shop" / entity / f"{day}.csv"
        outside().put_file(str(file), f"{bucket}/landing/shop/{entity}/{name}.csv")

    assert tick() == []  # nothing at all, not even a folder
    deliver("customer", DAYS[0], DAYS[0])
    assert [tick(), tick()] == [[], []]  # orders are still to come
    deliver("order", DAYS[0], DAYS[0])
    assert [tick(), tick(), tick()] == [[], [DAYS[0]], []]
    deliver("customer", DAYS[1], DAYS[0])  # a corrected file under the same name
    assert [tick(), tick(), tick()] == [[], [DAYS[0]], []]
    deliver("customer", DAYS[1], DAYS[1])
    deliver("order", DAYS[1], DAYS[1])
    assert [tick(), tick(), tick()] == [[], [DAYS[1]], []]


def test_landing_and_lake_may_be_in_memory(
    at_home: Deployment, deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    local = deploy()
    root = f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").put(str(local.landing), f"/{tmp_path.name}/landing", recursive=True)
    shutil.rmtree(local.landing)
    settings = moved(local, landing_url=f"{root}/landing", lake_url=f"{root}/lake").settings
    lake = Lake(settings.lake_url)
    try:
        for contract in all_contracts():
            assert process_day(settings, lake, contract, DAYS[0]).reconciles
        build_records(lake, all_contracts(), [Entity.PARTY])
        build_records(lake, all_contracts(), ORDERS)
        link_parties(lake, settings)
        with open_hub(settings) as engine, engine.begin() as connection:
            assert not stage_customers(connection, lake, settings).stopped
            publish_customers(connection, lake, settings)
    finally:
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)
    assert local.published() == at_home.published()
    assert not Path(local.settings.lake_url).exists()


@pytest.fixture(scope="module")
def company_database(new_database: Callable[..., str]) -> str:
    """A database as a company's administrator gives it out: a user who may do as he likes there, and only there."""
    database = new_database()
    name = make_url(database).database
    with psycopg.connect(database, autocommit=True) as server:
        server.execute(f"CREATE ROLE company LOGIN PASSWORD '{PASSWORD}'")
        server.execute(f"REVOKE ALL ON DATABASE {name} FROM public".encode())
        server.execute(f"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {name} TO company".encode())
        server.execute("REVOKE ALL ON SCHEMA public FROM public")
    url = make_url(database).set(username="company", password=PASSWORD)
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def hosted(company_database: str, deploy: Callable[..., Deployment]) -> Deployment:
    """A day with hub and Dagster's storage in that database."""
    deployment = moved(deploy(), database_url=company_database)
    assert deployment.run(DAYS[0]) == 0
    return deployment


def test_a_user_with_rights_on_one_database_only_gets_the_same_customers(
    at_home: Deployment, hosted: Deployment
) -> None:
    assert hosted.published() == at_home.published()
    schemas = hosted.query(
        "SELECT DISTINCT schemaname FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
    )
    assert [name for (name,) in schemas] == [
        "activation",
        "dagster",
        "golden",
        "identity",
        "insight",
        "migration",
        "ops",
        "privacy",
        "profile",
    ]
    assert not (hosted.settings.home / "postgres").exists()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_spelling_of_the_address_reaches_hub_and_dagster(hosted: Deployment, scheme: str) -> None:
    given = hosted.settings.database_url
    assert given is not None
    address = given.get_secret_value().replace("postgresql://", f"{scheme}://", 1)
    spelled = moved(hosted, database_url=f"{address}&options=-c%20statement_timeout%3D60s&application_name=x")
    with open_session(spelled.settings) as session:
        assert {run.job_name for run in session.instance.get_runs()} >= {"customers", "ingest_crm"}
        with session.engine.connect() as connection:
            held = connection.execute(text("SELECT count(*), current_user FROM golden.customer")).one()
            limit = connection.execute(text("SHOW statement_timeout")).scalar_one()
    assert (held[0] > 0, held[1], limit) == (True, "company", "1min")
