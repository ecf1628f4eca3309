"""An extract of one source entity for one day: all its files as one stream of raw tables.

Belongs here: which files, which columns, origin of every row, pieces of a given size. Does not belong here:
how one format is read (delimited, jsonl, parquet, workbook, database), or whether a row is fit (quality).
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from cdm_pipelines.contracts import Column, Format, SourceContract
from cdm_pipelines.contracts.errors import nearest
from cdm_pipelines.contracts.model import Joined
from cdm_pipelines.contracts.odcs import ORIGIN_COLUMNS, RESERVED_COLUMNS
from cdm_pipelines.contracts.told import told_name, told_names, told_path
from cdm_pipelines.ingest.addressed import is_addressed
from cdm_pipelines.ingest.cells import DEFECT, ROW, strip_apostrophes
from cdm_pipelines.ingest.continuation import Continuation
from cdm_pipelines.ingest.delimited import DelimitedFile
from cdm_pipelines.ingest.errors import ExtractError, Refusal, Refuser
from cdm_pipelines.ingest.joined import JoinedRows
from cdm_pipelines.ingest.landing import check_place, checksum, local_copy, own_files
from cdm_pipelines.ingest.no_records import mark_no_records

CHUNK_ROWS = 100_000
_FILE, _SHA256 = ORIGIN_COLUMNS[0], ORIGIN_COLUMNS[2]
_ABSENT_KEY, _COPIES_KEY, _NOTES_KEY = b"cdm.absent_columns", b"cdm.copies", b"cdm.notes"


class Reader(Protocol):
    """One file that was opened: its columns, and its rows as text with ``_row`` and ``_defect``."""

    columns: list[str]
    note: str

    def tables(self) -> Iterator[pa.Table]:
        """The rows, once."""
        ...


@dataclass(frozen=True, slots=True)
class _Opened:
    path: str
    sha256: str
    reader: Reader
    renamed: Mapping[str, str]
    local: Path
    stamp: tuple[int, int, int]
    refuser: Refuser

    @property
    def columns(self) -> list[str]:
        """Names of the columns as the contract has them."""
        return [self.renamed.get(name, name) for name in self.reader.columns]


def read_extract(
    landing_url: str, contract: SourceContract, date: str, *, chunk_rows: int = CHUNK_ROWS
) -> Iterator[pa.Table]:
    """Read all files of a day, in name order, as a stream; memory does not grow with their size.

    A file with the bytes of an earlier one is not read again; it is named by `copies`.

    Every table has the same schema: the declared columns, then columns that the contract does not know, all
    text; then ``_file``, ``_row`` (int64), ``_sha256`` and ``_defect``. There is at least one table, without
    rows if need be. Declared columns that no file has are null and are named by `absent_columns`.

    Args:
        landing_url: fsspec URL of the landing root.
        contract: What to read.
        date: YYYY-MM-DD.
        chunk_rows: Rows per table; the last one has fewer.

    Raises:
        ExtractError: There is no file for the day, or one of them is refused as a whole. Tables that were
            yielded before are to be thrown away.
    """
    if chunk_rows < 1:
        raise ValueError("chunk_rows has to be at least 1")
    with ExitStack() as stack:
        joined = [_joined(landing_url, contract, one, date) for one in contract.joined]
        brought = [name for one in joined for name in one.columns]
        opened = list(_open_all(landing_url, contract, date, stack, brought))
        files = [file for file in opened if isinstance(file, _Opened)]
        again = [path for path in opened if isinstance(path, str)]
        notes = [f"{told_path(file.path, contract)} {file.reader.note}" for file in files if file.reader.note]
        schema = raw_schema(contract, [*(file.columns for file in files), brought], notes, again)
        tables = (table for file in files for table in _file_tables(file, contract, schema))
        yield from _rechunk(_with_joined(tables, joined, schema), schema, chunk_rows)


def read_file(path: Path, contract: SourceContract, *, chunk_rows: int = CHUNK_ROWS) -> Iterator[pa.Table]:
    """Read one local file as `read_extract` reads the files of a day; ``_file`` is its bare name.

    Raises:
        ExtractError: The file is refused.
    """
    refuser = Refuser(contract.source, contract.entity, path.name)
    check_place(path, None, refuser)
    file = _open(path, path.name, contract, refuser)
    schema = raw_schema(contract, [file.columns], [file.reader.note] if file.reader.note else [])
    yield from _rechunk(_file_tables(file, contract, schema), schema, chunk_rows)


def raw_schema(
    contract: SourceContract,
    headers: Iterable[list[str]],
    notes: Sequence[str] = (),
    copies: Sequence[str] = (),
) -> pa.Schema:
    """Schema of the raw layer for files with these headers.

    ``notes`` say what is peculiar about the files, ``copies`` which hold the bytes of another one.
    """
    found = dict.fromkeys(name for header in headers for name in header)
    declared = contract.column_names
    names = [*declared, *(name for name in found if name not in declared)]
    fields = [pa.field(name, pa.string()) for name in names]
    fields += [
        pa.field(name, pa.int64() if name == ROW else pa.string()) for name in (*ORIGIN_COLUMNS, DEFECT)
    ]
    counted = contract.fill_down.numbered_as if contract.fill_down else None
    absent = [name for name in declared if name not in found and name != counted]
    told = {_ABSENT_KEY: absent, _NOTES_KEY: list(notes), _COPIES_KEY: list(copies)}
    return pa.schema(
        fields, metadata={key: json.dumps(value) for key, value in told.items() if value} or None
    )


def absent_columns(schema: pa.Schema) -> list[str]:
    """Declared columns that no file of the day had: all null in the raw table."""
    found = (schema.metadata or {}).get(_ABSENT_KEY)
    return [str(name) for name in json.loads(found)] if found else []


def copies(schema: pa.Schema) -> list[str]:
    """Files of the day that hold the bytes of another one, and so were not read."""
    found = (schema.metadata or {}).get(_COPIES_KEY)
    return [str(path) for path in json.loads(found)] if found else []


def reading_notes(schema: pa.Schema) -> list[str]:
    """What was peculiar about the files of the day, such as lines in another encoding, in words."""
    found = (schema.metadata or {}).get(_NOTES_KEY)
    return [str(note) for note in json.loads(found)] if found else []


def new_columns(schema: pa.Schema, contract: SourceContract) -> list[str]:
    """Columns of a raw table that the contract does not know."""
    known = {*contract.column_names, *contract.beside, *RESERVED_COLUMNS}
    return [name for name in schema.names if name not in known]


def _open_all(
    landing_url: str, contract: SourceContract, date: str, stack: ExitStack, brought: Sequence[str]
) -> Iterator["_Opened | str"]:
    """The files of a day; of one that holds the bytes of an earlier one its path alone."""
    if contract.format == Format.SQL:
        from cdm_pipelines.ingest.database import spool_query  # noqa: PLC0415 - imports a database driver

        name = f"query/{contract.name}/{date}"
        refuser = Refuser(contract.source, contract.entity, name)
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cdm-query-"))) / "rows.parquet"
        spool_query(contract, date, path, refuser)
        yield _open(path, name, contract, refuser)
        return
    files = own_files(landing_url, contract, date)
    if not files:
        expected = contract.location
        problem = f"is not there: no file for {date}"
        fix = f"Have it delivered as {expected} under {_without_secrets(landing_url)}."
        raise ExtractError(contract.source, contract.entity, expected, problem, fix, kind=Refusal.ABSENT)
    seen: set[str] = set()
    for file in files:
        refuser = Refuser(contract.source, contract.entity, told_path(file.path, contract))
        path = stack.enter_context(local_copy(landing_url, file.path, refuser))
        if (sha256 := checksum(path)) in seen:
            yield file.path
        else:
            seen.add(sha256)
            yield _open(path, file.path, contract, refuser, brought, sha256=sha256)


def _without_secrets(url: str) -> str:
    """The URL without user and password, which some file systems take in it."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _open(
    path: Path,
    name: str,
    contract: SourceContract,
    refuser: Refuser,
    brought: Sequence[str] = (),
    *,
    sha256: str = "",
) -> _Opened:
    stamp = _stamp(path)
    reader = _reader(path, contract, refuser)
    renamed = contract.renamed(reader.columns)
    file = _Opened(name, sha256 or checksum(path), reader, renamed, path, stamp, refuser)
    _check_columns(file.columns, contract, refuser, brought)
    return file


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written to or replaced."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


