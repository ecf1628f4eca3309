"""A published table written to a file.

Belongs here: file formats, and which rows and columns leave: what a role sees, or what is of who allows the purpose.
Does not belong here: what is published (hub.published), what a role sees (privacy.views).
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import bulk
from cdm_pipelines.hub.bulk import Part, whole_table, whose
from cdm_pipelines.hub.role_access import relations
from cdm_pipelines.hub.role_schemas import quoted_name
from cdm_pipelines.privacy.checks import in_force
from cdm_pipelines.privacy.off import EVERY_CHANNEL, off_for
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.roles import CLEAR
from cdm_pipelines.privacy.views import schema_of, seen
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.off import off_in_use
from cdm_pipelines.steps.privacy.access import governed
from cdm_pipelines.store.files import whole
from cdm_pipelines.store.spreadsheets import neutralised


def part_for_purpose(connection: Connection, settings: Settings, table: str, purpose: str) -> Part:
    """A published table less the rows of customers whose data may not be used for a purpose.

    Raises:
        HubError: No published table has that name.
        PurposesError: The purposes cannot be used.
    """
    purposes = in_force(settings.policies, all_contracts())
    off = off_in_use(connection, purposes, [(purpose, EVERY_CHANNEL)])
    return replace(whole_table(table), left_out=off_for(off, purpose))


def part_of_role(connection: Connection, settings: Settings, part: Part, role: str) -> Part:
    """The same as a role sees it: less the columns, values and customers that it does not see.

    A role that sees keys in the place of ids is told nothing of whose the rows are, so that its own views alone say who
    is left out: those who are restricted, and those who said no to all that it acts for.

    Raises:
        PrivacyPolicyError: There is no such role, or it does not see the table.
    """
    found = governed(settings)
    views = seen(found.policy.role(role), relations(connection), found.catalogue)
    one = next((view for view in views if view.table == f"golden.{part.name}"), None)
    if one is None:
        raise PrivacyPolicyError(f"The role {role} does not see golden.{part.name} (policies/roles.yaml).")
    clear = {column.column.name for column in one.columns if column.shown.how == CLEAR}
    fields = [
        part.schema.field(column.column.name)
        if column.column.name in clear
        else pa.field(column.column.name, pa.string())
        for column in one.columns
    ]
    view = f"{quoted_name(schema_of(role))}.{quoted_name(one.view)}"
    known = whose(part.name) <= clear
    return Part(part.name, pa.schema(fields), view, part.left_out if known else None)


def export_table(
    connection: Connection,
    out: Path,
    file_format: str,
    part: Part,
    opened: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> int:
    """Write rows of a published table to ``out`` as csv, parquet or jsonl; returns the number of rows.

    Args:
        connection: Of a migrated hub.
        out: The file.
        file_format: csv, parquet or jsonl.
        part: Which rows and columns.
        opened: What becomes of encrypted values.

    The file appears whole or not at all, readable by its owner alone. In CSV, text that a spreadsheet would take for a
    formula gets a leading apostrophe; phone numbers and amounts with a sign in front compute nothing and are left.
    """
    write = {"csv": _csv, "parquet": _parquet, "jsonl": _jsonl}[file_format]
    with (
        closing(bulk.export_table(connection, part)) as tables,  # an open COPY would hold up the end
        whole(out) as sink,
    ):
        return write(sink, part.schema, map(opened, tables))


def _csv(sink: IO[bytes], schema: pa.Schema, tables: Iterator[pa.Table]) -> int:
    rows = 0
    with pa_csv.CSVWriter(sink, schema) as writer:
        for table in tables:
            writer.write_table(neutralised(table))
            rows += table.num_rows
    return rows


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
