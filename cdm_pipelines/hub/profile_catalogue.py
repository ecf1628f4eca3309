"""What is known of the tables of schema ``profile`` without reading their rows: what they are like, how many rows.

Belongs here: asking the database once for all of them, and keeping ``ops.profile_state.rows``. Does not belong here:
changing the tables (``profile``).

Counting a table of a million rows reads all of it, each night anew. So the rows are noted where they change, in the
transaction that changes them. Where rows are taken by another way they are counted at the next publication.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Table, func, inspect, select, update

from cdm_pipelines.hub.schema_profile import profile_state

_NOT_KNOWN = -1


@dataclass(frozen=True)
class Catalogue:
    """Columns, keys and comments of the tables of a schema, as they are when somebody asks first."""

    connection: Connection
    schema: str

    def columns(self, table: str) -> Mapping[str, Mapping[str, Any]]:
        """Columns by name, as SQLAlchemy's inspector tells of them."""
        return {one["name"]: one for one in self._columns[self.schema, table]}

    def key(self, table: str) -> list[str]:
        """Columns of the primary key."""
        return list(self._keys[self.schema, table]["constrained_columns"])

    def comment(self, table: str) -> str | None:
        """What the table says of itself."""
        found: str | None = self._comments[self.schema, table]["text"]
        return found

    @cached_property
    def _columns(self) -> Mapping[Any, Any]:
        return inspect(self.connection).get_multi_columns(schema=self.schema)

    @cached_property
    def _keys(self) -> Mapping[Any, Any]:
        return inspect(self.connection).get_multi_pk_constraint(schema=self.schema)

    @cached_property
    def _comments(self) -> Mapping[Any, Any]:
        return inspect(self.connection).get_multi_table_comment(schema=self.schema)


def rows_after(connection: Connection, enricher: str, table: Table, counts: Mapping[str, int]) -> int:
    """Rows of a published table to which changes were just made, by kind."""
    of = profile_state.c.enricher == enricher
    before = connection.scalar(select(profile_state.c.rows).where(of))
    if before is None or before == _NOT_KNOWN:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)
    return int(before) + counts.get("inserted", 0) - counts.get("deleted", 0)


def note_gone(connection: Connection, enricher: str, rows: int) -> None:
    """Note that so many rows of a table are gone besides what was published."""
    if rows:
        of = (profile_state.c.enricher == enricher, profile_state.c.rows != _NOT_KNOWN)
        connection.execute(update(profile_state).where(*of).values(rows=profile_state.c.rows - rows))


def forget_rows(connection: Connection) -> None:
    """Have the tables counted at the next publication: rows were taken from them by another way."""
    connection.execute(update(profile_state).values(rows=_NOT_KNOWN))