def _joined(landing_url: str, contract: SourceContract, joined: Joined, date: str) -> JoinedRows:
    """The rows of the files that are joined."""
    own = replace(
        contract,
        location=joined.location,
        dialect=joined.dialect,
        columns=(Column(joined.theirs, required=True),),
        party_kind=None,
        modified_at=None,
        merged_into=None,
        deleted=None,
        fill_down=None,
        joined=(),
        beside=tuple(name for name in contract.column_names if name != joined.theirs),
    )
    return JoinedRows(read_extract(landing_url, own, date), joined)


def _with_joined(
    tables: Iterable[pa.Table], joined: Sequence[JoinedRows], schema: pa.Schema
) -> Iterator[pa.Table]:
    """The rows with what the joined files bring, and then the rows of those that belong to none."""
    for table in tables:
        for one in joined:
            table = one.complete(table)  # noqa: PLW2901 - one after the other
        yield table.cast(schema)
    for one in joined:
        yield from one.left_over(schema)


def _reader(path: Path, contract: SourceContract, refuser: Refuser) -> Reader:
    match contract.format:
        case Format.CSV:
            return DelimitedFile(path, contract, refuser)
        case Format.JSONL if is_addressed(contract):
            from cdm_pipelines.ingest.nested_lines import NestedLinesFile  # noqa: PLC0415 - only the format that is asked for

            return NestedLinesFile(path, contract, refuser)
        case Format.JSONL:
            from cdm_pipelines.ingest.jsonl import JsonLinesFile  # noqa: PLC0415 - only the format that is asked for

            return JsonLinesFile(path, contract, refuser)
        case Format.JSON:
            from cdm_pipelines.ingest.json_document import JsonDocument  # noqa: PLC0415 - only the format that is asked for

            return JsonDocument(path, contract, refuser)
        case Format.EXCEL:
            from cdm_pipelines.ingest.workbook import Workbook  # noqa: PLC0415 - only the format that is asked for

            return Workbook(path, contract, refuser)
        case Format.PARQUET | Format.SQL:
            from cdm_pipelines.ingest.parquet import ParquetExtract  # noqa: PLC0415 - only the format that is asked for

            return ParquetExtract(path, contract, refuser)


