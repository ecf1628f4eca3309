"""Published tables as Arrow: whole, in part, or in the columns that a step asks for.

Belongs here: reading them in bulk, and the types of their columns. Does not belong here: answers of a few rows
(``queries``), COPY itself (``load``), or what an export is written as.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import Column, Connection, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import BigInteger, Boolean, Date, DateTime, Integer, Numeric

from cdm_pipelines.hub.load import copy_table, read_batches, read_table
from cdm_pipelines.hub.published import customers_of, published_table


@dataclass(frozen=True)
class Part:
    """What of a published table is exported.

    Attributes:
        name: Of the table.
        view: Through which it is read, as SQL names it; the table itself when empty.
        schema: Names and types of the columns.
        left_out: Golden ids of customers whose rows are not exported; None for nobody's.
    """

    name: str
    schema: pa.Schema
    view: str = ""
    left_out: pa.Array | None = None


def whole_table(name: str) -> Part:
    """All of a published table.

    Raises:
        HubError: No published table has that name.
    """
    return Part(name, table_schema(name))


def export_table(connection: Connection, part: Part) -> Generator[pa.Table, None, None]:
    """Rows of a published table in order of its key, streamed: memory does not grow with their number."""
    names = ", ".join(f'"{name}"' for name in part.schema.names)
    order = ", ".join(f'"{key}"' for key in published_table(part.name).key if key in part.schema.names)
    query = f"SELECT {names} {_rows_of(connection, part)} ORDER BY {order or 1}"
    yield from read_batches(connection, query, part.schema)


def whose(name: str) -> frozenset[str]:
    """The columns of a published table by which it is known whose a row is."""
    known = published_table(name)
    return frozenset({"golden_id"} if "golden_id" in known.table.c else known.key)


def count_rows(connection: Connection, part: Part) -> int:
    """Number of rows that :func:`export_table` gives."""
    return int(connection.scalar(text(f"SELECT count(*) {_rows_of(connection, part)}")) or 0)


def _rows_of(connection: Connection, part: Part) -> str:
    """SQL from ``FROM`` on; whose rows are left out is in a table of the session."""
    known = published_table(part.name)
    if part.left_out is None or not len(part.left_out):
        return f"FROM {part.view or known.table.fullname} AS t"
    connection.execute(text("DROP TABLE IF EXISTS pg_temp.left_out"))
    connection.execute(text("CREATE TEMP TABLE left_out (golden_id uuid PRIMARY KEY) ON COMMIT DROP"))
    copy_table(connection, "left_out", pa.table({"golden_id": part.left_out}), "pg_temp")
    if "golden_id" in known.table.c:
        theirs = "SELECT FROM left_out AS o WHERE o.golden_id = t.golden_id"
    else:
        whose = customers_of(part.name).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
        same = " AND ".join(f'w."{key}" = t."{key}"' for key in known.key)
        theirs = f"SELECT FROM ({whose}) AS w JOIN left_out AS o USING (golden_id) WHERE {same}"
    return f"FROM {part.view or known.table.fullname} AS t WHERE NOT EXISTS ({theirs})"


def table_schema(name: str) -> pa.Schema:
    """Names and types of the exported rows of a published table; decimals, ids and JSON as text.

    Raises:
        HubError: No published table has that name.
    """
    return pa.schema([(column.name, _arrow_type(column)) for column in published_table(name).table.columns])


def customer_schema() -> pa.Schema:
    """Names and types of exported customers."""
    return table_schema("customer")


def read_registry(connection: Connection, schema: pa.Schema) -> pa.Table:
    """The published golden ids in order of publication, in the columns of identity's registry."""
    return read_table(connection, _select("identity.golden_id", schema, "sequence"), schema)


def read_crosswalk(connection: Connection, schema: pa.Schema) -> pa.Table:
    """The published crosswalk, in the columns asked for."""
    return read_table(connection, _select("golden.crosswalk", schema, "source, entity, record_id"), schema)


def ids_of_forgotten(connection: Connection, beginning: str) -> pa.Array:
    """Golden ids whose founding record was forgotten, which is named by a text with this beginning since."""
    schema = pa.schema([("golden_id", pa.string())])
    query = """SELECT golden_id FROM identity.golden_id WHERE starts_with(record_id, %(beginning)s)
               AND EXISTS (SELECT FROM privacy.certificate) ORDER BY golden_id"""
    found = read_table(connection, query, schema, {"beginning": beginning})
    return found["golden_id"].combine_chunks()


def _select(table: str, schema: pa.Schema, order: str) -> str:
    names = ", ".join(f'"{name}"' for name in schema.names)
    return f"SELECT {names} FROM {table} ORDER BY {order}"  # noqa: S608 - names of our own tables and columns


def _arrow_type(column: Column[Any]) -> pa.DataType:
    match column.type:
        case Boolean():
            return pa.bool_()
        case Date():
            return pa.date32()
        case DateTime():
            return pa.timestamp("us", "UTC")
        case Integer() | BigInteger():
            return pa.int64()
        case Numeric():
            return pa.string()
        case _:
            return pa.string()
