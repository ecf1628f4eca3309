"""Staging: the next version in a schema of its own, whole or as the customers that a change touches.

Belongs here: the tables of ``staging``, filling them, and what is known of what waits in them. Does not belong here:
putting it in the place of the published version (``publish``), or whether it may be (``audit``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from uuid import UUID, uuid4

import pyarrow as pa
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Uuid, delete, func, insert, select, text
from sqlalchemy.schema import DropTable

from cdm_pipelines.hub import consent, profile
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import copy_table, leave_alone, without_data
from cdm_pipelines.hub.published import published
from cdm_pipelines.hub.schema import staged
from cdm_pipelines.hub.schema_feed import staged_event
from cdm_pipelines.hub.schema_review import STAGED as STAGED_FOR_REVIEW

_LOCK = (
    0x63646D70  # "cdmp": the key of the advisory lock under which one process at a time stages or publishes
)
AFFECTED = Table("affected", MetaData(), Column("golden_id", Uuid, primary_key=True), schema="staging")
"""The customers that are staged, where not all are."""
_BESIDE = {staged_event.name: staged_event, AFFECTED.name: AFFECTED, **STAGED_FOR_REVIEW}
"""What is staged beside the next version of published tables."""


@dataclass(frozen=True)
class Staged:
    """What was staged.

    Attributes:
        token: Names this staging; ``publish.promote`` can be told to publish no other.
        rows: Rows per table.
        made_from: What it was made from, by name.
    """

    token: UUID
    rows: Mapping[str, int]
    made_from: Mapping[str, str]

    @property
    def in_part(self) -> bool:
        """Whether only the customers that a change touches are staged."""
        return AFFECTED.name in self.rows


def stage(engine: Engine, tables: Mapping[str, pa.Table | Iterable[pa.Table]]) -> Staged:
    """Load the next version into ``staging``, in place of what was staged before; all of it or nothing.

    Args:
        engine: Of a migrated hub.
        tables: Per published table (``customer``, ``crosswalk``, ``provenance``, ``golden_id``, and those of
            canonical entities: ``customer_order``, …) its whole content, in one piece or in several. A table
            that is left out will stay as it is published. Beside them ``event``: what happened to golden ids,
            which is added to what happened before.

    Raises:
        HubError: a table is unknown, has other columns than the published one, or a value does not fit.
    """
    with without_data("staging"), engine.begin() as connection:
        lock(connection)
        staging = Staging(connection)
        for name, content in tables.items():
            staging.begin(name)
            for piece in [content] if isinstance(content, pa.Table) else content:
                staging.add(name, piece)
        return staging.finish()


class Staging:
    """Staging in pieces, inside one transaction of the caller: several tables may grow side by side."""

    def __init__(self, connection: Connection, affected: pa.Array | None = None) -> None:
        """Begin anew.

        Args:
            connection: Inside a transaction, of a migrated hub.
            affected: Golden ids whose customers are staged, those that will be no more among them; None where
                everything is staged.
        """
        lock(connection)
        self._connection = connection
        self._rows: dict[str, int] = {}
        self._tables = _staging_tables()
        for table in self._tables.values():
            connection.execute(DropTable(table, if_exists=True))
        profile.clear(connection)
        consent.clear(connection)
        connection.execute(delete(staged))
        if affected is not None:
            self.add(AFFECTED.name, pa.table({"golden_id": affected}))

    def begin(self, name: str) -> None:
        """Make the staging table, empty."""
        if name not in self._tables:
            raise HubError(f"{name} is not a published table; choose from {', '.join(self._tables)}")
        known = published().get(name)
        if known is not None:
            like = f"{known.table.schema}.{name}"
            self._connection.execute(text(f"CREATE UNLOGGED TABLE staging.{name} (LIKE {like})"))
        else:
            self._tables[name].create(self._connection)
        leave_alone(self._connection, self._tables[name])
        self._rows[name] = 0

    def add(self, name: str, piece: pa.Table) -> None:
        """Append rows; columns in any order, by the names of the published table."""
        if name not in self._rows:
            self.begin(name)
        expected = {column.name for column in self._tables[name].columns}
        given = set(piece.schema.names)
        if given != expected:
            missing, unknown = sorted(expected - given), sorted(given - expected)
            raise HubError(
                f"{name} cannot be staged: it lacks {', '.join(missing) or 'nothing'} "
                f"and has besides {', '.join(unknown) or 'nothing'}"
            )
        self._rows[name] += copy_table(self._connection, name, piece)

    def finish(self, made_from: Mapping[str, str] | None = None) -> Staged:
        """Write down what is staged, and what it was made from."""
        token = uuid4()
        for name, rows in self._rows.items():
            table = self._tables[name]
            key = [column.name for column in table.primary_key or table.columns]
            keys = ", ".join(table.info.get("keys", key))
            self._connection.execute(text(f"ANALYZE staging.{name} ({keys})"))
            self._connection.execute(
                insert(staged).values(
                    table_name=name, rows=rows, token=token, made_from=dict(made_from or {})
                )
            )
        return Staged(token, dict(self._rows), dict(made_from or {}))


def staged_tables(connection: Connection) -> Staged | None:
    """What waits for publication; None when nothing does.

    Raises:
        HubError: staged rows are gone. Staging tables are not kept through a crash of the server.
    """
    rows = {row.table_name: row for row in connection.execute(select(staged))}
    if not rows:
        return None
    for name, row in rows.items():
        relation = connection.scalar(select(func.to_regclass(f"staging.{name}")))
        there = relation and connection.scalar(select(func.count()).select_from(staging_table(name)))
        if there != row.rows:
            raise HubError(
                f"staging.{name} has {there or 0} rows of the {row.rows} that were staged: "
                "the database server has crashed since. Stage again (materialise golden/staged)."
            )
    first = next(iter(rows.values()))
    return Staged(first.token, {name: row.rows for name, row in rows.items()}, first.made_from)


def _staging_tables() -> dict[str, Table]:
    """Every table that may be in ``staging``."""
    return {name: _copy(one.table) for name, one in published().items()} | _BESIDE


def staging_table(name: str) -> Table:
    """The table in which a published one, or what is staged beside them, is staged."""
    known = published().get(name)
    return _BESIDE[name] if known is None else _copy(known.table)


@cache
def _copy(table: Table) -> Table:
    return table.to_metadata(MetaData(), schema="staging")


def lock(connection: Connection) -> None:
    """Be the only process that stages or publishes, until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
