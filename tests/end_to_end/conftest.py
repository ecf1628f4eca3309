"""Whole runs, as a user would make them: real extracts, real Dagster runs, real PostgreSQL."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import fsspec
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from cdm_demo import generate
from cdm_pipelines.cli import app
from cdm_pipelines.commands.run import run_days
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.defs.customers.link import link
from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store.lake import Lake

ROOT = Path(__file__).parents[2]
SECRET = b"secret of every deployment here!"
DAYS = ("2026-06-01", "2026-06-02", "2026-06-03")
PUBLISHED = {
    "golden.customer": "golden_id",
    "golden.crosswalk": "source, entity, record_id",
    "golden.provenance": "golden_id, attribute",
    "golden.customer_order": "source, entity, record_id",
    "golden.order_line": "source, entity, record_id",
    "golden.payment": "source, entity, record_id",
    "identity.golden_id": "golden_id",
}


@dataclass(frozen=True)
class Deployment:
    """One company's installation."""

    settings: Settings

    @property
    def landing(self) -> Path:
        return Path(self.settings.landing_url)

    def run(
        self,
        first: str,
        last: str = "",
        sources: list[str] | None = None,
        *,
        refit: bool = False,
        rebuild: bool = False,
    ) -> int:
        """Run days in this process; returns the exit code."""
        return run_days(self.settings, (first, last or first), sources, refit=refit, rebuild=rebuild)

    def cdm(self, *arguments: str, code: int = 0) -> str:
        """Run ``cdm`` as a process of its own; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "cdm_pipelines.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def ask(self, *arguments: str, code: int = 0) -> str:
        """Run ``cdm`` in this process, which spares its start; returns what it printed."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            done = CliRunner().invoke(app, list(arguments), env={"TERMINAL_WIDTH": "200"})
        finally:
            os.environ.clear()
            os.environ.update(before)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}"
        return done.output

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.settings.environment(), "COLUMNS": "200"}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the hub."""
        engine = create_engine(database_url(self.settings))
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(sql))]
        finally:
            engine.dispose()

    def alter(self, sql: str) -> None:
        """Change the hub behind the pipeline's back."""
        engine = create_engine(database_url(self.settings))
        try:
            with engine.begin() as connection:
                connection.execute(text(sql))
        finally:
            engine.dispose()

    def published(self, *, versions: bool = False) -> dict[str, list[tuple[Any, ...]]]:
        """All published rows; with their row versions, which change when a row is written anew."""
        system = "xmin::text, " if versions else ""
        return {
            table: self.query(f"SELECT {system}t.* FROM {table} AS t ORDER BY {order}")
            for table, order in PUBLISHED.items()
        }

    def lake(self) -> dict[str, str]:
        """Checksum of every file in the lake."""
        root = Path(self.settings.lake_url)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def at(home: Path, database: str, landing: Path | None = None) -> Deployment:
    """The installation in a folder."""
    settings = load_settings(
        home=home,
        landing_url=str(landing or home / "landing"),
        lake_url=str(home / "lake"),
        database_url=database,
        threads=1,
    )
    return Deployment(settings)


@pytest.fixture(scope="session")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of extracts of a small company."""
    out = tmp_path_factory.mktemp("company")
    generate(customers=120, days=3, seed=7, out=out)
    return out / "landing"


@pytest.fixture(scope="session")
def deploy(
    tmp_path_factory: pytest.TempPathFactory,
    new_database: Callable[..., str],
    _template: str,
    extracts: Path,
) -> Callable[..., Deployment]:
    """A function that makes a fresh installation with extracts in its landing."""

    def make(landing: Path | None = None) -> Deployment:
        home = tmp_path_factory.mktemp("home")
        target = home / "landing"
        shutil.copytree(landing or extracts, target)
        secret = home / "secret.key"
        secret.write_bytes(SECRET)  # the same for all: their lakes are compared byte for byte
        secret.chmod(0o600)
        return at(home, new_database(_template))

    return make


@pytest.fixture(scope="session")
def lived(
    deploy: Callable[..., Deployment],
    new_database: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Deployment]:
    """A function that makes an installation in which days of the small company were run, one after the other.

    Days are run once in a test process: everybody gets a copy of folders and database.
    """
    kept: dict[tuple[str, ...], Deployment] = {}

    def copy_of(*days: str) -> Deployment:
        if days not in kept:
            deployment = copy_of(*days[:-1]) if days[1:] else deploy()
            assert deployment.run(days[-1]) == 0
            kept[days] = deployment
        whole = kept[days].settings
        home = tmp_path_factory.mktemp("home")
        shutil.copytree(whole.home, home, dirs_exist_ok=True)
        database = database_url(whole).database
        kept[days].query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return at(home, new_database(database))

    return copy_of


Pipeline = tuple[Deployment, dg.ExecuteInProcessResult]


def materialized(deployment: Deployment) -> dg.ExecuteInProcessResult:
    """A run of the linkage alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deployment.settings.environment().items():
            patch.setenv(name, value)
        return dg.materialize([link], resources={"platform": Platform()})


@pytest.fixture(scope="session")
def pipeline(
    extracts: Path, tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str], _template: str
) -> Pipeline:
    """Party records of a day, linked by the pipeline's own asset."""
    home = tmp_path_factory.mktemp("pipeline")
    deployment = at(home, new_database(_template), extracts)
    settings, lake = deployment.settings, Lake(deployment.settings.lake_url)
    for contract in all_contracts():
        if any(path.startswith("party.") for column in contract.columns for path in column.maps_to):
            process_day(settings, lake, contract, DAYS[0])
    build_records(lake, all_contracts(), [Entity.PARTY])
    return deployment, materialized(deployment)


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """The address of a server that speaks S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def outside() -> Any:
    """The object store as another program sees it, with no memory of what was there."""
    return fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture
def bucket(object_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, reached by the usual variables."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", object_store)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    fsspec.get_filesystem_class(
        "s3"
    ).clear_instance_cache()  # one may have been made before there were any variables
    name = f"company-{uuid4().hex}"
    outside().mkdir(name, region_name="eu-west-1")
    return name