def _check_columns(
    found: list[str], contract: SourceContract, refuser: Refuser, brought: Sequence[str] = ()
) -> None:
    known = {*contract.column_names, *contract.beside}
    has_rows_of_cells = contract.format in (Format.CSV, Format.EXCEL)
    if has_rows_of_cells and contract.dialect.header and contract.key and not {*found} & known:
        refuser.refuse(
            Refusal.HEADER,
            f"has none of the columns of the contract in its first row of {len(found):,} cells: it seems to have no "
            "header",
            "If so, set dialect.header: false in the contract, and list the columns in the order of the file.",
        )
    numbered = [*contract.column_names, *(f"{name}_2" for name in contract.column_names)]
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        refuser.refuse(
            Refusal.HEADER,
            f"has more than one column named {told_names(twice, contract.column_names)}",
            "Have each column delivered under a name of its own, or name the second one in the contract with _2 behind "
            f"its name, such as {told_name(twice[0] + '_2', numbered)}.",
        )
    reserved = sorted(set(found) & set(RESERVED_COLUMNS))
    if reserved:
        refuser.refuse(
            Refusal.HEADER,
            f"has a column named {told_names(reserved, RESERVED_COLUMNS)}",
            "Rename it: ingest uses that name.",
        )
    missing = [name for name in _indispensable(contract) if name not in found and name not in brought]
    if missing and not (contract.format in (Format.JSONL, Format.JSON) and not found):
        known = set(contract.column_names)
        others = [name for name in found if name not in known]
        hints = [
            f"its column {found.index(guess) + 1} looks like {name!r}"
            for name in missing
            if (guess := nearest(name, others))
        ]
        refuser.refuse(
            Refusal.MISSING_COLUMN,
            f"lacks the column {told_names(missing, contract.column_names)}"
            + (f"; {', '.join(hints)}" if hints else ""),
            "Have it delivered under that name, or change the name in the contract.",
        )


def _indispensable(contract: SourceContract) -> list[str]:
    """Columns without which rows would be misread: keys, required ones, and those that steer."""
    steering = {contract.modified_at, contract.merged_into}
    if contract.deleted:
        steering.add(contract.deleted.column)
    if contract.party_kind:
        steering.add(contract.party_kind.column)
    counted = None
    if contract.fill_down:
        steering.add(contract.fill_down.key)
        counted = contract.fill_down.numbered_as
    return [c.name for c in contract.columns if (c.is_essential or c.name in steering) and c.name != counted]


def _file_tables(file: _Opened, contract: SourceContract, schema: pa.Schema) -> Iterator[pa.Table]:
    continuation = Continuation(contract.fill_down) if contract.fill_down else None
    for delivered in file.reader.tables():
        table = delivered.rename_columns([file.renamed.get(name, name) for name in delivered.column_names])
        told = mark_no_records(table, file.columns, contract)
        completed = strip_apostrophes(_aligned(told, file, schema), contract)
        yield continuation.complete(completed) if continuation else completed
    if _stamp(file.local) != file.stamp:
        file.refuser.refuse(
            Refusal.CHANGED,
            "changed while it was read",
            "Deliver it under a name that ends in .part, and rename it when it is complete.",
        )


def _aligned(table: pa.Table, file: _Opened, schema: pa.Schema) -> pa.Table:
    constants = {_FILE: file.path, _SHA256: file.sha256}
    have = set(table.column_names)
    columns: list[pa.Array | pa.ChunkedArray] = []
    for field in schema:
        if field.name in constants:
            columns.append(pa.repeat(pa.scalar(constants[field.name]), table.num_rows))
        elif field.name in have:
            columns.append(table.column(field.name))
        else:
            columns.append(pa.nulls(table.num_rows, pa.string()))
    return pa.table(columns, schema=schema)


def _rechunk(tables: Iterable[pa.Table], schema: pa.Schema, chunk_rows: int) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    count = 0
    yielded = False
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        while count >= chunk_rows:
            together = pa.concat_tables(waiting)
            yield together.slice(0, chunk_rows)
            yielded = True
            waiting = [together.slice(chunk_rows)]
            count -= chunk_rows
    if count or not yielded:
        yield pa.concat_tables(waiting) if waiting else schema.empty_table()
