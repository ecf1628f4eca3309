"""Dagster's storage on the hub: one pool of a process, which finds a database that was away again."""

from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest

from cdm_pipelines.components import storage
from cdm_pipelines.components.session import open_instance
from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.settings import Settings

LOST = (
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
    "WHERE application_name <> 'test' AND datname = current_database()"
)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as (_, instance):
        yield instance


def lose_all_connections(settings: Settings) -> int:
    url = database_url(settings).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, application_name="test") as connection:
        row = connection.execute(LOST).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("idle", [10.0, 0.0], ids=["used just now", "rested long"])
def test_a_server_that_was_away_is_found_again_without_an_error(
    settings: Settings,
    instance: dg.DagsterInstance,
    idle: float,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(storage, "IDLE_SECONDS", idle)
    run = instance.create_run_for_job(
        dg.JobDefinition(name="nothing", graph_def=dg.GraphDefinition(name="g"))
    )
    instance.report_engine_event("before", run)
    assert lose_all_connections(settings) >= 1
    instance.report_engine_event("after", run)
    told = [entry.user_message or entry.message for entry in instance.all_logs(run.run_id)]
    assert [line for line in told if line in ("before", "after")] == ["before", "after"]
    assert not [record for record in caplog.records if "Retrying" in record.getMessage()]
