"""What Dagster's processes log about a database that is away: one line, however it reaches the log."""

import logging
import subprocess
import sys

import psycopg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info
from sqlalchemy.exc import OperationalError

from cdm_pipelines.components.one_line import install, shorten
from cdm_pipelines.components.transient import ToldFailure
from cdm_pipelines.hub.errors import HubAwayError

LOST = OperationalError(
    "SELECT", {"x": "Zeldzaamnaam"}, psycopg.OperationalError("server closed the connection")
)
AWAY = HubAwayError("The database db/cdm cannot be reached: The database refused the connection.")


def record(error: Exception, *, as_argument: bool) -> logging.LogRecord:
    """A record as the daemon makes them."""
    try:
        raise error  # noqa: TRY301 - to be caught with its traceback
    except Exception:
        given = sys.exc_info()
    if as_argument:
        arguments = (serializable_error_info_from_exc_info(given),)
        return logging.LogRecord("dagster.daemon.Sensor", 40, "", 1, "Caught error:\n%s", arguments, None)
    return logging.LogRecord("dagster.daemon.Sensor", 40, "", 1, "Caught error", (), given)


@pytest.mark.parametrize(
    ("error", "says", "as_argument"),
    [
        (LOST, "connection to the database was lost", False),
        (LOST, "connection to the database was lost", True),
        (ToldFailure(description=str(AWAY)), "refused the connection", True),
    ],
)
def test_a_fault_of_the_database_is_one_line(error: Exception, says: str, *, as_argument: bool) -> None:
    made = record(error, as_argument=as_argument)
    shorten(made)
    text = logging.Formatter("%(message)s").format(made)
    assert text.startswith("Caught error: ")
    assert says in text
    assert "\n" not in text.strip()
    assert "Zeldzaamnaam" not in text


def test_anything_else_is_left_as_it_is() -> None:
    made = record(ValueError("x"), as_argument=False)
    shorten(made)
    assert made.exc_info is not None


ATTEMPT = """
import logging
from cdm_pipelines.components.one_line import install
install()
logging.warning("Retrying failed database connection: connection refused")
told = logging.getLogger("dagster.daemon.Sensor")
told.addHandler(logging.StreamHandler())
told.error("Caught error")
"""


def test_attempts_to_connect_are_not_told_and_print_nothing_twice() -> None:
    done = subprocess.run([sys.executable, "-c", ATTEMPT], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "Caught error\n")


def test_it_is_installed_once() -> None:
    before = logging.getLogRecordFactory()
    try:
        install()
        once = logging.getLogRecordFactory()
        install()
        assert logging.getLogRecordFactory() is once
        logging.makeLogRecord({})
    finally:
        logging.setLogRecordFactory(before)
