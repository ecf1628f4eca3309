"""Looking through a whole deployment for values of persons who were erased.

Belongs here: every file and every table there is, whoever declared it, unpacked and searched. Does not belong here:
which values (``collected``), the register of places: this is to find what that does not know.
"""

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, text

from cdm_pipelines.hub.rights import LEFT_OUT
from cdm_pipelines.privacy.traces import Traces, texts_of
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.file_store import FileStore

_ROWS = 50_000
_TABLES = text(
    """SELECT format('%I.%I', n.nspname, c.relname), n.nspname || '.' || c.relname
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 2"""
)
_AS_TEXT = "COPY (SELECT t::text FROM {} AS t) TO STDOUT"
_STATISTICS = (
    "(SELECT * FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'privacy'))"
)
"""What the database noted of the values of columns."""
_SERVER = "postgres"
"""Folder of the embedded server's files below home: what is in them are the tables."""


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


def rescan(settings: Settings, connection: Connection, traces: Traces) -> Rescan:
    """Look through every file under home, landing and lake, and every table of every schema."""
    found: dict[str, int] = {}
    files = tables = 0
    for name, content in _files(settings):
        files += 1
        if held := _in_file(name, content, traces):
            found[name] = len(held)
    for name, rows in _tables(connection):
        tables += 1
        held = {value for batch in rows() for value in traces.within(batch)}
        if held:
            found[name] = len(held)
    return Rescan(files, tables, found)


Content = Callable[[], bytes]


def _files(settings: Settings) -> Iterator[tuple[str, Content]]:
    landing, lake = FileStore(settings.landing_url), FileStore(settings.lake_url)
    inside = [place for store in (landing, lake) if (place := store.here_at("")) is not None]
    inside.append(settings.policies)  # what a company decides: of nobody
    for name, store in (("landing", landing), ("lake", lake)):
        for path in sorted(store.stamps()):
            yield f"{name}/{path}", lambda store=store, path=path: _content(store, path)  # type: ignore[misc]
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


def _in_file(name: str, content: Content, traces: Traces) -> set[str]:
    try:
        held = content()
    except FileNotFoundError:
        return set()  # gone since: the files of a server's socket, say
    return {value for texts in _unpacked(name, held) for value in traces.within(texts)}


def _unpacked(name: str, content: bytes) -> Iterator[pa.Array]:
    """All texts in a file, whatever it is packed in."""
    if content[:4] == b"PAR1":
        yield from _of_parquet(content)
    elif content[:6] == b"ARROW1":
        with pa.ipc.open_file(pa.BufferReader(content)) as reader:
            yield from _of_table(reader.read_all())
    elif content[:2] == b"\x1f\x8b":
        yield from _unpacked(name, gzip.decompress(content))
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                yield from _unpacked(member.filename, archive.read(member))
    else:
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        lines = content.decode("utf-16" if wide else "utf-8", "replace").split("\n")
        for at in range(0, len(lines), _ROWS):
            yield pa.array(lines[at : at + _ROWS], pa.string())


def _of_parquet(content: bytes) -> Iterator[pa.Array]:
    for batch in pq.ParquetFile(pa.BufferReader(content)).iter_batches(_ROWS):
        yield from _of_table(pa.Table.from_batches([batch]))


def _of_table(table: pa.Table) -> Iterator[pa.Array]:
    notes = [
        part.decode("utf-8", "replace") for pair in (table.schema.metadata or {}).items() for part in pair
    ]
    yield pa.array([*table.column_names, *notes], pa.string())
    yield from (texts for _, texts in texts_of(table))


def _tables(connection: Connection) -> Iterator[tuple[str, Callable[[], Iterator[pa.Array]]]]:
    """Every table with its rows as text, in batches."""
    for quoted, name in connection.execute(_TABLES).all():
        if name not in LEFT_OUT:
            yield name, lambda quoted=quoted: _rows(connection, quoted)  # type: ignore[misc]
    yield "pg_catalog.pg_stats", lambda: _rows(connection, _STATISTICS)


def _rows(connection: Connection, table: str) -> Iterator[pa.Array]:
    raw = connection.connection.driver_connection
    if raw is None:
        return
    with raw.cursor() as cursor, cursor.copy(_AS_TEXT.format(table)) as copy:
        lines: list[str] = []
        for row in copy:
            lines.append(bytes(row).decode("utf-8", "replace"))
            if len(lines) >= _ROWS:
                yield pa.array(lines, pa.string())
                lines.clear()
        if lines:
            yield pa.array(lines, pa.string())
