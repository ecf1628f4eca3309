"""Errors of the database without the data that they are about.

Belongs here: what is told instead. Does not belong here: what a fault of the database itself is (``faults``).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.faults import database_fault
from cdm_pipelines.hub.errors import HubAwayError, HubError

_PLACE = re.compile(r"COPY \w+, line (\d+)(?:, column (\w+))?")


@contextmanager
def without_data(doing: str) -> Iterator[None]:
    """Replace errors of the database by ones that hold no value of any row.

    PostgreSQL quotes the offending value, and SQLAlchemy the parameters; neither may reach a log (R6). What is wrong
    with the database itself is told in its sentence, and one that may pass is tried again as it would be without this.

    Raises:
        HubAwayError: A fault of the database that may pass by itself.
        HubError: Any other error of the database.
    """
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        fault = database_fault(error)
        if fault is not None:
            raise (HubAwayError if fault.passes else HubError)(f"{doing} failed: {fault}") from None
        original = error.orig if isinstance(error, DBAPIError) else error
        raise HubError(f"{doing} failed: {_described(original)}") from None


def _described(error: BaseException | None) -> str:
    if not isinstance(error, psycopg.Error):
        return type(error).__name__
    parts = [type(error).__name__]
    if error.sqlstate:
        parts.append(f"SQLSTATE {error.sqlstate}")
    place = _PLACE.search(error.diag.context or "")
    if place:
        parts.append(f"row {place[1]}")
    column = error.diag.column_name or (place[2] if place else None)
    for what, name in (
        ("table", error.diag.table_name),
        ("column", column),
        ("constraint", error.diag.constraint_name),
    ):
        if name:
            parts.append(f"{what} {name}")
    return ", ".join(parts)
