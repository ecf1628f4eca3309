"""Faults of a real database come out as one sentence with what to do: no statement, no parameter, no password."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import make_url, text

from cdm_pipelines.components.transient import ToldFailure, told_to_people
from cdm_pipelines.faults import database_fault, describe
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.errors import HubAwayError, HubError
from cdm_pipelines.hub.load import read_table, without_data
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.settings import Settings, SettingsError, load_settings

VALUE = "jan.jansen@example.nl"


def at(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": load_settings(database_url=url).database_url})


@pytest.mark.parametrize("password", ["pa@ss", "p@ss:word", "pa/s@s", "s@s?x=1", "pa#s@s"])
def test_the_rest_of_a_password_with_an_unencoded_sign_is_never_told(password: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(database_url=f"postgresql://cdm:{password}@db.example.com:5432/cdm")
    assert "percent-encoded" in str(raised.value)
    assert "ss" not in str(raised.value).replace("password", "").replace("passing", "")


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"host": "no-such-host.invalid"}, HubError, "name of the database's host is unknown"),
        ({"host": "localhost", "port": 1}, HubAwayError, "refused the connection"),
        ({"database": "not_there"}, HubError, "no database of that name"),
        ({"username": "nobody_here"}, HubError, "does not let this user in"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(
    settings: Settings,
    new_database: Callable[..., str],
    change: dict[str, object],
    kind: type[HubError],
    says: str,
) -> None:
    url = make_url(new_database())
    query = {} if "host" in change else url.query
    wrong = url.set(**{"password": "hush", "query": query, **change})  # type: ignore[arg-type]
    with (
        pytest.raises(kind, match=says) as raised,
        open_hub(at(settings, wrong.render_as_string(hide_password=False))),
    ):
        pass
    assert "hush" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_faults_in_the_middle_are_told_and_known_to_pass_or_not(
    settings: Settings, new_database: Callable[..., str]
) -> None:
    with open_hub(at(settings, new_database())) as engine:
        for sql, says, passes in (
            ("SELECT pg_terminate_backend(pg_backend_pid())", "starting or was shut down", True),
            ("SET default_transaction_read_only = on; COMMIT; CREATE TABLE t (x int)", "only be read", False),
            ("SET statement_timeout = 5; SELECT pg_sleep(1)", "cancelled a statement", True),
            (f"DO $$ BEGIN RAISE EXCEPTION '{VALUE}' USING ERRCODE = '53100'; END $$", "disk is full", False),
            (
                f"DO $$ BEGIN RAISE EXCEPTION '{VALUE}' USING ERRCODE = '42501'; END $$",
                "lacks a right",
                False,
            ),
        ):
            with pytest.raises(Exception) as raised, engine.connect() as connection:  # noqa: PT011 - any kind
                connection.execute(text(sql))
            fault = database_fault(raised.value)
            assert fault is not None
            assert (says in describe(raised.value), fault.passes) == (True, passes)
            assert VALUE not in describe(raised.value)
            engine.dispose()


RAISED = "DO $$ BEGIN RAISE EXCEPTION '{}' USING ERRCODE = '{}'; END $$"


@pytest.mark.parametrize(
    ("sql", "says", "again"),
    [
        ("SELECT pg_terminate_backend(pg_backend_pid())", "starting or was shut down", True),
        (RAISED.format(VALUE, "40P01"), "Another process changed the same", True),
        (RAISED.format(VALUE, "55P03"), "Another process holds what is needed", True),
        (RAISED.format(VALUE, "53100"), "disk is full", False),
        (RAISED.format(VALUE, "23505"), "publishing failed: UniqueViolation", False),
    ],
)
def test_a_fault_inside_a_block_that_hides_data_is_told_and_tried_again_as_one_outside(
    settings: Settings, new_database: Callable[..., str], sql: str, says: str, *, again: bool
) -> None:
    with open_hub(at(settings, new_database())) as engine:
        with (
            pytest.raises(ToldFailure) as raised,
            told_to_people(),
            engine.connect() as connection,
            without_data("publishing"),
        ):
            connection.execute(text(sql))
        engine.dispose()
    assert says in str(raised.value)
    assert raised.value.allow_retries is again
    assert VALUE not in str(raised.value)


def test_a_connection_lost_while_rows_are_copied_is_tried_again(
    settings: Settings, new_database: Callable[..., str]
) -> None:
    endless = "SELECT pg_terminate_backend(pg_backend_pid())::text FROM generate_series(1, 3)"
    with open_hub(at(settings, new_database())) as engine:
        with pytest.raises(HubAwayError, match="Run it again"), engine.connect() as connection:
            read_table(connection, endless, pa.schema([("n", pa.string())]))
        engine.dispose()


def test_a_row_that_the_database_refuses_is_a_bug_and_is_not_quoted(
    settings: Settings, new_database: Callable[..., str]
) -> None:
    with open_hub(at(settings, new_database())) as engine, engine.connect() as connection:
        connection.execute(text("CREATE TEMP TABLE t (email text PRIMARY KEY)"))
        with pytest.raises(Exception) as raised:  # noqa: PT011 - any kind
            connection.execute(text("INSERT INTO t VALUES (:e), (:e)"), {"e": VALUE})
    assert database_fault(raised.value) is None
    assert describe(raised.value).startswith("Unexpected IntegrityError")


def test_a_user_without_rights_is_told_by_every_command(
    settings: Settings, new_database: Callable[..., str], tmp_path: Path
) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS without_rights")
        connection.execute("CREATE ROLE without_rights LOGIN")
    without = at(settings, make_url(url).set(username="without_rights").render_as_string())
    with pytest.raises(Exception) as raised, open_hub(without) as engine:  # noqa: PT011 - any kind
        migrate(engine)
    assert "GRANT CREATE ON DATABASE" in describe(raised.value)
    for arguments in (["customer", VALUE], ["export", "golden", "--out", str(tmp_path / "x.csv")]):
        done = subprocess.run(
            [sys.executable, "-m", "cdm_pipelines.cli", *arguments],
            env={**os.environ, **without.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert "GRANT CREATE ON DATABASE" in done.stderr
        assert "Traceback" not in done.stderr
        assert "File " not in done.stderr
        assert VALUE not in done.stdout + done.stderr
