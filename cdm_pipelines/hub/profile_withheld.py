"""Of whom something is not worked out: reading it as published, and seeing that no value of theirs is there.

Belongs here: the SQL about ``profile.withheld``. Does not belong here: whom it concerns (privacy), or staging and
publishing the table (``profile``).
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, text

from cdm_pipelines.contracts.profile import WITHHELD, ProfileTable
from cdm_pipelines.hub import profile_told
from cdm_pipelines.hub.load import read_table

_TABLE = f"profile.{WITHHELD.table_name}"


def published(connection: Connection, schema: pa.Schema) -> pa.Table:
    """The published rows, in some of its columns; none before the first publication."""
    if not connection.scalar(text("SELECT to_regclass(:name)"), {"name": _TABLE}):
        return schema.empty_table()
    columns = ", ".join(schema.names)
    return read_table(connection, f"SELECT {columns} FROM {_TABLE} ORDER BY golden_id", schema)


def of_customer(connection: Connection, golden_id: UUID) -> tuple[str, str] | None:
    """Enrichers that leave a customer out, and the purposes that are off; None where everything is worked out."""
    if not connection.scalar(text("SELECT to_regclass(:name)"), {"name": _TABLE}):
        return None
    query = text(f"SELECT enrichers, purposes FROM {_TABLE} WHERE golden_id = :id")
    row = connection.execute(query, {"id": golden_id}).first()
    return None if row is None else (row.enrichers, row.purposes)


def enforce(connection: Connection, declared: Sequence[ProfileTable]) -> Mapping[str, int]:
    """Remove what is there of customers of whom it is withheld: an enricher that failed keeps its former version.

    Args:
        connection: In the transaction that publishes.
        declared: The tables that are there.

    Returns:
        By table, the rows that were removed, of those that had any.
    """
    if WITHHELD.name not in {one.name for one in declared}:
        return {}
    names = set(
        connection.scalars(text(f"SELECT DISTINCT unnest(string_to_array(enrichers, ', ')) FROM {_TABLE}"))
    )
    removed = {}
    for one in declared:
        if one.name in names:
            gone = connection.execute(
                text(
                    f"""DELETE FROM profile.{one.table_name} AS t USING {_TABLE} AS w WHERE w.golden_id = t.golden_id
                    AND :name = ANY (string_to_array(w.enrichers, ', '))"""
                ),
                {"name": one.name},
            ).rowcount
            if gone:
                removed[one.name] = gone
                profile_told.forget_gone(connection, one)
    return removed
