"""The connection: any spelling of a URL, clear words when it does not work, and Dagster beside the hub."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, inspect, make_url, text

from cdm_pipelines.hub import connection as connection_module
from cdm_pipelines.hub.connection import dagster_url, database_url, embedded_server, in_full, open_hub
from cdm_pipelines.hub.environment import dagster_environment
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.settings import Settings, load_settings


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_usual_spelling_of_a_url_is_understood(scheme: str) -> None:
    settings = load_settings(database_url=f"{scheme}://cdm:p%40ss@db.example.com/cdm?sslmode=require")
    url = database_url(settings)
    assert url.drivername == "postgresql+psycopg"
    assert (url.password, url.host, url.query["sslmode"]) == ("p@ss", "db.example.com", "require")


@pytest.mark.slow
def test_without_a_url_the_embedded_server_is_started_and_stopped(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "a home")
    with open_hub(settings) as engine, engine.connect() as connection:
        assert connection.execute(text("SELECT current_database()")).scalar_one() == "cdm"
    server = embedded_server(settings)
    assert server is not None
    assert server.postmaster() is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://cdm:hush@localhost:1/cdm?password=hush",
            "cannot be reached.*refused.*Check CDM_DATABASE_URL",
        ),
        ("postgresql://cdm:hush@localhost:port/cdm", "cannot be read.*percent-encoded"),
    ],
)
def test_error_says_what_to_do_and_no_password(url: str, said: str) -> None:
    with pytest.raises(HubError, match=f"(?s){said}") as raised, open_hub(load_settings(database_url=url)):
        pass
    assert "hush" not in str(raised.value)


def test_old_postgresql_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "OLDEST", 99)
    with pytest.raises(HubError, match="version 99 or later is needed"), open_hub(settings):
        pass


def test_dagster_has_a_schema_of_its_own_in_the_same_database(settings: Settings, hub_engine: Engine) -> None:
    with psycopg.connect(dagster_url(settings)) as connection:
        connection.execute("CREATE TABLE runs (id int)")
    assert inspect(hub_engine).get_table_names("dagster") == ["runs"]


def test_options_of_the_users_url_are_kept_for_dagster(settings: Settings) -> None:
    given = database_url(settings).set(drivername="postgresql")
    own = given.update_query_dict({"options": "-c statement_timeout=12345"}).render_as_string(
        hide_password=False
    )
    with psycopg.connect(
        dagster_url(settings.model_copy(update={"database_url": _secret(own)}))
    ) as connection:
        row = connection.execute("SELECT current_setting('statement_timeout'), current_schema()").fetchone()
    assert row == ("12345ms", "dagster")


def test_a_password_with_a_plus_and_a_blank_is_the_same_for_dagster(settings: Settings) -> None:
    """As generated ones have: PostgreSQL's own library reads the URL by other rules than SQLAlchemy."""
    own = database_url(settings).set(drivername="postgresql", password="p+q r%2B")
    given = settings.model_copy(update={"database_url": _secret(in_full(own))})
    url = dagster_url(given)
    assert conninfo_to_dict(url)["password"] == make_url(url).password == "p+q r%2B"
    assert "search_path=dagster" in str(conninfo_to_dict(url)["options"])


def test_missing_right_to_make_dagsters_schema_is_explained(
    settings: Settings, new_database: Callable[..., str]
) -> None:
    database = new_database()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
    url = make_url(database).set(username="reader").render_as_string()
    with pytest.raises(HubError, match="CREATE SCHEMA dagster AUTHORIZATION"):
        dagster_url(settings.model_copy(update={"database_url": _secret(url)}))


@pytest.mark.slow
def test_dagster_process_finds_its_instance_and_our_settings(settings: Settings, tmp_path: Path) -> None:
    environment = dagster_environment(settings)
    (settings.home / "dagster" / "dagster.yaml").write_text("edited: by hand")
    assert dagster_environment(settings) == environment
    script = """
import dagster, json, sys
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from cdm_pipelines.settings import load_settings
with dagster.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("days", ["2026-06-01"])
    assert isinstance(instance.compute_log_manager, LocalComputeLogManager)
    assert instance.global_op_concurrency_default_limit == 1
    assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
    assert instance.run_monitoring_enabled and instance.run_retries_enabled and not instance.telemetry_enabled
    print(instance.storage_directory())
print(load_settings().lake_url)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    storage, lake = done.stdout.splitlines()
    assert Path(storage).is_relative_to(settings.home / "dagster")
    assert lake == settings.lake_url
    with open_hub(settings) as engine:
        tables = inspect(engine).get_table_names("dagster")
        assert {"runs", "event_logs", "alembic_version"} <= set(tables)
        assert inspect(engine).get_table_names("public") == []


def _secret(value: str) -> object:
    return load_settings(database_url=value).database_url
