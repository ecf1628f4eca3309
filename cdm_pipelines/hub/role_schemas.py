"""What PostgreSQL is to hold for a role, and taking its views away before a table that they read changes.

Belongs here: the schema of a role as an object and as SQL. Does not belong here: which role sees what (privacy),
comparing the database with it and bringing it there (``role_access``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.view_columns import ViewColumn

MADE = "Made by cdm roles"
"""Ends the comments of schemas and views of ours, by which they are known."""
_IN_USE = "2BP01"  # dependent objects still exist


@dataclass(frozen=True)
class RoleView:
    """A view of a role.

    Attributes:
        name: In the role's schema.
        description: Its comment.
        columns: With their SQL.
        rows: From ``FROM`` on.
        barrier: Whether rows are left out, so that nothing may look at a row before it is.
    """

    name: str
    description: str
    columns: Sequence[ViewColumn]
    rows: str
    barrier: bool

    @property
    def select(self) -> str:
        """The query."""
        selected = ",\n  ".join(f"{one.sql} AS {quoted_name(one.name)}" for one in self.columns)
        return f"SELECT {selected}\n{self.rows}"

    @property
    def fingerprint(self) -> str:
        """Changes when the view does."""
        said = repr((self.select, self.description, [one.comment for one in self.columns], self.barrier))
        return sha256(said.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RoleFunction:
    """A function of a role that runs with the rights of the pipeline.

    Attributes:
        name: In the role's schema.
        arguments: Their types.
        sql: ``CREATE OR REPLACE FUNCTION …``.
        comment: What it is for.
    """

    name: str
    arguments: str
    sql: str
    comment: str

    @property
    def fingerprint(self) -> str:
        """Changes when the function does."""
        return sha256(self.sql.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RoleSchema:
    """All of one role.

    Attributes:
        group: PostgreSQL's role.
        schema: Where its views are.
        comment: Of the schema.
        views: By which it reads.
        functions: Beside them.
    """

    group: str
    schema: str
    comment: str
    views: tuple[RoleView, ...]
    functions: tuple[RoleFunction, ...] = ()


def quoted(words: str) -> str:
    """A text as a literal of PostgreSQL, whatever is in it; a dollar as a code, as it would end a body in dollars."""
    escaped = words.replace("'", "''")
    if "\\" not in words and "$" not in words:
        return f"'{escaped}'"
    return " E'" + escaped.replace("\\", "\\\\").replace("$", "\\x24") + "'"


def quoted_name(name: str) -> str:
    """A name as PostgreSQL takes it, whatever is in it: others name their objects and roles as they like."""
    return '"' + name.replace('"', '""') + '"'


def run(connection: Connection, statement: str) -> None:
    """Run a statement without parameters; words in it are none."""
    connection.exec_driver_sql(statement.replace("%", "%%"))


def our_schemas(connection: Connection) -> dict[str, str]:
    """The schemas that were made for roles, with their comments."""
    found = connection.execute(
        text(
            """SELECT nspname, obj_description(oid, 'pg_namespace') AS said FROM pg_namespace
            WHERE nspname LIKE 'for\\_%' ORDER BY 1"""
        )
    )
    return {str(row.nspname): row.said for row in found if row.said and MADE in row.said}


def drop_views(connection: Connection) -> None:
    """Remove the views of all roles, so that a table that they read can be changed; ``role_access`` makes them anew.

    In the transaction that does so: readers wait, and see the views before or after it.

    Raises:
        HubError: Something that others made reads one of them.
    """
    for schema in our_schemas(connection):
        names = connection.scalars(
            text("SELECT viewname FROM pg_views WHERE schemaname = :schema ORDER BY 1"), {"schema": schema}
        ).all()
        for name in names:
            view = f"{quoted_name(schema)}.{quoted_name(name)}"
            try:
                run(connection, f"DROP VIEW {view}")
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", "") != _IN_USE:
                    raise
                raise HubError(
                    f"{schema}.{name} is read by a view or function that somebody else made, so that the tables below "
                    f"it cannot be changed: find it with `DROP VIEW {view}`, drop it, and go on. It can be made again "
                    "after."
                ) from None
