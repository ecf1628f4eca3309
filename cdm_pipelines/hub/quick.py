"""Statements that somebody waits for, given to the driver as they are.

Belongs here: running one in the transaction of a connection, and its rows. Does not belong here: what is asked.

Most statements of an answer take PostgreSQL less than SQLAlchemy takes for each: of 180 microseconds of processor for a
look-up by key, 120 are its own. What it makes of a text is made once here, and rows are as the driver gives them.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from psycopg import Cursor
from psycopg.rows import RowFactory, dict_row, tuple_row
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql.psycopg import dialect

_DIALECT = dialect()  # type: ignore[no-untyped-call]
_NOTHING: Mapping[str, object] = {}


def run(connection: Connection, statement: str, values: Mapping[str, object] | None = None) -> None:
    """Run a statement whose rows nobody asks for.

    Args:
        connection: Of the hub; a transaction begins where none has.
        statement: As ``sqlalchemy.text`` takes it, with names of parameters behind a colon; never with a value in it.
        values: Of the parameters; a list, of texts or ids, is an array. A text without any is given as it is, and may
            be several statements.
    """
    _asked(connection, statement, values, tuple_row)


def rows(
    connection: Connection, statement: str, values: Mapping[str, object] = _NOTHING
) -> list[tuple[Any, ...]]:
    """All rows of a statement; arguments as for ``run``."""
    return _asked(connection, statement, values, tuple_row).fetchall()


def mappings(
    connection: Connection, statement: str, values: Mapping[str, object] = _NOTHING
) -> list[dict[str, Any]]:
    """All rows of a statement by name of column; arguments as for ``run``."""
    return _asked(connection, statement, values, dict_row).fetchall()


def scalars(connection: Connection, statement: str, values: Mapping[str, object] = _NOTHING) -> Sequence[Any]:
    """The first column of all rows of a statement; arguments as for ``run``."""
    return [row[0] for row in rows(connection, statement, values)]


def _asked(
    connection: Connection, statement: str, values: Mapping[str, object] | None, row: RowFactory[Any]
) -> Cursor[Any]:
    if not connection.in_transaction():
        connection.begin()  # or what is written would not be committed with it
    driver: Any = connection.connection.driver_connection
    cursor: Cursor[Any] = driver.cursor(row_factory=row)
    if values is None:
        return cursor.execute(statement.encode(), None)
    bound = {name: _array(one) if isinstance(one, list) else one for name, one in values.items()}
    return cursor.execute(_written(statement).encode(), bound)


def _array(values: list[Any]) -> str:
    """Texts or ids as PostgreSQL writes an array, whose type is that of what it is compared with, or cast to.

    The driver takes each value through plain Python, which for a hundred ids takes longer than PostgreSQL.
    """
    return "{" + ",".join([_quoted(one) if isinstance(one, str) else str(one) for one in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=1_000)
def _written(statement: str) -> str:
    """A statement as the driver takes it."""
    return str(text(statement).compile(dialect=_DIALECT))
