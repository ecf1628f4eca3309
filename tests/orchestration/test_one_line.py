"""What Dagster's processes log about a database that is away: one line, however it reaches the log."""

import logging
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
