"""A published table written to a file.

Belongs here: file formats. Does not belong here: what is published (hub.published).
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from sqlalchemy import Connection

from cdm_pipelines.hub import queries
from cdm_pipelines.quality.corrections import FORMULA_SIGNS
from cdm_pipelines.store.files import whole

_SIGNED_NUMBER = r"^[+-][0-9 .,()/-]*$"


def export_table(
    connection: Connection,
    out: Path,
    file_format: str,
    table: str = "customer",
    opened: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> int:
    """Write all rows of a published table to ``out`` as csv, parquet or jsonl; returns the number of rows.

    Args:
        connection: Of a migrated hub.
        out: The file.
        file_format: csv, parquet or jsonl.
        table: Name of the table.
        opened: What becomes of encrypted values.

    The file appears whole or not at all, readable by its owner alone. In CSV, text that a spreadsheet would take for a
    formula gets a leading apostrophe; phone numbers and amounts with a sign in front compute nothing and are left.
    """
    write = {"csv": _csv, "parquet": _parquet, "jsonl": _jsonl}[file_format]
    with (
        closing(queries.export_table(connection, table)) as tables,  # an open COPY would hold up the end
        whole(out) as sink,
    ):
        return write(sink, queries.table_schema(table), map(opened, tables))


def _csv(sink: IO[bytes], schema: pa.Schema, tables: Iterator[pa.Table]) -> int:
    rows = 0
    with pa_csv.CSVWriter(sink, schema) as writer:
        for table in tables:
            writer.write_table(neutralised(table))
            rows += table.num_rows
    return rows


def neutralised(table: pa.Table) -> pa.Table:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    columns = []
    for column in table.columns:
        if pa.types.is_string(column.type):
            harmless = pc.match_substring_regex(column, _SIGNED_NUMBER)
            risky = pc.and_(pc.match_substring_regex(column, f"^{FORMULA_SIGNS}"), pc.invert(harmless))
            quoted = pc.binary_join_element_wise(pa.scalar("'"), column, "")
            columns.append(pc.if_else(pc.fill_null(risky, False), quoted, column))
        else:
            columns.append(column)
    return pa.Table.from_arrays(columns, schema=table.schema)


def _parquet(sink: IO[bytes], schema: pa.Schema, tables: Iterator[pa.Table]) -> int:
    rows = 0
    with pq.ParquetWriter(sink, schema) as writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _jsonl(sink: IO[bytes], schema: pa.Schema, tables: Iterator[pa.Table]) -> int:
    del schema
    rows = 0
    for table in tables:
        text = table.to_pandas().to_json(orient="records", lines=True, date_format="iso", force_ascii=False)
        sink.write(text.encode())
        rows += table.num_rows
    return rows
