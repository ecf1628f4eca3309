"""Bulk transport between Arrow and PostgreSQL.

Belongs here: COPY in both directions, and errors without the data they are about. Does not belong here: which
tables, and when (``publish``, ``bulk``).

Values travel as CSV that pyarrow writes and reads: in it a null is an empty field and an empty text is
``""``, for both sides alike.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from psycopg import sql
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.faults import database_fault
from cdm_pipelines.hub.errors import HubAwayError, HubError

_CHUNK_ROWS = 50_000
_READ_BYTES = 16 * 1024 * 1024
_PLACE = re.compile(r"COPY \w+, line (\d+)(?:, column (\w+))?")


def unlogged(table: Table) -> Table:
    """The same table, made unlogged when it is made: what is staged need not outlive a crash."""
    table._prefixes = ["UNLOGGED"]  # noqa: SLF001 - SQLAlchemy sets it nowhere else after the table is made
    return table


def leave_alone(connection: Connection, table: Table) -> None:
    """Have autovacuum leave a table alone that was just made in this transaction.

    What is staged is analysed when it is loaded and dropped when it is published. Autovacuum would find all of it new,
    and a publication waits a second (``deadlock_timeout``) for each table that it is just looking at.
    """
    connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))


def copy_table(
    connection: Connection, table: str, data: pa.Table, schema: str = "staging", *, made: bool = False
) -> int:
    """Append an Arrow table to a table with columns of the same names; returns the number of rows.

    Args:
        connection: Inside the caller's transaction.
        table: Name of the table.
        data: Columns in any order; text is parsed by PostgreSQL into the column's own type.
        schema: Schema of the table.
        made: Whether the table was made in this transaction: then its rows need no VACUUM to be visible to all.

    Raises:
        HubError: a value does not fit; names table, row and column, never the value.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, data.schema.names))
    how = sql.SQL("FORMAT csv, FREEZE" if made else "FORMAT csv")
    statement = sql.SQL("COPY {} ({}) FROM STDIN ({})").format(sql.Identifier(schema, table), columns, how)
    options = pa_csv.WriteOptions(include_header=False)
    doing = f"loading {schema}.{table}"
    with without_data(doing), _driver(connection).cursor() as cursor:
        with cursor.copy(statement) as copy:
            for batch in data.to_batches(max_chunksize=_CHUNK_ROWS):
                buffer = pa.BufferOutputStream()
                pa_csv.write_csv(batch, buffer, options)
                copy.write(memoryview(buffer.getvalue()))
        arrived = cursor.rowcount
    if arrived != data.num_rows:  # before PostgreSQL 18 a line of only "\." within a value ends the data
        raise HubError(f"{doing} failed: {arrived} of {data.num_rows} rows arrived")
    return int(data.num_rows)


def read_batches(
    connection: Connection, query: str, schema: pa.Schema, params: Mapping[str, object] | None = None
) -> Iterator[pa.Table]:
    """Stream the rows of a query as Arrow tables of some 16 MB.

    Args:
        connection: Inside a transaction, so that all rows are of one version.
        query: A SELECT whose columns are those of ``schema``, in its order; psycopg placeholders
            ``%(name)s``.
        schema: Names and types.
        params: Values of the placeholders.
    """
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(sql.SQL(query))
    driver = _driver(connection)
    with without_data("reading"), driver.cursor() as cursor, cursor.copy(statement, params) as copy:
        rows: list[bytes] = []
        size, ended = 0, False
        while not ended and (row := copy.read()):
            rows.append(bytes(row))
            arrived, ended = _take_arrived(driver.pgconn, rows)
            size += len(row) + arrived
            if size >= _READ_BYTES:
                yield _parsed(b"".join(rows), schema)
                rows, size = [], 0
        if rows:
            yield _parsed(b"".join(rows), schema)


def _take_arrived(connection: PGconn, rows: list[bytes]) -> tuple[int, bool]:
    """Append the rows of a COPY that are here already, in a third of the time that reading one by one takes.

    Returns:
        How many bytes were taken, and whether those were the last.

    Raises:
        psycopg.Error: The COPY failed.
    """
    size = 0
    while size < _READ_BYTES:
        length, row = connection.get_copy_data(1)
        if length == 0:
            return size, False
        if length < 0:
            for result in list(iter(connection.get_result, None)):
                if result.status != ExecStatus.COMMAND_OK:
                    raise error_from_result(result)
            return size, True
        rows.append(bytes(row))
        size += length
    return size, False


def read_table(
    connection: Connection, query: str, schema: pa.Schema, params: Mapping[str, object] | None = None
) -> pa.Table:
    """All rows of a query as one Arrow table; see :func:`read_batches`."""
    return pa.concat_tables([schema.empty_table(), *read_batches(connection, query, schema, params)])


_BETWEEN = "\x1e"
"""The record separator of ASCII, which is taken out of values."""


