"""An unexpected error whose text holds a personal value: what failed is told, the value is nowhere (R6).

Faults are put into libraries, where errors of that kind come from: a parser quotes what it cannot parse, a database
the row that it refuses.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info
from sqlalchemy.exc import OperationalError

from cdm_pipelines.cli import main
from cdm_pipelines.components.launch import RunOutcome, run_job
from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.components.session import open_session
from cdm_pipelines.components.transient import told_to_people

from .conftest import DAYS, Deployment

VALUE = "jan.jansen@example.nl"
TEXT = f"could not convert '{VALUE}'"


def quoting(*_: object, **__: object) -> None:
    raise ValueError(TEXT)


def in_statements_about(words: str) -> Callable[..., Any]:
    """``psycopg.Cursor.execute``, failing on statements that hold the words, or parameters that do."""
    execute = psycopg.Cursor.execute

    def failing(cursor: Any, query: Any, *rest: Any, **more: Any) -> Any:
        if words in f"{query} {rest} {more}":
            raise ValueError(TEXT)
        return execute(cursor, query, *rest, **more)

    return failing


Fault = tuple[str, str, str, Callable[..., Any]]
EXECUTE = "psycopg.Cursor.execute"
FAULTS: dict[str, Fault] = {
    "writing": ("ingest_crm", "crm__contact", "pyarrow.parquet.ParquetWriter.write_table", quoting),
    "checking": ("ingest_crm", "crm__contact", "pandas.Series.duplicated", quoting),
    "records": ("customers", "records__party", "pyarrow.compute.sum", quoting),
    "linking": ("customers", "link", "scipy.sparse.csgraph.connected_components", quoting),
    "staging": ("customers", "stage", EXECUTE, in_statements_about("staging.customer")),
    "publishing": ("customers", "publish", EXECUTE, in_statements_about("INSERT INTO ops.publication")),
    "feed": ("customers", "publish__feed", EXECUTE, in_statements_about("publish/feed")),
    "corrections": ("customers", "publish__source_corrections", "pyarrow.csv.CSVWriter", quoting),
    "figures": ("ingest_crm", "crm__contact", EXECUTE, in_statements_about("ops.measurement")),
    "old runs": ("housekeeping", "prune_runs", "dagster.DagsterInstance.get_run_ids", quoting),
    "old figures": ("housekeeping", "prune_hub", EXECUTE, in_statements_about("ops.measurement")),
    "sweeping": ("housekeeping", "prune_lake", "fsspec.implementations.local.LocalFileSystem.find", quoting),
}
"""Job, step that fails, and which function of a library does."""


@pytest.fixture(scope="module")
def day_one(lived: Callable[..., Deployment]) -> Deployment:
    return lived(DAYS[0])


def told_anywhere(deployment: Deployment) -> list[str]:
    """Columns of Dagster's tables and files of this installation that hold the value, but not data."""
    columns = deployment.query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'dagster'"
    )
    found = []
    for table, column in columns:
        query = f"SELECT count(*) FROM dagster.{table} WHERE \"{column}\"::text LIKE '%{VALUE}%'"
        if deployment.query(query) != [(0,)]:
            found.append(f"{table}.{column}")
    files = (path for path in deployment.settings.home.rglob("*") if path.is_file())
    data = ("landing", "lake", "postgres")
    own = (f for f in files if f.relative_to(deployment.settings.home).parts[0] not in data)
    return found + [str(file) for file in own if VALUE.encode() in file.read_bytes()]


def run(deployment: Deployment, job: str) -> RunOutcome:
    """Run a job as ``cdm run`` does, every step working through everything."""
    steps = {
        name: {"config": {"rebuild": True}} for name in ("records__party", "records__order", "link", "stage")
    }
    with open_session(deployment.settings) as session:
        return run_job(
            session.definitions,
            job,
            session.instance,
            dates=(DAYS[1], DAYS[1]) if job.startswith("ingest") else None,
            run_config={"ops": steps} if job == "customers" else None,
        )


