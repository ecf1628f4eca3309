"""Looking through a whole deployment for values of persons who were erased.

Belongs here: every file and every table there is, whoever declared it, unpacked and searched. Does not belong here:
which values (``collected``), the register of places: this is to find what that does not know.
"""

import gzip
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, text

from cdm_pipelines.hub.rights import ASKED, LEFT_OUT
from cdm_pipelines.hub.schema_rights import request
from cdm_pipelines.parallel import in_order
from cdm_pipelines.privacy.finding import Signs
from cdm_pipelines.privacy.traces import Traces, texts_of
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.arrow import coded_columns
from cdm_pipelines.store.file_store import FileStore

_ROWS = 100_000
_TABLES = text(
    """SELECT format('%I.%I', n.nspname, c.relname), n.nspname || '.' || c.relname,
       CASE WHEN c.relkind <> 'f' THEN pg_relation_size(c.oid) / current_setting('block_size')::int END,
       (pg_table_size(c.oid) - pg_relation_size(c.oid)) / current_setting('block_size')::int,
       ARRAY(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0
             AND NOT attisdropped ORDER BY attnum)
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 2"""
)
_PAGES, _MOST_BESIDE = 512, 8
_CELLS, _MOST_CELLS = "concat_ws(E'\\n', {})", 90  # a function of the server takes a hundred arguments
_JOINED = """
    SELECT convert_to(string_agg({}, E'\\n'), 'UTF8') FROM ONLY {} AS t
    WHERE t.ctid >= %s::tid AND t.ctid < %s::tid"""
_AS_TEXT = "COPY (SELECT * FROM {} AS t) TO STDOUT"
_BROKEN = re.compile(rb"\\\\?[bfnrtv]")
"""What stands for the end of a line and the like in a text of the database."""
_STATISTICS = "(SELECT * FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema'))"
"""What the database noted of the values of columns; nothing of what the law has kept, or of whom a request is about."""
_SERVER = "postgres"
"""Folder of the embedded server's files below home, which are not opened as files: what is in them are the tables,
which are read, and beside them what no reader gets at: dead rows until they are vacuumed and written over, and the log
until it is used again (docs/privacy.md)."""


@dataclass(frozen=True)
class Rescan:
    """What was looked through, and where something was found.

    Attributes:
        files: How many files.
        tables: How many tables of the database.
        found: Files and tables that hold any of the values, with the number of values.
    """

    files: int
    tables: int
    found: dict[str, int]


def rescan(
    settings: Settings, connection: Connection, traces: Traces, made_ready: Callable[[], None] = lambda: None
) -> Rescan:
    """Look through every file under home, landing and lake, and every table of every schema.

    Args:
        settings: Where they are.
        connection: To the database.
        traces: What is looked for.
        made_ready: What has to be done in the database, and to none of the files, before its tables are read.
    """

    def of_tables() -> dict[str, int]:
        made_ready()
        return _in_tables(connection, traces, settings.threads)

    with ThreadPoolExecutor(1) as beside:  # the database reads its tables while files are looked through
        in_tables = beside.submit(copy_context().run, of_tables)
        files = _in_files(settings, traces)
        tables = in_tables.result()
    held = {**files, **tables}
    return Rescan(len(files), len(tables), {name: number for name, number in held.items() if number})


def _in_files(settings: Settings, traces: Traces) -> dict[str, int]:
    """How many of the values each file holds."""

    def held_by(file: tuple[str, Content]) -> tuple[str, int]:
        return file[0], len(_in_file(*file, traces))

    return dict(in_order(held_by, _files(settings), settings.threads))


def _in_tables(connection: Connection, traces: Traces, threads: int | None) -> dict[str, int]:
    """How many of the values each table holds."""
    return {
        name: len({value for batch in in_order(traces.in_bytes, rows(), threads) for value in batch})
        for name, rows in _tables(connection)
    }


Content = Callable[[], Signs]


def _files(settings: Settings) -> Iterator[tuple[str, Content]]:
    landing, lake = FileStore(settings.landing_url), FileStore(settings.lake_url)
    inside = [place for store in (landing, lake) if (place := store.here_at("")) is not None]
    inside.append(settings.policies)  # what a company decides: of nobody
    for path in sorted(landing.stamps()):
        yield f"landing/{path}", lambda path=path: _content(landing, path)  # type: ignore[misc]
    for path in sorted(lake.stamps()):
        yield f"lake/{path}", lambda path=path: _mapped(lake, path)  # type: ignore[misc]
    for file in sorted(settings.home.rglob("*")):
        own = file.relative_to(settings.home)
        if (
            own.parts[0] == _SERVER
            or any(file.is_relative_to(place) for place in inside)
            or not file.is_file()
        ):
            continue
        yield f"home/{own.as_posix()}", file.read_bytes


