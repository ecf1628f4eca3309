"""Published customers written to a file.

Belongs here: file formats. Does not belong here: what a customer is (hub.queries).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from cdm_pipelines.hub import queries
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.settings import Settings

FORMULA = r"^[=+\-@\t\r]"
"""What a spreadsheet takes for the beginning of a formula."""


def export_customers(settings: Settings, out: Path, file_format: str) -> int:
    """Write all golden customers to ``out`` as csv, parquet or jsonl; returns the number of rows.

    The file appears whole or not at all. In CSV, text that a spreadsheet would take for a formula gets a leading
    apostrophe; E.164 phone numbers are left as they are, since digits after a plus sign compute nothing.
    """
    write = {"csv": _csv, "parquet": _parquet, "jsonl": _jsonl}[file_format]
    temporary = out.with_name(f".{out.name}.part")
    with open_hub(settings) as engine:
        migrate(engine)
        with engine.connect() as connection:
            schema, batches = queries.export_customers(connection)
            rows = write(temporary, schema, batches)
    temporary.replace(out)
    return rows


def _csv(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    rows = 0
    with pa_csv.CSVWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(neutralised(batch))
            rows += batch.num_rows
    return rows


def neutralised(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    columns = []
    for column in batch.columns:
        if pa.types.is_string(column.type):
            harmless = pc.match_substring_regex(column, r"^\+[0-9]+$")
            risky = pc.and_(pc.match_substring_regex(column, FORMULA), pc.invert(harmless))
            quoted = pc.binary_join_element_wise(pa.scalar("'"), column, "")
            columns.append(pc.if_else(pc.fill_null(risky, False), quoted, column))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _parquet(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    rows = 0
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _jsonl(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    del schema
    rows = 0
    with path.open("w", encoding="utf-8") as lines:
        for batch in batches:
            text = batch.to_pandas().to_json(
                orient="records", lines=True, date_format="iso", force_ascii=False
            )
            lines.write(text)
            rows += batch.num_rows
    return rows