@pytest.mark.parametrize("name", FAULTS)
def test_no_run_tells_the_value(day_one: Deployment, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    job, step, target, fault = FAULTS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, fault)
        outcome = run(day_one, job)
    assert not outcome.succeeded
    assert step in outcome.failures
    assert outcome.failures[step].startswith("Unexpected ValueError at ")
    assert VALUE not in str(outcome)
    out, err = capfd.readouterr()
    assert VALUE not in out + err
    assert told_anywhere(day_one) == []


def test_a_lost_connection_is_tried_again_and_its_text_is_told_nowhere() -> None:
    tries = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    @told_to_people()
    def losing() -> None:
        tries.append(1)
        raise OperationalError("INSERT", {"email": VALUE}, psycopg.OperationalError(TEXT))

    @dg.job
    def work() -> None:
        losing()

    with dg.DagsterInstance.ephemeral() as instance:
        done = work.execute_in_process(instance=instance, raise_on_error=False)
        events = [str(record.event_log_entry) for record in instance.get_records_for_run(done.run_id).records]
    assert len(tries) == 2
    assert "The connection to the database was lost. Nothing half-done was kept" in " ".join(events)
    assert VALUE not in " ".join(events)


@pytest.mark.parametrize("kind", ["sensor", "schedule"])
def test_no_tick_tells_the_value(day_one: Deployment, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in day_one.settings.environment().items():
        monkeypatch.setenv(name, value)
    repository = load_definitions().get_repository_def()
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.glob", quoting)
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.find", quoting)
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.ls", quoting)
    with dg.DagsterInstance.ephemeral() as instance:
        schedule_context = dg.build_schedule_context(
            instance, scheduled_execution_time=datetime(2026, 6, 1, 6, tzinfo=UTC)
        )
        ticks: dict[str, Callable[[], object]] = {
            "sensor": partial(
                repository.get_sensor_def("landing_crm").evaluate_tick, dg.build_sensor_context(instance)
            ),
            "schedule": partial(repository.get_schedule_def("daily_crm").evaluate_tick, schedule_context),
        }
        with pytest.raises((dg.Failure, dg.DagsterError)) as raised:
            ticks[kind]()
    told = repr(serializable_error_info_from_exc_info((raised.type, raised.value, raised.tb)))
    assert "Unexpected ValueError at " in told
    assert VALUE not in told


class _Hook(BaseHTTPRequestHandler):
    received: list[str] = []  # noqa: RUF012 - of the one test that uses it

    def do_POST(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


@contextmanager
def webhook() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_message_about_a_failed_run_does_not_tell_the_value(
    day_one: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pandas.Series.duplicated", quoting)
        outcome = run(day_one, "ingest_crm")
    with webhook() as url, open_session(day_one.settings) as session:
        monkeypatch.setenv("CDM_NOTIFY_WEBHOOK", url)
        failed = session.instance.get_run_by_id(outcome.run_id)
        assert failed is not None
        (event,) = session.instance.get_records_for_run(
            outcome.run_id, of_type=dg.DagsterEventType.RUN_FAILURE
        ).records
        assert event.event_log_entry.dagster_event is not None
        context = dg.build_run_status_sensor_context(
            "run_failed", event.event_log_entry.dagster_event, session.instance, failed
        ).for_run_failure()
        session.definitions.get_repository_def().get_sensor_def("run_failed")(context)
    (message,) = _Hook.received
    assert "crm/contact: Unexpected ValueError at " in json.loads(message)["text"]
    assert VALUE not in message


def test_a_bug_in_a_command_tells_its_place_and_not_its_text(
    day_one: Deployment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in day_one.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("psycopg.Cursor.execute", in_statements_about("ops.measurement"))
    monkeypatch.setattr("sys.argv", ["cdm", "measurements"])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert ended.value.code == 3
    assert "Unexpected ValueError at hub/measurements.py" in err
    assert VALUE not in out + err
