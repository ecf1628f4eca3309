"""A query that a company wrote: run so that it can only read, and refused in words.

Belongs here: running it. Does not belong here: which queries there are, or what their figures mean (insight).
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.hub.errors import HubError

SECONDS = 60
_LONGEST = f"SET LOCAL statement_timeout = '{SECONDS}s'"
_NAMES_ONLY = ("42", "0A")
"""Classes of errors whose text tells of names in the query, never of values (PostgreSQL's manual, appendix A)."""
_BIND = re.compile(r"(?<![:\w\\]):(?=\w)")


class QueryError(HubError):
    """A company's query cannot be run; the message says why, and neither where it stands nor a value."""


def ask(connection: Connection, query: str, columns: Sequence[str]) -> dict[str, Any]:
    """The only row of a query.

    Args:
        connection: In a transaction; what the query does to it is undone.
        query: One SELECT.
        columns: Names that its row has.

    Raises:
        QueryError: It names what there is not, is no SQL, writes, takes too long or gives something else than a row of
            these columns.
    """
    nested = connection.begin_nested()
    try:
        connection.execute(text(_LONGEST))
        connection.execute(text("SET LOCAL transaction_read_only = on"))
        result = connection.execute(text(_BIND.sub(r"\\:", query)))
        names, rows = list(result.keys()), result.fetchmany(2)
    except DBAPIError as error:
        raise QueryError(_why(error)) from None
    finally:
        nested.rollback()
    if sorted(names) != sorted(columns):
        raise QueryError(f"the query gives the columns {', '.join(names)}, and not {', '.join(columns)}")
    if len(rows) != 1:
        raise QueryError(f"the query gives {'no row' if not rows else 'several rows'}, and not one")
    return dict(zip(names, rows[0], strict=True))


def absent(connection: Connection, tables: Collection[str]) -> list[str]:
    """Those of some tables and views that are not there."""
    query = text(
        "SELECT name FROM unnest(CAST(:names AS text[])) AS asked(name) WHERE to_regclass(name) IS NULL"
    )
    there = connection.execute(query, {"names": list(tables)})
    return sorted(name for (name,) in there)


def _why(error: DBAPIError) -> str:
    state = getattr(error.orig, "sqlstate", None) or ""
    if state == "57014":
        return f"the query takes longer than {SECONDS} seconds"
    if state == "25006":
        return "the query writes, and may only read"
    if state.startswith(_NAMES_ONLY):
        told = getattr(getattr(error.orig, "diag", None), "message_primary", None)
        return f"the database says: {told}" if told else f"it is no query that the database knows ({state})"
    return f"the database refused it ({state or type(error.orig).__name__})"
