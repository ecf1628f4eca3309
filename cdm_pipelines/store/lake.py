"""The lake: Parquet files per asset and partition at any fsspec URL, and Arrow files where a table is read in part.

Belongs here: tables, streamed reads, packs, and that a file is what was written. Does not belong here: files as such
(file_store), what the columns mean.

A write is visible whole or not at all: it goes to a temporary name beside its target, on this machine to the disk
itself (files), and is moved into place. Files carry no time of their own and no run id, so the same input gives the
same bytes (R4).

Files carry checksums (checksums). Their footer is verified whenever anything is read, all of a file when its rows are
read, once per process and file: a file of 1 GiB takes 0.16 s, from another machine one more transfer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from isal.isal_zlib import crc32

from cdm_pipelines.store.arrow import coded_columns
from cdm_pipelines.store.checksums import NOTE, UNSEALED, Kind, SealedSink, Seen, fault_of
from cdm_pipelines.store.damage import DamagedError, Fault, LakeError
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.packs import SUFFIX, PackError, Packs, address, path_of

_BLOCK = 1 << 24
_SEEN = Seen()
_Answer = TypeVar("_Answer")

__all__ = ["DamagedError", "Lake", "LakeError"]


class Lake(FileStore):
    """Tables under one base URL; paths are relative and use ``/``."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.packs = Packs(self._filesystem, self._root, local=self._is_local)

    def exists(self, path: str) -> bool:
        """Whether there is a table at ``path``, or in the pack of its month."""
        return self.lies_alone(path) or self._told_of_pack(path, self.packs.holds)

    def paths(self, folder: str, suffix: str = ".parquet") -> list[str]:
        """Paths of all tables, or other files, below ``folder``, sorted; empty when the folder does not exist.

        Tables that lie in packs are among them, where they would lie without.
        """
        names = self.names(folder)
        lying = {path for path in names if path.endswith(suffix)}
        if suffix == ".parquet":
            for pack in (path for path in names if path.endswith(SUFFIX)):
                lying |= {path_of(pack, name) for name in self.packed(pack)}
        return sorted(lying)

    def packed(self, pack: str) -> list[str]:
        """Names in a pack, sorted; none where there is none.

        Raises:
            DamagedError: The pack is empty, cut off or altered.
        """
        return sorted(self._told_of_pack(pack, self.packs.index))

    def packed_content(self, path: str) -> bytes:
        """The bytes of a path as its pack has them, whatever lies beside it.

        Raises:
            DamagedError: The pack, or that file in it, is missing, empty, cut off or altered.
        """
        found = self._told_of_pack(path, self.packs.content)
        if found is None:
            raise self.damaged(path, Fault.MISSING)
        return bytes(found)

    @contextmanager
    def writer(self, path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
        """Write a table in batches; it appears when the block ends, and not when the block raises."""
        with (
            self._sealed(path, Kind.PARQUET) as sink,
            pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1) as writer,
        ):
            yield writer
            writer.add_key_value_metadata({NOTE: UNSEALED})
            sink.footer_follows()

    def verify(self, path: str) -> None:
        """Make sure that an Arrow or Parquet file is what was written.

        Raises:
            DamagedError: It is missing, empty, cut off or altered.
        """
        if path.endswith(".arrow"):
            with self._told(path):
                self._verify(path, Kind.ARROW, rows=True)
        else:
            with self._parquet(path, rows=True):
                pass

    def here(self, path: str) -> str | None:
        """Where other libraries may read a verified Parquet file; None where it lies elsewhere, or in a pack.

        Raises:
            DamagedError: It is empty, cut off or altered.
        """
        if not self._is_local or not self.lies_alone(path):
            return None
        with self._told(path):
            self._verify(path, Kind.PARQUET, rows=True)
        return self._full(path)

    def content(self, path: str) -> bytes:
        """All bytes of a Parquet file, verified.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._parquet(path, rows=True) as source:
            return bytes(source.read())

    @contextmanager
    def _sealed(self, path: str, kind: Kind) -> Iterator[SealedSink]:
        """A file that gets its checksums, and that this process need not look through again."""
        with self._whole(path) as target:
            sink = SealedSink(target, kind)
            yield sink
            sink.seal()
        if self._is_local:
            _SEEN.add(self._full(path), self.stamp(path))

    def write(self, path: str, table: pa.Table) -> None:
        """Write one table whole."""
        with self.writer(path, table.schema) as writer:
            writer.write_table(table)

    def write_batches(self, path: str, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
        """Write a stream of tables of one schema; returns the number of rows."""
        rows = 0
        with self.writer(path, schema) as writer:
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
        return rows

    @contextmanager
    def _parquet(self, path: str, *, rows: bool) -> Iterator[Any]:
        """A table's bytes, verified. A file on this machine is read by Arrow itself.

        Arrow's threads may outlive a read through a Python file, and abort the process at its end (apache/arrow#34314).
        """
        with self._told(path):
            try:
                self._verify(path, Kind.PARQUET, rows=rows)
                full = self._full(path)
                opened = pa.OSFile(full, "rb") if self._is_local else self._filesystem.open(full, "rb")
            except FileNotFoundError:
                packed = self._told_of_pack(path, self.packs.content)
                if packed is None:
                    raise
                opened = pa.BufferReader(packed)
        with opened as source:
            yield source

    def _told_of_pack(self, path: str, ask: Callable[[str], _Answer]) -> _Answer:
        """Ask packs of a path, and say in words what is wrong with one."""
        try:
            return ask(path)
        except PackError as error:
            at = address(path)
            pack = at.pack if at else path
            if error.name:
                raise DamagedError(path, f"{error.name} in {self.where(pack)}", error.fault) from None
            raise self.damaged(pack, error.fault) from None

    def read(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read one table whole, or some of its columns.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._parquet(path, rows=True) as source, self._told(path):
            table = pq.read_table(source, columns=columns)
            return table.replace_schema_metadata(_without_sums(table.schema.metadata))

    def read_where(
        self,
        path: str,
        columns: list[str],
        test: Callable[[pa.Table], pa.Array | pa.ChunkedArray],
        wanted: list[str] | None = None,
    ) -> Iterator[pa.Table]:
        """The rows of a Parquet table that a test finds; other columns are read only of their groups, as codes.

        Args:
            path: Of the table.
            columns: What the test reads.
            test: Whether each row is wanted.
            wanted: Columns of the rows; all of them when left out.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._parquet(path, rows=True) as source, self._told(path):
            file = pq.ParquetFile(source)
            coded = pq.ParquetFile(source, read_dictionary=coded_columns(file.metadata))
            for number in range(file.num_row_groups):
                found = test(file.read_row_group(number, columns))
                if pc.any(found).as_py():
                    rows = coded.read_row_group(number, wanted).filter(found)
                    yield rows.cast(pa.schema(map(file.schema_arrow.field, rows.column_names)))

    def write_arrow(
        self, path: str, tables: Iterable[pa.Table], schema: pa.Schema, notes: Mapping[str, str] | None = None
    ) -> int:
        """Write a stream of tables as Arrow's own file format: larger than Parquet, and read without unpacking.

        Args:
            path: Of the table.
            tables: Its rows, in one piece or several.
            schema: Of the pieces.
            notes: To be kept with it, see ``arrow_notes``.

        Returns:
            The number of rows.
        """
        rows = 0
        noted = schema.with_metadata({**(notes or {}), NOTE: UNSEALED})
        with self._sealed(path, Kind.ARROW) as sink, pa.ipc.new_file(sink, noted) as writer:
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
            sink.footer_follows()
        return rows

    def read_arrow(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read what ``write_arrow`` wrote, or some of its columns; a file on this machine is mapped, not copied.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._arrow(path, rows=True) as reader:
            table = reader.read_all().replace_schema_metadata(None)
        return table if columns is None else table.select(columns)

    def arrow_schema(self, path: str) -> pa.Schema:
        """Column names and types of what ``write_arrow`` wrote, without reading its rows."""
        with self._arrow(path) as reader:
            return reader.schema.remove_metadata()

    def arrow_notes(self, path: str) -> dict[str, str]:
        """The notes that ``write_arrow`` kept."""
        with self._arrow(path) as reader:
            return _notes(reader.schema.metadata)

    @contextmanager
    def _arrow(self, path: str, *, rows: bool = False) -> Iterator[pa.ipc.RecordBatchFileReader]:
        full = self._full(path)
        with self._told(path):
            self._verify(path, Kind.ARROW, rows=rows)
            if self._is_local:  # what was read goes on living in the map
                yield pa.ipc.open_file(pa.memory_map(full))
            else:
                with self._filesystem.open(full, "rb") as source:
                    yield pa.ipc.open_file(source)

    def read_batches(
        self, path: str, rows: int, columns: list[str] | None = None, *, coded: bool = False
    ) -> Iterator[pa.Table]:
        """Read a table in pieces of at most ``rows`` rows; on demand columns of few values as codes of them.

        Raises:
            DamagedError: The file is missing, empty, cut off or altered.
        """
        with self._parquet(path, rows=True) as source:
            with self._told(path):
                opened = pq.ParquetFile(source)
                if coded:
                    opened = pq.ParquetFile(source, read_dictionary=coded_columns(opened.metadata))
            for batch in opened.iter_batches(batch_size=rows, columns=columns):
                table = pa.Table.from_batches([batch])
                yield table.replace_schema_metadata(_without_sums(table.schema.metadata))

    def schema(self, path: str) -> pa.Schema:
        """Column names and types of a table, without reading its rows."""
        with self._parquet(path, rows=False) as source, self._told(path):
            schema = pq.read_schema(source)
            return schema.with_metadata(_without_sums(schema.metadata) or {})

    def notes(self, path: str, *, rows: bool = False) -> dict[str, str]:
        """What the writer of a table noted with it, such as fingerprints; ``rows`` has its rows verified as well."""
        with self._parquet(path, rows=rows) as source, self._told(path):
            return _notes(pq.read_metadata(source).metadata)

    def count(self, path: str) -> int:
        """Number of rows of a table, without reading them."""
        with self._parquet(path, rows=False) as source, self._told(path):
            return int(pq.read_metadata(source).num_rows)

    def _verify(self, path: str, kind: Kind, *, rows: bool) -> None:
        """Compare a file with its checksums: the footer's, and where rows are read that of all before it."""
        full = self._full(path)
        stamp = self.stamp(path)
        if _SEEN.has(full, stamp):
            return
        look = _look_here if self._is_local else self._look_elsewhere
        fault = look(full, kind, rows=rows)
        if fault is not None:
            raise self.damaged(path, fault)
        if rows:
            _SEEN.add(full, stamp)

    def _look_elsewhere(self, full: str, kind: Kind, *, rows: bool) -> Fault | None:
        size = int(self._filesystem.size(full))

        def body_sum(first: int) -> int:
            found = 0
            with self._filesystem.open(full, "rb") as source:
                while first:
                    block = source.read(min(first, _BLOCK))
                    found, first = crc32(block, found), first - len(block)
            return found

        def last(count: int) -> bytes:
            return bytes(self._filesystem.cat_file(full, start=size - count, end=size))

        return fault_of(kind, size, last, body_sum if rows else None)


def _look_here(full: str, kind: Kind, *, rows: bool) -> Fault | None:
    if not Path(full).stat().st_size:
        return Fault.EMPTY
    with pa.memory_map(full) as opened:
        content = memoryview(opened.read_buffer())
    size = len(content)
    return fault_of(
        kind,
        size,
        lambda count: bytes(content[size - count :]),
        (lambda first: crc32(content[:first])) if rows else None,
    )


def _without_sums(metadata: Mapping[bytes, bytes] | None) -> dict[bytes, bytes] | None:
    return {key: value for key, value in (metadata or {}).items() if key != NOTE.encode()} or None


def _notes(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """Notes of a file as text, without those that are not its writer's."""
    skipped = {NOTE.encode(), b"ARROW:schema"}
    return {key.decode(): value.decode() for key, value in (metadata or {}).items() if key not in skipped}
