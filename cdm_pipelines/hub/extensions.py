"""The extensions of PostgreSQL that the hub needs.

Belongs here: making them, and what to do where that is not allowed. Does not belong here: what they are used for.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.faults import database_fault
from cdm_pipelines.hub.errors import HubError


def require(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Make extensions that are not there yet; returns the quoted schema of each.

    Raises:
        HubError: One cannot be made; the text says what to run, and as whom.
    """
    return {name: _required(connection, name) for name in names}


def _home(connection: Connection) -> str:
    """The schema to make an extension in: the one where others look for it, or one of the hub's own."""
    usual = text(
        """SELECT quote_ident(current_schema()) WHERE has_schema_privilege(current_schema(), 'CREATE')"""
    )
    return str(connection.scalar(usual) or "ops")


def _required(connection: Connection, name: str) -> str:
    schema = text(
        """SELECT quote_ident(nspname) FROM pg_extension
           JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = :name"""
    )
    found = connection.scalar(schema, {"name": name})
    if found is None:
        try:
            with connection.begin_nested():
                connection.execute(
                    text(f'CREATE EXTENSION IF NOT EXISTS "{name}" SCHEMA {_home(connection)}')
                )
        except DBAPIError as error:
            fault = database_fault(error)
            if fault is not None and fault.passes:
                raise
            reason = str(error.orig).partition("\n")[0]
            raise HubError(
                f"The hub needs PostgreSQL's extension {name}, which cannot be made here: {reason}. Let the owner of "
                f'the database run CREATE EXTENSION "{name}"; where the server does not know it, install the '
                "package of PostgreSQL's additional modules first (postgresql-contrib on Debian and Red Hat)."
            ) from None
        found = connection.scalar(schema, {"name": name})
    return str(found)