def _content(store: FileStore, path: str) -> bytes:
    with store.open(path) as source:
        return source.read()


def _mapped(lake: FileStore, path: str) -> Signs:
    """A file of the lake, which is only ever replaced whole: on this machine it is mapped and not copied."""
    here = lake.here_at(path)
    if here is None or not here.stat().st_size:
        return _content(lake, path)
    with pa.memory_map(str(here)) as opened:
        return memoryview(opened.read_buffer()).cast("B")  # Arrow's own are signed


def _in_file(name: str, content: Content, traces: Traces) -> set[str]:
    try:
        held = content()
    except FileNotFoundError:
        return set()  # gone since: the files of a server's socket, say
    return values_in(name, held, traces)


def values_in(name: str, content: Signs, traces: Traces) -> set[str]:
    """The values in a file, whatever it is packed in."""
    if content[:4] == b"PAR1":
        texts = _of_parquet(content)
    elif content[:6] == b"ARROW1":
        with pa.ipc.open_file(pa.BufferReader(content)) as reader:
            batches = (reader.get_batch(at) for at in range(reader.num_record_batches))
            texts = _of_table(reader.schema, batches)
            return {value for one in texts for value in traces.within(one)}
    elif content[:2] == b"\x1f\x8b":
        return values_in(name, gzip.decompress(content), traces)
    elif zipfile.is_zipfile(file := pa.BufferReader(content)):
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            return {
                one for member in members for one in values_in(member.filename, archive.read(member), traces)
            }
    else:
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        return traces.in_bytes(bytes(content).decode("utf-16", "replace").encode() if wide else content)
    return {value for one in texts for value in traces.within(one)}


def _of_parquet(content: Signs) -> Iterator[pa.Array]:
    source = pq.ParquetFile(pa.BufferReader(content))
    coded = pq.ParquetFile(pa.BufferReader(content), read_dictionary=coded_columns(source.metadata))
    yield from _of_table(coded.schema_arrow, coded.iter_batches(_ROWS))


def _of_table(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Array]:
    notes = [part.decode("utf-8", "replace") for pair in (schema.metadata or {}).items() for part in pair]
    yield pa.array([*schema.names, *notes], pa.string())
    for batch in batches:
        yield from (texts for _, texts in texts_of(pa.Table.from_batches([batch]), unused=True))


def _tables(connection: Connection) -> Iterator[tuple[str, Callable[[], Iterator[bytes]]]]:
    """Every table with its rows as text, many at a time."""
    for quoted, name, pages, beside, columns in connection.execute(_TABLES).all():
        if name in LEFT_OUT:
            continue
        if name == str(request):
            yield name, lambda: _copied(connection, ASKED)
        elif (
            pages is None or beside > _MOST_BESIDE * pages
        ):  # no pages of its own, or rows that hold far more
            yield name, lambda quoted=quoted: _copied(connection, quoted)  # type: ignore[misc]
        else:
            cells = _joined([f"t.{column}" for column in columns])
            joined = _JOINED.format(*(part.replace("%", "%%") for part in (cells, quoted)))
            yield name, lambda joined=joined, pages=pages: _of_pages(connection, joined, pages)  # type: ignore[misc]
    yield "pg_catalog.pg_stats", lambda: _copied(connection, _STATISTICS)


def _joined(cells: list[str]) -> str:
    """Cells of a row as one text, each as the server writes it: a whole row takes twice as long, and doubles quotes."""
    some = [cells[at : at + _MOST_CELLS] for at in range(0, len(cells), _MOST_CELLS)]
    texts = [_CELLS.format(", ".join(one)) for one in some]
    return texts[0] if len(texts) == 1 else _joined(texts or ["''"])


def _of_pages(connection: Connection, query: str, pages: int) -> Iterator[bytes]:
    """Rows of some pages after the other, joined by the server: row by row takes most of the time."""
    raw = connection.connection.driver_connection
    if raw is None:
        return
    with raw.cursor(binary=True) as cursor:
        for first in range(0, pages, _PAGES):
            cursor.execute(query, [f"({first},0)", f"({first + _PAGES},0)"])
            [(content,)] = cursor.fetchall()
            if content:
                yield bytes(content)


def _copied(connection: Connection, table: str) -> Iterator[bytes]:
    raw = connection.connection.driver_connection
    if raw is None:
        return
    with raw.cursor() as cursor, cursor.copy(_AS_TEXT.format(table)) as copy:
        rows = map(bytes, copy)
        while many := b"".join(islice(rows, _ROWS)):
            yield _BROKEN.sub(b" ", many)