def read_packed(
    connection: Connection, query: str, schema: pa.Schema, params: Mapping[str, object] | None = None
) -> pa.Table:
    """All rows of a query as one Arrow table of text and booleans, in order of the first column.

    Each column comes as one value, so that nothing is done per row on the way: of some hundred thousand short rows that
    takes a tenth of the time of :func:`read_table`. Text of nothing and null are both null.

    Args:
        connection: Inside a transaction.
        query: A SELECT whose columns are those of ``schema``, in its order; psycopg placeholders ``%(name)s``.
        schema: Names and types, text or boolean; the first column is never null.
        params: Values of the placeholders.
    """
    names = [f"c{number}" for number in range(len(schema))]
    packed = ", ".join(
        f"string_agg(coalesce(replace({name}::text, E'\\x1e', ''), ''), E'\\x1e')" for name in names
    )
    asked = f"SELECT {packed} FROM ({query}) AS asked ({', '.join(names)})"  # noqa: S608 - names of ours
    with without_data("reading"), _driver(connection).cursor() as cursor:
        found = cursor.execute(asked.encode(), params).fetchone()
    if found is None or found[0] is None:
        return schema.empty_table()
    columns = []
    for value, field in zip(found, schema, strict=True):
        column = _split(value)
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
        columns.append(pc.equal(column, "true") if pa.types.is_boolean(field.type) else column)
    return pa.table(columns, schema=schema).sort_by(schema.names[0])


def read_grouped(
    connection: Connection, query: str, schema: pa.Schema, params: Mapping[str, object] | None = None
) -> pa.Table:
    """All rows of a query of golden ids with few different values beside them, as one Arrow table in no order.

    The ids beside which the same values stand come as one value, sixteen bytes each: of some hundred thousand rows that
    takes a tenth of the time of :func:`read_table`. One value holds 59 million ids.

    Args:
        connection: Inside a transaction.
        query: A SELECT whose columns are those of ``schema``, in its order; psycopg placeholders ``%(name)s``.
        schema: Names and types; the first column is a uuid, never null, and comes as text.
        params: Values of the placeholders.
    """
    own, *others = (f"c{number}" for number in range(len(schema)))
    packed = ", ".join([*others, f"string_agg(uuid_send({own}), '')"])
    grouped = f" GROUP BY {', '.join(others)}" if others else ""
    asked = f"SELECT {packed} FROM ({query}) AS asked ({', '.join([own, *others])}){grouped}"  # noqa: S608 - names of ours
    with without_data("reading"), _driver(connection).cursor(binary=True) as cursor:
        found: list[tuple[Any, ...]] = cursor.execute(asked.encode(), params).fetchall()
    pieces = [schema.empty_table()]
    for *values, ids in found:
        if ids is None:  # no row at all, of a query of ids alone
            continue
        column = _as_text(ids)
        beside = (
            pa.repeat(pa.scalar(value, field.type), len(column))
            for value, field in zip(values, list(schema)[1:], strict=True)
        )
        pieces.append(pa.table([column, *beside], schema=schema))
    return pa.concat_tables(pieces)


_PAIRS = np.array([f"{byte:02x}".encode() for byte in range(256)]).view(np.uint16)
"""The two digits of every byte."""
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
_UUID_BYTES, _UUID_TEXT = 16, 36


def _as_text(uuids: bytes) -> pa.Array:
    """Uuids that lie one behind the other, as text."""
    count = len(uuids) // _UUID_BYTES
    digits = _PAIRS[np.frombuffer(uuids, np.uint8)].view(np.uint8).reshape(count, -1)
    text = np.full((count, _UUID_TEXT), ord("-"), np.uint8)
    for dashes, (first, end) in enumerate(_GROUPS):
        text[:, first + dashes : end + dashes] = digits[:, first:end]
    starts = np.arange(0, _UUID_TEXT * count + 1, _UUID_TEXT, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(starts), pa.py_buffer(text))


def _split(packed: object) -> pa.Array:
    """The texts that were packed into one value."""
    split: Any = pc.split_pattern(pa.array([packed], pa.string()), _BETWEEN)
    found: pa.Array = split.values
    return found


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


def _parsed(content: bytes, schema: pa.Schema) -> pa.Table:
    booleans = {"true_values": ["t"], "false_values": ["f"]}
    convert = pa_csv.ConvertOptions(
        column_types=schema,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        **booleans,
    )
    read = pa_csv.ReadOptions(column_names=schema.names, use_threads=False)
    parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    return pa_csv.read_csv(BytesIO(content), read_options=read, parse_options=parse, convert_options=convert)


def _driver(connection: Connection) -> psycopg.Connection[tuple[object, ...]]:
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise HubError("The hub needs the psycopg driver: write postgresql+psycopg:// in CDM_DATABASE_URL.")
    return driver
